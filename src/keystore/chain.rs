//! Checks of a key and its chain.
//!
//! Nothing after kpki checks this: Kafka's `DefaultSslEngineFactory` silently loads a PEM key with the wrong
//! certificate, and Java's `PKCS12KeyStore` rebuilds a chain only by DN, ending it silently where the names do not
//! link. Either is noticed only when a handshake fails.

use rcgen::KeyPair;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::Zeroize;

use super::StoreError;
use crate::pki::NotACertificate;

/// Checks that `chain` is a chain, leaf first, and that its leaf certifies `key_pkcs8`.
pub(super) fn check(key_pkcs8: &[u8], chain: &[CertificateDer<'_>]) -> Result<(), StoreError> {
    let public = public_key(key_pkcs8).ok_or(StoreError::Key)?;
    check_public(Some(&public), chain)
}

/// The same for a key of another program, whose type may be unknown to kpki.
pub(super) fn check_foreign(
    key_pkcs8: &[u8],
    chain: &[CertificateDer<'_>],
) -> Result<(), StoreError> {
    check_public(public_key(key_pkcs8).as_deref(), chain)
}

fn check_public(public: Option<&[u8]>, chain: &[CertificateDer<'_>]) -> Result<(), StoreError> {
    let certs = chain
        .iter()
        .enumerate()
        .map(|(i, der)| parse(i + 1, der))
        .collect::<Result<Vec<_>, _>>()?;
    let leaf = certs.first().ok_or(StoreError::NoChain)?;

    let certified = leaf.public_key().subject_public_key.data.as_ref();
    if public.is_some_and(|public| public != certified) {
        return Err(StoreError::KeyMismatch(leaf.subject().to_string()));
    }

    for (i, cert) in certs.iter().enumerate() {
        if let Some(next) = certs.get(i + 1)
            && cert.issuer().as_raw() != next.subject().as_raw()
        {
            return Err(StoreError::BrokenChain {
                subject: cert.subject().to_string(),
                issuer: cert.issuer().to_string(),
                next: next.subject().to_string(),
            });
        }
        let subject = cert.subject();
        if certs.iter().take(i).any(|c| c.subject() == subject) {
            return Err(StoreError::SameSubject(subject.to_string()));
        }
    }
    Ok(())
}

/// The public key of a private key, as in a certificate; `None` if kpki does not know the type of the key.
pub(super) fn public_key(key_pkcs8: &[u8]) -> Option<Vec<u8>> {
    let mut pair = KeyPair::try_from(&PrivatePkcs8KeyDer::from(key_pkcs8)).ok()?;
    let public = pair.public_key_raw().to_vec();
    pair.zeroize();
    Some(public)
}

/// Reads one certificate; `number` counts from 1 and is for the message.
pub(super) fn parse<'a>(
    number: usize,
    der: &'a CertificateDer<'_>,
) -> Result<X509Certificate<'a>, StoreError> {
    match X509Certificate::from_der(der) {
        Ok(([], cert)) => Ok(cert),
        Ok(_) => Err(StoreError::Certificate(number, NotACertificate::Trailing)),
        Err(e) => Err(StoreError::Certificate(number, e.into())),
    }
}
