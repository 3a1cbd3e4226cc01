//! What a report consists of, read from the output directory alone.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::super::{Failure, journal, list::Listed, status::here};
use crate::{
    bootstrap::{
        authorities::{self, Authority, KeyAt},
        ca::Ca,
        due::{self, Due},
        lists, rfc3339,
        rotate::Ask,
    },
    pki::{KeyAlgorithm, Kind, SignedCrl},
    state::{Entry, Inventory, OutDir, Record, Revocation, Rotation, Status, read_journal},
};

/// Where an identity's key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Key {
    /// Its directory is here.
    Here,
    /// It never was here: only a request was signed.
    External,
    /// Its directory is not here: it was moved to its machine, or removed.
    Away,
}

impl Key {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Here => "here",
            Self::External => "external",
            Self::Away => "not here",
        }
    }
}

/// The last certificate of a broker or client.
pub struct Identity<'a> {
    pub record: &'a Record,
    pub status: Status,
    pub key: Key,
    /// Whole days until it expires; negative if it has expired.
    pub days_left: i64,
}

/// Everything that a report shows.
pub struct Facts<'a> {
    pub out: &'a OutDir,
    pub now: OffsetDateTime,
    pub authorities: Vec<Authority>,
    pub rotation: Option<Rotation>,
    /// Those that are in ca/crl.pem, if there is one.
    pub crls: Vec<SignedCrl>,
    /// What needs a look first, then what is gone, then what is revoked.
    pub identities: Vec<Identity<'a>>,
    /// The newest first.
    pub revocations: Vec<&'a Revocation>,
    /// The most urgent first.
    pub due: Vec<Due>,
    /// The last lines of the journal, the newest first.
    pub commands: Vec<Entry>,
    /// How many lines it has.
    pub all_commands: usize,
}

/// How many commands of the journal are shown.
const COMMANDS: usize = 20;

impl<'a> Facts<'a> {
    /// Reads them. Nothing is changed, and nobody is asked.
    ///
    /// # Errors
    /// If the output directory cannot be read.
    pub fn read(
        out: &'a OutDir,
        inventory: &'a Inventory,
        now: OffsetDateTime,
    ) -> Result<Self, Failure> {
        let current = due::current(inventory, now);
        let ending = due::ending(inventory, &current, None, now);
        let mut due = here::due(out, inventory, &current, &ending, Ask::Nobody, now)?;
        due::sort(&mut due, now);
        let mut commands = read_journal(out)?;
        let all_commands = commands.len();
        commands.reverse();
        commands.truncate(COMMANDS);
        let mut revocations: Vec<&Revocation> = inventory.revocations().collect();
        revocations.reverse();
        Ok(Self {
            authorities: authorities::read(out)?,
            rotation: Rotation::read(out)?,
            crls: lists::read(out, &Ca::trust(out)?)?.unwrap_or_default(),
            identities: identities(out, inventory, now)?,
            revocations,
            due,
            commands,
            all_commands,
            out,
            now,
        })
    }

    /// How many identities are in a state.
    pub fn count(&self, status: Status) -> usize {
        let of = self.identities.iter().filter(|own| own.status == status);
        of.count()
    }

    /// The whole of it for machines.
    pub fn document(&'a self) -> impl Serialize {
        Document {
            rest: self.rest(),
            identities: self.identities.iter().map(Described::of).collect(),
            revocations: &self.revocations,
        }
    }

    /// All of it but the long lists.
    fn rest(&self) -> Value {
        let state = self.rotation.map_or("none", |r| r.phase.word());
        json!({
            "generated": rfc3339(self.now.truncate_to_second()),
            "out": self.out.root(),
            "ok": self.due.is_empty(),
            "due": self.due,
            "rotation": {
                "state": state,
                "generation": self.rotation.map(|r| r.generation),
                "since": self.rotation.map(|r| rfc3339(r.since)),
            },
            "authorities": self.authorities.iter().map(authority).collect::<Vec<_>>(),
            "crls": self.crls.iter().map(crl).collect::<Vec<_>>(),
            "counts": {
                "identities": self.identities.len(),
                "valid": self.count(Status::Valid),
                "expired": self.count(Status::Expired),
                "revoked": self.count(Status::Revoked),
                "revocations": self.revocations.len(),
                "commands": self.all_commands,
            },
            "commands": self.commands,
        })
    }

