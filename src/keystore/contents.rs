//! What is in a store, whatever its format.

use std::{collections::HashMap, fmt};

use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

use super::{StoreError, chain};

/// No chain is longer: one that is goes round.
const LONGEST: usize = 100;

/// What is in a store.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StoreContents {
    /// The private keys, in the store's order.
    pub keys: Vec<StoredKey>,
    /// Private keys that the password does not open.
    pub locked: Vec<LockedKey>,
    /// The trusted certificates, in the store's order.
    pub trusted: Vec<TrustedCert>,
    /// Certificates that Java shows nowhere: not marked as trusted and in no key's chain. A trust store made
    /// by OpenSSL has all of its certificates here.
    pub ignored: Vec<CertificateDer<'static>>,
    /// The aliases of secret keys, which are for no TLS.
    pub secrets: Vec<String>,
}

/// A private key entry.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// Its name, in lower case as Java shows it; a number where the store has none.
    pub alias: String,
    /// The key, DER of PKCS#8.
    pub key_pkcs8: Zeroizing<Vec<u8>>,
    /// Its certificate and issuers, leaf first; empty where the store has no certificate for it.
    pub chain: Vec<CertificateDer<'static>>,
}

/// A private key entry whose key is under another password, or in a form that cannot be read.
#[derive(Debug, Clone, PartialEq)]
pub struct LockedKey {
    /// Its name, as that of a [`StoredKey`].
    pub alias: String,
    /// Why it was not opened.
    pub why: StoreError,
    /// Its certificate and issuers.
    pub chain: Vec<CertificateDer<'static>>,
}

/// A trusted certificate entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedCert {
    /// Its name, in lower case as Java shows it; a number where the store has none.
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
    /// Reads one; `number` counts from 1 and is for the message.
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

/// Certificates to find issuers among, by name.
pub(super) struct Issuers<'a> {
    certs: &'a [Named],
    by_subject: HashMap<&'a [u8], usize>,
}

impl<'a> Issuers<'a> {
    pub(super) fn new(certs: &'a [Named]) -> Self {
        // The first of a name is taken, as `PKCS12KeyStore` does.
        let subjects = certs.iter().enumerate().rev();
        let by_subject = subjects.map(|(at, cert)| (cert.subject.as_slice(), at));
        Self {
            certs,
            by_subject: by_subject.collect(),
        }
    }

    /// From a leaf to the end, as places in the list.
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
