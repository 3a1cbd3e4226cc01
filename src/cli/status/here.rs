//! What the output directory shows to be due, without a policy.

use std::collections::BTreeSet;

use time::OffsetDateTime;

use super::{Failure, ends, rotation};
use crate::{
    bootstrap::{
        ca::Ca,
        due::{self, Due, DueCode},
        lists::{self, Trouble},
        revoke,
        rotate::Ask,
        sign,
    },
    cli::shell,
    pki::Kind,
    printable::Printable,
    state::{CA_REQUEST_KEY, Inventory, OutDir, Record, Rotation},
};

/// What is due, unsorted. `current` are the certificates in use, and `ending` those of them that have expired or expire
/// soon.
///
/// # Errors
/// If the output directory cannot be read.
pub fn due(
    out: &OutDir,
    inventory: &Inventory,
    current: &[&Record],
    ending: &[&Record],
    ask: Ask,
    now: OffsetDateTime,
) -> Result<Vec<Due>, Failure> {
    let mut found = early(current, out, now);
    found.extend(expiring(ending, out, now)?);
    found.extend(rotation::due(out, inventory, ending, ask, now)?);
    found.extend(crl(inventory, out, now)?);
    Ok(found)
}

/// Certificates that are not valid yet.
fn early(current: &[&Record], out: &OutDir, now: OffsetDateTime) -> Vec<Due> {
    let due = due::early(current, now).into_iter().map(|record| {
        let begins = record.not_before.date();
        let (message, command) = match record.kind {
            Kind::Ca | Kind::Intermediate => (
                format!(
                    "the CA is valid only from {begins}, but this machine's clock says {}: set the clock",
                    now.date()
                ),
                "timedatectl set-ntp true".to_owned(),
            ),
            kind => (
                format!(
                    "the certificate of the {} is valid only from {begins}: it was signed while the clock was ahead",
                    kind.name()
                ),
                format!("{} renew {}", shell::kpki(out.root()), record.name),
            ),
        };
        Due {
            code: DueCode::Clock.into(),
            name: record.name.clone(),
            message,
            command,
            by: Some(now),
        }
    });
    due.collect()
}

fn expiring(ending: &[&Record], out: &OutDir, now: OffsetDateTime) -> Result<Vec<Due>, Failure> {
    // Only read if something is due.
    let there: BTreeSet<String> = match ending.is_empty() {
        true => BTreeSet::new(),
        false => out.identities()?.iter().map(ToString::to_string).collect(),
    };
    let kpki = shell::kpki(out.root());
    let rotates = Rotation::read(out)?.is_some() || out.ca_file(CA_REQUEST_KEY).exists();
    let is_ca = |record: &&Record| matches!(record.kind, Kind::Ca | Kind::Intermediate);
    let cas: Vec<&Record> = ending.iter().copied().filter(is_ca).collect();
    let due = ending.iter().filter_map(|record| {
        let Record { name, .. } = record;
        let with = |ca: &&Record| {
            let ends_with_it = ca.not_after - record.not_after < time::Duration::DAY;
            ca.subject == record.issuer && (ends_with_it || ca.not_after <= now)
        };
        // It expires with its CA, and so would the next one; or its CA can sign no next one.
        if !is_ca(record) && cas.iter().any(with) {
            return None;
        }
        let ends = ends(record.not_after, now);
        let (message, command) = match record.kind {
            // Its successor is being introduced.
            Kind::Ca | Kind::Intermediate if rotates => return None,
            Kind::Ca | Kind::Intermediate => (
                format!("the CA's certificate ({}) {ends}", Printable(&record.subject)),
                format!("{kpki} rotate-ca start"),
            ),
            kind if record.external => (
                format!(
                    "the certificate of the {} {ends}; its key is elsewhere, so a new request is needed",
                    kind.name()
                ),
                format!("{kpki} {}", sign::command_again(record)),
            ),
            _ if there.contains(name) => (
                format!("the certificate of the {} {ends}", record.kind.name()),
                format!("{kpki} renew {name}"),
            ),
            // What is gone for good is not renewed.
            _ if record.not_after <= now => return None,
            kind => (
                format!(
                    "the certificate of the {} {ends}; its key is elsewhere, or the identity was removed",
                    kind.name()
                ),
                format!("{kpki} {}", sign::command_again(record)),
            ),
        };
        Some(Due {
            code: DueCode::Expires.into(),
            name: name.clone(),
            message,
            command,
            by: Some(record.not_after),
        })
    });
    Ok(due.collect())
}

fn crl(inventory: &Inventory, out: &OutDir, now: OffsetDateTime) -> Result<Option<Due>, Failure> {
    let trust = Ca::trust(out)?;
    let (message, by) = match lists::examine(out, &trust, inventory, now)? {
        Some(Trouble::Fault(message, by)) => (message, by),
        Some(Trouble::Due(by, needs)) => (format!("the CRL {}{needs}", ends(by, now)), Some(by)),
        None if revoke::is_crl_due(inventory) => {
            ("the CRL is older than the last revocation".to_owned(), None)
        }
        None => return Ok(None),
    };
    Ok(Some(Due {
        code: DueCode::Crl.into(),
        name: "crl".to_owned(),
        message,
        command: format!("{} crl", shell::kpki(out.root())),
        by,
    }))
}
