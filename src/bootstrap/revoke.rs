//! Revocation: what is recorded, and the CRL that publishes it.

use std::collections::BTreeSet;

use rayon::prelude::*;
use time::OffsetDateTime;

use super::BootstrapError;
use crate::{
    pki::{Kind, Reason, RevocationList, RevokedEntry, in_order, unhex},
    state::{Event, Inventory, Record, Revocation},
};

/// Why something cannot be revoked.
#[derive(Debug, thiserror::Error)]
pub enum RevokeError {
    /// Unknown.
    #[error(
        "`{0}` is neither the name nor the serial number of a certificate that this CA has signed"
    )]
    Unknown(String),
    /// The first digits of several serial numbers.
    #[error("`{0}` is the beginning of several serial numbers")]
    Ambiguous(String),
    /// The CA's own certificates cannot be revoked, only replaced.
    #[error("`{0}` is a certificate of the CA itself")]
    Authority(String),
    /// Only a certificate on hold can be reinstated.
    #[error("no certificate of `{0}` is on hold, and other revocations are permanent")]
    NotHeld(String),
}

/// What is to be recorded.
#[derive(Debug, Default)]
pub struct Revoking {
    /// Certificates, with their new status.
    pub events: Vec<Revocation>,
    /// What was already revoked.
    pub before: Vec<Revocation>,
}

/// What to revoke: by name, every unexpired certificate of an identity, and its last one; by serial number or its first
/// digits, that one; and if a key was compromised, every other one of that key.
///
/// # Errors
/// Whatever cannot be revoked; then nothing is.
pub fn plan(
    inventory: &Inventory,
    whose: &[String],
    reason: Reason,
    now: OffsetDateTime,
) -> Result<Revoking, Vec<RevokeError>> {
    let (mut found, mut errors): (Vec<&Record>, _) = (Vec::new(), Vec::new());
    for word in whose {
        match certificates(inventory, word, reason, now) {
            Ok(of_word) => found.extend(of_word),
            Err(error) => errors.push(error),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    if reason == Reason::KeyCompromise {
        let keys: BTreeSet<&str> = found
            .iter()
            .filter_map(|r| r.key_sha256.as_deref())
            .collect();
        let of_key = |r: &&Record| {
            let key = r.key_sha256.as_deref();
            r.not_after > now && key.is_some_and(|key| keys.contains(key))
        };
        found.extend(inventory.records().iter().filter(of_key));
    }
    let (mut revoking, mut seen) = (Revoking::default(), BTreeSet::new());
    for record in found {
        if !seen.insert(&record.serial) {
            continue;
        }
        match inventory.revocation(&record.serial) {
            Some(before) if before.reason != Reason::CertificateHold || before.reason == reason => {
                revoking.before.push(before.clone());
            }
            _ => revoking.events.push(Revocation {
                at: now.truncate_to_second(),
                serial: record.serial.clone(),
                name: record.name.clone(),
                reason,
            }),
        }
    }
    Ok(revoking)
}

/// At least so many of a serial number's first digits must be given.
const SHORTEST: usize = 8;

/// The certificates that an argument selects.
fn certificates<'a>(
    inventory: &'a Inventory,
    word: &str,
    reason: Reason,
    now: OffsetDateTime,
) -> Result<Vec<&'a Record>, RevokeError> {
    let records = || inventory.records().iter();
    let mut found: Vec<&Record> = match inventory.latest(word) {
        Some(_) => records()
            .filter(|r| r.name == word && matches!(r.kind, Kind::Broker | Kind::Client))
            .filter(|r| r.not_after > now || inventory.is_current(r))
            .collect(),
        None => {
            let serial = word.replace(':', "").to_ascii_lowercase();
            match inventory.by_serial(&serial) {
                Some(record) => vec![record],
                None if serial.len() < SHORTEST => Vec::new(),
                None => records()
                    .filter(|r| r.serial.starts_with(&serial))
                    .collect(),
            }
        }
    };
    if inventory.latest(word).is_none() && found.len() > 1 {
        return Err(RevokeError::Ambiguous(word.to_owned()));
    }
    let is_authority = |r: &&Record| matches!(r.kind, Kind::Ca | Kind::Intermediate);
    if found.iter().any(is_authority)
        || found.is_empty() && records().filter(is_authority).any(|r| r.name == word)
    {
        return Err(RevokeError::Authority(word.to_owned()));
    }
    if found.is_empty() {
        return Err(RevokeError::Unknown(word.to_owned()));
    }
    if reason == Reason::RemoveFromCrl {
        let held = |r: &&Record| {
            let revocation = inventory.revocation(&r.serial);
            revocation.is_some_and(|r| r.reason == Reason::CertificateHold)
        };
        found.retain(held);
        if found.is_empty() {
            return Err(RevokeError::NotHeld(word.to_owned()));
        }
    }
    Ok(found)
}

