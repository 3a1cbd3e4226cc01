//! PKCS#12 (RFC 7292) as in Java's `PKCS12KeyStore`, with the `p12-keystore` crate.
//!
//! The crate makes copies of a key while it works and does not wipe them; kpki's own are wiped.

mod mac;
mod open;

use std::collections::BTreeSet;

use p12_keystore::{Certificate, KeyStore, KeyStoreEntry, PrivateKey, PrivateKeyChain};
use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha256};

pub use super::contents::{StoreContents, StoredKey, TrustedCert};
use super::{StoreError, StoreProfile, chain};
use crate::secret::Secret;

pub use mac::Integrity;
pub use open::open;
pub(super) use open::read;

/// A private key and its certificate chain.
pub struct KeyEntry<'a> {
    /// The entry's name; written in lower case, as Java shows it.
    pub alias: &'a str,
    /// The key, DER of an unencrypted PKCS#8 `PrivateKeyInfo`.
    pub key_pkcs8: &'a [u8],
    /// The key's certificate, then each issuer in turn; with or without the root.
    pub chain: &'a [CertificateDer<'a>],
}

/// A keystore with one entry. The key is protected by the store's own password: Kafka has two settings, but Java's
/// PKCS#12 cannot open a store whose passwords differ.
///
/// # Errors
/// If the key does not match the first certificate, the chain is not in order, or Java could not open the entry because
/// of its alias or password.
pub fn keystore(
    entry: &KeyEntry<'_>,
    password: &Secret,
    profile: StoreProfile,
) -> Result<Vec<u8>, StoreError> {
    let alias = java_alias(entry.alias)?;
    chain::check(entry.key_pkcs8, entry.chain)?;
    let mut store = KeyStore::new();
    store.add_entry(&alias, key_entry(entry)?);
    write(&store, password, profile)
}

fn key_entry(entry: &KeyEntry<'_>) -> Result<KeyStoreEntry, StoreError> {
    let leaf = entry.chain.first().ok_or(StoreError::NoChain)?;
    // Links key and certificate (RFC 7292 §4.2); any value works that both have and no other entry has.
    let local_key_id = Sha256::digest(leaf).to_vec();

    let key = PrivateKey::from_der(entry.key_pkcs8).map_err(|_| StoreError::Key)?;
    let certs = entry
        .chain
        .iter()
        .enumerate()
        .map(|(i, der)| certificate(i + 1, der))
        .collect::<Result<Vec<_>, _>>()?;
    let entry = PrivateKeyChain::new(local_key_id, key, certs);
    Ok(KeyStoreEntry::PrivateKeyChain(entry))
}

/// A store with all keys and trusted certificates of `contents`, in the order of the aliases.
///
/// # Errors
/// Those of [`keystore`] and [`truststore`].
pub fn store(
    contents: &StoreContents,
    password: &Secret,
    profile: StoreProfile,
) -> Result<Vec<u8>, StoreError> {
    let mut store = KeyStore::new();
    let mut seen = BTreeSet::new();
    let mut add = |alias: &str, entry: KeyStoreEntry| {
        let alias = java_alias(alias)?;
        if !seen.insert(alias.clone()) {
            return Err(StoreError::SameAlias(alias));
        }
        store.add_entry(&alias, entry);
        Ok(())
    };
    for key in &contents.keys {
        chain::check_foreign(&key.key_pkcs8, &key.chain)?;
        let entry = KeyEntry {
            alias: &key.alias,
            key_pkcs8: &key.key_pkcs8,
            chain: &key.chain,
        };
        add(&key.alias, key_entry(&entry)?)?;
    }
    for (at, entry) in contents.trusted.iter().enumerate() {
        let cert = certificate(at + 1, &entry.cert)?;
        add(&entry.alias, KeyStoreEntry::Certificate(cert))?;
    }
    if seen.is_empty() {
        return Err(StoreError::NoEntries);
    }
    write(&store, password, profile)
}

/// A truststore with an entry for each certificate, in the order of the aliases. Each has Oracle's trusted key usage
/// attribute (2.16.840.1.113894.746875.1.1), without which Java does not show it.
///
/// # Errors
/// If there is no entry, two aliases are equal except for case, one is not an X.509 certificate, or Java could not open
/// the store because of the password.
pub fn truststore(
    entries: &[(&str, CertificateDer<'_>)],
    password: &Secret,
    profile: StoreProfile,
) -> Result<Vec<u8>, StoreError> {
    let mut store = KeyStore::new();
    let mut seen = BTreeSet::new();
    for (i, (alias, der)) in entries.iter().enumerate() {
        let alias = java_alias(alias)?;
        if !seen.insert(alias.clone()) {
            return Err(StoreError::SameAlias(alias));
        }
        let cert = certificate(i + 1, der)?;
        store.add_entry(&alias, KeyStoreEntry::Certificate(cert));
    }
    if seen.is_empty() {
        return Err(StoreError::NoEntries);
    }
    write(&store, password, profile)
}

fn write(
    store: &KeyStore,
    password: &Secret,
    profile: StoreProfile,
) -> Result<Vec<u8>, StoreError> {
    check_password(password)?;
    let parameters = profile.parameters();
    store
        .writer(password.expose())
        .encryption_algorithm(parameters.encryption)
        .encryption_iterations(parameters.encryption_iterations)
        .mac_algorithm(parameters.mac)
        .mac_iterations(parameters.mac_iterations)
        .write()
        .map_err(|e| StoreError::Encode(e.to_string()))
}

fn certificate(number: usize, der: &CertificateDer<'_>) -> Result<Certificate, StoreError> {
    chain::parse(number, der)?;
    Certificate::from_der(der).map_err(|e| StoreError::Encode(e.to_string()))
}

/// The alias in Java's folded form, refused if a BMPString (RFC 7292 §4.2, friendlyName) cannot represent it.
fn java_alias(alias: &str) -> Result<String, StoreError> {
    let bad = |why| Err(StoreError::Alias(alias.to_owned(), why));
    if alias.trim().is_empty() {
        return bad("is empty");
    }
    if alias.chars().any(|c| c.is_control() || c > '\u{ffff}') {
        return bad("contains a control character or one beyond U+FFFF");
    }
    Ok(alias.to_lowercase())
}

/// Refuses a password that no store can have: keytool requires 6 characters, Java's `PBEKey` accepts only ASCII, and a line ending would be lost in a password
/// file.
pub fn check_password(password: &Secret) -> Result<(), StoreError> {
    let password = password.expose();
    if password.chars().count() < 6 {
        return Err(StoreError::UnusablePassword("is shorter than 6 characters"));
    }
    if !password.bytes().all(|b| (b' '..=b'~').contains(&b)) {
        return Err(StoreError::UnusablePassword(
            "contains a character that is not printable ASCII",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
