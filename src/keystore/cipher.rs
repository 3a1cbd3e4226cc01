//! The encryption of keys and certificates in stores, and their decryption.

use cbc::cipher::{BlockCipherDecrypt, BlockModeDecrypt, KeyInit, KeyIvInit, block_padding::Pkcs7};
use des::{TdesEde2, TdesEde3};
use md5::{Digest, Md5};
use pkcs8::{
    der::Decode,
    pkcs5::pbes2::{EncryptionScheme, Kdf, Parameters, Pbkdf2Prf},
};
use pkcs12::kdf::{Pkcs12KeyType, derive_key};
use rc2::Rc2;
use sha1::Sha1;
use zeroize::Zeroizing;

use super::{
    Passwords, StoreError,
    ber::{self, Element, OCTETS, OID, SEQUENCE},
    cost::Budget,
};
use crate::secret::Secret;

/// A family of encryption algorithms, which decides what programs can read the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// Not encrypted.
    Plain,
    /// The PKCS#12 algorithms with triple DES (RFC 7292 appendix C).
    TripleDes,
    /// The PKCS#12 algorithms with RC2 or RC4, with keys of 40 or 128 bits.
    Rc,
    /// PBES2 (RFC 8018) with PBKDF2 and AES of 128 or 256 bits.
    Pbes2,
    /// PBES2 with other algorithms.
    Pbes2Other,
    /// Sun's algorithm for JKS.
    Jks,
    /// Sun's algorithm for JCEKS.
    Jceks,
    /// Unknown.
    Unknown,
}

/// An encryption algorithm with its parameters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cipher {
    /// Its family.
    pub family: Family,
    /// Its description for users.
    pub name: String,
}

impl Cipher {
    /// Not encrypted.
    pub(super) fn plain() -> Self {
        Self::new(Family::Plain, "not encrypted")
    }

    pub(super) fn new(family: Family, name: impl Into<String>) -> Self {
        let name = name.into();
        Self { family, name }
    }
}

/// An encryption algorithm with the parameters from the file.
pub(super) enum Scheme {
    /// RFC 7292 appendix B and C.
    Pkcs12 {
        kind: Kind,
        salted: Salted,
    },
    Pbes2(Box<Parameters>),
    /// `sun.security.provider.KeyProtector`
    Sun,
    /// `com.sun.crypto.provider.KeyProtector`: PBEWithMD5AndTripleDES.
    SunJce(Salted),
    Unknown(String),
}

pub(super) struct Salted {
    salt: Vec<u8>,
    iterations: u64,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kind {
    TripleDes3,
    TripleDes2,
    Rc2Of128,
    Rc2Of40,
}

/// pkcs-12PbeIds 1.2.840.113549.1.12.1, without its last arc.
const PKCS12_PBE: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x01];
/// pkcs-5 1.2.840.113549.1.5, without its last arc.
const PKCS5: [u8; 8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05];
/// Its last arc for PBES2.
const PBES2: u8 = 13;
/// The same for the algorithms of PBES1 (RFC 8018 appendix A.3), with OpenSSL's names.
const PBES1: [(u8, &str); 6] = [
    (1, "PBE-MD2-DES"),
    (3, "PBE-MD5-DES"),
    (4, "PBE-MD2-RC2-64"),
    (6, "PBE-MD5-RC2-64"),
    (10, "PBE-SHA1-DES"),
    (11, "PBE-SHA1-RC2-64"),
];
/// 1.3.6.1.4.1.42.2.17.1.1
pub(super) const SUN: [u8; 10] = [0x2b, 0x06, 0x01, 0x04, 0x01, 0x2a, 0x02, 0x11, 0x01, 0x01];
/// 1.3.6.1.4.1.42.2.19.1
const SUN_JCE: [u8; 9] = [0x2b, 0x06, 0x01, 0x04, 0x01, 0x2a, 0x02, 0x13, 0x01];