/// Why an identity only gets a certificate by explicit request: its last one was revoked.
pub fn of_identity<'a>(inventory: &'a Inventory, name: &str) -> Option<&'a Revocation> {
    inventory.revocation(&inventory.latest(name)?.serial)
}

/// Refuses a certificate for an identity whose last one was revoked, unless `anew`; one on hold must be reinstated
/// first.
///
/// # Errors
/// [`BootstrapError::Revoked`].
pub fn check(inventory: &Inventory, name: &str, anew: bool) -> Result<(), BootstrapError> {
    match of_identity(inventory, name) {
        Some(revocation) if !anew || revocation.reason == Reason::CertificateHold => {
            Err(BootstrapError::Revoked(revocation.clone()))
        }
        _ => Ok(()),
    }
}

/// True if something was revoked since the last CRL.
pub fn is_crl_due(inventory: &Inventory) -> bool {
    let mut latest = inventory.events().iter().rev();
    latest
        .find_map(|event| match event {
            Event::Revoked(_) => Some(true),
            Event::Crl(_) => Some(false),
            Event::Rotation(_) | Event::CaRequested(_) => None,
        })
        .unwrap_or(false)
}

/// The content of a CA's next CRL: every revoked certificate of that CA. An expired one is removed after it was on a
/// CRL issued after its expiry (RFC 5280 §3.3); one that has not expired stays, as an earlier CRL may have been issued
/// while the clock was ahead. By serial number.
pub(super) fn next_list(
    inventory: &Inventory,
    issuer: &str,
    days: u32,
    now: OffsetDateTime,
) -> RevocationList {
    let issues = || {
        inventory.events().iter().filter_map(|event| match event {
            Event::Crl(issue) if issue.issuer == issuer => Some(issue),
            _ => None,
        })
    };
    let last = issues().next_back().map(|issue| issue.at);
    let entries = inventory.records().par_iter().filter_map(|record| {
        if record.issuer != issuer {
            return None;
        }
        let revocation = inventory.revocation(&record.serial)?;
        let is_due = record.not_after > now
            || last.is_none_or(|last| last <= record.not_after.max(revocation.at));
        is_due.then_some(())?;
        Some(RevokedEntry {
            serial: unhex(&record.serial)?,
            at: revocation.at.min(now),
            reason: revocation.reason,
        })
    });
    let mut entries: Vec<RevokedEntry> = entries.collect();
    entries.par_sort_unstable_by(|a, b| in_order(&a.serial).cmp(&in_order(&b.serial)));
    entries.dedup_by(|one, other| one.serial == other.serial);
    RevocationList {
        number: issues().map(|issue| issue.number).max().unwrap_or(0) + 1,
        days,
        now,
        entries,
    }
}

/// The identities whose last certificate is revoked.
pub fn revoked_identities(inventory: &Inventory) -> Vec<&Record> {
    let mut last: Vec<&Record> = inventory
        .revoked()
        .filter(|r| inventory.is_current(r))
        .collect();
    last.sort_by(|a, b| a.name.cmp(&b.name));
    last
}
