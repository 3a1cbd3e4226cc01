//! The common names of keys and signature algorithms, and whether they are strong enough.

use serde::{Serialize, Serializer};
use x509_parser::{
    public_key::PublicKey,
    x509::{AlgorithmIdentifier, SubjectPublicKeyInfo},
};

use super::super::rsa;

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKeyDetails {
    /// `RSA 2048`, `EC P-256`.
    pub name: String,
    /// Why it is weak, if it is.
    pub weak: Option<String>,
}

impl Serialize for PublicKeyDetails {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.name)
    }
}

/// Curves by OID, with their size in bits.
const CURVES: [(&str, &str, usize); 7] = [
    ("1.2.840.10045.3.1.1", "P-192", 192),
    ("1.3.132.0.33", "P-224", 224),
    ("1.2.840.10045.3.1.7", "P-256", 256),
    ("1.3.132.0.10", "secp256k1", 256),
    ("1.3.132.0.34", "P-384", 384),
    ("1.3.132.0.35", "P-521", 521),
    ("1.3.36.3.3.2.8.1.1.7", "brainpoolP256r1", 256),
];

impl PublicKeyDetails {
    pub(in super::super) fn of(key: &SubjectPublicKeyInfo<'_>) -> Self {
        let algorithm = key.algorithm.algorithm.to_id_string();
        match (algorithm.as_str(), key.parsed()) {
            (_, Ok(PublicKey::RSA(rsa))) => Self {
                name: format!("RSA {}", rsa::bits(&rsa)),
                weak: rsa::too_short(&rsa),
            },
            (_, Ok(PublicKey::EC(_))) => {
                let parameters = key.algorithm.parameters.as_ref();
                let oid = parameters
                    .and_then(|p| p.as_oid().ok())
                    .map(|oid| oid.to_id_string());
                let known = CURVES.iter().find(|c| oid.as_deref() == Some(c.0));
                match known {
                    Some((_, name, bits)) => Self {
                        name: format!("EC {name}"),
                        weak: (*bits < 256).then(|| format!("the curve {name} of {bits} bits")),
                    },
                    None => Self {
                        name: format!("EC on {}", oid.as_deref().unwrap_or("a custom curve")),
                        weak: None,
                    },
                }
            }
            ("1.3.101.112", _) => Self::strong("Ed25519"),
            ("1.3.101.113", _) => Self::strong("Ed448"),
            (_, Ok(PublicKey::DSA(_))) => Self {
                name: "DSA".to_owned(),
                weak: Some("DSA, which TLS no longer supports".to_owned()),
            },
            (other, _) => Self::strong(other),
        }
    }

    fn strong(name: &str) -> Self {
        let name = name.to_owned();
        Self { name, weak: None }
    }
}

/// A signature algorithm.
pub(in super::super) struct Signature {
    pub(in super::super) name: String,
    pub(in super::super) is_strong: bool,
}

/// Signature algorithms (RFC 3279, 4055, 5758, 8410), and whether they are strong.
const SIGNATURES: [(&str, &str, bool); 14] = [
    ("1.2.840.113549.1.1.4", "MD5 with RSA", false),
    ("1.2.840.113549.1.1.5", "SHA-1 with RSA", false),
    ("1.3.14.3.2.29", "SHA-1 with RSA", false),
    ("1.2.840.10045.4.1", "SHA-1 with ECDSA", false),
    ("1.2.840.10040.4.3", "SHA-1 with DSA", false),
    ("1.2.840.113549.1.1.11", "SHA-256 with RSA", true),
    ("1.2.840.113549.1.1.12", "SHA-384 with RSA", true),
    ("1.2.840.113549.1.1.13", "SHA-512 with RSA", true),
    ("1.2.840.113549.1.1.10", "RSA-PSS", true),
    ("1.2.840.10045.4.3.2", "SHA-256 with ECDSA", true),
    ("1.2.840.10045.4.3.3", "SHA-384 with ECDSA", true),
    ("1.2.840.10045.4.3.4", "SHA-512 with ECDSA", true),
    ("1.3.101.112", "Ed25519", true),
    ("1.3.101.113", "Ed448", true),
];

pub(in super::super) fn signature(algorithm: &AlgorithmIdentifier<'_>) -> Signature {
    let oid = algorithm.algorithm.to_id_string();
    let known = SIGNATURES.iter().find(|(known, ..)| *known == oid);
    let (name, is_strong) = known.map_or((oid.as_str(), true), |(_, name, strong)| (name, *strong));
    Signature {
        name: name.to_owned(),
        is_strong,
    }
}