impl Scheme {
    /// Reads an AlgorithmIdentifier.
    pub(super) fn read(algorithm: Element<'_>) -> Option<Self> {
        let parts = algorithm.of(SEQUENCE)?.children()?;
        let oid = parts.first()?.of(OID)?.content;
        let parameters = parts.get(1);
        let salted = || Salted::read(parameters?);
        if let Some([last]) = oid.strip_prefix(&PKCS12_PBE) {
            let kind = match last {
                3 => Kind::TripleDes3,
                4 => Kind::TripleDes2,
                5 => Kind::Rc2Of128,
                6 => Kind::Rc2Of40,
                1 => return Some(Self::Unknown("PBE-SHA1-RC4-128".to_owned())),
                2 => return Some(Self::Unknown("PBE-SHA1-RC4-40".to_owned())),
                _ => return Some(Self::unknown(oid)),
            };
            let salted = salted()?;
            return Some(Self::Pkcs12 { kind, salted });
        }
        if let Some([last]) = oid.strip_prefix(&PKCS5) {
            if *last == PBES2 {
                return Some(match Parameters::from_der(parameters?.whole) {
                    Ok(parameters) => Self::Pbes2(Box::new(parameters)),
                    Err(_) => Self::Unknown("PBES2 with unknown parameters".to_owned()),
                });
            }
            let old = PBES1.iter().find(|(arc, _)| arc == last);
            return Some(old.map_or_else(
                || Self::unknown(oid),
                |(_, name)| Self::Unknown((*name).to_owned()),
            ));
        }
        Some(match oid {
            _ if oid == SUN => Self::Sun,
            _ if oid == SUN_JCE => Self::SunJce(salted()?),
            _ => Self::unknown(oid),
        })
    }

    fn unknown(oid: &[u8]) -> Self {
        Self::Unknown(format!("the algorithm {}", ber::dotted(oid)))
    }

    /// Its family and description.
    pub(super) fn cipher(&self) -> Cipher {
        match self {
            Self::Pkcs12 { kind, salted } => {
                let (family, name) = match kind {
                    Kind::TripleDes3 => (Family::TripleDes, "3DES"),
                    Kind::TripleDes2 => (Family::TripleDes, "two-key 3DES"),
                    Kind::Rc2Of128 => (Family::Rc, "128-bit RC2"),
                    Kind::Rc2Of40 => (Family::Rc, "40-bit RC2"),
                };
                let iterations = salted.iterations;
                Cipher::new(
                    family,
                    format!("PBES1, SHA-1 and {name}, {iterations} iterations"),
                )
            }
            Self::Pbes2(parameters) => pbes2(parameters),
            Self::Sun => Cipher::new(Family::Jks, "Sun's key protector of JKS, SHA-1"),
            Self::SunJce(salted) => {
                let iterations = salted.iterations;
                let name = format!("PBEWithMD5AndTripleDES, {iterations} iterations");
                Cipher::new(Family::Jceks, name)
            }
            Self::Unknown(name) => Cipher::new(Family::Unknown, name.clone()),
        }
    }

    /// Decrypts data.
    pub(super) fn decrypt(
        &self,
        data: &[u8],
        password: &Secret,
        budget: &mut Budget,
    ) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        match self {
            Self::Pkcs12 { kind, salted } => {
                budget.spend(salted.iterations)?;
                let open = |password: &[u8]| match kind {
                    Kind::TripleDes3 => pkcs12::<TdesEde3>(data, password, salted, 24),
                    Kind::TripleDes2 => pkcs12::<TdesEde2>(data, password, salted, 16),
                    Kind::Rc2Of128 => pkcs12::<Rc2>(data, password, salted, 16),
                    Kind::Rc2Of40 => pkcs12::<Rc2>(data, password, salted, 5),
                };
                let opened = bmp(password)?.iter().find_map(|password| open(password));
                opened.ok_or(StoreError::WrongPassword)
            }
            Self::Pbes2(parameters) => {
                budget.spend(cost(&parameters.kdf))?;
                let opened = parameters.decrypt(password.expose().as_bytes(), data);
                opened.map(Zeroizing::new).map_err(|error| match error {
                    pkcs8::pkcs5::Error::DecryptFailed => StoreError::WrongPassword,
                    pkcs8::pkcs5::Error::UnsupportedAlgorithm { .. } => {
                        StoreError::UnreadCipher(self.cipher().name)
                    }
                    other => StoreError::Unsupported(other.to_string()),
                })
            }
            Self::Sun => sun(data, password),
            Self::SunJce(salted) => {
                budget.spend(salted.iterations)?;
                sun_jce(data, password, salted).ok_or(StoreError::WrongPassword)
            }
            Self::Unknown(name) => Err(StoreError::UnreadCipher(name.clone())),
        }
    }
}

