//! What the output directory shows to be due, without a policy.

use std::collections::BTreeSet;

use rayon::prelude::*;
use time::OffsetDateTime;

use super::{Failure, ends, rotation};
use crate::{
    bootstrap::{
        BootstrapError,
        ca::Ca,
        due::{self, Due, DueCode},
        forgotten,
        lists::{self, Trouble},
        renew, revoke,
        rotate::Ask,
        sign,
    },
    cli::shell,
    code::StableCode,
    issuer::local,
    pki::{IdentityName, Kind},
    printable::Printable,
    state::{CA_REQUEST_KEY, Inventory, OutDir, Record, Rotation},
};

/// How many of the last certificates are compared with what was written: more than a killed command leaves.
const LAST: usize = 1000;

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
    // A rotation in progress names whom it waits for.
    if Rotation::read(out)?.is_none() {
        let left_behind = left_behind(inventory, &found, out, now)?;
        found.extend(left_behind);
        found.extend(interrupted(inventory, current, &found, out));
    }
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
    let kpki = shell::kpki(out.root());
    match forgotten::check(out, &trust, inventory, now) {
        // Nothing is signed until then.
        Err(error @ BootstrapError::Forgotten { .. }) => {
            return Ok(Some(Due {
                code: DueCode::Crl.into(),
                name: "crl".to_owned(),
                message: error.to_string(),
                command: format!("{kpki} restore FILE"),
                by: None,
            }));
        }
        checked => checked?,
    }
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
        command: format!("{kpki} crl"),
        by,
    }))
}

/// Certificates of a CA that is no longer trusted: a rotation was finished or aborted without them.
fn left_behind(
    inventory: &Inventory,
    found: &[Due],
    out: &OutDir,
    now: OffsetDateTime,
) -> Result<Vec<Due>, Failure> {
    // An external issuer may replace its CA by itself.
    if !out.ca_file(local::KEY).exists() {
        return Ok(Vec::new());
    }
    let lost = due::untrusted(inventory, &Ca::trust(out)?, now);
    if lost.is_empty() {
        return Ok(Vec::new());
    }
    let there = out.identities()?;
    let there: BTreeSet<&str> = there.iter().map(IdentityName::as_str).collect();
    let named = renewed_anyway(found);
    let kpki = shell::kpki(out.root());
    let lost = lost.into_iter().filter(|r| !named.contains(&*r.name));
    let due = lost.map(|record| {
        let name = &record.name;
        let request = format!("{kpki} {}", sign::command_again(record));
        let (how, command) = match (record.external, there.contains(&**name)) {
            (true, _) => ("its key is elsewhere: sign a request from its machine".to_owned(), request),
            (false, true) => ("renew it".to_owned(), format!("{kpki} renew {name}")),
            (false, false) => (
                format!("its key is elsewhere: sign a request from its machine, or if the identity was removed, run `{kpki} revoke {name}`"),
                request,
            ),
        };
        Due {
            code: DueCode::RequestNeeded.into(),
            name: name.clone(),
            message: format!(
                "nobody accepts the certificate of the {} any more, as {}, which signed it, is no longer trusted; {how}",
                record.kind.name(),
                Printable(&record.issuer)
            ),
            command,
            by: None,
        }
    });
    Ok(due.collect())
}

/// Who is due for another reason that ends with the same command.
fn renewed_anyway(found: &[Due]) -> BTreeSet<&str> {
    let codes = [DueCode::RequestNeeded, DueCode::Expires].map(StableCode::from);
    let named = found.iter().filter(|due| codes.contains(&due.code));
    named.map(|due| due.name.as_str()).collect()
}

/// Certificates that were signed and not written, so that earlier ones are in use. Only the last are looked at, as they
/// would be among those: reading a hundred thousand files takes seconds, which `renew --due` and `doctor` have.
fn interrupted(
    inventory: &Inventory,
    current: &[&Record],
    found: &[Due],
    out: &OutDir,
) -> Vec<Due> {
    let named = renewed_anyway(found);
    let kpki = shell::kpki(out.root());
    let is_here =
        |record: &Record| matches!(record.kind, Kind::Broker | Kind::Client) && !record.external;
    let last = current.par_iter().rev().take(LAST);
    let due = last.filter_map(|record| {
        if !is_here(record) || named.contains(record.name.as_str()) {
            return None;
        }
        let earlier = renew::earlier(out, inventory, record)?;
        Some(Due {
            code: DueCode::Expires.into(),
            name: record.name.clone(),
            message: format!(
                "the certificate of the {} is an earlier one, which expires on {}: a command was interrupted before it wrote the last one, or is still running",
                record.kind.name(),
                earlier.not_after.date()
            ),
            command: format!("{kpki} renew {}", record.name),
            by: Some(earlier.not_after),
        })
    });
    due.collect()
}
