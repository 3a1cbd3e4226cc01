//! The two that rustls asks during a handshake: one takes any certificate and keeps it, the other shows ours and notes
//! that it was asked.

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

/// What was seen of the peer.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// The leaf first.
    pub(super) chain: Vec<CertificateDer<'static>>,
    /// The peer has signed this very handshake.
    pub(super) signed: bool,
    /// That signature could be checked.
    pub(super) proved: bool,
}

/// Takes any certificate, whose key must have signed the handshake: a certificate alone can be shown by anybody.
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
            // A weak key is not even tried.
            Err(Error::InvalidCertificate(CertificateError::BadSignature)) if !is_weak() => {
                return checked;
            }
            // A certificate that webpki does not read, or an algorithm that it does not have.
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

/// Shows an identity, where there is one, and keeps the names of the CAs that were asked for.
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

    /// The DER of each CA's name; `None` where no certificate was asked for.
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
