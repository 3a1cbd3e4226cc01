//! `kpki scram plan`, and how `apply` makes the same plan.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use serde_json::{Value, json};

use super::super::{
    CliError, Done, Failure, Global,
    cluster::Connection,
    policy::read_policy,
    ui::{BOLD, DIM, GREEN, RED, Ui, YELLOW},
};
use crate::{
    admin::{Admin, AdminError},
    bootstrap::passwords,
    pki::IdentityName,
    plan::{Managed, Remark, SCRAM_PLAN_VERSION, ScramInputs, ScramPlan, scram_plan},
    policy::{PrincipalPattern, ValidatedPolicy},
    scram::ScramInfo,
    secret::Secret,
    state::OutDir,
};

/// Say what has to change so that the cluster has the policy's SCRAM users
///
/// Nothing is changed. Kafka shows which mechanisms and iterations a user has, and no password: that a password on disk
/// is the one in the cluster cannot be seen, but --rotate makes it so.
///
/// Deletions are planned with --prune only, and only for users `x` whose principal `User:x` the policy manages: those
/// under `manage`, else its clients, its users and the principals under `acls`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki scram plan policies/quickstart.yaml
  kpki scram plan policies/quickstart.yaml --prune
  kpki scram plan policies/quickstart.yaml --exit-code || echo 'something changed'")]
pub struct Plan {
    #[command(flatten)]
    wish: Wish,
    /// Exit with 3 when there is something to change
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    connection: Connection,
}

/// What shall be planned.
#[derive(Debug, Args)]
pub struct Wish {
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
    #[arg(long, value_name = "N")]
    pub max_deletes: Option<usize>,
}

impl Plan {
    pub(super) fn run(self, global: &Global, ui: &Ui) -> Done {
        let policy = read_policy(&self.wish.policy)?;
        let out = OutDir::new(&global.out);
        let rotations = Rotations::of(&self.wish, &policy, &out)?;
        let (mut admin, operator) = connect(&self.connection, ui, &policy, &out, &rotations.begun)?;
        let mut plan = make(
            &mut admin,
            &policy,
            &self.wish,
            &rotations,
            operator.as_deref(),
        )?;
        let missing = passwords::missing(&out, &policy)?;
        if !missing.is_empty() {
            let message = format!(
                "{}; kpki up {} makes what is missing, before anything can be applied",
                no_password(&missing, &out),
                self.wish.policy
            );
            plan.warnings.push(Remark {
                code: "up-needed".into(),
                message,
            });
        }
        show(ui, &plan);
        for refusal in &plan.refusals {
            ui.complain(format!(
                "{RED}not to be applied as it is:{RED:#} {}",
                refusal.message
            ));
        }
        ui.document(&document(&plan));
        match self.exit_code && !plan.is_empty() {
            true => Err(Failure::No),
            false => Ok(()),
        }
    }
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
    pub fn of(wish: &Wish, policy: &ValidatedPolicy, out: &OutDir) -> Result<Self, Failure> {
        let desired = passwords::desired(policy);
        let known: BTreeSet<&str> = desired.iter().map(|i| i.user.as_str()).collect();
        let asked: BTreeSet<String> = wish.rotate.iter().map(ToString::to_string).collect();
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
            return Err(CliError::new("not-a-scram-user", message)
                .hint(hint)
                .usage()
                .into());
        }
        let begun = passwords::begun(out, policy)?;
        let users = asked.into_iter().chain(begun.keys().cloned()).collect();
        Ok(Self { users, begun })
    }
}

/// A connection, and the user that it is logged in as by SASL. Where the cluster has the new password of a rotation
/// already that was interrupted, and the properties the old one, the new one opens the door.
pub fn connect(
    connection: &Connection,
    ui: &Ui,
    policy: &ValidatedPolicy,
    out: &OutDir,
    begun: &BTreeMap<String, Secret>,
) -> Result<(Admin, Option<String>), Failure> {
    let mut properties = connection.properties(ui, Some(policy), out.root())?;
    let operator = properties.sasl.as_ref().map(|sasl| sasl.user.clone());
    let refused = match Admin::connect(&properties) {
        Ok(admin) => return Ok((admin, operator)),
        Err(error) => error,
    };
    match (
        &mut properties.sasl,
        operator.as_ref().and_then(|user| begun.get(user)),
    ) {
        (Some(sasl), Some(next)) if matches!(refused, AdminError::Authentication { .. }) => {
            sasl.password = next.clone();
            Ok((Admin::connect(&properties)?, operator))
        }
        _ => Err(refused.into()),
    }
}

