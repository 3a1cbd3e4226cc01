//! Reads a PKCS#12 store as Java does.

use std::{borrow::Cow, collections::BTreeSet};

use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

use super::{
    super::{
        Passwords, StoreError,
        ber::{BMP_STRING, CONTEXT_0, Element, OCTETS, OID, SEQUENCE, SET},
        cipher::{Cipher, Scheme, unlock},
        contents::{Issuers, LockedKey, Named, StoreContents, StoredKey, TrustedCert},
        cost::{self, Budget},
        limits::MOST,
        opened::{Opened, Protection, StoreKind, kind},
    },
    mac::{Integrity, MacData},
};
use crate::secret::Secret;

/// id-data and id-encryptedData, 1.2.840.113549.1.7.x
const DATA: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01];
const ENCRYPTED_DATA: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x06];
/// The bag types 1.2.840.113549.1.12.10.1.x, without the last arc.
const BAG: [u8; 10] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x0a, 0x01];
/// x509Certificate, 1.2.840.113549.1.9.22.1
const X509: [u8; 10] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x16, 0x01];
/// friendlyName and localKeyId, 1.2.840.113549.1.9.20 and 21
const FRIENDLY_NAME: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x14];
const LOCAL_KEY_ID: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x15];
/// Oracle's trusted key usage, 2.16.840.1.113894.746875.1.1
const TRUSTED_KEY_USAGE: [u8; 12] = [
    0x60, 0x86, 0x48, 0x01, 0x86, 0xf9, 0x66, 0xad, 0xca, 0x7b, 0x01, 0x01,
];

/// Opens a store and verifies its integrity check, if it has one.
///
/// The work is limited: the key derivations that are visible are checked before the first one, and all are counted as
/// they are done, because parameters can themselves be encrypted.
///
/// # Errors
/// [`StoreError::WrongPassword`], [`StoreError::NotPkcs12`] and [`StoreError::Costly`]; [`StoreError::Unsupported`] for
/// other contents and algorithms. With a wrong password, a store without an integrity check may in rare cases decrypt
/// to garbage and be reported as something else.
pub fn open(bytes: &[u8], password: &Secret) -> Result<StoreContents, StoreError> {
    let passwords = Passwords {
        store: Some(password),
        key: None,
    };
    Ok(read(bytes, passwords)?.contents)
}

/// The same; without a password, only what is not encrypted.
pub(crate) fn read(bytes: &[u8], passwords: Passwords<'_>) -> Result<Opened, StoreError> {
    let not = || StoreError::NotPkcs12(kind(bytes));
    cost::check(bytes)?;
    let outer = Element::only(bytes).and_then(|e| e.of(SEQUENCE)?.children());
    let outer = outer.ok_or_else(not)?;
    let [version, safe, rest @ ..] = &outer[..] else {
        return Err(not());
    };
    if version.number() != Some(3) {
        return Err(not());
    }
    let (content_type, content) = content_info(*safe).ok_or_else(not)?;
    if content_type != DATA {
        return Err(StoreError::Unsupported(
            "it is protected by a public key, not by a password".to_owned(),
        ));
    }
    let data = content.octets().ok_or_else(not)?;
    let mut reader = Reader::new(passwords);
    if let Some(mac) = rest.first() {
        let mac = MacData::read(*mac).ok_or_else(not)?;
        reader.integrity = mac.integrity();
        if let Some(password) = passwords.store {
            mac.verify(&data, password, &mut reader.budget)?;
            reader.proved = true;
        }
    }
    let safes = Element::only(&data).and_then(|e| e.of(SEQUENCE)?.children());
    for safe in safes.ok_or_else(damaged)? {
        reader.safe(safe)?;
    }
    reader.opened()
}

/// `SEQUENCE { contentType OID, content [0] EXPLICIT ANY }`
fn content_info(info: Element<'_>) -> Option<(&[u8], Element<'_>)> {
    let [content_type, content] = info.of(SEQUENCE)?.children()?[..] else {
        return None;
    };
    let content = content.of(CONTEXT_0)?.inner()?;
    Some((content_type.of(OID)?.content, content))
}

fn damaged() -> StoreError {
    StoreError::Unsupported("its structure is damaged".to_owned())
}

struct KeyBag {
    name: Option<String>,
    id: Option<Vec<u8>>,
    key: Result<Zeroizing<Vec<u8>>, StoreError>,
}

struct CertBag {
    name: Option<String>,
    id: Option<Vec<u8>>,
    trusted: bool,
}

