//! PEM texts as stores. Entries are made by matching keys and certificates; aliases are read from the lines that
//! OpenSSL writes before a section (`friendlyName: kafka1`).

use std::collections::BTreeSet;

use rustls_pki_types::{
    CertificateDer,
    pem::{PemObject, SectionKind},
};
use zeroize::Zeroizing;

use super::{
    Passwords, StoreError,
    ber::Element,
    chain,
    cipher::{Cipher, Family, unlock},
    contents::{Issuers, LockedKey, Named, StoreContents, StoredKey, TrustedCert},
    cost::Budget,
    limits::MOST,
    opened::{Opened, Protection, StoreKind},
    pem,
    pkcs12::Integrity,
    to_pkcs8::to_pkcs8,
};
use crate::{printable::Printable, secret::Secret};

const NAME: &str = "friendlyName:";

/// A PEM section.
struct Section<'a> {
    /// The alias in the lines before it.
    name: Option<String>,
    label: &'a str,
    /// The text from BEGIN to END.
    text: &'a str,
}

struct KeySection {
    name: Option<String>,
    key: Result<Zeroizing<Vec<u8>>, StoreError>,
}

/// Reads a text: each key with its chain. The other certificates are trusted entries, as in a PEM truststore.
pub(super) fn read(bytes: &[u8], passwords: Passwords<'_>) -> Result<Opened, StoreError> {
    let text = Zeroizing::new(String::from_utf8_lossy(bytes).into_owned());
    let mut budget = Budget::new();
    let mut ciphers = BTreeSet::new();
    let mut keys = Vec::new();
    let mut names = Vec::new();
    let mut certs = Vec::new();
    for section in sections(&text)? {
        let name = section.name.clone();
        match section.label {
            "CERTIFICATE" | "X509 CERTIFICATE" => {
                let mut der = section.der()?;
                let der = CertificateDer::from(std::mem::take(&mut *der));
                certs.push(Named::read(certs.len() + 1, der)?);
                names.push(name);
            }
            "PRIVATE KEY" => {
                ciphers.insert(Cipher::plain());
                let key = Ok(section.der()?);
                keys.push(KeySection { name, key });
            }
            "ENCRYPTED PRIVATE KEY" => {
                let der = section.der()?;
                let unlocked =
                    Element::only(&der).and_then(|info| unlock(info, passwords, &mut budget));
                let unlocked = unlocked.ok_or(StoreError::Key)?;
                ciphers.insert(match unlocked.cipher.family {
                    Family::Unknown => {
                        let name = format!("encrypted with {}", unlocked.cipher.name);
                        Cipher::new(Family::Unknown, name)
                    }
                    _ => unlocked.cipher,
                });
                let key = unlocked.key.map_err(StoreError::of_key);
                keys.push(KeySection { name, key });
            }
            "RSA PRIVATE KEY" | "EC PRIVATE KEY" => {
                let (form, key) = old_form(&section);
                ciphers.insert(Cipher::new(Family::Unknown, form));
                keys.push(KeySection { name, key });
            }
            _ => {}
        }
    }
    if keys.is_empty() && certs.is_empty() {
        return Err(StoreError::NoPem("certificate or private key"));
    }
    let certificates = match certs.is_empty() {
        true => BTreeSet::new(),
        false => BTreeSet::from([Cipher::plain()]),
    };
    Ok(Opened {
        kind: StoreKind::Pem,
        contents: assemble(keys, &certs, names),
        protection: Protection {
            keys: ciphers,
            certificates,
            integrity: Integrity::None,
            key_password: false,
            hidden: false,
        },
    })
}

/// A key in OpenSSL's traditional format: its description, and the key.
fn old_form(section: &Section<'_>) -> (&'static str, Result<Zeroizing<Vec<u8>>, StoreError>) {
    const ENCRYPTED: &str = "encrypted in OpenSSL's traditional format";
    if section.text.contains("Proc-Type: 4,ENCRYPTED") {
        return (ENCRYPTED, Err(StoreError::UnreadKey(ENCRYPTED)));
    }
    let form = match section.label {
        "RSA PRIVATE KEY" => "in PKCS#1",
        _ => "in SEC1",
    };
    let key = section.der().and_then(|der| to_pkcs8(&der));
    (form, key.map(|key| Zeroizing::new(key.to_vec())))
}

