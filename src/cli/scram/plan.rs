//! `kpki scram plan`

use std::collections::BTreeSet;

use clap::Args;
use serde_json::{Value, json};

use super::super::{
    Done, Failure, Global,
    cluster::{Connection, compare_id, connect},
    planned::{DeletionOptions, show_refusals, totals},
    policy::read_policy,
    shell,
    table::{Column::*, table},
    ui::{BOLD, GREEN, RED, Ui, YELLOW, named},
    verdict,
};
use crate::{
    apply::scram::DesiredUsers,
    bootstrap::{cut_off::revoked_users, passwords},
    pki::IdentityName,
    plan::{Action, Deletion, Remark, SCRAM_PLAN_VERSION, ScramPlan},
    policy::ValidatedPolicy,
    printable::Printable,
    scram::ScramInfo,
    state::OutDir,
};

/// Show what must change for the cluster to have the policy's SCRAM users
///
/// Changes nothing. Kafka reports a user's mechanisms and iteration counts, but not its password, so it cannot be seen
/// whether the password on disk is the one in the cluster; --rotate sets a new one. A user that already exists in the
/// cluster gets no other credential unless kpki can log in as it, --rotate names it, or it is listed under `manage`.
///
/// Deletions are planned only with --prune, and only for users `x` whose principal `User:x` the policy manages: those
/// under `manage`, or by default its clients, its users and the principals under `acls`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki scram plan policies/quickstart.yaml
  kpki scram plan policies/quickstart.yaml --prune
  kpki scram plan policies/quickstart.yaml --exit-code || echo 'something changed'")]
pub struct Plan {
    #[command(flatten)]
    arguments: Arguments,
    /// Exit with 3 when there is something to change
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    connection: Connection,
}

/// What `plan` and `apply` have in common.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The policy file; `-` is standard input
    #[arg(value_name = "POLICY")]
    pub policy: String,
    /// Give a user a new password (may be repeated)
    #[arg(long, value_name = "USER")]
    pub rotate: Vec<IdentityName>,
    #[command(flatten)]
    pub deletion: DeletionOptions,
}

impl Arguments {
    /// What the policy and the files on disk require of the cluster.
    pub fn desired<'a>(
        &self,
        policy: &'a ValidatedPolicy,
        out: &OutDir,
    ) -> Result<DesiredUsers<'a>, Failure> {
        let rotate = self.rotate.iter().map(ToString::to_string).collect();
        desired(policy, out, rotate, self.deletion.into())
    }
}

/// The same for callers without a command line.
pub fn desired<'a>(
    policy: &'a ValidatedPolicy,
    out: &OutDir,
    rotate: BTreeSet<String>,
    deletion: Deletion,
) -> Result<DesiredUsers<'a>, Failure> {
    let revoked = revoked_users(out)?;
    let mut begun = passwords::begun(out, policy)?;
    begun.retain(|user, _| !revoked.contains(user));
    let mut credentials = passwords::desired(policy);
    credentials.retain(|credential| !revoked.contains(&credential.user));
    Ok(DesiredUsers::new(
        policy,
        credentials,
        rotate,
        begun,
        deletion,
    )?)
}

impl Plan {
    pub(super) fn run(self, global: &Global, ui: &Ui) -> Done {
        let policy = read_policy(&self.arguments.policy)?;
        let out = OutDir::new(&global.out);
        let desired = self.arguments.desired(&policy, &out)?;
        let properties = self.connection.properties(ui, Some(&policy), out.root())?;
        let mut connected = desired.connect(properties, |p| connect(ui, p))?;
        compare_id(ui, &policy, out.root(), &connected.admin)?;
        let password = |user: &str| passwords::on_disk(&out, &policy, user).map_err(Failure::from);
        let mut plan = desired.plan(&mut connected, &password)?;
        let missing = passwords::missing(&out, &policy)?;
        if !missing.is_empty() {
            let message = format!(
                "{}; {} up {} creates what is missing; nothing can be applied before that",
                no_password(&missing, &out),
                shell::kpki(&global.out),
                shell::path(&self.arguments.policy)
            );
            plan.warnings.push(Remark::new("up-needed", message));
        }
        show(ui, &plan);
        show_refusals(ui, &plan.refusals);
        ui.document(&document(&plan));
        verdict(plan.is_empty() || !self.exit_code)
    }
}

/// The users that have no password here.
pub fn no_password(missing: &[&IdentityName], out: &OutDir) -> String {
    let (noun, verb) = match missing.len() {
        1 => ("the password", "is"),
        _ => ("the passwords", "are"),
    };
    let names = named(missing, usize::MAX);
    format!("{noun} of {names} {verb} not in {}", out.root().display())
}

/// The changes to SCRAM users, in order.
pub const ACTIONS: [Action; 4] = [
    Action::Create,
    Action::Update,
    Action::Rotate,
    Action::Delete,
];

/// "3 to create, 1 to delete", without the zeros.
pub fn counted(to: &str, counts: &[(usize, &str)]) -> String {
    let some = counts.iter().filter(|(count, _)| *count > 0);
    let some: Vec<String> = some
        .map(|(count, what)| format!("{count} {to}{what}"))
        .collect();
    some.join(", ")
}

/// Prints a plan for people.
pub fn show(ui: &Ui, plan: &ScramPlan) {
    // The document says it all.
    if !ui.json {
        let mut updates = plan.updates.iter();
        let mut row = |(action, i): (Action, &ScramInfo)| {
            let (colour, what) = match action {
                Action::Create => (GREEN, format!(", {} iterations", i.iterations)),
                Action::Delete => (RED, String::new()),
                Action::Rotate => (YELLOW, ", new password".to_owned()),
                _ => {
                    let was = updates.next().map_or(0, |update| update.was);
                    (
                        YELLOW,
                        format!(", {} iterations instead of {was}", i.iterations),
                    )
                }
            };
            // Names from the cluster may contain anything.
            let user = Printable(&i.user);
            [
                format!("{colour}{} {user}{colour:#}", action.sign()),
                format!("{colour}{}{what}{colour:#}", i.mechanism),
            ]
        };
        let rows: Vec<_> = plan.changes().map(&mut row).collect();
        if !rows.is_empty() {
            ui.say(table(ui, [Whole(""), Prose("")], rows));
        }
        let changes = (!plan.is_empty()).then(|| {
            let of = |action| plan.changes().filter(|(a, _)| *a == action).count();
            let counts = ACTIONS.map(|action| (of(action), action.verb()));
            format!("{BOLD}{}{BOLD:#}", counted("to ", &counts))
        });
        totals(ui, changes, plan.unchanged, plan.left_alone, "credential");
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
    json!({
        "version": SCRAM_PLAN_VERSION,
        "creates": plan.creates.iter().map(full).collect::<Vec<_>>(),
        "updates": updates.collect::<Vec<_>>(),
        "rotates": plan.rotates.iter().map(full).collect::<Vec<_>>(),
        "deletes": plan.deletes.iter().map(|i| json!({"user": i.user, "mechanism": i.mechanism.name()})).collect::<Vec<_>>(),
        "unchanged": plan.unchanged,
        "left_alone": plan.left_alone,
        "warnings": plan.warnings,
        "refusals": plan.refusals,
    })
}
