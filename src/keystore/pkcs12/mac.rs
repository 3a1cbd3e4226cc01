//! The integrity check of a PKCS#12 store (RFC 7292 §4, RFC 9579).

use hmac::{KeyInit, Mac, SimpleHmac, digest::block_api::BlockSizeUser};
use pkcs12::kdf::{Pkcs12KeyType, derive_key};
use sha1::Sha1;
use sha2::{
    Sha224, Sha256, Sha384, Sha512, Sha512_224, Sha512_256,
    digest::{Digest, FixedOutputReset},
};
use zeroize::Zeroizing;

use super::super::{
    StoreError,
    ber::{Element, OCTETS, OID, SEQUENCE},
    cipher::bmp,
    cost::Budget,
};
use crate::secret::Secret;

/// The integrity check of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Integrity {
    /// None.
    None,
    /// HMAC with the PKCS#12 key derivation: hash and iterations.
    Pkcs12(&'static str, u64),
    /// PBMAC1 (RFC 9579): hash and iterations.
    Pbmac1(&'static str, u64),
    /// Sun's digest of JKS and JCEKS.
    Sun,
    /// Unknown, so it was not checked.
    Unknown,
}

#[derive(Clone, Copy)]
enum Hash {
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
    Sha512Of224,
    Sha512Of256,
}

/// Names, object identifiers as digests (1.3.14.3.2.26, 2.16.840.1.101.3.4.2.x), and last arcs as HMACs
/// (1.2.840.113549.2.x).
const HASHES: [(Hash, &str, &[u8], u8); 7] = [
    (Hash::Sha1, "SHA-1", &[0x2b, 14, 3, 2, 26], 7),
    (
        Hash::Sha224,
        "SHA-224",
        &[0x60, 0x86, 0x48, 1, 101, 3, 4, 2, 4],
        8,
    ),
    (
        Hash::Sha256,
        "SHA-256",
        &[0x60, 0x86, 0x48, 1, 101, 3, 4, 2, 1],
        9,
    ),
    (
        Hash::Sha384,
        "SHA-384",
        &[0x60, 0x86, 0x48, 1, 101, 3, 4, 2, 2],
        10,
    ),
    (
        Hash::Sha512,
        "SHA-512",
        &[0x60, 0x86, 0x48, 1, 101, 3, 4, 2, 3],
        11,
    ),
    (
        Hash::Sha512Of224,
        "SHA-512/224",
        &[0x60, 0x86, 0x48, 1, 101, 3, 4, 2, 5],
        12,
    ),
    (
        Hash::Sha512Of256,
        "SHA-512/256",
        &[0x60, 0x86, 0x48, 1, 101, 3, 4, 2, 6],
        13,
    ),
];
/// 1.2.840.113549.2, before the last arc of an HMAC.
const HMAC: [u8; 7] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02];
/// 1.2.840.113549.1.5.14
const PBMAC1: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0e];
/// 1.2.840.113549.1.5.12
const PBKDF2: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0c];
/// The maximum key length of PBMAC1 in octets: the block size of the largest hash.
const LONGEST: u64 = 128;

/// An integrity check with its parameters.
pub(super) struct MacData {
    scheme: MacScheme,
    expected: Vec<u8>,
}

enum MacScheme {
    Pkcs12(Hash, &'static str, Vec<u8>, u64),
    Pbmac1(Pbmac1),
    Unknown,
}

/// PBMAC1-params with PBKDF2-params (RFC 8018 appendix A).
struct Pbmac1 {
    salt: Vec<u8>,
    iterations: u64,
    length: usize,
    prf: Hash,
    hash: Hash,
    name: &'static str,
}

impl MacData {
    /// `SEQUENCE { DigestInfo, macSalt OCTET STRING, iterations INTEGER DEFAULT 1 }`
    pub(super) fn read(data: Element<'_>) -> Option<Self> {
        let parts = data.of(SEQUENCE)?.children()?;
        let [algorithm, digest] = parts.first()?.of(SEQUENCE)?.children()?[..] else {
            return None;
        };
        let algorithm = algorithm.of(SEQUENCE)?.children()?;
        let oid = algorithm.first()?.of(OID)?.content;
        let found = HASHES.iter().find(|(_, _, digest, _)| *digest == oid);
        let scheme = match found {
            Some((hash, name, ..)) => {
                let salt = parts.get(1)?.of(OCTETS)?.content.to_vec();
                let iterations = parts.get(2).map_or(Some(1), Element::number)?;
                MacScheme::Pkcs12(*hash, name, salt, iterations)
            }
            None if oid == PBMAC1 => {
                let read = algorithm.get(1).and_then(Pbmac1::read);
                read.map_or(MacScheme::Unknown, MacScheme::Pbmac1)
            }
            None => MacScheme::Unknown,
        };
        Some(Self {
            scheme,
            expected: digest.of(OCTETS)?.content.to_vec(),
        })
    }

    pub(super) fn integrity(&self) -> Integrity {
        match &self.scheme {
            MacScheme::Pkcs12(_, name, _, iterations) => Integrity::Pkcs12(name, *iterations),
            MacScheme::Pbmac1(pbmac1) => Integrity::Pbmac1(pbmac1.name, pbmac1.iterations),
            MacScheme::Unknown => Integrity::Unknown,
        }
    }

