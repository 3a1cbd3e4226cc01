//! `ca/ca.key`: a private key sealed with a passphrase, as text with its parameters.
//!
//! ```text
//! kpki sealed key v1
//! kdf: argon2id m=65536 t=3 p=4        RFC 9106: memory in KiB, passes, lanes
//! salt: …                              base64, 16 octets
//! cipher: xchacha20-poly1305           the lines above, unchanged, are its associated data
//! nonce: …                             base64, 24 octets
//! key: …                               base64 of the sealed PKCS#8 DER
//! sha256: …                            of everything above, hex: distinguishes damage from a wrong passphrase
//! ```
//!
//! Without a passphrase, kdf and cipher are `none`, and `key` is the PKCS#8 itself.
//!
//! A backup has the same format: its first line is `kpki backup v1`, and the field is called `files`.

use std::collections::TryReserveError;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305,
    aead::{Aead, Payload},
};
use zeroize::Zeroizing;

use super::sha256;
use crate::secret::{Secret, SecretBytes};

/// The kinds of sealed files, and how they are recognised.
#[derive(Debug)]
struct Form {
    /// The first line.
    magic: &'static str,
    /// The first line without the version number.
    family: &'static str,
    /// The field that contains it.
    field: &'static str,
}

const KEY: Form = Form {
    magic: "kpki sealed key v1",
    family: "kpki sealed key v",
    field: "key",
};
const BACKUP: Form = Form {
    magic: "kpki backup v1",
    family: "kpki backup v",
    field: "files",
};

/// RFC 9106 §4, the second recommended option: 64 MiB, 3 passes, 4 lanes.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 4;

/// The most that a file may request, with room for a later version: a tampered file must not exhaust the machine.
const MAX_MEMORY_KIB: u32 = 4 * MEMORY_KIB;
const MAX_PASSES: u32 = 4 * PASSES;
const MAX_LANES: u32 = 4 * LANES;

/// How a key is protected on disk.
#[derive(Debug, Clone)]
pub enum KeyProtection {
    /// Sealed under this passphrase.
    Passphrase(Secret),
    /// Not at all, because the user asked for that.
    None,
}

