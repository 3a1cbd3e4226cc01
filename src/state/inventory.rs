//! `ca/inventory.jsonl`: one line for every certificate ever signed, and for every event. Append-only.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    Event, Lock, OutDir, Revocation, StateError, generations,
    index::Index,
    jsonl::{self, Line, Tail},
};
use crate::deeds::did;
use crate::pki::{Certificate, Host, KeyAlgorithm, Kind, Reason};

/// One signed certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Version of the line's format.
    pub v: u8,
    /// Its name.
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
    /// Its key algorithm. Missing in lines of the first kpki, like the two below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyAlgorithm>,
    /// SHA-256 of its public key (SubjectPublicKeyInfo, DER), lower-case hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_sha256: Option<String>,
    /// SHA-256 of the certificate (DER), lower-case hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Whether its key is elsewhere, and only a request was here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub external: bool,
    /// Of a CA's certificate: the CA's generation. Missing in earlier lines, where the subject tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u32>,
}

impl Record {
    /// The line for a certificate that is about to leave the CA.
    pub fn of(name: &str, kind: Kind, certificate: &Certificate) -> Self {
        Self {
            v: 1,
            name: name.to_owned(),
            kind,
            serial: certificate.serial.clone(),
            subject: certificate.subject.exact().to_owned(),
            sans: certificate.hosts.iter().map(Host::tagged).collect(),
            not_before: certificate.not_before,
            not_after: certificate.not_after,
            issuer: certificate.issuer.exact().to_owned(),
            key: certificate.key,
            key_sha256: Some(certificate.key_fingerprint()),
            sha256: Some(certificate.fingerprint()),
            external: false,
            generation: None,
        }
    }

    /// For a CA, its generation.
    pub fn generation(&self) -> u32 {
        let named = || generations::generation(&self.subject);
        self.generation.unwrap_or_else(named)
    }

    /// True if this is the record of that certificate. Without a fingerprint, the serial number must match and `signer`
    /// must have signed it.
    pub fn is_of(&self, certificate: &Certificate, signer: &Certificate) -> bool {
        self.serial == certificate.serial
            && match &self.sha256 {
                Some(sha256) => *sha256 == certificate.fingerprint(),
                None => certificate.is_signed_by(signer),
            }
    }

    /// The record as its line.
    pub fn to_line(&self) -> String {
        // A struct of strings, numbers and dates up to the year 9999 always serializes; an empty line would be refused
        // when read, and is never written because `append` refuses it first.
        let mut line = serde_json::to_string(self).unwrap_or_default();
        line.push('\n');
        line
    }
}

/// The current status of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Valid.
    Valid,
    /// Revoked, even if it has also expired or was replaced.
    Revoked,
    /// It has expired.
    Expired,
    /// There is a newer one in its place.
    Replaced,
}

impl Status {
    /// The word of `list --json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::Replaced => "replaced",
        }
    }
}

/// One line.
enum Entry {
    Certificate(Record),
    Event(Event),
}

impl Line for Entry {
    fn parse(line: &str) -> Result<Self, String> {
        // As kpki itself writes them.
        if line.starts_with("{\"v\":2,")
            && let Some(event) = Event::parse(line)
        {
            return event.map(Self::Event);
        }
        let record = jsonl::parse_first_format(line, "a certificate", |record: &Record| record.v);
        match record {
            Ok(record) => Ok(Self::Certificate(record)),
            Err(why) => Event::parse(line).unwrap_or(Err(why)).map(Self::Event),
        }
    }
}

/// The records and events, in order.
#[derive(Debug, Default)]
pub struct Inventory {
    records: Vec<Record>,
    /// By serial number. Built when first needed, like the next one.
    serials: OnceLock<Index>,
    /// By name, the last certificate that a broker or client got.
    latest: OnceLock<Index>,
    /// The CA's own certificates.
    authorities: Vec<usize>,
    events: Vec<Event>,
    /// By serial number, the position of the event that revokes it.
    revoked: Index,
    tail: Tail,
}

