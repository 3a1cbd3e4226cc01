//! `ca/inventory.jsonl`: one line for every certificate ever signed. Append-only.

use std::{
    collections::{HashMap, HashSet},
    fs::{File, OpenOptions},
    io::{self, Seek, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{Lock, OutDir, StateError, failed, files};
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

/// The records, in the order in which they were signed.
#[derive(Debug)]
pub struct Inventory {
    path: PathBuf,
    records: Vec<Record>,
    /// By name, the last certificate that a broker or client got.
    latest: HashMap<String, usize>,
    serials: HashSet<String>,
    /// Where the next line goes: behind the last whole one.
    end: u64,
    /// The last line is whole but for its line end, as some editors leave it.
    open: bool,
}

impl Inventory {
    /// Reads the inventory. A last line that a killed command left unfinished is passed over: its certificate
    /// never left the CA.
    ///
    /// # Errors
    /// When the file cannot be read, or a finished line is no record.
    pub fn read(out: &OutDir) -> Result<Self, StateError> {
        let path = out.ca_file("inventory.jsonl");
        let bytes = files::read_optional(&path)?.unwrap_or_default();
        let (records, end, open) = parse(&path, &bytes)?;
        let mut inventory = Self {
            path,
            records: Vec::new(),
            latest: HashMap::new(),
            serials: HashSet::new(),
            end,
            open,
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
    ///
    /// # Errors
    /// When they cannot be written; the file is then as it was.
    pub fn append(&mut self, _lock: &Lock, records: Vec<Record>) -> Result<(), StateError> {
        let mut text = if self.open {
            "\n".to_owned()
        } else {
            String::new()
        };
        text.extend(records.iter().map(Record::to_line));
        let write = |file: &mut File| -> io::Result<()> {
            // Cuts off an unfinished last line.
            file.set_len(self.end)?;
            file.seek(io::SeekFrom::Start(self.end))?;
            file.write_all(text.as_bytes())?;
            file.sync_all()
        };
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(files::SECRET)
            .open(&self.path)
            .map_err(failed("open", &self.path))?;
        if let Err(error) = write(&mut file) {
            // On a full disk, cutting still works; if not, the next writer cuts.
            let _ = file.set_len(self.end);
            return Err(failed("append to", &self.path)(error));
        }
        self.end += text.len() as u64;
        self.open = false;
        self.take(records);
        Ok(())
    }
}

fn parse(path: &Path, bytes: &[u8]) -> Result<(Vec<Record>, u64, bool), StateError> {
    let mut records = Vec::new();
    let mut end = 0;
    for (at, line) in bytes.split_inclusive(|b| *b == b'\n').enumerate() {
        let Some(text) = line.strip_suffix(b"\n") else {
            let Ok(record) = serde_json::from_slice(line) else {
                break;
            };
            records.push(record);
            return Ok((records, end + line.len() as u64, true));
        };
        let record: Record =
            serde_json::from_slice(text).map_err(|e| StateError::BadInventory {
                path: path.to_owned(),
                line: at + 1,
                reason: format!("not a record of a certificate: {e}"),
            })?;
        if record.v != 1 {
            return Err(StateError::BadInventory {
                path: path.to_owned(),
                line: at + 1,
                reason: format!("written in format {} by a later kpki", record.v),
            });
        }
        records.push(record);
        end += line.len() as u64;
    }
    Ok((records, end, false))
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
        let lock = Lock::acquire(&out, Duration::ZERO, |_| ()).unwrap();
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
        let lock = Lock::acquire(&out, Duration::ZERO, |_| ()).unwrap();
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
        let (records, ..) = parse(Path::new("x"), line.as_bytes()).unwrap();
        assert_eq!(records, [record("a")]);
    }

    #[test]
    fn a_damaged_line_in_the_middle_is_an_error_with_its_number() {
        let text = format!(
            "{}garbage\n{}",
            record("a").to_line(),
            record("b").to_line()
        );
        let error = parse(Path::new("inventory.jsonl"), text.as_bytes()).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("inventory.jsonl, line 2: not a record"),
            "{error}"
        );
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), cut in 0usize..300) {
            let _ = parse(Path::new("x"), &bytes);
            let line = record("a").to_line();
            let mut damaged = line.into_bytes();
            damaged.truncate(cut);
            damaged.extend(bytes);
            let _ = parse(Path::new("x"), &damaged);
        }
    }
}
