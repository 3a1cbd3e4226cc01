//! What a cluster's SCRAM users are to become: how `scram plan` and `scram apply` come to one and the same plan.

use std::collections::{BTreeMap, BTreeSet};

use super::{Connected, strangers::strangers};
use crate::{
    acl::{Principal, PrincipalPattern},
    admin::{Admin, AdminError, ClientProperties, properties::Sasl},
    plan::{Deletion, Managed, Remark, ScramInputs, ScramPlan, scram_plan},
    policy::{Mode, ValidatedPolicy},
    scram::{Mechanism, ScramInfo},
    secret::Secret,
};

/// Users who are to be rotated, and whom the policy does not have by SCRAM.
#[derive(Debug, thiserror::Error)]
#[error("--rotate {}: no such SCRAM user in the policy", .unknown.join(", "))]
pub struct UnknownUsers {
    /// Their names.
    pub unknown: Vec<String>,
    /// Whom it has.
    pub known: Vec<String>,
}

/// What the policy and the disk want of a cluster.
pub struct DesiredUsers<'a> {
    policy: &'a ValidatedPolicy,
    credentials: Vec<ScramInfo>,
    /// Who gets a new password: asked for now, or waiting.
    pub rotate: BTreeSet<String>,
    /// The passwords of those who wait: their rotation was interrupted, or they lost theirs and have a new one.
    begun: BTreeMap<String, Secret>,
    deletion: Deletion,
}

impl<'a> DesiredUsers<'a> {
    /// What a policy with these credentials means.
    pub fn new(
        policy: &'a ValidatedPolicy,
        credentials: Vec<ScramInfo>,
        mut rotate: BTreeSet<String>,
        begun: BTreeMap<String, Secret>,
        deletion: Deletion,
    ) -> Result<Self, UnknownUsers> {
        let known: BTreeSet<&String> = credentials.iter().map(|i| &i.user).collect();
        let unknown = rotate.iter().filter(|user| !known.contains(user)).cloned();
        let unknown: Vec<String> = unknown.collect();
        if !unknown.is_empty() {
            let known = known.into_iter().cloned().collect();
            return Err(UnknownUsers { unknown, known });
        }
        rotate.extend(begun.keys().cloned());
        Ok(Self {
            policy,
            credentials,
            rotate,
            begun,
            deletion,
        })
    }

    /// Logs in by `connect`.
    ///
    /// The properties may be refused because they and the cluster differ about the very user that this command changes:
    /// the cluster may already have the new password of an interrupted rotation, and not yet the mechanism that
    /// `kpki up` wrote into the properties. So those are tried as well.
    pub fn connect(
        &self,
        mut properties: ClientProperties,
        connect: impl FnOnce(&ClientProperties) -> Result<Admin, AdminError>,
    ) -> Result<Connected, AdminError> {
        let sasl = properties.sasl.clone();
        let admin = match (connect(&properties), &sasl) {
            (Err(refused @ AdminError::Authentication { .. }), Some(sasl))
                if self.credentials.iter().any(|i| i.user == sasl.user) =>
            {
                let passwords = [Some(&sasl.password), self.begun.get(&sasl.user)];
                let mut logins = passwords.into_iter().flatten().flat_map(|password| {
                    Mechanism::ALL.map(|mechanism| Sasl {
                        mechanism: mechanism.name().to_owned(),
                        user: sasl.user.clone(),
                        password: password.clone(),
                    })
                });
                let found = logins.find_map(|login| {
                    properties.sasl = Some(login);
                    Admin::connect(&properties).ok()
                });
                found.ok_or(refused)?
            }
            (connected, _) => connected?,
        };
        Ok(Connected {
            admin,
            operator: sasl.map(|sasl| sasl.user),
            properties,
        })
    }

    /// Reads the cluster and plans. `password` gives what lies on the disk for a user.
    pub fn plan<E: From<AdminError>>(
        &self,
        connected: &mut Connected,
        password: &dyn Fn(&str) -> Result<Option<Secret>, E>,
    ) -> Result<ScramPlan, E> {
        let policy = self.policy;
        let patterns = managed(policy);
        let mut super_users = policy.super_users();
        super_users.extend(policy.brokers.iter().map(|b| Principal::user(&b.name)));
        let (observed, whole) = observe(&mut connected.admin, &self.credentials, &patterns)?;
        let mut plan = scram_plan(&ScramInputs {
            desired: &self.credentials,
            observed: &observed,
            rotate: &self.rotate,
            managed: &Managed::of(&patterns),
            deletion: self.deletion,
            operator: connected.operator.as_deref(),
            super_users: &super_users,
            entrusted: &Managed::of(policy.manage.as_deref().unwrap_or_default()),
        });
        for (user, stranger) in strangers(connected, policy, password, &plan.overwrites, &observed)?
        {
            plan.refuse_overwrite(&user, stranger);
        }
        let mut warn = |code, message: String| plan.warnings.push(Remark::new(code, message));
        if !plan.deletes.is_empty() && policy.cluster.mode == Mode::Kraft {
            // `ScramDelta.apply` of 4.3.1: a removal that a starting node replays into an image without users yet, before
            // the first of those who stay, drops the mechanism with everyone who has it.
            warn(
                "deletion-and-restart",
                "Kafka (4.3.1 at least) may forget every SCRAM user of a mechanism when a node starts after one of them was deleted, by any tool, and before the next metadata snapshot: keep an admin with a certificate that can run `kpki scram apply` again".to_owned(),
            );
        }
        if !whole {
            warn(
                "users-unseen",
                "the cluster has more SCRAM users than can be listed, so users that `manage` names by a prefix were not looked for".to_owned(),
            );
        }
        for user in self.begun.keys() {
            warn(
                "rotation-begun",
                format!(
                    "a new password of {user} is on disk, and the cluster may not have it yet: `kpki scram apply` sends it again"
                ),
            );
        }
        Ok(plan)
    }
}

/// Whose credentials the policy answers for, as principals. What is said under `manage` is all; else a user that is no
/// client belongs to them as well.
fn managed(policy: &ValidatedPolicy) -> Vec<PrincipalPattern> {
    let mut managed = policy.managed();
    if policy.manage.is_none() {
        let users = policy.users.iter().map(|u| Principal::user(&u.name));
        managed.extend(users.map(PrincipalPattern::Exact));
    }
    managed
}

/// What the cluster has, and whether that is everyone.
fn observe(
    admin: &mut Admin,
    desired: &[ScramInfo],
    managed: &[PrincipalPattern],
) -> Result<(Vec<ScramInfo>, bool), AdminError> {
    if let Some(everyone) = admin.describe_every_scram()? {
        return Ok((everyone, true));
    }
    let exact = managed.iter().filter_map(|pattern| match pattern {
        PrincipalPattern::Exact(principal) => principal.user_name(),
        PrincipalPattern::Prefix(_) => None,
    });
    let mut names: Vec<&str> = desired.iter().map(|i| i.user.as_str()).collect();
    names.extend(exact.filter(|name| !name.is_empty()));
    let found = match names.is_empty() {
        true => Vec::new(),
        false => admin.describe_scram(&names)?,
    };
    let is_prefix = |p: &PrincipalPattern| matches!(p, PrincipalPattern::Prefix(_));
    Ok((found, !managed.iter().any(is_prefix)))
}
