//! The callbacks of a rustls handshake: one accepts and keeps any certificate, the other sends ours and records that it
//! was requested.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::{
    CertificateError, DigitallySignedStruct, Error, SignatureScheme,
    client::{
        ResolvesClientCert,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    sign::CertifiedKey,
};

use crate::pki::Details;

/// What the peer sent.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// The leaf first.
    pub(super) chain: Vec<CertificateDer<'static>>,
    /// The peer has signed this handshake.
    pub(super) signed: bool,
    /// That signature was verified.
    pub(super) proved: bool,
}

/// Accepts any certificate, but its key must have signed the handshake: anyone can send a copy of a certificate.
#[derive(Debug)]
pub(super) struct Witness {
    algorithms: WebPkiSupportedAlgorithms,
    seen: Mutex<Option<Seen>>,
}

impl Witness {
    pub(super) fn new(algorithms: WebPkiSupportedAlgorithms) -> Self {
        let seen = Mutex::default();
        Self { algorithms, seen }
    }

    pub(super) fn seen(&self) -> Option<Seen> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clone()
    }

    fn signed(
        &self,
        cert: &CertificateDer<'_>,
        checked: Result<HandshakeSignatureValid, Error>,
    ) -> Result<HandshakeSignatureValid, Error> {
        let is_weak = || Details::of(cert).is_ok_and(|details| details.key.weak.is_some());
        let proved = match checked {
            Ok(_) => true,
            // Weak keys fail without being tried.
            Err(Error::InvalidCertificate(CertificateError::BadSignature)) if !is_weak() => {
                return checked;
            }
            // A certificate that webpki cannot read, or an algorithm that it does not support.
            Err(_) => false,
        };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seen) = seen.as_mut() {
            (seen.signed, seen.proved) = (true, proved);
        }
        Ok(HandshakeSignatureValid::assertion())
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain = std::iter::once(end_entity).chain(intermediates);
        let seen = Seen {
            chain: chain.map(|der| der.clone().into_owned()).collect(),
            signed: false,
            proved: false,
        };
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let checked = verify_tls12_signature(message, cert, signature, &self.algorithms);
        self.signed(cert, checked)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let checked = verify_tls13_signature(message, cert, signature, &self.algorithms);
        self.signed(cert, checked)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Sends the client identity, if there is one, and keeps the names of the CAs that the peer requested.
#[derive(Debug)]
pub(super) struct Applicant {
    identity: Option<Arc<CertifiedKey>>,
    asked: Mutex<Option<Vec<Vec<u8>>>>,
}

impl Applicant {
    pub(super) fn new(identity: Option<Arc<CertifiedKey>>) -> Self {
        let asked = Mutex::default();
        Self { identity, asked }
    }

    /// The DER of each CA's name; `None` if no certificate was requested.
    pub(super) fn asked(&self) -> Option<Vec<Vec<u8>>> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.clone()
    }
}

impl ResolvesClientCert for Applicant {
    fn resolve(&self, issuers: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let issuers = issuers.iter().map(|der| der.to_vec()).collect();
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(issuers);
        self.identity.clone()
    }

    fn has_certs(&self) -> bool {
        self.identity.is_some()
    }
}
