//! `kpki scram apply`

use std::{
    collections::BTreeSet,
    path::Path,
    time::{Duration, Instant},
};

use clap::Args;
use serde_json::json;
use time::OffsetDateTime;

use super::{
    super::{
        CliError, Done, Failure, Global,
        acl::confirm::confirm,
        cluster::Connection,
        init_ca::{take_lock, tidy},
        policy::read_policy,
        ui::{BOLD, DIM, GREEN, RED, Ui},
        up::Shape,
    },
    plan::{Rotations, Wish, connect, counted, make, no_password, show},
};
use crate::{
    admin::{Admin, Batch, EntryError, ScramChange},
    bootstrap::{ca::Ca, passwords, passwords::Passwords, survey::Setting},
    plan::ScramPlan,
    policy::ValidatedPolicy,
    scram::ScramInfo,
    state::OutDir,
};

/// Brokers learn of a change shortly after the controller that made it.
const SETTLED: Duration = Duration::from_secs(10);
/// Kafka's RESOURCE_NOT_FOUND.
const NOT_THERE: i32 = 91;

/// Give the cluster the policy's SCRAM users
///
/// What is missing is created and what has other iterations is updated, with the passwords that `kpki up` has put into
/// the users' directories. A password changes with --rotate only; then the user's files have the new one as well.
/// Credentials that the policy does not mean are deleted with --prune only, and only of users that it manages.
///
/// Killed at any instant, it loses no password: the next run finishes the work.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki scram apply policies/quickstart.yaml
  kpki scram apply policies/quickstart.yaml --rotate analytics
  kpki scram apply policies/quickstart.yaml --prune --yes
  kpki scram apply policies/quickstart.yaml --bootstrap-server localhost:9093 --command-config admin.properties")]
pub struct Apply {
    #[command(flatten)]
    wish: Wish,
    /// Delete without asking
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    shape: Shape,
    #[command(flatten)]
    connection: Connection,
}

/// What became of the plan.
#[derive(Default)]
struct Outcome {
    /// Done, by what was planned.
    created: Vec<ScramInfo>,
    updated: Vec<ScramInfo>,
    rotated: Vec<ScramInfo>,
    deleted: Vec<ScramInfo>,
    /// Not done, or not known to be.
    failed: Vec<(ScramInfo, EntryError)>,
}

impl Apply {
    pub(super) fn run(self, global: &Global, ui: &Ui) -> Done {
        let mut policy = read_policy(&self.wish.policy)?;
        self.shape.apply(&mut policy);
        let out = OutDir::new(&global.out);
        // An interrupted `up` may have promised what is missing.
        tidy(&out, ui)?;
        let missing = passwords::missing(&out, &policy)?;
        if !missing.is_empty() {
            let message = no_password(&missing, &out) + "; nothing was changed";
            let hint = format!(
                "kpki up {} makes what is missing; then run this again",
                self.wish.policy
            );
            return Err(CliError::new("up-needed", message).hint(hint).into());
        }
        let ca = Ca::open(&out)?;
        let lock = take_lock(&out, ui)?;
        let rotations = Rotations::of(&self.wish, &policy, &out)?;
        let (mut admin, operator) = connect(&self.connection, ui, &policy, &out, &rotations.begun)?;
        let plan = make(
            &mut admin,
            &policy,
            &self.wish,
            &rotations,
            operator.as_deref(),
        )?;
        show(ui, &plan);
        if !plan.refusals.is_empty() {
            let why: Vec<&str> = plan.refusals.iter().map(|r| r.message.as_str()).collect();
            return Err(CliError::new(
                "plan-refused",
                format!("nothing was changed: {}", why.join("; ")),
            )
            .into());
        }
        if !plan.is_empty() {
            admin.check_scram_writer()?;
        }
        if !plan.deletes.is_empty() {
            let count = plan.deletes.len();
            let noun = if count == 1 {
                "credential"
            } else {
                "credentials"
            };
            confirm(ui, self.yes, &format!("deleting {count} {noun}"))?;
        }
        let setting = Setting {
            policy: &policy,
            out: &out,
            profile: self.shape.profile(),
            now: OffsetDateTime::now_utc(),
        };
        let mut passwords = Passwords::read(setting, &ca, &lock)?;
        for name in passwords.begin(&rotations.users)? {
            let dir = out.identity(&name);
            ui.say(format!(
                "{GREEN}updated{GREEN:#}  {name}'s files  {DIM}{}{DIM:#}",
                dir.display()
            ));
        }
        let mut outcome = write(ui, &mut admin, &plan, &passwords)?;
        end_rotations(ui, &mut passwords, &plan, &outcome)?;
        self.stale_config(ui, &outcome, operator.as_deref());
        delete(&mut admin, &plan, &mut outcome);
        await_brokers(&mut admin, &outcome);
        report(ui, &policy, &out, &plan, &outcome)
    }
}