/// Of an event that revokes a certificate, or reinstates it, that certificate's serial number.
fn serial_in<'a>(events: &'a [Event]) -> impl Fn(usize) -> &'a str {
    move |at| match &events[at] {
        Event::Revoked(revocation) => &revocation.serial,
        _ => "",
    }
}

impl Inventory {
    /// Its file in `ca/`.
    pub const FILE: &str = "inventory.jsonl";

    /// Reads the inventory. An unfinished last line of a killed command is ignored: its certificate never left the CA.
    pub fn read(out: &OutDir) -> Result<Self, StateError> {
        let path = out.ca_file(Self::FILE);
        let mut inventory = Self::default();
        let bad = |path, line, reason| StateError::BadInventory { path, line, reason };
        inventory.tail = jsonl::read(&path, |entry| inventory.take(entry), bad)?;
        Ok(inventory)
    }

    fn take(&mut self, entry: Entry) {
        match entry {
            Entry::Certificate(record) => {
                let (at, kind) = (self.records.len(), record.kind);
                self.records.push(record);
                let records = &self.records;
                if let Some(serials) = self.serials.get_mut() {
                    serials.insert(at, |at| &records[at].serial);
                }
                match (kind, self.latest.get_mut()) {
                    (Kind::Ca | Kind::Intermediate, _) => self.authorities.push(at),
                    (_, Some(latest)) => latest.insert(at, |at| &records[at].name),
                    (_, None) => {}
                }
            }
            Entry::Event(event) => {
                let at = self.events.len();
                self.events.push(event);
                let serial = serial_in(&self.events);
                match &self.events[at] {
                    Event::Revoked(Revocation {
                        serial: own,
                        reason: Reason::RemoveFromCrl,
                        ..
                    }) => {
                        self.revoked.remove(own, serial);
                    }
                    Event::Revoked(_) => self.revoked.insert(at, serial),
                    Event::Crl(_) | Event::Rotation(_) | Event::CaRequested(_) => {}
                }
            }
        }
    }

    /// Positions of certificates by name, of brokers and clients the last.
    fn names(&self) -> &Index {
        self.latest.get_or_init(|| {
            let records = self.records.iter().enumerate();
            let leaves = records.filter(|(_, r)| matches!(r.kind, Kind::Broker | Kind::Client));
            let leaves: Vec<usize> = leaves.map(|(at, _)| at).collect();
            Index::of(leaves.into_iter(), |at| &self.records[at].name)
        })
    }

    /// The last certificate that was signed for a broker or client of this name.
    pub fn latest(&self, name: &str) -> Option<&Record> {
        let at = self.names().get(name, |at| &self.records[at].name)?;
        self.records.get(at)
    }

    /// The last certificate of every broker and client, in order.
    pub fn current(&self) -> impl Iterator<Item = &Record> {
        let mut current: Vec<usize> = self.names().positions().collect();
        current.sort_unstable();
        current.into_iter().map(|at| &self.records[at])
    }

    /// Every record.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// Every event.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The certificate with this serial number, lower-case hex.
    pub fn by_serial(&self, serial: &str) -> Option<&Record> {
        let serial_at = |at: usize| self.records[at].serial.as_str();
        let all = || Index::of(0..self.records.len(), serial_at);
        let at = self.serials.get_or_init(all).get(serial, serial_at)?;
        self.records.get(at)
    }

    /// The CAs' own certificates, in order.
    pub fn authorities(&self) -> impl DoubleEndedIterator<Item = &Record> {
        self.authorities.iter().map(|at| &self.records[*at])
    }

    /// The generation of the CA with this certificate; `None` if it was never recorded.
    pub fn generation_of(&self, ca: &Certificate) -> Option<u32> {
        let is_it = |record: &&Record| {
            record.serial == ca.serial
                && match &record.sha256 {
                    Some(sha256) => *sha256 == ca.fingerprint(),
                    None => record.subject == ca.subject,
                }
        };
        self.authorities().find(is_it).map(Record::generation)
    }

