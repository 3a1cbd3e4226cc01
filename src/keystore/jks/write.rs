//! Writes JKS, for programs that read nothing else.

use super::{
    super::{
        StoreContents, StoreError, chain,
        cipher::{SUN, sun_stream, utf16},
    },
    MAGIC, digest,
};
use crate::secret::Secret;
use rustls_pki_types::CertificateDer;
use sha1::{Digest, Sha1};
use time::OffsetDateTime;
use zeroize::Zeroizing;

/// A store with the keys and trusted certificates of `contents`, all with the same password. `seed` is random; the
/// salts are derived from it.
///
/// # Errors
/// If it would be empty, the password is too short, a key and its chain do not match, or an alias is too long.
pub fn write(
    contents: &StoreContents,
    password: &Secret,
    seed: &[u8; 32],
    now: OffsetDateTime,
) -> Result<Vec<u8>, StoreError> {
    if contents.keys.is_empty() && contents.trusted.is_empty() {
        return Err(StoreError::NoEntries);
    }
    if password.expose().chars().count() < 6 {
        return Err(StoreError::UnusablePassword("is shorter than 6 characters"));
    }
    let count = contents.keys.len() + contents.trusted.len();
    let created = now.unix_timestamp_nanos() / 1_000_000;
    let created = i64::try_from(created).unwrap_or_default().to_be_bytes();
    let mut store = Output(Vec::new());
    store.u32(MAGIC);
    store.u32(2);
    store.length(count)?;
    for (at, key) in contents.keys.iter().enumerate() {
        let salt = Sha1::new()
            .chain_update(seed)
            .chain_update(at.to_be_bytes());
        chain::check_foreign(&key.key_pkcs8, &key.chain)?;
        store.u32(1);
        store.text(&key.alias)?;
        store.0.extend(created);
        store.block(&protect(&key.key_pkcs8, password, &salt.finalize()))?;
        store.length(key.chain.len())?;
        for cert in &key.chain {
            store.certificate(cert)?;
        }
    }
    for entry in &contents.trusted {
        store.u32(2);
        store.text(&entry.alias)?;
        store.0.extend(created);
        store.certificate(&entry.cert)?;
    }
    let digest = digest(&store.0, password);
    store.0.extend(digest);
    Ok(store.0)
}

/// `sun.security.provider.KeyProtector.protect`, as EncryptedPrivateKeyInfo.
fn protect(key: &[u8], password: &Secret, salt: &[u8]) -> Vec<u8> {
    let password = utf16(password.expose());
    let hidden: Zeroizing<Vec<u8>> = sun_stream(key, &password, salt);
    let check = Sha1::new().chain_update(&*password).chain_update(key);
    let data = [salt, &hidden, &check.finalize()].concat();
    let algorithm = der(0x30, &[der(0x06, &SUN), vec![0x05, 0]].concat());
    der(0x30, &[algorithm, der(0x04, &data)].concat())
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let significant = length.iter().skip_while(|octet| **octet == 0);
    let significant: Vec<u8> = significant.copied().collect();
    let mut out = vec![tag];
    if content.len() >= 0x80 {
        // At most 8, the size of a `usize`.
        out.push(0x80 | significant.len() as u8);
        out.extend(significant);
    } else {
        out.push(content.len() as u8);
    }
    out.extend(content);
    out
}

/// `java.io.DataOutput`
struct Output(Vec<u8>);

impl Output {
    fn u32(&mut self, number: u32) {
        self.0.extend(number.to_be_bytes());
    }

    fn length(&mut self, length: usize) -> Result<(), StoreError> {
        let length = u32::try_from(length).map_err(|e| StoreError::Encode(e.to_string()))?;
        self.u32(length);
        Ok(())
    }

    fn block(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.length(bytes.len())?;
        self.0.extend(bytes);
        Ok(())
    }

    fn certificate(&mut self, der: &CertificateDer<'_>) -> Result<(), StoreError> {
        self.text("X.509")?;
        self.block(der)
    }

    /// `DataOutput.writeUTF`
    fn text(&mut self, text: &str) -> Result<(), StoreError> {
        let mut octets = Vec::new();
        for unit in text.encode_utf16() {
            let low = |shift: u16| 0x80 | (unit >> shift & 0x3f) as u8;
            match unit {
                1..=0x7f => octets.push(unit as u8),
                0 | 0x80..=0x7ff => octets.extend([0xc0 | (unit >> 6) as u8, low(0)]),
                _ => octets.extend([0xe0 | (unit >> 12) as u8, low(6), low(0)]),
            }
        }
        let length = u16::try_from(octets.len())
            .map_err(|_| StoreError::Alias(text.to_owned(), "is too long for this format"))?;
        self.0.extend(length.to_be_bytes());
        self.0.extend(octets);
        Ok(())
    }
}
