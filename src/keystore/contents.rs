//! The contents of a store of any format.

use std::{collections::HashMap, fmt};

use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

use super::{StoreError, chain};

/// The maximum length of a chain; a longer one is a loop.
const LONGEST: usize = 100;

/// What is in a store.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StoreContents {
    /// The private keys, in the store's order.
    pub keys: Vec<StoredKey>,
    /// Private keys that could not be decrypted.
    pub locked: Vec<LockedKey>,
    /// The trusted certificates, in the store's order.
    pub trusted: Vec<TrustedCert>,
    /// Certificates that Java does not show, because they are neither marked as trusted nor in a key's chain. In a
    /// truststore made by OpenSSL, these are all certificates.
    pub ignored: Vec<CertificateDer<'static>>,
    /// The aliases of secret keys, which TLS does not use.
    pub secrets: Vec<String>,
}

/// A private key entry.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// Its alias, in lower case as Java shows it; a number if the store has none.
    pub alias: String,
    /// The key, DER of PKCS#8.
    pub key_pkcs8: Zeroizing<Vec<u8>>,
    /// Its certificate and issuers, leaf first; empty if the store has no certificate for it.
    pub chain: Vec<CertificateDer<'static>>,
}

/// A private key entry whose key has another password, or an unsupported format.
#[derive(Debug, Clone, PartialEq)]
pub struct LockedKey {
    /// Its alias, as in [`StoredKey`].
    pub alias: String,
    /// Why it could not be decrypted.
    pub why: StoreError,
    /// Its certificate and issuers.
    pub chain: Vec<CertificateDer<'static>>,
}

/// A trusted certificate entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedCert {
    /// Its alias, in lower case as Java shows it; a number if the store has none.
    pub alias: String,
    /// The certificate.
    pub cert: CertificateDer<'static>,
}

impl fmt::Debug for StoredKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredKey")
            .field("alias", &self.alias)
            .field("key_pkcs8", &"…")
            .field("chain", &self.chain)
            .finish()
    }
}

/// A certificate with its names as raw DER, the form in which CAs copy them from subject to issuer.
pub(super) struct Named {
    pub der: CertificateDer<'static>,
    pub public_key: Vec<u8>,
    subject: Vec<u8>,
    issuer: Vec<u8>,
}

impl Named {
    /// Parses one; `number` counts from 1 and is for the message.
    pub(super) fn read(number: usize, der: CertificateDer<'static>) -> Result<Self, StoreError> {
        let cert = chain::parse(number, &der)?;
        let (subject, issuer) = (cert.subject().as_raw(), cert.issuer().as_raw());
        let (subject, issuer) = (subject.to_vec(), issuer.to_vec());
        let public_key = cert.public_key().subject_public_key.data.to_vec();
        Ok(Self {
            der,
            public_key,
            subject,
            issuer,
        })
    }
}

/// Finds issuers by name.
pub(super) struct Issuers<'a> {
    certs: &'a [Named],
    by_subject: HashMap<&'a [u8], usize>,
}

impl<'a> Issuers<'a> {
    pub(super) fn new(certs: &'a [Named]) -> Self {
        // Of several with the same name, the first one is used, as in `PKCS12KeyStore`.
        let subjects = certs.iter().enumerate().rev();
        let by_subject = subjects.map(|(at, cert)| (cert.subject.as_slice(), at));
        Self {
            certs,
            by_subject: by_subject.collect(),
        }
    }

    /// The chain of a leaf, as indices.
    pub(super) fn chain(&self, leaf: usize) -> Vec<usize> {
        let mut chain = Vec::new();
        let mut next = Some(leaf);
        while let Some(at) = next
            && !chain.contains(&at)
            && chain.len() < LONGEST
        {
            chain.push(at);
            let cert = &self.certs[at];
            if cert.issuer == cert.subject {
                break;
            }
            next = self.by_subject.get(cert.issuer.as_slice()).copied();
        }
        chain
    }
}
