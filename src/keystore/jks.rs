//! JKS and JCEKS, the stores of Java before PKCS#12, as `sun.security.provider.JavaKeyStore` and
//! `com.sun.crypto.provider.JceKeyStore` read and write them.

mod serialized;
mod write;

use std::collections::BTreeSet;

use rustls_pki_types::CertificateDer;
use sha1::{Digest, Sha1};
use zeroize::Zeroizing;

use super::{
    Passwords, StoreError,
    ber::Element,
    chain,
    cipher::{Cipher, unlock, utf16},
    contents::{LockedKey, StoreContents, StoredKey, TrustedCert},
    cost::Budget,
    opened::{Opened, Protection, StoreKind},
    pkcs12::Integrity,
};
use crate::secret::Secret;

pub use write::write;

const MAGIC: u32 = 0xfeed_feed;
/// The constant in the digest of a store.
const WHITENER: &[u8] = b"Mighty Aphrodite";
const DIGEST: usize = 20;
/// The maximum number of entries.
const MOST: u32 = 10_000;

fn damaged() -> StoreError {
    StoreError::Unsupported("it is damaged or truncated".to_owned())
}

/// Reads a store; without a password only its certificates, as Java does.
pub(super) fn read(bytes: &[u8], passwords: Passwords<'_>) -> Result<Opened, StoreError> {
    let at = bytes.len().checked_sub(DIGEST).ok_or_else(damaged)?;
    let (data, check) = bytes.split_at(at);
    if let Some(password) = passwords.store
        && digest(data, password)[..] != *check
    {
        return Err(StoreError::WrongPassword);
    }
    let mut input = Input(data);
    let kind = match input.u32().ok_or_else(damaged)? {
        MAGIC => StoreKind::Jks,
        _ => StoreKind::Jceks,
    };
    let version = input.u32().ok_or_else(damaged)?;
    let count = input.u32().ok_or_else(damaged)?;
    if !matches!(version, 1 | 2) {
        return Err(StoreError::Unsupported(format!("its version is {version}")));
    }
    if count > MOST {
        return Err(StoreError::Unsupported(format!(
            "it claims to have {count} entries, more than {MOST}"
        )));
    }
    let mut reader = Reader {
        passwords,
        version,
        budget: Budget::new(),
        certificates: 0,
        contents: StoreContents::default(),
        keys: BTreeSet::new(),
        key_password: false,
    };
    for _ in 0..count {
        reader.entry(&mut input).ok_or_else(damaged)??;
    }
    if !input.0.is_empty() {
        return Err(damaged());
    }
    let certificates = match reader.certificates {
        0 => BTreeSet::new(),
        _ => BTreeSet::from([Cipher::plain()]),
    };
    Ok(Opened {
        kind,
        contents: reader.contents,
        protection: Protection {
            keys: reader.keys,
            certificates,
            integrity: Integrity::Sun,
            key_password: reader.key_password,
            hidden: false,
        },
    })
}

/// `JavaKeyStore.getPreKeyedHash`
fn digest(data: &[u8], password: &Secret) -> [u8; DIGEST] {
    let digest = Sha1::new().chain_update(&*utf16(password.expose()));
    digest
        .chain_update(WHITENER)
        .chain_update(data)
        .finalize()
        .into()
}

struct Reader<'p> {
    passwords: Passwords<'p>,
    version: u32,
    budget: Budget,
    certificates: usize,
    contents: StoreContents,
    keys: BTreeSet<Cipher>,
    key_password: bool,
}

impl Reader<'_> {
    fn entry(&mut self, input: &mut Input<'_>) -> Option<Result<(), StoreError>> {
        let tag = input.u32()?;
        let alias = input.text()?.to_lowercase();
        let _created = input.take(8)?;
        match tag {
            1 => {
                let info = input.block()?;
                let count = input.u32()?;
                let mut chain = Vec::new();
                for _ in 0..count {
                    match self.certificate(input)? {
                        Ok(cert) => chain.push(cert),
                        Err(error) => return Some(Err(error)),
                    }
                }
                match self.key(info) {
                    Ok(key_pkcs8) => self.contents.keys.push(StoredKey {
                        alias,
                        key_pkcs8,
                        chain,
                    }),
                    Err(why) => self.contents.locked.push(LockedKey { alias, why, chain }),
                }
            }
            2 => match self.certificate(input)? {
                Ok(cert) => self.contents.trusted.push(TrustedCert { alias, cert }),
                Err(error) => return Some(Err(error)),
            },
            3 => {
                input.0 = serialized::skip(input.0)?;
                self.contents.secrets.push(alias);
            }
            _ => return None,
        }
        Some(Ok(()))
    }

    fn certificate(
        &mut self,
        input: &mut Input<'_>,
    ) -> Option<Result<CertificateDer<'static>, StoreError>> {
        if self.version == 2 && input.text()? != "X.509" {
            let why = "it contains certificates that are not X.509".to_owned();
            return Some(Err(StoreError::Unsupported(why)));
        }
        self.certificates += 1;
        let der = CertificateDer::from(input.block()?.to_vec());
        let parsed = chain::parse(self.certificates, &der).map(drop);
        Some(parsed.map(|()| der))
    }

    fn key(&mut self, info: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let unlocked =
            Element::only(info).and_then(|info| unlock(info, self.passwords, &mut self.budget));
        let unlocked = unlocked.ok_or_else(damaged)?;
        self.keys.insert(unlocked.cipher);
        self.key_password |= unlocked.own_password;
        unlocked.key
    }
}

/// `java.io.DataInput`: the bytes that are left.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2)?.try_into().map(u16::from_be_bytes).ok()
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().map(u32::from_be_bytes).ok()
    }

    /// Bytes prefixed with their length.
    fn block(&mut self) -> Option<&'a [u8]> {
        let length = self.u32()?;
        self.take(usize::try_from(length).ok()?)
    }

    /// `DataInput.readUTF`: modified UTF-8, in which each UTF-16 unit is encoded separately.
    fn text(&mut self) -> Option<String> {
        let length = self.u16()?;
        let mut octets = self.take(length.into())?;
        let mut units = Vec::with_capacity(octets.len());
        while let [first, rest @ ..] = octets {
            let more = |at: usize| rest.get(at).map(|o| u16::from(o & 0x3f));
            let first = u16::from(*first);
            let (unit, used) = match first >> 4 {
                0..=7 => (first, 0),
                12 | 13 => ((first & 0x1f) << 6 | more(0)?, 1),
                14 => ((first & 0x0f) << 12 | more(0)? << 6 | more(1)?, 2),
                _ => return None,
            };
            units.push(unit);
            octets = &rest[used..];
        }
        Some(String::from_utf16_lossy(&units))
    }
}
