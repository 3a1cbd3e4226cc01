//! The report of `kpki store inspect`: the entries of a store, and what is unusual about them.

use std::collections::{BTreeMap, BTreeSet};

use rustls_pki_types::CertificateDer;
use serde::Serialize;
use time::{Duration, OffsetDateTime};

use super::{
    Cipher, Integrity, LockedKey, Opened, Protection, Readable, StoreKind, chain, readers::judge,
};
use crate::{pki::Certificate, printable::Name, secret::Secret};

/// A certificate that expires within this time gets a note.
const SOON: Duration = Duration::days(30);

/// The description of a store.
#[derive(Debug, Serialize)]
pub struct StoreReport {
    /// `PKCS12`, `JKS`, `JCEKS` or `PEM`.
    #[serde(rename = "type")]
    pub kind: String,
    /// In the store's order: keys, then trusted certificates, then the rest.
    pub entries: Vec<EntryReport>,
    /// The encryption of its entries, and its integrity check.
    pub encryption: String,
    /// The programs that can read it.
    pub readable: Readable,
    /// What is unusual, and why programs cannot read it.
    pub notes: Vec<String>,
}

/// The kind of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EntryKind {
    /// A private key with its chain.
    Key,
    /// A trusted certificate.
    Trusted,
    /// A certificate that Java does not show.
    Certificate,
    /// A secret key.
    Secret,
}

/// The description of an entry.
#[derive(Debug, Serialize)]
pub struct EntryReport {
    /// Its alias; `None` if Java does not show the entry.
    pub alias: Option<Name>,
    /// Its kind.
    pub kind: EntryKind,
    /// Its certificate, the first of the chain.
    #[serde(flatten)]
    pub certificate: Option<Link>,
    /// For a key: its certificate, followed by each issuer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<Link>,
    /// Whether the chain ends in a root that is in the store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chain_complete: Option<bool>,
    /// Whether the key belongs to the certificate; `None` if unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_matches: Option<bool>,
    /// Whether the key could not be decrypted.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub locked: bool,
}

impl EntryReport {
    /// An entry without a key.
    pub fn alone(alias: Option<String>, kind: EntryKind, certificate: Option<Link>) -> Self {
        Self {
            alias: alias.map(Name::from),
            kind,
            certificate,
            chain: Vec::new(),
            chain_complete: None,
            key_matches: None,
            locked: kind == EntryKind::Secret,
        }
    }
}

/// The summary of a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Link {
    /// RFC 2253 text.
    pub subject: Name,
    /// Its issuer.
    pub issuer: Name,
    /// The serial number, lower-case hex.
    pub serial: String,
    /// The start of its validity.
    #[serde(with = "time::serde::rfc3339")]
    pub not_before: OffsetDateTime,
    /// The end of its validity.
    #[serde(with = "time::serde::rfc3339")]
    pub not_after: OffsetDateTime,
    /// SHA-256 of the certificate, lower-case hex.
    pub fingerprint: String,
}

impl Link {
    /// Summarises a certificate; `None` if it cannot be read.
    pub fn of(der: &CertificateDer<'_>) -> Option<Self> {
        let cert = Certificate::from_der(der).ok()?;
        Some(Self {
            fingerprint: cert.fingerprint(),
            subject: cert.subject,
            issuer: cert.issuer,
            serial: cert.serial,
            not_before: cert.not_before,
            not_after: cert.not_after,
        })
    }

    fn is_root(&self) -> bool {
        self.subject == self.issuer
    }
}

/// Describes a store that was opened with this password.
pub fn inspect(opened: &Opened, password: Option<&Secret>, now: OffsetDateTime) -> StoreReport {
    let entries = entries(opened);
    let (readable, mut notes) = judge(opened, password);
    notes.extend(unusual(opened, &entries, now));
    StoreReport {
        kind: opened.kind.to_string(),
        encryption: encryption(&opened.protection),
        entries,
        readable,
        notes,
    }
}

fn entries(opened: &Opened) -> Vec<EntryReport> {
    let contents = &opened.contents;
    let others = contents.trusted.iter().map(|t| &t.cert);
    let others: Vec<Link> = others
        .chain(&contents.ignored)
        .filter_map(Link::of)
        .collect();
    let roots: BTreeSet<&Name> = others
        .iter()
        .filter(|link| link.is_root())
        .map(|link| &link.subject)
        .collect();
    let mut entries = Vec::new();
    for key in &contents.keys {
        let public = chain::public_key(&key.key_pkcs8);
        let leaf = key.chain.first().and_then(|leaf| {
            let leaf = chain::parse(1, leaf).ok()?;
            Some(leaf.public_key().subject_public_key.data.to_vec())
        });
        let matches = public.zip(leaf).map(|(key, leaf)| key == leaf);
        entries.push(key_entry(&key.alias, &key.chain, matches, false, &roots));
    }
    for LockedKey { alias, chain, .. } in &contents.locked {
        entries.push(key_entry(alias, chain, None, true, &roots));
    }
    for entry in &contents.trusted {
        let (alias, link) = (Some(entry.alias.clone()), Link::of(&entry.cert));
        entries.push(EntryReport::alone(alias, EntryKind::Trusted, link));
    }
    for der in &contents.ignored {
        let kind = EntryKind::Certificate;
        entries.push(EntryReport::alone(None, kind, Link::of(der)));
    }
    for alias in &contents.secrets {
        let alias = Some(alias.clone());
        entries.push(EntryReport::alone(alias, EntryKind::Secret, None));
    }
    entries
}

