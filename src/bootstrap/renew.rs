//! A new certificate for an existing identity, based on the inventory's record of the last one.
//!
//! The files in the identity's directory may have been changed by its owner: nothing from there is signed, except a key
//! that was signed before.

use std::{
    collections::{BTreeSet, HashSet},
    panic::resume_unwind,
    thread,
};

use rayon::prelude::*;
use time::{Duration, OffsetDateTime};

use super::{BATCH, BootstrapError, identity::enrol};
use crate::{
    issuer::{Issuer, IssuerError},
    keystore::{StoreProfile, pem},
    pki::{Certificate, Host, IdentityName, Kind},
    policy::{FileNames, LAYOUTS, ValidatedPolicy},
    state::{Inventory, Lock, OutDir, Record, Staging, Written, read_plain},
};

mod candidate;

pub use candidate::Candidate;

/// The first certificate of a name is due this long before it expires, however short its validity is. If it replaced
/// another one, the short validity is intended, and the next one would be due from its first day as well.
const SOON: Duration = Duration::days(30);

/// When a certificate is due, unless a policy says otherwise: in the last third of its validity, or tenth if it belongs
/// to a CA.
pub fn due(record: &Record, is_first: bool) -> OffsetDateTime {
    let part = match record.kind {
        Kind::Broker | Kind::Client => 3,
        Kind::Ca | Kind::Intermediate => 10,
    };
    let last: OffsetDateTime = record.not_after - (record.not_after - record.not_before) / part;
    match is_first {
        true => last.min(record.not_after - SOON),
        false => last,
    }
}

/// When the certificate of a policy's member is due. An external issuer may have granted less than requested, so that it
/// would be due from its first day.
pub fn due_by(
    policy: &ValidatedPolicy,
    not_before: OffsetDateTime,
    not_after: OffsetDateTime,
) -> OffsetDateTime {
    let early = Duration::days(policy.ca.renew_before_days.into());
    let life = not_after - not_before;
    match policy.ca.issuer {
        Some(_) if early >= life => not_after - life / 3,
        _ => not_after - early,
    }
}

/// The names with more than one certificate.
pub fn with_successors(inventory: &Inventory) -> HashSet<&str> {
    let mut seen = HashSet::new();
    let records = inventory.records().iter();
    let names = records.map(|record| record.name.as_str());
    names.filter(|name| !seen.insert(*name)).collect()
}

/// Identities that are renewed without being named.
#[derive(Debug, Default)]
pub struct Chosen {
    /// Those that are renewed.
    pub names: Vec<IdentityName>,
    /// Those that are due, but whose next certificates would expire at the same time: with the CA.
    pub bounded: Vec<IdentityName>,
    /// Those that need a new request, because their keys are elsewhere.
    pub external: Vec<IdentityName>,
    /// Those whose last certificates were revoked, which must be named explicitly.
    pub revoked: Vec<IdentityName>,
    /// Those that have no directory here.
    pub absent: Vec<IdentityName>,
    /// If nothing is due: the first that will be, and when.
    pub next: Option<(IdentityName, OffsetDateTime)>,
}

impl Chosen {
    /// All identities that have a directory and a certificate that is not revoked; if `now` is given, those that are
    /// due then.
    pub fn find(
        out: &OutDir,
        inventory: &Inventory,
        signer: &Certificate,
        now: Option<OffsetDateTime>,
    ) -> Result<Self, BootstrapError> {
        let mut chosen = Self::default();
        let there: BTreeSet<IdentityName> = out.identities()?.into_iter().collect();
        let followed = with_successors(inventory);
        for record in inventory.current() {
            let Ok(name) = record.name.parse::<IdentityName>() else {
                continue;
            };
            let is_revoked = inventory.revocation(&record.serial).is_some();
            let due = due(record, !followed.contains(name.as_str()));
            if !record.external && !there.contains(&name) {
                let is_wanted = now.is_none_or(|now| (due..record.not_after).contains(&now));
                if is_wanted && !is_revoked {
                    chosen.absent.push(name);
                }
                continue;
            }
            if is_revoked {
                chosen.revoked.push(name);
                continue;
            }
            // Its directory was looked for above, unless its key is elsewhere.
            let is_behind = || {
                let may_be = !record.external && followed.contains(name.as_str());
                may_be && earlier(out, inventory, record).is_some()
            };
            if now.is_some_and(|now| due > now) && !is_behind() {
                if chosen.next.as_ref().is_none_or(|(_, next)| due < *next) {
                    chosen.next = Some((name, due));
                }
            } else if now.is_some() && signer.not_after - record.not_after < Duration::DAY {
                chosen.bounded.push(name);
            } else if record.external {
                chosen.external.push(name);
            } else {
                chosen.names.push(name);
            }
        }
        chosen.names.sort();
        Ok(chosen)
    }
}

