//! A store of any format, opened: the bytes decide which it is, never the name.

use std::{collections::BTreeSet, fmt};

use super::{Cipher, Integrity, StoreContents, StoreError, jks, pem_store, pkcs12};
use crate::secret::Secret;

/// The most that a store may hold, in bytes.
const LARGEST: usize = 16 * 1024 * 1024;

/// The format of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// PKCS#12 (RFC 7292).
    Pkcs12,
    /// Sun's.
    Jks,
    /// Sun's with other protection.
    Jceks,
    /// PEM (RFC 7468).
    Pem,
}

impl fmt::Display for StoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pkcs12 => "PKCS12",
            Self::Jks => "JKS",
            Self::Jceks => "JCEKS",
            Self::Pem => "PEM",
        })
    }
}

/// What a store is opened with.
#[derive(Debug, Clone, Copy, Default)]
pub struct Passwords<'a> {
    /// That of the store; without it, a store is read as far as it can be.
    pub store: Option<&'a Secret>,
    /// That of its keys, where it is another (`ssl.key.password`).
    pub key: Option<&'a Secret>,
}

/// How a store is protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protection {
    /// Every way in which its keys are encrypted.
    pub keys: BTreeSet<Cipher>,
    /// Every way in which its certificates are.
    pub certificates: BTreeSet<Cipher>,
    /// How it is checked.
    pub integrity: Integrity,
    /// There is more in it, which no one sees without the password.
    pub hidden: bool,
}

/// A store that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Opened {
    /// Its format.
    pub kind: StoreKind,
    /// What is in it.
    pub contents: StoreContents,
    /// How it is protected.
    pub protection: Protection,
}

/// Reads a store of any format.
///
/// # Errors
/// When it is none, is damaged, is not opened by the password, or asks for more work than any store needs.
pub fn open(bytes: &[u8], passwords: Passwords<'_>) -> Result<Opened, StoreError> {
    if bytes.len() > LARGEST {
        return Err(StoreError::Unsupported(
            "it is larger than 16 MiB".to_owned(),
        ));
    }
    match bytes {
        [0xfe, 0xed, 0xfe, 0xed, ..] | [0xce, 0xce, 0xce, 0xce, ..] => jks::read(bytes, passwords),
        [0x30, ..] => pkcs12::read(bytes, passwords),
        _ if is_pem(bytes) => pem_store::read(bytes, passwords),
        _ => Err(StoreError::NotAStore(kind(bytes))),
    }
}

fn is_pem(bytes: &[u8]) -> bool {
    const BEGIN: &[u8] = b"-----BEGIN ";
    bytes.windows(BEGIN.len()).any(|part| part == BEGIN)
}

/// What bytes look like.
pub(super) fn kind(bytes: &[u8]) -> &'static str {
    match bytes {
        [] => "an empty file",
        [0xfe, 0xed, 0xfe, 0xed, ..] => "a JKS store", // `JavaKeyStore.MAGIC`
        [0xce, 0xce, 0xce, 0xce, ..] => "a JCEKS store", // `JceKeyStore.JCEKS_MAGIC`
        _ if bytes.trim_ascii_start().starts_with(b"-----BEGIN ") => "a PEM text",
        [0x30, ..] => "damaged, cut off or another ASN.1 structure",
        _ => "something else",
    }
}