fn key_entry(
    alias: &str,
    chain: &[CertificateDer<'_>],
    key_matches: Option<bool>,
    locked: bool,
    roots: &BTreeSet<&Name>,
) -> EntryReport {
    let chain: Vec<Link> = chain.iter().filter_map(Link::of).collect();
    let ends = |last: &Link| last.is_root() || roots.contains(&last.issuer);
    EntryReport {
        alias: Some(alias.to_owned().into()),
        kind: EntryKind::Key,
        certificate: chain.first().cloned(),
        chain_complete: chain.last().map(ends),
        chain,
        key_matches,
        locked,
    }
}

/// The encryption and the integrity check, for users.
fn encryption(protection: &Protection) -> String {
    let words = |ciphers: &BTreeSet<Cipher>| {
        let names: Vec<&str> = ciphers.iter().map(|cipher| cipher.name.as_str()).collect();
        names.join(" and ")
    };
    let mut parts = Vec::new();
    let (keys, certificates) = (&protection.keys, &protection.certificates);
    if keys == certificates && !keys.is_empty() {
        parts.push(words(keys));
    } else {
        if !keys.is_empty() {
            parts.push(format!("keys: {}", words(keys)));
        }
        if !certificates.is_empty() {
            parts.push(format!("certificates: {}", words(certificates)));
        }
    }
    parts.push(match &protection.integrity {
        Integrity::None => "no integrity check".to_owned(),
        Integrity::Pkcs12(hash, iterations) => {
            format!("integrity: HMAC-{hash}, {iterations} iterations")
        }
        Integrity::Pbmac1(hash, iterations) => {
            format!("integrity: PBMAC1, HMAC-{hash}, {iterations} iterations")
        }
        Integrity::Sun => "integrity: Sun's digest, SHA-1".to_owned(),
        Integrity::Unknown => "integrity: unknown algorithm".to_owned(),
    });
    parts.join("; ")
}

/// What is unusual about the entries, whichever program reads them.
fn unusual(opened: &Opened, entries: &[EntryReport], now: OffsetDateTime) -> Vec<String> {
    let mut notes = Vec::new();
    for entry in entries {
        let name = |link: &Link| match &entry.alias {
            Some(alias) => format!("`{alias}`, {}", link.subject),
            None => link.subject.to_string(),
        };
        if let (Some(false), Some(link)) = (entry.key_matches, &entry.certificate) {
            notes.push(format!(
                "the key of {} does not belong to its certificate: every TLS handshake fails",
                name(link)
            ));
        }
        if entry.kind == EntryKind::Key && entry.chain.is_empty() {
            let alias = entry.alias.clone().unwrap_or_default();
            // Without the password, whatever is encrypted was not read.
            notes.push(match opened.protection.hidden {
                true => format!(
                    "the certificate of the key `{alias}` was not read: that needs the store's password"
                ),
                false => format!("the key `{alias}` has no certificate"),
            });
        }
        let own = entry.certificate.iter();
        for link in own.chain(entry.chain.iter().skip(1)) {
            let when = link.not_after.date();
            if link.not_after < now {
                notes.push(format!("{} expired on {when}", name(link)));
            } else if link.not_after < now + SOON {
                notes.push(format!("{} expires soon, on {when}", name(link)));
            }
            if link.not_before > now {
                let when = link.not_before.date();
                notes.push(format!("{} is not valid before {when}", name(link)));
            }
        }
    }
    let contents = &opened.contents;
    let links = entries
        .iter()
        .flat_map(|entry| match entry.chain.is_empty() {
            true => entry.certificate.as_slice(),
            false => &entry.chain,
        });
    let mut named: BTreeMap<&Name, BTreeSet<&str>> = BTreeMap::new();
    for link in links {
        let of = named.entry(&link.subject).or_default();
        of.insert(&link.fingerprint);
    }
    for (subject, of) in named.iter().filter(|(_, of)| of.len() > 1) {
        notes.push(format!(
            "{} certificates have the subject {subject}: programs that look up issuers by name may use the wrong one",
            of.len()
        ));
    }
    let mut seen = BTreeSet::new();
    for alias in entries.iter().filter_map(|entry| entry.alias.as_ref()) {
        if !seen.insert(alias.exact().to_lowercase()) && opened.kind != StoreKind::Pem {
            notes.push(format!(
                "several entries have the alias `{alias}`; Java ignores case, and keeps only one of them"
            ));
        }
    }
    if !contents.secrets.is_empty() {
        notes.push("the store contains secret keys, which TLS does not use".to_owned());
    }
    notes
}