/// The certificate in the directory of an identity, if it is an earlier one than the last that was signed: a command was
/// killed before it wrote that one, or is still running.
pub fn earlier<'i>(out: &OutDir, inventory: &'i Inventory, last: &Record) -> Option<&'i Record> {
    let dir = out.identity(&last.name.parse().ok()?);
    let mut names = LAYOUTS.iter().map(|layout| layout.files(&last.name));
    // What cannot be read is named by `doctor`.
    let read = |names: FileNames| read_plain(&dir.join(names.certificate)).ok()?;
    let chain = pem::parse_certificates(&names.find_map(read)?).ok()?;
    let leaf = Certificate::from_der(chain.first()?).ok()?;
    let found = inventory.by_serial(&leaf.serial)?;
    (found.name == last.name && found.serial != last.serial).then_some(found)
}

/// How identities are renewed.
#[derive(Debug, Clone)]
pub struct Renewal {
    /// Whether they get new keys.
    pub new_key: bool,
    /// Hosts for the new certificates besides those of the old ones.
    pub hosts: Vec<Host>,
    /// Validity of the new certificates in days; `None`: as before.
    pub days: Option<u32>,
    /// How stores are encoded; `None`: as before.
    pub profile: Option<StoreProfile>,
    /// The time.
    pub now: OffsetDateTime,
}

/// The outcome of a renewal.
#[derive(Debug, Default)]
pub struct Renewed {
    /// The new certificates' records.
    pub records: Vec<Record>,
    /// Those that the issuer refused: they keep what they have.
    pub refused: Vec<(IdentityName, IssuerError)>,
}

/// Has a new certificate signed for each candidate and replaces the keystore, PEM files and, if it is new, the key.
/// Passwords and paths stay. `progress` is called with the number of identities that are done; after a failure, those
/// remain done.
pub fn renew(
    out: &OutDir,
    lock: &Lock,
    inventory: &mut Inventory,
    issuer: &dyn Issuer,
    candidates: &[Candidate],
    now: OffsetDateTime,
    progress: &dyn Fn(usize),
) -> Result<Renewed, BootstrapError> {
    let mut renewed = Renewed::default();
    let mut before: Option<(Staging<'_>, usize)> = None;
    for batch in candidates.chunks(BATCH) {
        let mut stage = || stage(out, lock, inventory, issuer, batch, now, &mut renewed);
        let staging = match before {
            None => stage()?,
            // The disk is waited for while the keys of the next batch's stores are derived.
            Some((before, identities)) => thread::scope(|scope| {
                let commit = scope.spawn(|| before.commit());
                let staging = stage();
                // Even if that failed: what is committed is done.
                commit.join().unwrap_or_else(|panic| resume_unwind(panic))?;
                progress(identities);
                staging
            })?,
        };
        before = Some((staging, batch.len()));
    }
    if let Some((last, identities)) = before {
        last.commit()?;
        progress(identities);
    }
    if Written::read(out).is_ok_and(|written| written.is_wasteful()) {
        Written::compact(out, lock)?;
    }
    Ok(renewed)
}

/// Has a batch signed, and writes its files where nobody sees them yet.
fn stage<'a>(
    out: &'a OutDir,
    lock: &Lock,
    inventory: &mut Inventory,
    issuer: &dyn Issuer,
    batch: &[Candidate],
    now: OffsetDateTime,
    renewed: &mut Renewed,
) -> Result<Staging<'a>, BootstrapError> {
    let staging = Staging::begin(out, lock, None)?;
    let mut applicants = Vec::new();
    for candidate in batch {
        staging.check(candidate.name().as_str(), candidate.file_names())?;
        applicants.push(candidate.applicant()?);
    }
    let answers = enrol(applicants, issuer, inventory, lock, now)?;
    let mut made = Vec::new();
    for (candidate, answer) in batch.iter().zip(answers) {
        match answer {
            Ok(credentials) => made.push((candidate, credentials)),
            Err(error) => renewed.refused.push((candidate.name().clone(), error)),
        }
    }
    let staged = made.par_iter().map(|(candidate, credentials)| {
        let files = candidate.files(credentials)?;
        Ok(staging.add(candidate.name().as_str(), &files)?)
    });
    staged.collect::<Result<(), BootstrapError>>()?;
    let names = made.iter().map(|(candidate, _)| candidate.name().as_str());
    let records = names.filter_map(|name| inventory.latest(name).cloned());
    renewed.records.extend(records);
    Ok(staging)
}