    /// Each command's cells as `kpki log` shows them.
    pub fn command_cells(&self) -> impl Iterator<Item = [String; 5]> {
        self.commands.iter().map(journal::cells)
    }
}

/// The last certificate of each name.
fn identities<'a>(
    out: &OutDir,
    inventory: &'a Inventory,
    now: OffsetDateTime,
) -> Result<Vec<Identity<'a>>, Failure> {
    let names = out.identities()?;
    let there: BTreeSet<&str> = names.iter().map(|name| name.as_str()).collect();
    let of = |record: &'a Record| Identity {
        record,
        status: inventory.status(record, now),
        key: match record.external {
            true => Key::External,
            false if there.contains(record.name.as_str()) => Key::Here,
            false => Key::Away,
        },
        days_left: (record.not_after - now).whole_seconds().div_euclid(86_400),
    };
    let mut all: Vec<Identity<'_>> = inventory.current().map(of).collect();
    all.sort_by_key(|own| {
        let rank = match (own.status, own.key) {
            (Status::Revoked, _) => 2,
            // Gone for good, as for `kpki status`.
            (Status::Expired, Key::Away) => 1,
            _ => 0,
        };
        (rank, own.record.not_after, &own.record.name)
    });
    Ok(all)
}

/// The `--json` output. Its long lists are written without a copy of everything in memory.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    rest: Value,
    identities: Vec<Described<'a>>,
    revocations: &'a [&'a Revocation],
}

/// An identity there.
#[derive(Serialize)]
struct Described<'a> {
    #[serde(flatten)]
    certificate: Listed<'a>,
    key: Key,
    key_algorithm: Option<KeyAlgorithm>,
    sha256: Option<&'a str>,
    days_left: i64,
}

impl<'a> Described<'a> {
    fn of(own: &Identity<'a>) -> Self {
        Self {
            certificate: Listed::of(own.record, own.status),
            key: own.key,
            key_algorithm: own.record.key,
            sha256: own.record.sha256.as_deref(),
            days_left: own.days_left,
        }
    }
}

fn authority(own: &Authority) -> Value {
    let Authority {
        certificate,
        role,
        key,
        issuer,
    } = own;
    let kind = match certificate.subject == certificate.issuer {
        true => Kind::Ca,
        false => Kind::Intermediate,
    };
    json!({
        "kind": kind,
        "role": role,
        "serial": certificate.serial,
        "subject": certificate.subject,
        "issuer": certificate.issuer,
        "not_before": rfc3339(certificate.not_before),
        "not_after": rfc3339(certificate.not_after),
        "sha256": certificate.fingerprint(),
        "key": key,
        "key_algorithm": certificate.key,
        "external_issuer": issuer,
        "name_constraints": limits(own),
    })
}

/// The name constraints in a CA's certificate, in words.
pub fn limits(own: &Authority) -> Vec<String> {
    let limits = own.certificate.name_limits.iter();
    limits.map(ToString::to_string).collect()
}

/// Who has signed a CA's certificate.
pub fn issuer(own: &Authority) -> String {
    match own.certificate.subject == own.certificate.issuer {
        true => "itself".to_owned(),
        false => own.certificate.issuer.to_string(),
    }
}

/// The algorithm of a CA's key, and where it is.
pub fn key(own: &Authority) -> String {
    let algorithm = own.certificate.key.map(|key| key.to_string());
    let algorithm = algorithm.unwrap_or_else(|| "of an unsupported algorithm".to_owned());
    match (own.key, own.issuer) {
        (KeyAt::Issuer, Some(issuer)) => format!("{algorithm}, with {issuer}"),
        _ => format!("{algorithm}, {}", own.key.words()),
    }
}

fn crl(own: &SignedCrl) -> Value {
    json!({
        "issuer": own.issuer,
        "number": own.number,
        "this_update": rfc3339(own.this_update),
        "next_update": rfc3339(own.next_update),
        "revoked": own.serials().count(),
    })
}