    /// Verifies data with a password.
    pub(super) fn verify(
        &self,
        data: &[u8],
        password: &Secret,
        budget: &mut Budget,
    ) -> Result<(), StoreError> {
        let matches = match &self.scheme {
            MacScheme::Pkcs12(hash, _, salt, iterations) => {
                budget.spend(*iterations)?;
                // Within the budget, so it fits.
                let rounds = i32::try_from(*iterations).unwrap_or(i32::MAX);
                let passwords = bmp(password)?;
                let key = |password: &[u8]| hash.pkcs12_key(password, salt, rounds);
                passwords
                    .iter()
                    .any(|password| hash.verifies(&key(password), data, &self.expected))
            }
            MacScheme::Pbmac1(pbmac1) => {
                budget.spend(pbmac1.iterations)?;
                let key = pbmac1.key(password);
                pbmac1.hash.verifies(&key, data, &self.expected)
            }
            MacScheme::Unknown => {
                return Err(StoreError::Unsupported(
                    "its integrity check uses an unknown algorithm".to_owned(),
                ));
            }
        };
        matches.then_some(()).ok_or(StoreError::WrongPassword)
    }
}

impl Pbmac1 {
    fn read(parameters: &Element<'_>) -> Option<Self> {
        let [derivation, mac] = parameters.of(SEQUENCE)?.children()?[..] else {
            return None;
        };
        let [algorithm, pbkdf2] = derivation.of(SEQUENCE)?.children()?[..] else {
            return None;
        };
        let pbkdf2 = pbkdf2.of(SEQUENCE)?.children()?;
        // RFC 9579 §4: the key length is mandatory.
        let (salt, rest) = pbkdf2.split_first()?;
        let (iterations, rest) = rest.split_first()?;
        let (length, rest) = rest.split_first()?;
        let length = length.number().filter(|length| *length <= LONGEST)?;
        let (prf, _) = match rest.first() {
            Some(prf) => hmac_of(prf)?,
            None => (Hash::Sha1, ""),
        };
        let (hash, name) = hmac_of(&mac)?;
        (algorithm.of(OID)?.content == PBKDF2).then_some(())?;
        Some(Self {
            salt: salt.of(OCTETS)?.content.to_vec(),
            iterations: iterations.number()?,
            length: usize::try_from(length).ok()?,
            prf,
            hash,
            name,
        })
    }

    fn key(&self, password: &Secret) -> Zeroizing<Vec<u8>> {
        let mut key = Zeroizing::new(vec![0; self.length]);
        // Within the budget, so it fits.
        let rounds = u32::try_from(self.iterations).unwrap_or(u32::MAX);
        let (password, salt) = (password.expose().as_bytes(), &*self.salt);
        use pbkdf2::pbkdf2_hmac as derive;
        match self.prf {
            Hash::Sha1 => derive::<Sha1>(password, salt, rounds, &mut key),
            Hash::Sha224 => derive::<Sha224>(password, salt, rounds, &mut key),
            Hash::Sha256 => derive::<Sha256>(password, salt, rounds, &mut key),
            Hash::Sha384 => derive::<Sha384>(password, salt, rounds, &mut key),
            Hash::Sha512 => derive::<Sha512>(password, salt, rounds, &mut key),
            Hash::Sha512Of224 => derive::<Sha512_224>(password, salt, rounds, &mut key),
            Hash::Sha512Of256 => derive::<Sha512_256>(password, salt, rounds, &mut key),
        }
        key
    }
}

fn hmac_of(algorithm: &Element<'_>) -> Option<(Hash, &'static str)> {
    let parts = algorithm.of(SEQUENCE)?.children()?;
    let [arc] = parts.first()?.of(OID)?.content.strip_prefix(&HMAC)? else {
        return None;
    };
    let found = HASHES.iter().find(|(_, _, _, hmac)| hmac == arc);
    found.map(|(hash, name, ..)| (*hash, *name))
}

impl Hash {
    fn pkcs12_key(self, password: &[u8], salt: &[u8], rounds: i32) -> Zeroizing<Vec<u8>> {
        fn derive<D: Digest + FixedOutputReset + BlockSizeUser>(
            password: &[u8],
            salt: &[u8],
            rounds: i32,
        ) -> Zeroizing<Vec<u8>> {
            let size = <D as Digest>::output_size();
            let key = derive_key::<D>(password, salt, Pkcs12KeyType::Mac, rounds, size);
            Zeroizing::new(key)
        }
        match self {
            Self::Sha1 => derive::<Sha1>(password, salt, rounds),
            Self::Sha224 => derive::<Sha224>(password, salt, rounds),
            Self::Sha256 => derive::<Sha256>(password, salt, rounds),
            Self::Sha384 => derive::<Sha384>(password, salt, rounds),
            Self::Sha512 => derive::<Sha512>(password, salt, rounds),
            Self::Sha512Of224 => derive::<Sha512_224>(password, salt, rounds),
            Self::Sha512Of256 => derive::<Sha512_256>(password, salt, rounds),
        }
    }

    fn verifies(self, key: &[u8], data: &[u8], expected: &[u8]) -> bool {
        fn check<D: Digest + BlockSizeUser>(key: &[u8], data: &[u8], expected: &[u8]) -> bool {
            let mac = SimpleHmac::<D>::new_from_slice(key);
            mac.is_ok_and(|mac| mac.chain_update(data).verify_slice(expected).is_ok())
        }
        match self {
            Self::Sha1 => check::<Sha1>(key, data, expected),
            Self::Sha224 => check::<Sha224>(key, data, expected),
            Self::Sha256 => check::<Sha256>(key, data, expected),
            Self::Sha384 => check::<Sha384>(key, data, expected),
            Self::Sha512 => check::<Sha512>(key, data, expected),
            Self::Sha512Of224 => check::<Sha512_224>(key, data, expected),
            Self::Sha512Of256 => check::<Sha512_256>(key, data, expected),
        }
    }
}