struct Reader<'p> {
    passwords: Passwords<'p>,
    budget: Budget,
    integrity: Integrity,
    /// Whether the password passed the integrity check.
    proved: bool,
    hidden: bool,
    key_password: bool,
    keys: Vec<KeyBag>,
    certs: Vec<CertBag>,
    named: Vec<Named>,
    secrets: Vec<Option<String>>,
    key_ciphers: BTreeSet<Cipher>,
    cert_ciphers: BTreeSet<Cipher>,
}

impl<'p> Reader<'p> {
    fn new(passwords: Passwords<'p>) -> Self {
        Self {
            passwords,
            budget: Budget::new(),
            integrity: Integrity::None,
            proved: false,
            hidden: false,
            key_password: false,
            keys: Vec::new(),
            certs: Vec::new(),
            named: Vec::new(),
            secrets: Vec::new(),
            key_ciphers: BTreeSet::new(),
            cert_ciphers: BTreeSet::new(),
        }
    }

    /// One ContentInfo of the AuthenticatedSafe.
    fn safe(&mut self, safe: Element<'_>) -> Result<(), StoreError> {
        let (content_type, content) = content_info(safe).ok_or_else(damaged)?;
        if content_type == DATA {
            let data = content.octets().ok_or_else(damaged)?;
            return self.bags(&data, &Cipher::plain());
        }
        if content_type != ENCRYPTED_DATA {
            return Err(StoreError::Unsupported(
                "a part of it is protected by a public key, not by a password".to_owned(),
            ));
        }
        let (scheme, data) = encrypted_data(content).ok_or_else(damaged)?;
        let cipher = scheme.cipher();
        let Some(password) = self.passwords.store else {
            self.cert_ciphers.insert(cipher);
            self.hidden = true;
            return Ok(());
        };
        let opened = scheme.decrypt(&data, password, &mut self.budget);
        let opened = opened.map_err(|error| match (error, self.proved) {
            (StoreError::WrongPassword, true) => StoreError::Unsupported(
                "its certificates and its integrity check have different passwords".to_owned(),
            ),
            (error, _) => error,
        })?;
        self.bags(&opened, &cipher)
    }

    /// SafeContents.
    fn bags(&mut self, contents: &[u8], cipher: &Cipher) -> Result<(), StoreError> {
        let bags = Element::only(contents).and_then(|e| e.of(SEQUENCE)?.children());
        // With a wrong password, the padding is valid by chance once in 256 times.
        for bag in bags.ok_or_else(damaged)? {
            self.bag(bag, cipher).ok_or_else(damaged)??;
            if self.keys.len() + self.certs.len() + self.secrets.len() > MOST {
                return Err(StoreError::Unsupported(format!(
                    "it has more than {MOST} entries"
                )));
            }
        }
        Ok(())
    }

    /// `SEQUENCE { bagId OID, bagValue [0] EXPLICIT ANY, bagAttributes SET OF Attribute OPTIONAL }`
    fn bag(&mut self, bag: Element<'_>, cipher: &Cipher) -> Option<Result<(), StoreError>> {
        let parts = bag.of(SEQUENCE)?.children()?;
        let (id, value) = (parts.first()?.of(OID)?, parts.get(1)?.of(CONTEXT_0)?);
        let attributes = Attributes::read(parts.get(2))?;
        let [arc] = id.content.strip_prefix(&BAG)? else {
            return Some(Ok(()));
        };
        match arc {
            1 => {
                self.key_ciphers.insert(cipher.clone());
                let key = Zeroizing::new(value.inner()?.whole.to_vec());
                self.key(attributes, Ok(key));
            }
            2 => {
                let unlocked = unlock(value.inner()?, self.passwords, &mut self.budget)?;
                self.key_ciphers.insert(unlocked.cipher);
                self.key_password |= unlocked.own_password;
                let key = unlocked.key;
                if let Err(error @ StoreError::WrongPassword) = &key
                    && !self.proved
                    && self.passwords.store.is_some()
                {
                    return Some(Err(error.clone()));
                }
                self.key(attributes, key);
            }
            3 => {
                self.cert_ciphers.insert(cipher.clone());
                let [kind, value] = value.inner()?.of(SEQUENCE)?.children()?[..] else {
                    return None;
                };
                if kind.of(OID)?.content != X509 {
                    return Some(Err(StoreError::Unsupported(
                        "it contains certificates that are not X.509".to_owned(),
                    )));
                }
                let der = value.of(CONTEXT_0)?.inner()?.octets()?.into_owned();
                match Named::read(self.named.len() + 1, CertificateDer::from(der)) {
                    Ok(named) => self.named.push(named),
                    Err(error) => return Some(Err(error)),
                }
                self.certs.push(CertBag {
                    name: attributes.name,
                    id: attributes.id,
                    trusted: attributes.trusted,
                });
            }
            5 => self.secrets.push(attributes.name),
            // A CRL, or nested bags; Java skips them too.
            _ => {}
        }
        Some(Ok(()))
    }

