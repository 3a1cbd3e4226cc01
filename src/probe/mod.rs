//! Live TLS: one handshake with whatever listens at an address, and what it shows. Never longer than it is told to
//! wait, never more bytes than a handshake has.

mod error;
mod fault;
mod handshake;
mod judge;
mod kafka;
mod login;
mod look;
mod old;
mod wire;
mod witness;

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use rustls::pki_types::CertificateDer;

use crate::pki::{Certificate, PkiError};
pub use error::ProbeError;
pub use fault::{Check, Fault};
pub use judge::{Expected, Verdict, judge, trusts};
pub use login::{Login, LoginError};
pub use look::{ClientCert, Kafka, Question, Sighting, Speaks, look};
pub use old::OldTls;

/// So many peers are asked at the same time.
const AT_ONCE: usize = 64;

/// Whom a handshake shows, where the peer asks for a certificate.
#[derive(Clone, Copy)]
pub struct Identity<'a> {
    /// PKCS#8 DER.
    pub key_pkcs8: &'a [u8],
    /// The leaf first.
    pub chain: &'a [CertificateDer<'static>],
}

/// What a listener shows in a handshake. Nothing of it was judged, but that the peer has the leaf's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// As it was sent: the leaf first, never empty.
    pub chain: Vec<CertificateDer<'static>>,
    /// `TLSv1.3` or `TLSv1.2`.
    pub protocol: &'static str,
    /// The cipher suite's name: `TLS_AES_256_GCM_SHA384`.
    pub cipher: String,
    /// The CAs whose client certificates it takes, RFC 2253 text: Java sends those of its truststore. `None` where it
    /// asks for no certificate; empty where it does not say.
    pub client_authorities: Option<Vec<String>>,
    /// False where the certificate is of a kind (version 1, a weak key) whose signatures cannot be checked here.
    pub proved: bool,
}

impl Served {
    /// The leaf, read.
    ///
    /// # Errors
    /// When it is no certificate that can be read.
    pub fn leaf(&self) -> Result<Certificate, PkiError> {
        // Never empty: rustls hands over a leaf, and what follows it.
        Certificate::from_der(&self.chain[0])
    }
}

/// Shakes hands with `address` (`host:port`), asking for `server_name` where that is a DNS name.
///
/// A peer that wants a certificate and gets none, or one that it refuses, has shown its own by then: that is no error
/// here.
///
/// # Errors
/// What is there instead, or why nothing is.
pub fn served(
    address: &str,
    server_name: &str,
    identity: Option<Identity<'_>>,
    timeout: Duration,
) -> Result<Served, ProbeError> {
    let deadline = Instant::now() + timeout;
    let mut shaken = handshake::shake(address, server_name, identity, deadline)?;
    shaken.connection.send_close_notify();
    let _ = shaken.connection.write_tls(&mut shaken.wire);
    Ok(shaken.served)
}

/// Asks many at once, and gives the answers in their order.
pub fn each<T: Sync, A: Send>(targets: &[T], ask: impl Fn(&T) -> A + Sync) -> Vec<A> {
    let next = AtomicUsize::new(0);
    let answers = Mutex::new(Vec::with_capacity(targets.len()));
    std::thread::scope(|scope| {
        for _ in 0..targets.len().min(AT_ONCE) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(target) = targets.get(at) else { break };
                    let answer = ask(target);
                    let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
                    answers.push((at, answer));
                }
            });
        }
    });
    let mut answers = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
    answers.sort_by_key(|(at, _)| *at);
    answers.into_iter().map(|(_, answer)| answer).collect()
}
