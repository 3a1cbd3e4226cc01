//! What must be done now, according to the inventory, the clock and what brokers serve.

use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet},
};

use rayon::prelude::*;
use serde::Serialize;
use time::{Duration, OffsetDateTime};

use super::{
    member::Member,
    renew, revoke,
    served::Answer,
    sign,
    trust::Trust,
    verify::{Is, needs_restart, standing},
};
use crate::{
    code::{StableCode, codes},
    pki::{Certificate, Host, IdentityName, Kind},
    policy::{NodeRole, ValidatedPolicy},
    probe::Served,
    state::{Inventory, Record, Revocation, Status},
};

codes! {
/// Kinds of things to do. Codes do not change.
pub enum DueCode {
    Clock = "clock", "a certificate is not valid yet, by this machine's clock";
    Expires = "expires", "a certificate has expired, or is due for renewal";
    RequestNeeded = "request-needed", "an identity whose key is elsewhere lacks the certificate that the policy describes, or has one of a CA that is no longer trusted";
    Revoked = "revoked", "a revoked identity is not cut off: a broker serves its certificate, or it is a super user";
    NotServed = "renewed-not-served", "a broker does not serve the last certificate that was signed for it";
    Rotation = "rotation", "a CA rotation is waiting for its next step";
    Drift = "drift", "the cluster's ACLs or SCRAM users differ from the policy";
    Crl = "crl", "the CRL expires soon, or lacks a revoked certificate";
}
}

/// Something to be done.
#[derive(Debug, Clone, Serialize)]
pub struct Due {
    /// What kind of thing.
    pub code: StableCode,
    /// What it is about.
    pub name: String,
    /// A sentence for people.
    pub message: String,
    /// The command that does it.
    pub command: String,
    /// When it is too late.
    #[serde(with = "time::serde::rfc3339::option")]
    pub by: Option<OffsetDateTime>,
}

impl Due {
    /// Whether it is too late already.
    pub fn is_late(&self, now: OffsetDateTime) -> bool {
        self.by.is_some_and(|by| by <= now)
    }
}

/// What has no deadline is wrong already, so it comes directly after what expires within this time.
const WITHOUT_END: Duration = Duration::DAY;

/// Most urgent first.
pub fn sort(due: &mut [Due], now: OffsetDateTime) {
    let urgency = |due: &Due| due.by.unwrap_or(now + WITHOUT_END);
    due.sort_by(|a, b| {
        let order = |due: &Due| DueCode::CODES.iter().position(|code| *code == due.code);
        (urgency(a), order(a), &a.name).cmp(&(urgency(b), order(b), &b.name))
    });
}

/// The certificates in use, according to the inventory: the last of each name that was not revoked.
pub fn current(inventory: &Inventory, now: OffsetDateTime) -> Vec<&Record> {
    let is_in_use = |record: &&Record| {
        inventory.is_current(record) && inventory.status(record, now) != Status::Revoked
    };
    let records = inventory.records().par_iter();
    records.filter(is_in_use).collect()
}

/// Those of the [`current`] ones that have expired or are due.
pub fn ending<'a>(
    inventory: &Inventory,
    current: &[&'a Record],
    policy: Option<&ValidatedPolicy>,
    now: OffsetDateTime,
) -> Vec<&'a Record> {
    let mut said: BTreeSet<&str> = BTreeSet::new();
    if let Some(policy) = policy {
        said.extend(policy.brokers.iter().map(|b| b.name.as_str()));
        said.extend(policy.clients.iter().map(|c| c.name.as_str()));
    }
    let followed = OnceCell::new();
    let is_due = |record: &&Record| {
        let is_leaf = matches!(record.kind, Kind::Broker | Kind::Client);
        let name = record.name.as_str();
        if let Some(policy) = policy.filter(|_| is_leaf && said.contains(name)) {
            return renew::due_by(policy, record.not_before, record.not_after) <= now;
        }
        let is_first = || {
            let followed = followed.get_or_init(|| renew::with_successors(inventory));
            !followed.contains(name)
        };
        renew::due(record, false) <= now || renew::due(record, true) <= now && is_first()
    };
    current.iter().copied().filter(is_due).collect()
}

