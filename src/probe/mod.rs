//! Live TLS checks: one handshake with whatever listens at an address, and its result. Limited in time and bytes.

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

use crate::{
    pki::{Certificate, PkiError},
    printable::Name,
};
pub use error::ProbeError;
pub use fault::{Check, Fault};
pub use judge::{Expected, Guest, Says, Verdict, judge, trusts};
pub use login::{Login, LoginError};
pub use look::{ClientCert, Kafka, Question, Sighting, Speaks, look};
pub use old::OldTls;

/// How many peers are asked at the same time.
const AT_ONCE: usize = 64;

/// The client identity, for a peer that requests a certificate.
#[derive(Clone, Copy)]
pub struct Identity<'a> {
    /// PKCS#8 DER.
    pub key_pkcs8: &'a [u8],
    /// The leaf first.
    pub chain: &'a [CertificateDer<'static>],
}

/// What a listener presents in a handshake. None of it was validated, except that the peer has the leaf's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// As sent: the leaf first, never empty.
    pub chain: Vec<CertificateDer<'static>>,
    /// `TLSv1.3` or `TLSv1.2`.
    pub protocol: &'static str,
    /// The cipher suite's name: `TLS_AES_256_GCM_SHA384`.
    pub cipher: String,
    /// The CAs whose client certificates it accepts, as RFC 2253 text: Java sends those of its truststore. `None` if it
    /// does not request a certificate; empty if it does not name any.
    pub client_authorities: Option<Vec<Name>>,
    /// False if the certificate is of a kind (version 1, a weak key) whose signatures cannot be checked here.
    pub proved: bool,
}

impl Served {
    /// The leaf, read.
    ///
    /// # Errors
    /// If it is not a certificate that can be read.
    pub fn leaf(&self) -> Result<Certificate, PkiError> {
        // Never empty: rustls returns the leaf and the rest of the chain.
        Certificate::from_der(&self.chain[0])
    }
}

/// Does a handshake with `address` (`host:port`), requesting `server_name` if that is a DNS name.
///
/// A peer that requires a certificate and gets none, or refuses it, has presented its own by then: that is not an error
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

/// Runs a function for many peers in parallel, and returns the results in order.
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
