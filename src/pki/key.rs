//! The key algorithms that kpki supports.

use std::{fmt, str::FromStr};

use rcgen::{KeyPair, RsaKeySize};
use serde::{Deserialize, Serialize};

/// A key algorithm and its size.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[schemars(rename = "key")]
pub enum KeyAlgorithm {
    /// ECDSA on P-256, signing with SHA-256: small, fast, read by every client. The default.
    #[default]
    #[serde(rename = "ecdsa-p256")]
    EcdsaP256,
    /// ECDSA on P-384, signing with SHA-384.
    #[serde(rename = "ecdsa-p384")]
    EcdsaP384,
    /// RSA of 2048 bits, signing with SHA-256.
    #[serde(rename = "rsa-2048")]
    Rsa2048,
    /// RSA of 3072 bits, signing with SHA-256.
    #[serde(rename = "rsa-3072")]
    Rsa3072,
    /// RSA of 4096 bits, signing with SHA-256.
    #[serde(rename = "rsa-4096")]
    Rsa4096,
}

/// An unknown key algorithm.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown key algorithm `{0}`; known: {known}", known = KeyAlgorithm::NAMES.join(", "))]
pub struct UnknownKeyAlgorithm(String);

impl KeyAlgorithm {
    /// Every algorithm, in the order of `NAMES`.
    pub const ALL: [Self; 5] = [
        Self::EcdsaP256,
        Self::EcdsaP384,
        Self::Rsa2048,
        Self::Rsa3072,
        Self::Rsa4096,
    ];
    /// Their names for `--key` and the policy.
    pub const NAMES: [&'static str; 5] = [
        "ecdsa-p256",
        "ecdsa-p384",
        "rsa-2048",
        "rsa-3072",
        "rsa-4096",
    ];

    /// Makes a key pair with the cryptographic library's own randomness.
    pub fn generate(self) -> Result<KeyPair, rcgen::Error> {
        match self {
            Self::EcdsaP256 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256),
            Self::EcdsaP384 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384),
            Self::Rsa2048 => KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048),
            Self::Rsa3072 => KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_3072),
            Self::Rsa4096 => KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_4096),
        }
    }

    /// True for RSA, with which servers' certificates also carry the keyEncipherment usage (RFC 5246 §7.4.2).
    pub fn is_rsa(self) -> bool {
        matches!(self, Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096)
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAMES[*self as usize])
    }
}

impl FromStr for KeyAlgorithm {
    type Err = UnknownKeyAlgorithm;

    fn from_str(text: &str) -> Result<Self, UnknownKeyAlgorithm> {
        Self::ALL
            .into_iter()
            .find(|a| a.to_string() == text)
            .ok_or_else(|| UnknownKeyAlgorithm(text.to_owned()))
    }
}