    /// The generation of a CA that replaced another one, by the certificate that signs; `None` for the first.
    pub fn successor(&self, signer: &Certificate) -> Option<u32> {
        self.generations()?;
        let first = self.authorities().next()?.generation();
        self.generation_of(signer).filter(|own| *own != first)
    }

    /// Whether a CA's certificate belongs to one of these generations, or is above such a one in its chain.
    fn is_in_use(&self, record: &Record, (one, other): (u32, Option<u32>)) -> bool {
        let is_of = |r: &Record| r.generation() == one || Some(r.generation()) == other;
        let issuer_of = |below: &Record| {
            let mut newest = self.authorities().rev();
            newest.find(|r| r.subject == below.issuer && below.subject != below.issuer)
        };
        let is_above = |below: &Record| {
            let above = std::iter::successors(issuer_of(below), |r| issuer_of(r));
            // Cross-signed CAs are above each other.
            let mut above = above.take(self.authorities.len());
            above.any(|r| (&r.serial, &r.issuer) == (&record.serial, &record.issuer))
        };
        is_of(record) || self.authorities().filter(|r| is_of(r)).any(is_above)
    }

    /// When the certificate of a next CA was last requested.
    pub fn ca_requested(&self) -> Option<OffsetDateTime> {
        self.events.iter().rev().find_map(|event| match event {
            Event::CaRequested(request) => Some(request.at),
            _ => None,
        })
    }

    /// The trusted generations, the newest first: two during a rotation. `None` if the CA was never replaced.
    pub fn generations(&self) -> Option<(u32, Option<u32>)> {
        generations::in_use(&self.events)
    }

    /// True where a certificate with this serial was ever signed.
    pub fn has_serial(&self, serial: &str) -> bool {
        self.by_serial(serial).is_some()
    }

    /// The revocation of the certificate with this serial number, if there is one.
    pub fn revocation(&self, serial: &str) -> Option<&Revocation> {
        match &self.events[self.revoked.get(serial, serial_in(&self.events))?] {
            Event::Revoked(revocation) => Some(revocation),
            _ => None,
        }
    }

    /// Every revocation in effect, in order.
    pub fn revocations(&self) -> impl Iterator<Item = &Revocation> {
        let mut in_effect: Vec<usize> = self.revoked.positions().collect();
        in_effect.sort_unstable();
        in_effect
            .into_iter()
            .filter_map(|at| match &self.events[at] {
                Event::Revoked(revocation) => Some(revocation),
                _ => None,
            })
    }

    /// The certificates whose revocation is in effect, in the order of the revocations.
    pub fn revoked(&self) -> impl Iterator<Item = &Record> {
        self.revocations().filter_map(|r| self.by_serial(&r.serial))
    }

    /// True if there is no newer certificate of its name (for brokers and clients, whose names are unique) or of its
    /// kind (for the CA).
    pub fn is_current(&self, record: &Record) -> bool {
        let last = match record.kind {
            Kind::Broker | Kind::Client => self.latest(&record.name),
            kind => {
                let in_use = generations::in_use(&self.events);
                if in_use.is_some_and(|in_use| !self.is_in_use(record, in_use)) {
                    return false;
                }
                self.authorities().rev().find(|other| {
                    let same = in_use.is_none() || other.generation() == record.generation();
                    same && (other.kind, &other.name) == (kind, &record.name)
                })
            }
        };
        last.is_none_or(|last| last.serial == record.serial)
    }

    /// The current status of a certificate.
    pub fn status(&self, record: &Record, now: OffsetDateTime) -> Status {
        if self.revocation(&record.serial).is_some() {
            Status::Revoked
        } else if record.not_after <= now {
            Status::Expired
        } else if self.is_current(record) {
            Status::Valid
        } else {
            Status::Replaced
        }
    }

    /// Appends records and syncs them to the disk. Their certificates may only be written afterwards. On failure the
    /// file is unchanged.
    pub fn append(&mut self, _lock: &Lock, records: Vec<Record>) -> Result<(), StateError> {
        let lines: String = records.iter().map(Record::to_line).collect();
        self.tail.append(&lines)?;
        for record in records {
            did("signed", &record.name);
            self.take(Entry::Certificate(record));
        }
        Ok(())
    }

