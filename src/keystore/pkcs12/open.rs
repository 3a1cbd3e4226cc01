//! Reading a PKCS#12 store as Java would.

use std::fmt;

use p12_keystore::{CertificateBag, Pkcs12Archive, PrivateKeyBag, error::Error};
use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

use super::super::{StoreError, chain, cost};
use crate::secret::Secret;

/// What is in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreContents {
    /// The private keys, in the store's order.
    pub keys: Vec<StoredKey>,
    /// The trusted certificates, in the store's order.
    pub trusted: Vec<TrustedCert>,
    /// Certificates that Java does not show: not marked as trusted and in no key's chain. All certificates of a
    /// truststore made by OpenSSL are here.
    pub ignored: Vec<CertificateDer<'static>>,
}

/// A private key entry.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// Its name, in lower case as Java shows it; a number if the store has none.
    pub alias: String,
    /// The key, DER of PKCS#8.
    pub key_pkcs8: Zeroizing<Vec<u8>>,
    /// Its certificate and issuers, leaf first; empty if the store has no certificate for it.
    pub chain: Vec<CertificateDer<'static>>,
}

/// A trusted certificate entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedCert {
    /// Its name, in lower case as Java shows it; a number if the store has none.
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

/// Opens a store and verifies its integrity check, if it has one.
///
/// The work is bounded: what the store shows of its derivations is looked at before the first of them, and
/// `p12-keystore` refuses more than 1,000,000 iterations, and scrypt beyond 1 GiB, of those that are encrypted themselves.
///
/// # Errors
/// [`StoreError::WrongPassword`] and [`StoreError::NotPkcs12`] as far as the bytes tell; [`StoreError::Unsupported`]
/// for other contents and algorithms. With a wrong password, a store without an integrity check may in rare cases
/// decrypt to garbage and be reported as something else.
pub fn open(bytes: &[u8], password: &Secret) -> Result<StoreContents, StoreError> {
    let password = password.expose();
    if password.chars().any(|c| c > '\u{ffff}') {
        return Err(StoreError::Unsupported(
            "its password has a character beyond U+FFFF".into(),
        ));
    }
    cost::check(bytes)?;
    let archive = Pkcs12Archive::from_pkcs12(bytes, password).map_err(|e| explain(bytes, e))?;
    let bags = archive.certs.iter().enumerate().map(|(i, bag)| {
        let der = CertificateDer::from(bag.cert.as_der().to_vec());
        let (subject, issuer) = {
            let cert = chain::parse(i + 1, &der)?;
            let raw = |name: &x509_parser::x509::X509Name<'_>| name.as_raw().to_vec();
            (raw(cert.subject()), raw(cert.issuer()))
        };
        Ok(Bag {
            bag,
            der,
            subject,
            issuer,
        })
    });
    let bags = bags.collect::<Result<Vec<_>, StoreError>>()?;

    let mut unnamed = 0_u32;
    let mut alias = |name: &Option<String>| {
        name.as_ref().map_or_else(
            || {
                unnamed += 1; // `PKCS12KeyStore.getUnfriendlyName`
                unnamed.to_string()
            },
            |name| name.to_lowercase(),
        )
    };
    let only_key = archive.keys.len() == 1;
    let keys: Vec<_> = archive
        .keys
        .iter()
        .map(|key| StoredKey {
            alias: alias(&key.friendly_name),
            key_pkcs8: Zeroizing::new(key.key.as_der().to_vec()),
            chain: build_chain(&bags, leaf_of(key, &bags, only_key)),
        })
        .collect();
    let (trusted, others): (Vec<_>, Vec<_>) = bags.iter().partition(|b| b.bag.trusted);
    let trusted = trusted.into_iter().map(|b| TrustedCert {
        alias: alias(&b.bag.friendly_name),
        cert: b.der.clone(),
    });
    let trusted = trusted.collect();
    let ignored = others
        .into_iter()
        .map(|b| b.der.clone())
        .filter(|der| !keys.iter().any(|k: &StoredKey| k.chain.contains(der)))
        .collect();
    Ok(StoreContents {
        keys,
        trusted,
        ignored,
    })
}

/// A certificate bag with its names as raw DER, the form in which CAs copy them from subject to issuer.
struct Bag<'a> {
    bag: &'a CertificateBag,
    der: CertificateDer<'static>,
    subject: Vec<u8>,
    issuer: Vec<u8>,
}

/// The certificate with the key's localKeyId; where the store's only key has none, the first one without, as
/// `PKCS12KeyStore.loadSafeContents` does.
fn leaf_of<'b, 'a>(
    key: &PrivateKeyBag,
    bags: &'b [Bag<'a>],
    only_key: bool,
) -> Option<&'b Bag<'a>> {
    let id = key.local_key_id.as_ref().map(AsRef::as_ref);
    if id.is_none() && !only_key {
        return None;
    }
    bags.iter()
        .find(|b| !b.bag.trusted && b.bag.local_key_id.as_deref() == id)
}

/// Follows issuers by name from the leaf, taking the first certificate of a name, as `PKCS12KeyStore` does.
fn build_chain(bags: &[Bag<'_>], leaf: Option<&Bag<'_>>) -> Vec<CertificateDer<'static>> {
    let mut chain = Vec::new();
    let mut next = leaf;
    while let Some(bag) = next
        && !chain.contains(&bag.der)
    {
        chain.push(bag.der.clone());
        if bag.issuer == bag.subject {
            break;
        }
        next = bags.iter().find(|b| b.subject == bag.issuer);
    }
    chain
}

fn explain(bytes: &[u8], error: Error) -> StoreError {
    let undecryptable = pkcs8::pkcs5::Error::DecryptFailed.to_string();
    match error {
        Error::MacError(_) | Error::UnpadError => StoreError::WrongPassword,
        Error::Pkcs5Error(why) if why == undecryptable => StoreError::WrongPassword,
        Error::DerError(_) | Error::InvalidVersion => StoreError::NotPkcs12(kind(bytes)),
        Error::InvalidParameters => StoreError::Unsupported(
            "its key derivation has invalid parameters, or requires more than 1,000,000 iterations"
                .into(),
        ),
        other => StoreError::Unsupported(other.to_string()),
    }
}

/// What bytes that are not PKCS#12 look like.
fn kind(bytes: &[u8]) -> &'static str {
    match bytes {
        [] => "an empty file",
        [0xfe, 0xed, 0xfe, 0xed, ..] => "a JKS store", // `JavaKeyStore.MAGIC`
        [0xce, 0xce, 0xce, 0xce, ..] => "a JCEKS store", // `JceKeyStore.JCEKS_MAGIC`
        _ if bytes.trim_ascii_start().starts_with(b"-----BEGIN ") => "a PEM text",
        [0x30, ..] => "damaged, truncated or another ASN.1 structure",
        _ => "something else",
    }
}
