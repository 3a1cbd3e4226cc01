//! Live TLS checks: one handshake with whatever listens at an address, and its result. Limited in time and bytes.

mod error;
mod wire;
mod witness;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use rustls::{
    ClientConfig, ClientConnection, ProtocolVersion,
    client::Resumption,
    crypto::aws_lc_rs::default_provider,
    pki_types::{CertificateDer, IpAddr, Ipv4Addr, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName},
    sign::CertifiedKey,
};

use crate::pki::{Certificate, PkiError, rfc2253};
pub use error::ProbeError;
use wire::Wire;
use witness::{Applicant, Witness};

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
    pub client_authorities: Option<Vec<String>>,
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
    let provider = Arc::new(default_provider());
    let key = match identity {
        None => None,
        Some(identity) => {
            let der = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(identity.key_pkcs8.to_vec()));
            let key = provider.key_provider.load_private_key(der);
            let key = key.map_err(|e| ProbeError::Identity(e.to_string()))?;
            Some(Arc::new(CertifiedKey::new(identity.chain.to_vec(), key)))
        }
    };
    let witness = Arc::new(Witness::new(provider.signature_verification_algorithms));
    let applicant = Arc::new(Applicant::new(key));
    let tls = |error: rustls::Error| ProbeError::Tls(error.to_string());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(tls)?
        .dangerous()
        .with_custom_certificate_verifier(witness.clone())
        .with_client_cert_resolver(applicant.clone());
    config.resumption = Resumption::disabled();
    // An IP address is not sent as SNI.
    let unnamed = ServerName::IpAddress(IpAddr::V4(Ipv4Addr::from([0, 0, 0, 0])));
    let name = ServerName::try_from(server_name.to_owned()).unwrap_or(unnamed);

    let mut wire = Wire::connect(address, deadline)?;
    let mut connection = ClientConnection::new(Arc::new(config), name).map_err(tls)?;
    let done = connection.complete_io(&mut wire);
    let asked = applicant.asked();
    let seen = witness.seen();
    let shaken = done.is_ok() && !connection.is_handshaking();
    let (Some(seen), Some(suite)) = (seen, connection.negotiated_cipher_suite()) else {
        return Err(wire.failure(done.err()));
    };
    // The certificate was received even if the peer refuses us.
    if !(shaken || seen.signed && asked.is_some()) {
        return Err(wire.failure(done.err()));
    }
    connection.send_close_notify();
    let _ = connection.write_tls(&mut wire);
    let authorities = |asked: Vec<Vec<u8>>| {
        let names = asked.iter().filter_map(|der| rfc2253(der).ok());
        names.collect()
    };
    Ok(Served {
        chain: seen.chain,
        protocol: match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
            _ => "TLSv1.2",
        },
        cipher: format!("{:?}", suite.suite()).replace("TLS13_", "TLS_"),
        client_authorities: asked.map(authorities),
        proved: seen.proved,
    })
}

/// Asks many in parallel, and returns the answers in order.
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
