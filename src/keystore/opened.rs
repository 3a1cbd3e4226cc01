//! A store of any format after it was opened.

use std::{collections::BTreeSet, fmt};

use super::{Cipher, StoreContents, pkcs12::Integrity};

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

/// How a store is protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protection {
    /// The encryption algorithms of its keys.
    pub keys: BTreeSet<Cipher>,
    /// The encryption algorithms of its certificates.
    pub certificates: BTreeSet<Cipher>,
    /// Its integrity check.
    pub integrity: Integrity,
    /// Whether a key has a different password from the store.
    pub key_password: bool,
    /// Whether parts of it were not read, because they need the password.
    pub hidden: bool,
}

/// An opened store.
#[derive(Debug, Clone, PartialEq)]
pub struct Opened {
    /// Its format.
    pub kind: StoreKind,
    /// Its contents.
    pub contents: StoreContents,
    /// Its protection.
    pub protection: Protection,
}

/// Describes the format of bytes, for messages.
pub(super) fn kind(bytes: &[u8]) -> &'static str {
    match bytes {
        [] => "an empty file",
        [0xfe, 0xed, 0xfe, 0xed, ..] => "a JKS store", // `JavaKeyStore.MAGIC`
        [0xce, 0xce, 0xce, 0xce, ..] => "a JCEKS store", // `JceKeyStore.JCEKS_MAGIC`
        _ if bytes.trim_ascii_start().starts_with(b"-----BEGIN ") => "a PEM text",
        [0x30, ..] => "damaged, truncated or another ASN.1 structure",
        _ => "an unknown format",
    }
}
