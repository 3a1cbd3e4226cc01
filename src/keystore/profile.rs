//! The algorithms that protect a PKCS#12 store.

use std::{fmt, str::FromStr};

use p12_keystore::{EncryptionAlgorithm, MacAlgorithm};

/// The algorithms of a PKCS#12 store, chosen by the oldest Java that must read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StoreProfile {
    /// What JDK 17's own keytool writes: PBES2 with AES-256 and HMAC-SHA-256, 10,000 iterations each, and an
    /// HMAC-SHA-256 integrity check, 10,000 iterations. Read from JDK 8u301, JDK 11.0.12 and OpenSSL 1.0 on.
    #[default]
    Jdk,
    /// For a JDK 8 before 8u301, which does not support PBES2: 3DES and SHA-1 (RFC 7292 appendix C), 50,000 iterations,
    /// and an HMAC-SHA-1 integrity check, 100,000 iterations, as that JDK's `PKCS12KeyStore` wrote its keys.
    /// (Its certificates it wrote with 40-bit RC2, which OpenSSL 3 no longer reads by default.)
    Legacy,
}

/// An unknown store profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown store profile `{0}`; known: default, legacy")]
pub struct UnknownProfile(String);

/// Algorithms and iteration counts of a profile, as `p12-keystore` names them.
pub(super) struct Parameters {
    pub encryption: EncryptionAlgorithm,
    pub encryption_iterations: u32,
    pub mac: MacAlgorithm,
    pub mac_iterations: u32,
}

impl StoreProfile {
    pub(super) fn parameters(self) -> Parameters {
        match self {
            Self::Jdk => Parameters {
                encryption: EncryptionAlgorithm::PbeWithHmacSha256AndAes256,
                encryption_iterations: 10_000,
                mac: MacAlgorithm::HmacSha256,
                mac_iterations: 10_000,
            },
            Self::Legacy => Parameters {
                encryption: EncryptionAlgorithm::PbeWithShaAnd3KeyTripleDesCbc,
                encryption_iterations: 50_000,
                mac: MacAlgorithm::HmacSha1,
                mac_iterations: 100_000,
            },
        }
    }
}

impl StoreProfile {
    /// The profile of a store that kpki wrote: only `Jdk` contains the identifier of PBES2 (1.2.840.113549.1.5.13).
    pub fn of(store: &[u8]) -> Self {
        const PBES2: [u8; 11] = [
            0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d,
        ];
        if store.windows(PBES2.len()).any(|window| window == PBES2) {
            Self::Jdk
        } else {
            Self::Legacy
        }
    }
}

impl fmt::Display for StoreProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Jdk => "default",
            Self::Legacy => "legacy",
        })
    }
}

impl FromStr for StoreProfile {
    type Err = UnknownProfile;

    fn from_str(text: &str) -> Result<Self, UnknownProfile> {
        match text {
            "default" => Ok(Self::Jdk),
            "legacy" => Ok(Self::Legacy),
            _ => Err(UnknownProfile(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_others_are_refused_with_the_known_ones() {
        for profile in [StoreProfile::Jdk, StoreProfile::Legacy] {
            assert_eq!(profile.to_string().parse(), Ok(profile));
        }
        let error = "Default".parse::<StoreProfile>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown store profile `Default`; known: default, legacy"
        );
    }
}