impl Apply {
    /// Says so where the file that kpki itself logs in with has the old password now.
    fn stale_config(&self, ui: &Ui, outcome: &Outcome, operator: Option<&str>) {
        let (Some(path), Some(user)) = (&self.connection.command_config, operator) else {
            return;
        };
        // One that lies in the user's own directory was written anew.
        let own = path.parent().and_then(Path::file_name) == Some(user.as_ref());
        if !own && outcome.rotated.iter().any(|i| i.user == user) {
            ui.warn(format!("{} has the old password of {user}", path.display()));
        }
    }
}

/// Creates, updates and rotates.
fn write(
    ui: &Ui,
    admin: &mut Admin,
    plan: &ScramPlan,
    passwords: &Passwords<'_>,
) -> Result<Outcome, Failure> {
    let mut outcome = Outcome::default();
    let mut infos = Vec::new();
    let mut changes = Vec::new();
    for info in plan.writes() {
        // Plan and passwords are of one policy, so each has its credential.
        if let Some((password, credential)) = passwords.credential(info) {
            infos.push(info);
            changes.push(ScramChange::Upsert {
                user: info.user.clone(),
                mechanism: info.mechanism,
                iterations: credential.iterations,
                password: password.clone(),
                salt: credential.salt.clone(),
            });
        }
    }
    if changes.is_empty() {
        return Ok(outcome);
    }
    let bar = ui.progress(changes.len() as u64, "users");
    let mut batch = Batch {
        progress: &mut |done, _| bar.set_position(done as u64),
        ..Batch::default()
    };
    let results = admin.alter_scram(&changes, &mut batch).inspect_err(|_| {
        let users: BTreeSet<&str> = plan.rotates.iter().map(|i| i.user.as_str()).collect();
        if !users.is_empty() {
            ui.warn(unsure(users));
        }
    });
    bar.finish_and_clear();
    let (creates, updates) = (&plan.creates, &plan.updates);
    for (info, result) in infos.into_iter().zip(results?) {
        match result {
            Err(error) => outcome.failed.push((info.clone(), error)),
            Ok(()) if creates.contains(info) => outcome.created.push(info.clone()),
            Ok(()) if updates.iter().any(|u| u.info == *info) => outcome.updated.push(info.clone()),
            Ok(()) => outcome.rotated.push(info.clone()),
        }
    }
    Ok(outcome)
}

fn unsure<'a>(users: impl IntoIterator<Item = &'a str>) -> String {
    let users: Vec<&str> = users.into_iter().collect();
    format!(
        "whether the cluster has the old or the new password of {} is not known; both are kept, and the next `kpki scram apply` finishes the rotation",
        users.join(", ")
    )
}

/// What became of the rotations, by user.
#[derive(Debug, Default, PartialEq, Eq)]
struct Verdict<'a> {
    /// The cluster has the new password.
    done: Vec<&'a str>,
    /// It has it for some mechanisms, or nobody knows.
    open: Vec<&'a str>,
    /// It has nothing of it.
    refused: Vec<&'a str>,
}

fn verdict<'a>(plan: &'a ScramPlan, outcome: &Outcome) -> Verdict<'a> {
    let mut verdict = Verdict::default();
    let rotates: BTreeSet<&str> = plan.rotates.iter().map(|i| i.user.as_str()).collect();
    for user in rotates {
        let failed = || outcome.failed.iter().filter(|(i, _)| i.user == user);
        let unknown = failed().any(|(_, e)| matches!(e, EntryError::Unanswered(_)));
        let some = outcome.rotated.iter().any(|i| i.user == user);
        match (failed().next().is_none(), unknown || some) {
            (true, _) => verdict.done.push(user),
            (false, true) => verdict.open.push(user),
            (false, false) => verdict.refused.push(user),
        }
    }
    verdict
}

/// Puts the new passwords that the cluster took in their place, and takes back those that it refused.
fn end_rotations(
    ui: &Ui,
    passwords: &mut Passwords<'_>,
    plan: &ScramPlan,
    outcome: &Outcome,
) -> Done {
    let Verdict {
        done,
        open,
        refused,
    } = verdict(plan, outcome);
    if !open.is_empty() {
        ui.warn(unsure(open));
    }
    if !done.is_empty() {
        passwords.finish(&done).inspect_err(|_| {
            ui.warn(format!(
                "the cluster has the new password of {}, and so has the disk, but not where it belongs; the next `kpki scram apply` puts it there",
                done.join(", ")
            ));
        })?;
    }
    Ok(passwords.withdraw(&refused)?)
}

/// Deletes, last of all, and only where all that was to come first is there.
fn delete(admin: &mut Admin, plan: &ScramPlan, outcome: &mut Outcome) {
    let changes: Vec<ScramChange> = plan
        .deletes
        .iter()
        .map(|i| ScramChange::Delete {
            user: i.user.clone(),
            mechanism: i.mechanism,
        })
        .collect();
    let results = match (changes.is_empty(), outcome.failed.is_empty()) {
        (true, _) => return,
        (false, false) => vec![Err(EntryError::NotAttempted); changes.len()],
        (false, true) => match admin.alter_scram(&changes, &mut Batch::default()) {
            Ok(results) => results,
            Err(error) => vec![Err(EntryError::Unanswered(error.to_string())); changes.len()],
        },
    };
    for (info, result) in plan.deletes.iter().zip(results) {
        match result {
            // Somebody else was faster.
            Ok(())
            | Err(EntryError::Refused {
                code: NOT_THERE, ..
            }) => outcome.deleted.push(info.clone()),
            Err(error) => outcome.failed.push((info.clone(), error)),
        }
    }
}