/// Why a sealed key cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The file is of another kind.
    #[error("not a sealed kpki key")]
    NotASealedKey,
    /// Written by a later version.
    #[error("sealed by a newer version of kpki (`{0}`)")]
    LaterVersion(String),
    /// Its key derivation would take too much time or memory.
    #[error(
        "the file is not supported: its key derivation would take more than this kpki allows (`{0}`)"
    )]
    Costly(String),
    /// Truncated, or changed after it was written.
    #[error("the sealed key is truncated or was altered: {0}")]
    Damaged(&'static str),
    /// The passphrase does not open it: it is the wrong one, or someone altered the file and corrected its checksum.
    /// The two cannot be distinguished.
    #[error("wrong passphrase, or the file was altered")]
    WrongPassphrase,
    /// Complete, but a passphrase is needed and none was given.
    #[error("the key is sealed with a passphrase")]
    PassphraseNeeded,
    /// The key derivation failed.
    #[error("the key could not be derived: {0}")]
    Derivation(#[from] argon2::Error),
    /// There is not enough memory for the key derivation.
    #[error("the key could not be derived: not enough memory")]
    Memory(#[from] TryReserveError),
    /// It is too long to be sealed.
    #[error("the key could not be sealed: {0}")]
    Cipher(#[from] chacha20poly1305::Error),
}

/// A sealed key with valid format and checksum.
#[derive(Debug)]
pub struct SealedKey(Sealed);

impl SealedKey {
    /// Seals a PKCS#8 key and returns the file's text. `salt` and `nonce` are fresh random octets.
    pub fn seal(
        pkcs8: &[u8],
        protection: &KeyProtection,
        salt: [u8; 16],
        nonce: [u8; 24],
    ) -> Result<Zeroizing<String>, SealError> {
        seal(&KEY, pkcs8, protection, salt, nonce)
    }

    /// Reads a sealed key and checks that it is complete.
    pub fn parse(text: &str) -> Result<Self, SealError> {
        Sealed::parse(&KEY, text).map(Self)
    }

    /// True if a passphrase is needed to open it.
    pub fn needs_passphrase(&self) -> bool {
        self.0.kdf.is_some()
    }

    /// Opens it and returns the PKCS#8 DER.
    pub fn open(&self, passphrase: Option<&Secret>) -> Result<SecretBytes, SealError> {
        self.0.open(passphrase)
    }
}

/// A sealed backup with valid format and checksum.
#[derive(Debug)]
pub struct SealedBackup(Sealed);

impl SealedBackup {
    /// As [`SealedKey::seal`], for the archive of a backup.
    pub fn seal(
        archive: &[u8],
        passphrase: Secret,
        salt: [u8; 16],
        nonce: [u8; 24],
    ) -> Result<Zeroizing<String>, SealError> {
        let protection = KeyProtection::Passphrase(passphrase);
        seal(&BACKUP, archive, &protection, salt, nonce)
    }

    /// Reads a backup and checks that it is complete and sealed.
    pub fn parse(text: &str) -> Result<Self, SealError> {
        let sealed = Sealed::parse(&BACKUP, text)?;
        match sealed.kdf {
            Some(_) => Ok(Self(sealed)),
            None => Err(SealError::Damaged("it is not sealed")),
        }
    }

    /// Opens it and returns the archive.
    pub fn open(&self, passphrase: &Secret) -> Result<SecretBytes, SealError> {
        self.0.open(Some(passphrase))
    }
}

#[derive(Debug)]
struct Sealed {
    /// The text up to the cipher line: what is authenticated besides the key.
    header: String,
    kdf: Option<Params>,
    salt: Vec<u8>,
    nonce: Vec<u8>,
    sealed: SecretBytes,
}

fn seal(
    form: &Form,
    bytes: &[u8],
    protection: &KeyProtection,
    salt: [u8; 16],
    nonce: [u8; 24],
) -> Result<Zeroizing<String>, SealError> {
    let mut text = Zeroizing::new(format!("{}\n", form.magic));
    match protection {
        KeyProtection::None => {
            text.push_str("kdf: none\ncipher: none\n");
            let clear = Zeroizing::new(BASE64.encode(bytes));
            text.push_str(&format!("{}: {}\n", form.field, *clear));
        }
        KeyProtection::Passphrase(passphrase) => {
            text.push_str(&format!(
                "kdf: argon2id m={MEMORY_KIB} t={PASSES} p={LANES}\nsalt: {}\ncipher: xchacha20-poly1305\n",
                BASE64.encode(salt)
            ));
            let params = params(MEMORY_KIB, PASSES, LANES)?;
            let cipher = cipher(&params, passphrase, &salt)?;
            let payload = Payload {
                msg: bytes,
                aad: text.as_bytes(),
            };
            let sealed = cipher.encrypt(&nonce.into(), payload)?;
            text.push_str(&format!(
                "nonce: {}\n{}: {}\n",
                BASE64.encode(nonce),
                form.field,
                BASE64.encode(sealed)
            ));
        }
    }
    let sum = sha256(text.as_bytes());
    text.push_str(&format!("sha256: {sum}\n"));
    Ok(text)
}

impl Sealed {
    fn parse(form: &Form, text: &str) -> Result<Self, SealError> {
        let first = text.lines().next().unwrap_or_default();
        if first != form.magic {
            return Err(if form.magic.starts_with(first) {
                SealError::Damaged("its first line is incomplete")
            } else if first.starts_with(form.family) {
                SealError::LaterVersion(first.chars().take(60).collect())
            } else {
                SealError::NotASealedKey
            });
        }
        let (body, sum) = text
            .strip_suffix('\n')
            .and_then(|t| t.rsplit_once("\nsha256: "))
            .ok_or(SealError::Damaged(
                "its last line, the checksum, is missing",
            ))?;
        let body = format!("{body}\n");
        if sha256(body.as_bytes()) != sum {
            return Err(SealError::Damaged("its checksum does not match"));
        }
        let field = |name: &str| {
            body.lines()
                .find_map(|l| l.strip_prefix(name)?.strip_prefix(": "))
        };
        let bytes = |name: &str| {
            field(name)
                .and_then(|v| BASE64.decode(v).ok())
                .ok_or(SealError::Damaged("a field is missing"))
        };
        let sealed = SecretBytes::from(bytes(form.field)?);
        let kdf = field("kdf").ok_or(SealError::Damaged("the kdf is missing"))?;
        if kdf == "none" {
            return Ok(Self {
                header: String::new(),
                kdf: None,
                salt: vec![],
                nonce: vec![],
                sealed,
            });
        }
        let number = |key: &str, max: u32| {
            let number = kdf
                .split(' ')
                .find_map(|part| part.strip_prefix(key)?.parse().ok());
            match number {
                Some(1..) if number > Some(max) => {
                    Err(SealError::Costly(kdf.chars().take(60).collect()))
                }
                Some(number @ 1..) => Ok(number),
                _ => Err(SealError::Damaged("its kdf parameters are out of range")),
            }
        };
        if !kdf.starts_with("argon2id ") || field("cipher") != Some("xchacha20-poly1305") {
            return Err(SealError::Damaged("its kdf or cipher is unknown"));
        }
        let params = params(
            number("m=", MAX_MEMORY_KIB)?,
            number("t=", MAX_PASSES)?,
            number("p=", MAX_LANES)?,
        )?;
        let header = match body.find("nonce: ") {
            Some(at) => body[..at].to_owned(),
            None => return Err(SealError::Damaged("the nonce is missing")),
        };
        Ok(Self {
            header,
            kdf: Some(params),
            salt: bytes("salt")?,
            nonce: bytes("nonce")?,
            sealed,
        })
    }

    fn open(&self, passphrase: Option<&Secret>) -> Result<SecretBytes, SealError> {
        let Some(params) = &self.kdf else {
            return Ok(self.sealed.clone());
        };
        let passphrase = passphrase.ok_or(SealError::PassphraseNeeded)?;
        let nonce: [u8; 24] = self
            .nonce
            .as_slice()
            .try_into()
            .map_err(|_| SealError::Damaged("the nonce has the wrong length"))?;
        let payload = Payload {
            msg: &self.sealed,
            aad: self.header.as_bytes(),
        };
        cipher(params, passphrase, &self.salt)?
            .decrypt(&nonce.into(), payload)
            .map(SecretBytes::from)
            .map_err(|_| SealError::WrongPassphrase)
    }
}

fn params(memory: u32, passes: u32, lanes: u32) -> Result<Params, SealError> {
    Params::new(memory, passes, lanes, Some(32))
        .map_err(|_| SealError::Damaged("its kdf parameters are out of range"))
}

fn cipher(
    params: &Params,
    passphrase: &Secret,
    salt: &[u8],
) -> Result<XChaCha20Poly1305, SealError> {
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    let mut key = Zeroizing::new([0; 32]);
    // The blocks contain key material, so they are wiped as well.
    let mut blocks = Zeroizing::new(Vec::new());
    blocks.try_reserve_exact(params.block_count())?;
    blocks.resize(params.block_count(), argon2::Block::default());
    argon2.hash_password_into_with_memory(
        passphrase.expose().as_bytes(),
        salt,
        &mut *key,
        &mut *blocks,
    )?;
    Ok(XChaCha20Poly1305::new((&*key).into()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.into())
    }

    fn sealed(passphrase: Option<&str>) -> String {
        let protection = passphrase.map_or(KeyProtection::None, |p| {
            KeyProtection::Passphrase(secret(p))
        });
        SealedKey::seal(b"the key", &protection, [1; 16], [2; 24])
            .unwrap()
            .to_string()
    }

    #[test]
    fn only_the_passphrase_opens_it() {
        let text = sealed(Some("correct horse"));
        assert!(text.contains("argon2id m=65536 t=3 p=4"));
        let key = SealedKey::parse(&text).unwrap();
        assert_eq!(
            *key.open(Some(&secret("correct horse"))).unwrap(),
            *b"the key"
        );
        assert_eq!(
            key.open(Some(&secret("correct hors"))),
            Err(SealError::WrongPassphrase)
        );
        assert_eq!(key.open(None), Err(SealError::PassphraseNeeded));
    }

    #[test]
    fn without_a_passphrase_it_opens_as_it_is() {
        let key = SealedKey::parse(&sealed(None)).unwrap();
        assert!(!key.needs_passphrase());
        assert_eq!(*key.open(None).unwrap(), *b"the key");
    }

    #[test]
    fn any_cut_is_seen_as_damage_never_as_a_wrong_passphrase() {
        let text = sealed(Some("x"));
        for length in 0..text.len() {
            let error = SealedKey::parse(&text[..length]).unwrap_err();
            assert!(
                matches!(error, SealError::Damaged(_) | SealError::NotASealedKey),
                "{length}: {error}"
            );
        }
    }

    #[test]
    fn weaker_parameters_with_a_repaired_checksum_do_not_open_it() {
        let text = sealed(Some("x")).replace("t=3", "t=1");
        let body = &text[..text.rfind("sha256").unwrap()];
        let text = format!("{body}sha256: {}\n", sha256(body.as_bytes()));
        assert_eq!(
            SealedKey::parse(&text).unwrap().open(Some(&secret("x"))),
            Err(SealError::WrongPassphrase)
        );
    }

    #[test]
    fn a_file_cannot_ask_for_much_more_than_kpki_does() {
        let asking = |from: &str, to: &str| {
            let text = sealed(Some("x")).replace(from, to);
            let body = &text[..text.rfind("sha256").unwrap()];
            SealedKey::parse(&format!("{body}sha256: {}\n", sha256(body.as_bytes())))
        };
        for (from, most, more) in [
            ("m=65536", "m=262144", "m=262145"),
            ("t=3", "t=12", "t=13"),
            ("p=4", "p=16", "p=17"),
            ("m=65536", "m=65537", "m=4294967295"),
        ] {
            assert!(asking(from, most).is_ok(), "{most}");
            let error = asking(from, more).unwrap_err();
            assert!(matches!(error, SealError::Costly(_)), "{more}: {error}");
            assert!(error.to_string().contains(more), "{error}");
        }
    }

    #[test]
    fn a_later_version_is_named() {
        let error = SealedKey::parse("kpki sealed key v2\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "sealed by a newer version of kpki (`kpki sealed key v2`)"
        );
    }

    proptest! {
        #[test]
        fn no_text_panics_and_every_changed_byte_is_seen(text in "\\PC{0,200}", at in 0usize..400, to in 0u8..128) {
            let _ = SealedKey::parse(&text);
            let _ = SealedKey::parse(&format!("{}\n{text}", KEY.magic));
            let whole = sealed(None);
            let mut bytes = whole.clone().into_bytes();
            let at = at % bytes.len();
            bytes[at] = to;
            if let Ok(changed) = String::from_utf8(bytes) && changed != whole {
                prop_assert!(SealedKey::parse(&changed).is_err());
            }
        }
    }
}