/// Reads the cluster and plans.
pub fn make(
    admin: &mut Admin,
    policy: &ValidatedPolicy,
    wish: &Wish,
    rotations: &Rotations,
    operator: Option<&str>,
) -> Result<ScramPlan, Failure> {
    let patterns = managed(policy);
    let mut managed = Managed::nobody();
    for pattern in &patterns {
        match pattern {
            PrincipalPattern::Exact(principal) => managed.add(principal),
            PrincipalPattern::Prefix(prefix) => managed.add_prefix(prefix),
        }
    }
    let mut super_users = policy.super_users();
    super_users.extend(policy.brokers.iter().map(|b| format!("User:{}", b.name)));
    let desired = passwords::desired(policy);
    let (observed, whole) = observe(admin, &desired, &patterns)?;
    let mut plan = scram_plan(&ScramInputs {
        desired: &desired,
        observed: &observed,
        rotate: &rotations.users,
        managed: &managed,
        prune: wish.prune,
        max_deletes: wish.max_deletes,
        operator,
        super_users: &super_users,
    });
    if !whole {
        plan.warnings.push(Remark {
            code: "users-unseen".into(),
            message: "the cluster has more SCRAM users than can be listed, so those that `manage` means by a prefix were not looked for".to_owned(),
        });
    }
    for user in rotations.begun.keys() {
        plan.warnings.push(Remark {
            code: "rotation-begun".into(),
            message: format!(
                "the new password of {user} is on disk, and the cluster was perhaps not told: `kpki scram apply` tells it"
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
        let users = policy.users.iter().map(|u| format!("User:{}", u.name));
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
        PrincipalPattern::Exact(principal) => principal.strip_prefix("User:"),
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

/// Which users have no password here.
pub fn no_password(missing: &[&IdentityName], out: &OutDir) -> String {
    let names: Vec<&str> = missing.iter().map(|n| n.as_str()).collect();
    let noun = match missing.len() {
        1 => "the password",
        _ => "the passwords",
    };
    let verb = match missing.len() {
        1 => "is",
        _ => "are",
    };
    format!(
        "{noun} of {} {verb} not in {}",
        names.join(", "),
        out.root().display()
    )
}

/// "3 to create, 1 to delete": what there is none of is not said.
pub fn counted(counts: &[(usize, &str)]) -> String {
    let some = counts.iter().filter(|(count, _)| *count > 0);
    let some: Vec<String> = some
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    some.join(", ")
}

/// Prints a plan for people.
pub fn show(ui: &Ui, plan: &ScramPlan) {
    // The document says it all.
    if !ui.json {
        let width = plan
            .writes()
            .chain(&plan.deletes)
            .map(|i| i.user.len())
            .max()
            .unwrap_or(0);
        for i in &plan.creates {
            ui.say(format!(
                "{GREEN}+ {:width$}  {}, {} iterations{GREEN:#}",
                i.user, i.mechanism, i.iterations
            ));
        }
        for update in &plan.updates {
            let i = &update.info;
            ui.say(format!(
                "{YELLOW}~ {:width$}  {}, {} iterations instead of {}{YELLOW:#}",
                i.user, i.mechanism, i.iterations, update.was
            ));
        }
        for i in &plan.rotates {
            ui.say(format!(
                "{YELLOW}~ {:width$}  {}, new password{YELLOW:#}",
                i.user, i.mechanism
            ));
        }
        for i in &plan.deletes {
            ui.say(format!("{RED}- {:width$}  {}{RED:#}", i.user, i.mechanism));
        }
        let mut line = match plan.is_empty() {
            true => format!("{GREEN}nothing to change{GREEN:#}"),
            false => {
                let counts = [
                    (plan.creates.len(), "to create"),
                    (plan.updates.len(), "to update"),
                    (plan.rotates.len(), "to rotate"),
                    (plan.deletes.len(), "to delete"),
                ];
                format!("{BOLD}{}{BOLD:#}", counted(&counts))
            }
        };
        line.push_str(&format!(", {} unchanged", plan.unchanged));
        if plan.left_alone > 0 {
            let noun = match plan.left_alone {
                1 => "credential",
                _ => "credentials",
            };
            line.push_str(&format!(
                "{DIM}; {} {noun} that the policy does not mean left alone{DIM:#}",
                plan.left_alone
            ));
        }
        ui.say(line);
    }
    for warning in &plan.warnings {
        ui.warn(&warning.message);
    }
}

fn document(plan: &ScramPlan) -> Value {
    let full = |i: &ScramInfo| json!({"user": i.user, "mechanism": i.mechanism.name(), "iterations": i.iterations});
    let updates = plan.updates.iter().map(|u| {
        let mut value = full(&u.info);
        value["was"] = u.was.into();
        value
    });
    let deletes = plan.deletes.iter();
    json!({
        "version": SCRAM_PLAN_VERSION,
        "creates": plan.creates.iter().map(full).collect::<Vec<_>>(),
        "updates": updates.collect::<Vec<_>>(),
        "rotates": plan.rotates.iter().map(full).collect::<Vec<_>>(),
        "deletes": deletes.map(|i| json!({"user": i.user, "mechanism": i.mechanism.name()})).collect::<Vec<_>>(),
        "unchanged": plan.unchanged,
        "left_alone": plan.left_alone,
        "warnings": plan.warnings,
        "refusals": plan.refusals,
    })
}