/// Waits until the broker that is asked shows what the controller has done, so that whoever comes next sees it too.
fn await_brokers(admin: &mut Admin, outcome: &Outcome) {
    let there: Vec<&ScramInfo> = outcome.created.iter().chain(&outcome.updated).collect();
    let gone = &outcome.deleted;
    let users: Vec<&str> = there
        .iter()
        .copied()
        .chain(gone)
        .map(|i| i.user.as_str())
        .collect();
    if users.is_empty() {
        return;
    }
    let begun = Instant::now();
    // It is done in any case: a broker that does not answer now is no failure.
    while let Ok(found) = admin.describe_scram(&users) {
        let shown =
            there.iter().all(|i| found.contains(i)) && !gone.iter().any(|i| found.contains(i));
        if shown || begun.elapsed() > SETTLED {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn report(
    ui: &Ui,
    policy: &ValidatedPolicy,
    out: &OutDir,
    plan: &ScramPlan,
    outcome: &Outcome,
) -> Done {
    let Outcome {
        created,
        updated,
        rotated,
        deleted,
        failed,
    } = outcome;
    for (info, error) in failed {
        ui.complain(format!(
            "{RED}failed:{RED:#} {} {}: {error}",
            info.user, info.mechanism
        ));
    }
    let done = created.len() + updated.len() + rotated.len() + deleted.len();
    if done > 0 {
        let counts = [
            (created.len(), "created"),
            (updated.len(), "updated"),
            (rotated.len(), "rotated"),
            (deleted.len(), "deleted"),
        ];
        ui.say(format!("{GREEN}applied{GREEN:#}  {}", counted(&counts)));
    }
    let users: BTreeSet<&str> = rotated
        .iter()
        .map(|i| i.user.as_str())
        .filter(|user| !failed.iter().any(|(i, _)| i.user == *user))
        .collect();
    if !users.is_empty() {
        ui.say(format!("\n{BOLD}next:{BOLD:#}"));
    }
    for user in users {
        let dir = out.root().join(user);
        let dir = dir.display();
        ui.say(if policy.users.iter().any(|u| u.name.as_str() == user) {
            format!("  {user}: its password is the one in {dir}/scram.password; its old one is refused from now on")
        } else if policy.brokers.iter().any(|b| b.name.as_str() == user) {
            format!("  {user}: copy {dir} to its machine and restart it at once, as the other brokers refuse its old password")
        } else {
            format!("  {user}: copy {dir} to its machine and restart it, as its old password is refused from now on")
        });
    }
    let failures: Vec<_> = failed
        .iter()
        .map(|(i, error)| json!({"user": i.user, "mechanism": i.mechanism.name(), "error": error.to_string()}))
        .collect();
    ui.document(&json!({
        "created": created.len(),
        "updated": updated.len(),
        "rotated": rotated.len(),
        "deleted": deleted.len(),
        "failed": failures,
        "unchanged": plan.unchanged,
        "warnings": plan.warnings,
    }));
    let unknown = |(_, e): &(_, _)| matches!(e, EntryError::Unanswered(_));
    match (failed.is_empty(), done > 0 || failed.iter().any(unknown)) {
        (true, _) => Ok(()),
        (false, true) => Err(Failure::Partly),
        (false, false) => Err(Failure::Said),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scram::Mechanism;

    #[test]
    fn a_rotation_is_taken_back_only_where_nothing_of_it_can_be_in_the_cluster() {
        let info = |user: &str, mechanism| ScramInfo {
            user: user.to_owned(),
            mechanism,
            iterations: 8192,
        };
        let both = |user: &str| Mechanism::ALL.map(|m| info(user, m));
        let mut plan = ScramPlan::default();
        let mut outcome = Outcome::default();
        let refused = EntryError::Refused {
            code: 93,
            text: "no".to_owned(),
        };
        let unanswered = EntryError::Unanswered("gone".to_owned());
        let cases = [
            ("done", None, None),
            ("half", None, Some(EntryError::NotAttempted)),
            ("lost", Some(unanswered), Some(EntryError::NotAttempted)),
            ("refused", Some(refused), Some(EntryError::NotAttempted)),
        ];
        for (user, first, second) in cases {
            plan.rotates.extend(both(user));
            for (info, error) in both(user).into_iter().zip([first, second]) {
                match error {
                    None => outcome.rotated.push(info),
                    Some(error) => outcome.failed.push((info, error)),
                }
            }
        }
        let expected = Verdict {
            done: vec!["done"],
            open: vec!["half", "lost"],
            refused: vec!["refused"],
        };
        assert_eq!(verdict(&plan, &outcome), expected);
    }
}