impl Salted {
    /// `SEQUENCE { salt OCTET STRING, iterations INTEGER }`
    fn read(parameters: &Element<'_>) -> Option<Self> {
        let [salt, iterations] = parameters.of(SEQUENCE)?.children()?[..] else {
            return None;
        };
        Some(Self {
            salt: salt.of(OCTETS)?.content.to_vec(),
            iterations: iterations.number()?,
        })
    }
}

fn pbes2(parameters: &Parameters) -> Cipher {
    let (known, derived) = match &parameters.kdf {
        Kdf::Pbkdf2(pbkdf2) => {
            let prf = match pbkdf2.prf {
                Pbkdf2Prf::HmacWithSha1 => "SHA-1",
                Pbkdf2Prf::HmacWithSha224 => "SHA-224",
                Pbkdf2Prf::HmacWithSha256 => "SHA-256",
                Pbkdf2Prf::HmacWithSha384 => "SHA-384",
                Pbkdf2Prf::HmacWithSha512 => "SHA-512",
                _ => "an unknown hash",
            };
            let iterations = pbkdf2.iteration_count;
            (
                true,
                format!("PBKDF2 with HMAC-{prf}, {iterations} iterations"),
            )
        }
        Kdf::Scrypt(_) => (false, "scrypt".to_owned()),
        _ => (false, "an unknown key derivation".to_owned()),
    };
    let (javas, cipher) = match parameters.encryption {
        EncryptionScheme::Aes128Cbc { .. } => (true, "AES-128-CBC"),
        EncryptionScheme::Aes192Cbc { .. } => (false, "AES-192-CBC"),
        EncryptionScheme::Aes256Cbc { .. } => (true, "AES-256-CBC"),
        EncryptionScheme::DesEde3Cbc { .. } => (false, "3DES-CBC"),
        _ => (false, "an unknown cipher"),
    };
    let family = match known && javas {
        true => Family::Pbes2,
        false => Family::Pbes2Other,
    };
    Cipher::new(family, format!("PBES2, {cipher}, {derived}"))
}

/// The cost in iterations. For scrypt: its number of blocks, which also take 128 octets of memory each.
fn cost(kdf: &Kdf) -> u64 {
    match kdf {
        Kdf::Pbkdf2(pbkdf2) => pbkdf2.iteration_count.into(),
        Kdf::Scrypt(scrypt) => scrypt
            .cost_parameter
            .saturating_mul(scrypt.block_size.into())
            .saturating_mul(scrypt.parallelization.into()),
        _ => 0,
    }
}

/// The result of decrypting an EncryptedPrivateKeyInfo.
pub(super) struct Unlocked {
    /// Its encryption.
    pub cipher: Cipher,
    /// The key, or why it could not be decrypted.
    pub key: Result<Zeroizing<Vec<u8>>, StoreError>,
    /// Whether the key has a password of its own, different from the store's.
    pub own_password: bool,
}

/// Decrypts an EncryptedPrivateKeyInfo (RFC 5958 §3) with the store's password, else with the key's own.
///
/// `EncryptedPrivateKeyInfo ::= SEQUENCE { AlgorithmIdentifier, OCTET STRING }`
pub(super) fn unlock(
    info: Element<'_>,
    passwords: Passwords<'_>,
    budget: &mut Budget,
) -> Option<Unlocked> {
    let [algorithm, data] = info.of(SEQUENCE)?.children()?[..] else {
        return None;
    };
    let (scheme, data) = (Scheme::read(algorithm)?, data.octets()?);
    let mut key = Err(StoreError::WrongPassword);
    let mut own_password = false;
    let given = [(passwords.store, false), (passwords.key, true)];
    for (password, own) in given {
        let Some(password) = password else { continue };
        own_password = own;
        key = scheme.decrypt(&data, password, budget).and_then(|key| {
            // With a wrong password, the padding is valid by chance once in 256 times, so the structure is checked too.
            let info = Element::only(&key).and_then(|key| key.of(SEQUENCE)?.children());
            let is_key = info.is_some();
            is_key.then_some(key).ok_or(StoreError::WrongPassword)
        });
        if !matches!(key, Err(StoreError::WrongPassword)) {
            break;
        }
    }
    Some(Unlocked {
        cipher: scheme.cipher(),
        own_password: own_password && key.is_ok(),
        key,
    })
}

