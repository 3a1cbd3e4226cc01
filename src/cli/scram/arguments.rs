//! What is asked of a cluster's SCRAM users: how `plan` and `apply` come to one and the same plan.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;

use super::{
    super::{CliError, Code, Failure, acl, connect, ui::Ui},
    strangers::strangers,
};
use crate::{
    acl::{Principal, PrincipalPattern},
    admin::{Admin, AdminError, ClientProperties},
    bootstrap::passwords,
    pki::IdentityName,
    plan::{Managed, Remark, ScramInputs, ScramPlan, scram_plan},
    policy::{Mode, ValidatedPolicy},
    scram::{Mechanism, ScramInfo},
    secret::Secret,
    state::OutDir,
};

/// What shall be planned.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The policy file; `-` is standard input
    #[arg(value_name = "POLICY")]
    pub policy: String,
    /// Give a user a new password (may be repeated)
    #[arg(long, value_name = "USER")]
    pub rotate: Vec<IdentityName>,
    /// Also delete what managed users have beyond the policy
    #[arg(long)]
    pub prune: bool,
    /// The most deletions [default: a fifth of the managed credentials, at least 10]
    #[arg(long, value_name = "N", value_parser = acl::number)]
    pub max_deletes: Option<usize>,
}

/// Who gets a new password.
pub struct Rotations {
    /// Asked for now, or waiting: begun by a run that was interrupted, or lost and made anew.
    pub users: BTreeSet<String>,
    /// The passwords of those that were begun.
    pub begun: BTreeMap<String, Secret>,
}

impl Rotations {
    /// # Errors
    /// When somebody is to be rotated who is no SCRAM user of the policy, or a file cannot be read.
    pub fn of(
        arguments: &Arguments,
        policy: &ValidatedPolicy,
        out: &OutDir,
    ) -> Result<Self, Failure> {
        let desired = passwords::desired(policy);
        let known: BTreeSet<&str> = desired.iter().map(|i| i.user.as_str()).collect();
        let asked: BTreeSet<String> = arguments.rotate.iter().map(ToString::to_string).collect();
        let unknown: Vec<&str> = asked
            .iter()
            .map(String::as_str)
            .filter(|user| !known.contains(user))
            .collect();
        if !unknown.is_empty() {
            let known: Vec<&str> = known.into_iter().collect();
            let hint = match known.is_empty() {
                true => {
                    "the policy has no SCRAM users: give a client `auth: scram-sha-512`".to_owned()
                }
                false => format!("its SCRAM users are {}", known.join(", ")),
            };
            let message = format!(
                "--rotate {}: no such SCRAM user in the policy",
                unknown.join(", ")
            );
            return Err(CliError::new(Code::NotAScramUser, message)
                .hint(hint)
                .usage()
                .into());
        }
        let begun = passwords::begun(out, policy)?;
        let users = asked.into_iter().chain(begun.keys().cloned()).collect();
        Ok(Self { users, begun })
    }
}

/// A connection that has logged in.
pub struct Connected {
    /// The client.
    pub admin: Admin,
    /// The user that it is logged in as by SASL.
    pub operator: Option<String>,
    /// What it was connected with.
    pub properties: ClientProperties,
}

/// A connection, and the user that it is logged in as by SASL.
///
/// Where the properties are refused that may be because they and the cluster are at odds about the very user that this
/// command is about to change: the cluster may have the new password of a rotation that was interrupted already, and not
/// yet the mechanism that `kpki up` has written into the properties. So those are tried as well.
pub fn connect(
    ui: &Ui,
    mut properties: ClientProperties,
    policy: &ValidatedPolicy,
    begun: &BTreeMap<String, Secret>,
) -> Result<Connected, Failure> {
    let operator = properties.sasl.as_ref().map(|sasl| sasl.user.clone());
    let connected = |admin, properties: &ClientProperties| Connected {
        admin,
        operator: operator.clone(),
        properties: properties.clone(),
    };
    let refused = match connect::connect(ui, &properties) {
        Ok(admin) => return Ok(connected(admin, &properties)),
        Err(error) => error,
    };
    let desired = passwords::desired(policy);
    if let (AdminError::Authentication { .. }, Some(sasl)) = (&refused, properties.sasl.clone())
        && desired.iter().any(|i| i.user == sasl.user)
    {
        let known = [Some(&sasl.password), begun.get(&sasl.user)];
        for password in known.into_iter().flatten() {
            for mechanism in Mechanism::ALL.map(Mechanism::name) {
                let mut other = sasl.clone();
                other.mechanism = mechanism.to_owned();
                other.password = password.clone();
                properties.sasl = Some(other);
                if let Ok(admin) = Admin::connect(&properties) {
                    return Ok(connected(admin, &properties));
                }
            }
        }
    }
    Err(refused.into())
}

/// Reads the cluster and plans.
pub fn make(
    connected: &mut Connected,
    policy: &ValidatedPolicy,
    arguments: &Arguments,
    rotations: &Rotations,
    out: &OutDir,
) -> Result<ScramPlan, Failure> {
    let patterns = managed(policy);
    let managed = Managed::of(&patterns);
    let entrusted = Managed::of(policy.manage.as_deref().unwrap_or_default());
    let mut super_users = policy.super_users();
    super_users.extend(policy.brokers.iter().map(|b| Principal::user(&b.name)));
    let desired = passwords::desired(policy);
    let (observed, whole) = observe(&mut connected.admin, &desired, &patterns)?;
    let mut plan = scram_plan(&ScramInputs {
        desired: &desired,
        observed: &observed,
        rotate: &rotations.users,
        managed: &managed,
        prune: arguments.prune,
        max_deletes: arguments.max_deletes,
        operator: connected.operator.as_deref(),
        super_users: &super_users,
        entrusted: &entrusted,
    });
    for (user, stranger) in strangers(connected, policy, out, &plan.overwrites, &observed)? {
        plan.refuse_overwrite(&user, stranger);
    }
    if !plan.deletes.is_empty() && policy.cluster.mode == Mode::Kraft {
        // `ScramDelta.apply` of 4.3.1: a removal that a starting node replays into an image without users yet, before
        // the first of those who stay, drops the mechanism with everyone who has it.
        plan.warnings.push(Remark {
            code: "deletion-and-restart".into(),
            message: "Kafka (4.3.1 at least) may forget every SCRAM user of a mechanism when a node starts after one of them was deleted, by any tool, and before the next metadata snapshot: have an admin with a certificate, who can run `kpki scram apply` again"
                .to_owned(),
        });
    }
    if !whole {
        plan.warnings.push(Remark {
            code: "users-unseen".into(),
            message: "the cluster has more SCRAM users than can be listed, so users that `manage` names by a prefix were not looked for".to_owned(),
        });
    }
    for user in rotations.begun.keys() {
        plan.warnings.push(Remark {
            code: "rotation-begun".into(),
            message: format!(
                "a new password of {user} is on the disk, and the cluster may not have it yet: `kpki scram apply` sends it again"
            ),
        });
    }
    Ok(plan)
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
) -> Result<(Vec<ScramInfo>, bool), Failure> {
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
    let prefixes = managed
        .iter()
        .any(|p| matches!(p, PrincipalPattern::Prefix(_)));
    Ok((found, !prefixes))
}
