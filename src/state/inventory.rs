//! `ca/inventory.jsonl`: one line for every certificate ever signed. Append-only.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    Lock, OutDir, StateError, files,
    jsonl::{self, Line, Tail},
};
use crate::pki::{Certificate, Host, KeyAlgorithm, Kind};

/// One signed certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Version of the line's format.
    pub v: u8,
    /// Whose it is.
    pub name: String,
    /// What it is for.
    pub kind: Kind,
    /// Serial number, lower-case hex.
    pub serial: String,
    /// Subject, RFC 4514 text.
    pub subject: String,
    /// `DNS:kafka1`, `IP:10.0.0.1`.
    pub sans: Vec<String>,
    /// Begin.
    #[serde(with = "time::serde::rfc3339")]
    pub not_before: OffsetDateTime,
    /// End.
    #[serde(with = "time::serde::rfc3339")]
    pub not_after: OffsetDateTime,
    /// The issuer's subject.
    pub issuer: String,
    /// The kind of its key. Not in lines of the first kpki, as the two below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyAlgorithm>,
    /// SHA-256 of its public key (SubjectPublicKeyInfo, DER), lower-case hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_sha256: Option<String>,
    /// SHA-256 of the certificate (DER), lower-case hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

impl Record {
    /// The line for a certificate that is about to leave the CA.
    pub fn of(name: &str, kind: Kind, certificate: &Certificate) -> Self {
        Self {
            v: 1,
            name: name.to_owned(),
            kind,
            serial: certificate.serial.clone(),
            subject: certificate.subject.clone(),
            sans: certificate.hosts.iter().map(Host::tagged).collect(),
            not_before: certificate.not_before,
            not_after: certificate.not_after,
            issuer: certificate.issuer.clone(),
            key: certificate.key,
            key_sha256: Some(certificate.key_fingerprint()),
            sha256: Some(certificate.fingerprint()),
        }
    }

    /// True where this is the record of that very certificate. Without a fingerprint, the serial number and the
    /// signature of `signer` have to say so.
    pub fn is_of(&self, certificate: &Certificate, signer: &Certificate) -> bool {
        self.serial == certificate.serial
            && match &self.sha256 {
                Some(sha256) => *sha256 == certificate.fingerprint(),
                None => certificate.is_signed_by(signer),
            }
    }

    /// The record as its line.
    pub fn to_line(&self) -> String {
        // A struct of texts, numbers and dates up to the year 9999 always serializes; an empty line would be
        // refused when read, and is never written as `append` refuses it first.
        let mut line = serde_json::to_string(self).unwrap_or_default();
        line.push('\n');
        line
    }
}

impl Line for Record {
    const WHAT: &'static str = "a certificate";

    fn version(&self) -> u8 {
        self.v
    }
}

/// The records, in the order in which they were signed.
#[derive(Debug)]
pub struct Inventory {
    records: Vec<Record>,
    /// By name, the last certificate that a broker or client got.
    latest: HashMap<String, usize>,
    serials: HashSet<String>,
    tail: Tail,
}

impl Inventory {
    /// Its file in `ca/`.
    pub const FILE: &str = "inventory.jsonl";

    /// Reads the inventory. A last line that a killed command left unfinished is passed over: its certificate
    /// never left the CA.
    pub fn read(out: &OutDir) -> Result<Self, StateError> {
        let path = out.ca_file(Self::FILE);
        let bytes = files::read_optional(&path)?.unwrap_or_default();
        let (records, tail) = jsonl::parse(&path, &bytes)
            .map_err(|(line, reason)| StateError::BadInventory { path, line, reason })?;
        let mut inventory = Self {
            records: Vec::new(),
            latest: HashMap::new(),
            serials: HashSet::new(),
            tail,
        };
        inventory.take(records);
        Ok(inventory)
    }

    fn take(&mut self, records: Vec<Record>) {
        for record in records {
            self.serials.insert(record.serial.clone());
            if matches!(record.kind, Kind::Broker | Kind::Client) {
                self.latest.insert(record.name.clone(), self.records.len());
            }
            self.records.push(record);
        }
    }