/// The BMPString form of a password (RFC 7292 appendix B.1). For an empty password, programs disagree on the
/// terminator, so there are two forms.
pub(super) fn bmp(password: &Secret) -> Result<Vec<Zeroizing<Vec<u8>>>, StoreError> {
    let text = password.expose();
    if text.chars().any(|c| c > '\u{ffff}') {
        return Err(StoreError::Unsupported(
            "its password has a character above U+FFFF".into(),
        ));
    }
    let mut octets = utf16(text);
    octets.extend([0, 0]);
    let mut forms = vec![octets];
    if text.is_empty() {
        forms.push(Zeroizing::default());
    }
    Ok(forms)
}

/// UTF-16, big-endian.
pub(super) fn utf16(text: &str) -> Zeroizing<Vec<u8>> {
    // Allocated with the final size, with room for a terminator, so that growing leaves no copy in memory.
    let mut octets = Zeroizing::new(Vec::with_capacity(text.len() * 2 + 2));
    for unit in text.encode_utf16() {
        octets.extend(unit.to_be_bytes());
    }
    octets
}

fn pkcs12<C: KeyInit + BlockCipherDecrypt>(
    data: &[u8],
    password: &[u8],
    salted: &Salted,
    size: usize,
) -> Option<Zeroizing<Vec<u8>>> {
    // Limited by the budget, so it fits.
    let rounds = i32::try_from(salted.iterations).ok()?;
    let derive =
        |of, size| Zeroizing::new(derive_key::<Sha1>(password, &salted.salt, of, rounds, size));
    let key = derive(Pkcs12KeyType::EncryptionKey, size);
    let iv = derive(Pkcs12KeyType::Iv, 8);
    cbc_decrypt::<C>(data, &key, &iv)
}

fn cbc_decrypt<C: KeyInit + BlockCipherDecrypt>(
    data: &[u8],
    key: &[u8],
    iv: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let cipher = cbc::Decryptor::<C>::new_from_slices(key, iv).ok()?;
    let mut buffer = Zeroizing::new(data.to_vec());
    let length = cipher.decrypt_padded::<Pkcs7>(&mut buffer).ok()?.len();
    buffer.truncate(length);
    Some(buffer)
}

/// `sun.security.provider.KeyProtector.recover`: the salt, the key XORed with a stream of SHA-1, and a digest of both.
fn sun(data: &[u8], password: &Secret) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let damaged = || StoreError::Unsupported("an encrypted key is truncated".to_owned());
    let (salt, rest) = data.split_at_checked(20).ok_or_else(damaged)?;
    let at = rest.len().checked_sub(20).ok_or_else(damaged)?;
    let (hidden, check) = rest.split_at(at);
    let password = utf16(password.expose());
    let key = sun_stream(hidden, &password, salt);
    let digest = Sha1::new().chain_update(&*password).chain_update(&*key);
    match digest.finalize()[..] == *check {
        true => Ok(key),
        false => Err(StoreError::WrongPassword),
    }
}

/// XORs data with the stream, which both encrypts and decrypts.
pub(super) fn sun_stream(data: &[u8], password: &[u8], salt: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(data.len()));
    let mut block = salt.to_vec();
    for part in data.chunks(20) {
        let digest = Sha1::new().chain_update(password).chain_update(&block);
        block = digest.finalize().to_vec();
        out.extend(part.iter().zip(&block).map(|(a, b)| a ^ b));
    }
    out
}

/// `com.sun.crypto.provider.PBES1Core.deriveCipherKey` for DESede, including its bug for a salt with two equal halves.
fn sun_jce(data: &[u8], password: &Secret, salted: &Salted) -> Option<Zeroizing<Vec<u8>>> {
    let mut salt: [u8; 8] = salted.salt.as_slice().try_into().ok()?;
    if salt[..4] == salt[4..] {
        for at in 0..2 {
            let kept = salt[at];
            salt[at] = salt[3 - at];
            salt[2] = kept;
        }
    }
    let mut derived = Zeroizing::new([0; 32]);
    for (half, into) in salt.chunks(4).zip(derived.chunks_mut(16)) {
        let mut block = Zeroizing::new(half.to_vec());
        for _ in 0..salted.iterations {
            let digest = Md5::new().chain_update(&*block);
            let digest = digest.chain_update(password.expose().as_bytes());
            *block = digest.finalize().to_vec();
        }
        into.get_mut(..block.len())?.copy_from_slice(&block);
    }
    cbc_decrypt::<TdesEde3>(data, &derived[..24], &derived[24..])
}
