//! Whom the cluster must refuse: the clients whose certificates are revoked.
//!
//! Kafka sees a principal, never a certificate. So a principal is only denied if nobody else has it: another identity
//! that the mapping rules give the same name, or the same identity with a new certificate, would be shut out as well.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::ErrorKind,
};

use time::OffsetDateTime;

use super::{BootstrapError, revoke::revoked_identities};
use crate::{
    acl::Principal,
    pki::{IdentityName, Kind, Reason},
    plan::{CutOff, Remark},
    policy::ValidatedPolicy,
    state::{Inventory, OutDir, Record, StateError, Status},
};

/// The inventory, if it is here and readable: ACLs and SCRAM users may be managed from another machine.
fn inventory(out: &OutDir) -> Result<Option<Inventory>, StateError> {
    match std::path::Path::try_exists(&out.ca_file(Inventory::FILE)) {
        Ok(true) => Inventory::read(out).map(Some),
        Ok(false) => Ok(None),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(None),
        Err(_) => Inventory::read(out).map(Some),
    }
}

/// The principals that a cluster with this policy must refuse.
///
/// # Errors
/// If the inventory is damaged.
pub fn cut_off(
    policy: &ValidatedPolicy,
    out: &OutDir,
    now: OffsetDateTime,
) -> Result<CutOff, BootstrapError> {
    let Some(inventory) = inventory(out)? else {
        return Ok(CutOff::default());
    };
    let mut cut_off = CutOff {
        is_known: true,
        ..CutOff::default()
    };
    let mut remark = |code, message: String| cut_off.remarks.push(Remark::new(code, message));
    if policy.ca.crl_url.is_none() {
        for record in old_keys(&inventory, now) {
            let name = &record.name;
            remark(
                "revoked-key",
                format!(
                    "{name} has a new certificate, but the key of its revoked one gives the same principal until that expires on {}: give the client another name, or make brokers check the CRL (ca.crl_url)",
                    record.not_after.date()
                ),
            );
        }
    }
    let revoked = revoked_identities(&inventory);
    let revoked: Vec<&Record> = revoked
        .into_iter()
        .filter(|r| r.not_after > now || policy.has_client(&r.name))
        .collect();
    if revoked.is_empty() {
        return Ok(cut_off);
    }
    let names: BTreeSet<&str> = revoked.iter().map(|r| r.name.as_str()).collect();
    let good = good(policy, &inventory, &names, now);
    let super_users: BTreeSet<Principal> = policy.super_users().into_iter().collect();
    let open = policy.cluster.allow_everyone_if_no_acl_found;
    let mut principals = BTreeSet::new();
    for record in revoked {
        for principal in principals_of(policy, &record.name) {
            let who = format!("the certificate of {} is revoked", record.name);
            if super_users.contains(&principal) {
                remark(
                    "revoked-super-user",
                    format!("{who}, but {principal} is a super user, to whom ACLs do not apply"),
                );
            } else if let Some(other) = good.get(&principal) {
                remark(
                    "revoked-shared",
                    format!(
                        "{who}, but {principal} is also the principal of {other}, so no Deny is added"
                    ),
                );
            } else if open {
                remark(
                    "revoked-open",
                    format!(
                        "{who}, but a Deny for {principal} on everything would shut out everyone who has no Allow (allow.everyone.if.no.acl.found), so no Deny is added"
                    ),
                );
            } else {
                principals.insert(principal);
            }
        }
    }
    cut_off.principals = principals.into_iter().collect();
    Ok(cut_off)
}

/// The revoked identities whose certificates have not expired and whose principals are super users, to whom ACLs do not
/// apply.
pub fn revoked_super_users<'a>(
    policy: &ValidatedPolicy,
    inventory: &'a Inventory,
    now: OffsetDateTime,
) -> Vec<(&'a Record, Principal)> {
    let super_users = policy.super_users();
    let revoked = revoked_identities(inventory).into_iter();
    revoked
        .filter(|record| record.not_after > now)
        .filter_map(|record| {
            let mut principals = principals_of(policy, &record.name).into_iter();
            Some((record, principals.find(|p| super_users.contains(p))?))
        })
        .collect()
}

/// The SCRAM users whose certificates are revoked: anyone who has the key had the password beside it.
///
/// # Errors
/// If the inventory is damaged.
pub fn revoked_users(out: &OutDir) -> Result<BTreeSet<String>, BootstrapError> {
    let Some(inventory) = inventory(out)? else {
        return Ok(BTreeSet::new());
    };
    let revoked = revoked_identities(&inventory).into_iter();
    Ok(revoked.map(|record| record.name.clone()).collect())
}

/// The principals that an identity of this name can have.
fn principals_of(policy: &ValidatedPolicy, name: &str) -> Vec<Principal> {
    match policy.clients.iter().find(|c| c.name.as_str() == name) {
        Some(client) => policy.principals(client),
        None => {
            let name: Option<IdentityName> = name.parse().ok();
            name.and_then(|name| policy.principal_of(&name))
                .into_iter()
                .collect()
        }
    }
}

/// The principals of everyone with a valid certificate or password, each with one identity's name.
fn good(
    policy: &ValidatedPolicy,
    inventory: &Inventory,
    revoked: &BTreeSet<&str>,
    now: OffsetDateTime,
) -> BTreeMap<Principal, String> {
    let mut good = BTreeMap::new();
    for client in policy
        .clients
        .iter()
        .filter(|c| !revoked.contains(c.name.as_str()))
    {
        for principal in policy.principals(client) {
            good.insert(principal, client.name.to_string());
        }
    }
    for user in &policy.users {
        good.insert(Principal::user(&user.name), user.name.to_string());
    }
    for record in inventory.records() {
        let leaf = matches!(record.kind, Kind::Broker | Kind::Client);
        if leaf
            && inventory.status(record, now) == Status::Valid
            && let Ok(name) = record.name.parse::<IdentityName>()
            && let Some(principal) = policy.principal_of(&name)
        {
            good.insert(principal, record.name.clone());
        }
    }
    good
}

/// Unexpired revoked certificates of identities that also have a valid one, and so the same principal.
fn old_keys(inventory: &Inventory, now: OffsetDateTime) -> Vec<&Record> {
    let lost = |reason| {
        matches!(
            reason,
            Reason::KeyCompromise | Reason::CaCompromise | Reason::Unspecified
        )
    };
    let revoked = inventory.revocations().filter(|r| lost(r.reason));
    revoked
        .filter_map(|revocation| inventory.by_serial(&revocation.serial))
        .filter(|r| r.kind == Kind::Client && r.not_after > now)
        .filter(|r| {
            let latest = inventory.latest(&r.name);
            latest.is_some_and(|latest| inventory.status(latest, now) == Status::Valid)
        })
        .collect()
}