    fn key(&mut self, attributes: Attributes, key: Result<Zeroizing<Vec<u8>>, StoreError>) {
        self.keys.push(KeyBag {
            name: attributes.name,
            id: attributes.id,
            key,
        });
    }

    fn opened(self) -> Result<Opened, StoreError> {
        let mut unnamed = 0_u32;
        let mut alias = |name: &Option<String>| {
            name.as_ref().map_or_else(
                || {
                    unnamed += 1; // `PKCS12KeyStore.getUnfriendlyName`
                    unnamed.to_string()
                },
                |name| name.to_lowercase(),
            )
        };
        let issuers = Issuers::new(&self.named);
        let only_key = self.keys.len() == 1;
        let mut contents = StoreContents::default();
        let mut linked = BTreeSet::new();
        for bag in self.keys {
            let leaf = leaf_of(&bag, &self.certs, only_key);
            let chain = leaf.map_or_else(Vec::new, |leaf| issuers.chain(leaf));
            linked.extend(chain.iter().copied());
            let ders = chain.iter().map(|at| self.named[*at].der.clone());
            let (alias, chain) = (alias(&bag.name), ders.collect());
            match bag.key {
                Ok(key_pkcs8) => contents.keys.push(StoredKey {
                    alias,
                    key_pkcs8,
                    chain,
                }),
                Err(why) => contents.locked.push(LockedKey { alias, why, chain }),
            }
        }
        for (at, (bag, named)) in self.certs.iter().zip(&self.named).enumerate() {
            if bag.trusted {
                contents.trusted.push(TrustedCert {
                    alias: alias(&bag.name),
                    cert: named.der.clone(),
                });
            } else if !linked.contains(&at) {
                contents.ignored.push(named.der.clone());
            }
        }
        contents.secrets = self.secrets.iter().map(alias).collect();
        Ok(Opened {
            kind: StoreKind::Pkcs12,
            contents,
            protection: Protection {
                keys: self.key_ciphers,
                certificates: self.cert_ciphers,
                integrity: self.integrity,
                key_password: self.key_password,
                hidden: self.hidden,
            },
        })
    }
}

/// The certificate with the key's localKeyId. If the store's only key has none, the first certificate without one, as
/// in `PKCS12KeyStore.loadSafeContents`.
fn leaf_of(key: &KeyBag, certs: &[CertBag], only_key: bool) -> Option<usize> {
    if key.id.is_none() && !only_key {
        return None;
    }
    certs
        .iter()
        .position(|cert| !cert.trusted && cert.id == key.id)
}

/// `SEQUENCE { version, EncryptedContentInfo { OID, AlgorithmIdentifier, [0] IMPLICIT OCTET STRING } }`
fn encrypted_data(content: Element<'_>) -> Option<(Scheme, Cow<'_, [u8]>)> {
    let parts = content.of(SEQUENCE)?.children()?;
    let info = parts.get(1)?.of(SEQUENCE)?.children()?;
    let data = info.get(2)?;
    // Primitive or constructed.
    (data.tag & !0x20 == 0x80).then_some(())?;
    Some((Scheme::read(*info.get(1)?)?, data.octets()?))
}

/// The attributes of a bag that kpki uses.
struct Attributes {
    name: Option<String>,
    id: Option<Vec<u8>>,
    trusted: bool,
}

impl Attributes {
    fn read(set: Option<&Element<'_>>) -> Option<Self> {
        let mut found = Self {
            name: None,
            id: None,
            trusted: false,
        };
        let Some(set) = set else {
            return Some(found);
        };
        for attribute in set.of(SET)?.children()? {
            let [id, values] = attribute.of(SEQUENCE)?.children()?[..] else {
                return None;
            };
            let values = values.of(SET)?.children()?;
            let first = values.first();
            match id.of(OID)?.content {
                oid if oid == FRIENDLY_NAME => {
                    found.name = first
                        .and_then(|v| v.of(BMP_STRING))
                        .map(|v| utf16(v.content));
                }
                oid if oid == LOCAL_KEY_ID => {
                    found.id = first.and_then(|v| v.of(OCTETS)).map(|v| v.content.to_vec());
                }
                // Its value does not matter: Java only checks that it exists.
                oid if oid == TRUSTED_KEY_USAGE => found.trusted = true,
                _ => {}
            }
        }
        Some(found)
    }
}

fn utf16(octets: &[u8]) -> String {
    let units = octets.chunks_exact(2);
    let units: Vec<u16> = units.map(|o| u16::from_be_bytes([o[0], o[1]])).collect();
    String::from_utf16_lossy(&units)
}