/// Those of the [`current`] ones that are not valid yet: they were signed while the clock was ahead, or the clock is
/// behind now. If the CA is among them, the clock is behind.
pub fn early<'a>(current: &[&'a Record], now: OffsetDateTime) -> Vec<&'a Record> {
    let early = current.iter().copied();
    let early: Vec<&Record> = early.filter(|record| record.not_before > now).collect();
    let is_ca = |record: &&&Record| matches!(record.kind, Kind::Ca | Kind::Intermediate);
    match early.iter().find(is_ca) {
        Some(ca) => vec![ca],
        None => early,
    }
}

/// The members of a policy whose keys are elsewhere, and that have no certificate or one with other hosts: each with
/// what it lacks, and the command that signs its request.
pub fn awaited<'a>(
    inventory: &Inventory,
    policy: &'a ValidatedPolicy,
) -> impl Iterator<Item = (&'a IdentityName, String, String)> {
    Member::all(policy).into_iter().filter_map(|member| {
        let (name, asked) = (member.name(), member.asks_for(policy)?);
        if revoke::of_identity(inventory, name.as_str()).is_some() {
            return None;
        }
        let why = sign::lacks(inventory.latest(name.as_str()), name, asked)?;
        let (kind, hosts) = asked;
        let command = sign::command(name.as_str(), kind, hosts.iter().map(Host::to_string));
        Some((name, why, command))
    })
}

/// The certificates in use that nobody accepts: the CA that signed them is no longer trusted.
pub fn untrusted<'a>(
    inventory: &'a Inventory,
    trust: &Trust,
    now: OffsetDateTime,
) -> Vec<&'a Record> {
    let disowned = trust.disowned(inventory);
    if disowned.is_empty() {
        return Vec::new();
    }
    let lost = inventory.current().filter(|record| {
        disowned.contains(&*record.issuer)
            && record.not_after > now
            && inventory.revocation(&record.serial).is_none()
    });
    lost.collect()
}

/// A node that serves another certificate than its last one.
#[derive(Debug)]
pub struct Behind<'a> {
    /// Its name.
    pub node: &'a IdentityName,
    /// The listeners that do.
    pub listeners: Vec<&'a str>,
    /// What they serve.
    pub served: Certificate,
    /// Whether that was signed by this CA for this node.
    pub is_ours: bool,
    /// The revocation of that.
    pub revocation: Option<&'a Revocation>,
    /// The last one that was signed for it.
    pub latest: &'a Record,
    /// Whether it can load the new one without a restart.
    pub can_reload: bool,
}

/// Finds the nodes that do not serve the last certificate that was signed for them, or a revoked one.
pub fn behind<'a>(
    inventory: &'a Inventory,
    answers: &'a [Answer],
    now: OffsetDateTime,
) -> Vec<Behind<'a>> {
    let mut found: BTreeMap<&IdentityName, Behind<'a>> = BTreeMap::new();
    for answer in answers {
        let served = answer.served.as_ref().ok().map(Served::leaf);
        let (Some(Ok(leaf)), Some(latest)) = (served, inventory.latest(answer.node.as_str()))
        else {
            continue;
        };
        let (is_ours, is_revoked) = standing(inventory, Some(latest.name.as_str()), &leaf).map_or(
            (true, false),
            |standing| match standing.is {
                Is::Foreign => (false, false),
                Is::Revoked(_) => (true, true),
                Is::Latest | Is::Earlier => (true, false),
            },
        );
        if leaf.serial == latest.serial && !is_revoked {
            continue;
        }
        let controller = answer.role == NodeRole::Controller;
        let can_reload = needs_restart(&leaf, latest, controller, now).is_none();
        let revocation = inventory.revocation(&leaf.serial).filter(|_| is_revoked);
        let behind = found.entry(&answer.node).or_insert_with(|| Behind {
            node: &answer.node,
            listeners: Vec::new(),
            served: leaf,
            is_ours,
            revocation,
            latest,
            can_reload,
        });
        behind.listeners.push(&answer.at.listener);
        behind.revocation = behind.revocation.or(revocation);
        behind.can_reload &= can_reload;
    }
    found.into_values().collect()
}