    /// Appends events and syncs them to the disk. They may only be reported afterwards.
    ///
    /// # Errors
    /// If they cannot be written; the file is then unchanged.
    pub fn append_events(&mut self, _lock: &Lock, events: Vec<Event>) -> Result<(), StateError> {
        let lines: String = events.iter().map(Event::to_line).collect();
        self.tail.append(&lines)?;
        for event in events {
            match &event {
                Event::Revoked(revocation) if revocation.reason == Reason::RemoveFromCrl => {
                    did("took back the revocation of", &revocation.name);
                }
                Event::Revoked(revocation) => did("revoked", &revocation.name),
                Event::Crl(issue) => did("signed", format!("CRL {}", issue.number)),
                Event::Rotation(step) => {
                    did(
                        "CA rotation",
                        format!("{} G{}", step.state, step.generation),
                    );
                }
                Event::CaRequested(request) => {
                    did("requested the certificate of", &request.subject);
                }
            }
            self.take(Entry::Event(event));
        }
        Ok(())
    }

    /// As [`Self::append_events`], for one event.
    ///
    /// # Errors
    /// As there.
    pub fn append_event(&mut self, lock: &Lock, event: Event) -> Result<(), StateError> {
        self.append_events(lock, vec![event])
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
            external: false,
            generation: None,
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
        let mut lines = Vec::new();
        jsonl::parse::<Entry>(path, line.as_bytes(), |entry| lines.push(entry))
            .unwrap()
            .unwrap();
        let [Entry::Certificate(only)] = &lines[..] else {
            panic!("one certificate");
        };
        assert_eq!(*only, record("a"));
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

    #[test]
    fn a_certificate_is_revoked_before_it_is_expired_and_expired_before_it_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let out = OutDir::new(dir.path());
        std::fs::create_dir(out.ca()).unwrap();
        let lock = Lock::acquire(out.root(), Duration::ZERO, |_| ()).unwrap();
        let mut inventory = Inventory::read(&out).unwrap();
        let numbered = |serial: &str, name: &str| Record {
            serial: serial.into(),
            ..record(name)
        };
        let records = [("1", "a"), ("2", "a"), ("3", "b")];
        let records = records.map(|(serial, name)| numbered(serial, name));
        inventory.append(&lock, records.to_vec()).unwrap();
        let begin = records[0].not_before;
        let revoke = |reason| {
            Event::Revoked(Revocation {
                at: begin,
                serial: "1".into(),
                name: "a".into(),
                reason,
            })
        };
        let states = |inventory: &Inventory, now| {
            let records = inventory.records().iter();
            let states: Vec<&str> = records.map(|r| inventory.status(r, now).name()).collect();
            states.join(" ")
        };
        let (end, hold) = (records[0].not_after, Reason::CertificateHold);
        assert_eq!(states(&inventory, begin), "replaced valid valid");
        assert_eq!(states(&inventory, end), "expired expired expired");
        inventory.append_event(&lock, revoke(hold)).unwrap();
        let mut read = Inventory::read(&out).unwrap();
        assert_eq!(states(&read, begin), "revoked valid valid");
        assert_eq!(states(&read, end), "revoked expired expired");
        assert_eq!(read.revocation("1").unwrap().reason, hold);
        assert_eq!(read.revocations().count(), 1);
        read.append_event(&lock, revoke(Reason::RemoveFromCrl))
            .unwrap();
        let read = Inventory::read(&out).unwrap();
        assert_eq!(states(&read, begin), "replaced valid valid");
        assert_eq!((read.revocations().count(), read.events().len()), (0, 2));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), cut in 0usize..300) {
            let _ = jsonl::parse::<Entry>(std::path::Path::new("x"), &bytes[..], drop);
            let line = record("a").to_line();
            let mut damaged = line.into_bytes();
            damaged.truncate(cut);
            damaged.extend(bytes);
            let _ = jsonl::parse::<Entry>(std::path::Path::new("x"), &damaged[..], drop);
        }
    }
}