fn assemble(keys: Vec<KeySection>, certs: &[Named], names: Vec<Option<String>>) -> StoreContents {
    let mut unnamed = 0_u32;
    let mut alias = |name: Option<String>| {
        name.unwrap_or_else(|| {
            unnamed += 1;
            unnamed.to_string()
        })
    };
    let only_key = keys.len() == 1;
    let issuers = Issuers::new(certs);
    let mut contents = StoreContents::default();
    let mut used = BTreeSet::new();
    for KeySection { name, key } in keys {
        let public = key.as_ref().ok().and_then(|key| chain::public_key(key));
        let fits = |cert: &Named| public.as_ref().is_some_and(|key| *key == cert.public_key);
        let leaf = certs.iter().position(fits);
        // Kafka takes the first certificate, even if it does not match.
        let leaf = leaf.or((only_key && !certs.is_empty()).then_some(0));
        let places = leaf.map_or_else(Vec::new, |leaf| issuers.chain(leaf));
        let chain = places.iter().map(|at| certs[*at].der.clone()).collect();
        used.extend(places);
        let alias = alias(name);
        match key {
            Ok(key_pkcs8) => contents.keys.push(StoredKey {
                alias,
                key_pkcs8,
                chain,
            }),
            Err(why) => contents.locked.push(LockedKey { alias, why, chain }),
        }
    }
    for (at, (cert, name)) in certs.iter().zip(names).enumerate() {
        if !used.contains(&at) {
            let cert = cert.der.clone();
            let alias = alias(name);
            contents.trusted.push(TrustedCert { alias, cert });
        }
    }
    contents
}

fn sections(text: &str) -> Result<Vec<Section<'_>>, StoreError> {
    const BEGIN: &str = "-----BEGIN ";
    let damaged = |why: &str| StoreError::DamagedPem(why.to_owned());
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(BEGIN) {
        let (before, from) = rest.split_at(at);
        let label = &from[BEGIN.len()..];
        let label = label.split("-----").next().unwrap_or_default();
        let last = format!("-----END {label}-----");
        let end = from.find(&last).map(|end| end + last.len());
        let end = end.ok_or_else(|| damaged("a section has no END line"))?;
        let name = before.lines().rev().find_map(|line| {
            let name = line.trim().strip_prefix(NAME)?.trim();
            (!name.is_empty()).then(|| name.to_owned())
        });
        let (text, after) = from.split_at(end);
        found.push(Section { name, label, text });
        if found.len() > MOST {
            return Err(damaged("it has more than 10,000 sections"));
        }
        rest = after;
    }
    Ok(found)
}

impl Section<'_> {
    /// Decodes the section, whatever its label.
    fn der(&self) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let mut text = Zeroizing::new(String::with_capacity(self.text.len() + 2));
        // The parser works line by line, and needs a known label.
        let (mut rest, renamed) = (self.text, self.label);
        while let Some(at) = rest.find(renamed) {
            text.push_str(&rest[..at]);
            text.push_str("CERTIFICATE");
            rest = &rest[at + renamed.len()..];
        }
        text.push_str(rest);
        let text = Zeroizing::new(text.replace("-----END ", "\n-----END "));
        let mut sections = <(SectionKind, Vec<u8>)>::pem_slice_iter(text.as_bytes());
        match sections.next() {
            Some(Ok((_, der))) => Ok(Zeroizing::new(der)),
            _ => Err(StoreError::DamagedPem("a section is not base64".to_owned())),
        }
    }
}

/// A PEM text with all keys, unencrypted, each followed by its chain, then the trusted certificates; all with their
/// aliases.
///
/// # Errors
/// If there are no entries, a key is not PKCS#8, or a key and its chain do not match.
pub fn write(contents: &StoreContents) -> Result<Secret, StoreError> {
    let mut parts = Vec::new();
    let name = |alias: &str| format!("Bag Attributes\n    {NAME} {}\n", Printable(alias));
    for key in &contents.keys {
        chain::check_foreign(&key.key_pkcs8, &key.chain)?;
        parts.push(Secret::new(name(&key.alias)));
        parts.push(pem::key(&key.key_pkcs8)?);
        parts.push(Secret::new(pem::certificates(&key.chain)));
    }
    for entry in &contents.trusted {
        parts.push(Secret::new(name(&entry.alias)));
        let cert = std::slice::from_ref(&entry.cert);
        parts.push(Secret::new(pem::certificates(cert)));
    }
    if parts.is_empty() {
        return Err(StoreError::NoEntries);
    }
    // Allocated with the final size, so that growing leaves no copy of a key in memory.
    let length = parts.iter().map(|part| part.expose().len()).sum();
    let mut text = String::with_capacity(length);
    for part in &parts {
        text.push_str(part.expose());
    }
    Ok(Secret::new(text))
}