    /// The last certificate that was signed for a broker or client of this name.
    pub fn latest(&self, name: &str) -> Option<&Record> {
        self.records.get(*self.latest.get(name)?)
    }

    /// Every record.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// True where a certificate with this serial was ever signed.
    pub fn has_serial(&self, serial: &str) -> bool {
        self.serials.contains(serial)
    }

    /// Appends records and syncs them to the disk. Only afterwards may their certificates be written anywhere.
    /// On failure the file stays as it was.
    pub fn append(&mut self, _lock: &Lock, records: Vec<Record>) -> Result<(), StateError> {
        let lines: String = records.iter().map(Record::to_line).collect();
        self.tail.append(&lines)?;
        self.take(records);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn record(name: &str) -> Record {
        Record {
            v: 1,
            name: name.into(),
            kind: Kind::Broker,
            serial: "4a".into(),
            subject: format!("CN={name}"),
            sans: vec![format!("DNS:{name}")],
            not_before: time::macros::datetime!(2026-11-21 11:00 UTC),
            not_after: time::macros::datetime!(2027-11-21 11:00 UTC),
            issuer: "CN=CA G1".into(),
            key: None,
            key_sha256: None,
            sha256: None,
        }
    }

    #[test]
    fn an_unfinished_last_line_is_passed_over_and_cut() {
        let dir = tempfile::tempdir().unwrap();
        let out = OutDir::new(dir.path());
        std::fs::create_dir(out.ca()).unwrap();
        let lock = Lock::acquire(out.root(), Duration::ZERO, |_| ()).unwrap();
        let whole = record("a").to_line();
        std::fs::write(
            out.ca_file("inventory.jsonl"),
            format!("{whole}{}", &whole[..40]),
        )
        .unwrap();
        let mut inventory = Inventory::read(&out).unwrap();
        assert_eq!(inventory.records(), [record("a")]);
        inventory.append(&lock, vec![record("b")]).unwrap();
        assert_eq!(
            Inventory::read(&out).unwrap().records(),
            [record("a"), record("b")]
        );
    }

    #[test]
    fn a_last_line_that_only_lacks_its_end_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let out = OutDir::new(dir.path());
        std::fs::create_dir(out.ca()).unwrap();
        let lock = Lock::acquire(out.root(), Duration::ZERO, |_| ()).unwrap();
        std::fs::write(
            out.ca_file("inventory.jsonl"),
            record("a").to_line().trim_end(),
        )
        .unwrap();
        let mut inventory = Inventory::read(&out).unwrap();
        inventory.append(&lock, vec![record("b")]).unwrap();
        assert_eq!(
            Inventory::read(&out).unwrap().records(),
            [record("a"), record("b")]
        );
    }

    #[test]
    fn lines_of_the_first_kpki_are_read_and_written_as_they_were() {
        let line = record("a").to_line();
        assert!(!line.contains("sha256"), "{line}");
        let path = std::path::Path::new("x");
        let (records, ..) = jsonl::parse::<Record>(path, line.as_bytes()).unwrap();
        assert_eq!(records, [record("a")]);
    }

    #[test]
    fn a_damaged_line_in_the_middle_is_an_error_with_its_number() {
        let text = format!(
            "{}garbage\n{}",
            record("a").to_line(),
            record("b").to_line()
        );
        let dir = tempfile::tempdir().unwrap();
        let out = OutDir::new(dir.path());
        std::fs::create_dir(out.ca()).unwrap();
        std::fs::write(out.ca_file("inventory.jsonl"), text).unwrap();
        let error = Inventory::read(&out).unwrap_err().to_string();
        assert!(
            error.contains("inventory.jsonl, line 2: not a record of a certificate"),
            "{error}"
        );
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), cut in 0usize..300) {
            let _ = jsonl::parse::<Record>(std::path::Path::new("x"), &bytes);
            let line = record("a").to_line();
            let mut damaged = line.into_bytes();
            damaged.truncate(cut);
            damaged.extend(bytes);
            let _ = jsonl::parse::<Record>(std::path::Path::new("x"), &damaged);
        }
    }
}
