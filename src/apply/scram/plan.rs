//! Plans the SCRAM users of a cluster, for both `scram plan` and `scram apply`.

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

/// Users to rotate that are not SCRAM users in the policy.
#[derive(Debug, thiserror::Error)]
#[error("--rotate {}: no such SCRAM user in the policy", .unknown.join(", "))]
pub struct UnknownUsers {
    /// Their names.
    pub unknown: Vec<String>,
    /// The policy's SCRAM users.
    pub known: Vec<String>,
}

/// The desired state of a cluster, from the policy and the disk.
pub struct DesiredUsers<'a> {
    policy: &'a ValidatedPolicy,
    credentials: Vec<ScramInfo>,
    /// The users that get a new password: requested now, or pending.
    pub rotate: BTreeSet<String>,
    /// The pending passwords, after an interrupted rotation or a lost password.
    begun: BTreeMap<String, Secret>,
    deletion: Deletion,
}

impl<'a> DesiredUsers<'a> {
    /// The desired state for a policy with these credentials.
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

    /// Logs in with `connect`.
    ///
    /// The properties may be refused because they differ from the cluster for the user that this command changes: the
    /// cluster may already have the new password of an interrupted rotation, or not yet have the mechanism that `kpki
    /// up` wrote to the properties. So those are tried as well.
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

    /// Reads the cluster and makes the plan. `password` returns a user's password on disk.
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
            // `ScramDelta.apply` of 4.3.1: if a starting node replays a removal into an image without users, before the
            // first user that stays, it drops the mechanism with all its users.
            warn(
                "deletion-and-restart",
                "Kafka (4.3.1 at least) may forget every SCRAM user of a mechanism when a node starts after one of them was deleted, by any tool, and before the next metadata snapshot: keep an admin with a certificate that can run `kpki scram apply` again".to_owned(),
            );
        }
        if !whole {
            warn(
                "users-unseen",
                "the cluster has more SCRAM users than can be listed, so users under a prefix in `manage` were not searched".to_owned(),
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

/// The principals whose credentials the policy manages: those under `manage`, else the clients and the other users.
fn managed(policy: &ValidatedPolicy) -> Vec<PrincipalPattern> {
    let mut managed = policy.managed();
    if policy.manage.is_none() {
        let users = policy.users.iter().map(|u| Principal::user(&u.name));
        managed.extend(users.map(PrincipalPattern::Exact));
    }
    managed
}

/// The cluster's credentials, and whether that is all of them.
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
