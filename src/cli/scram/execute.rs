//! Doing what a plan says, and what became of it.

use std::{
    collections::{BTreeSet, HashSet},
    time::{Duration, Instant},
};

use super::super::{Done, Failure, ui::Ui};
use crate::{
    admin::{Admin, Batch, EntryError, ScramChange},
    bootstrap::passwords::Passwords,
    plan::ScramPlan,
    scram::ScramInfo,
};

/// Brokers learn of a change shortly after the controller that made it.
const SETTLED: Duration = Duration::from_secs(10);
/// Credentials in a request: librdkafka derives them one after the other, some 10 ms each, within the request's time.
const AT_ONCE: usize = 200;

/// What became of a plan.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Created.
    pub created: Vec<ScramInfo>,
    /// With other iterations now.
    pub updated: Vec<ScramInfo>,
    /// With a new password.
    pub rotated: Vec<ScramInfo>,
    /// Deleted.
    pub deleted: Vec<ScramInfo>,
    /// Not done, or not known to be.
    pub failed: Vec<(ScramInfo, EntryError)>,
}

/// Creates, updates and rotates, then deletes.
///
/// # Errors
/// When the cluster takes nothing at all, or the disk does not take what the cluster has.
pub fn execute(
    ui: &Ui,
    admin: &mut Admin,
    plan: &ScramPlan,
    passwords: &mut Passwords<'_>,
) -> Result<Outcome, Failure> {
    let mut outcome = write(ui, admin, plan, passwords)?;
    end_rotations(ui, passwords, plan, &outcome)?;
    delete(admin, plan, &mut outcome);
    await_brokers(admin, &outcome);
    Ok(outcome)
}

/// The list of an outcome where something belongs once it is done.
type Place = fn(&mut Outcome) -> &mut Vec<ScramInfo>;

fn write(
    ui: &Ui,
    admin: &mut Admin,
    plan: &ScramPlan,
    passwords: &mut Passwords<'_>,
) -> Result<Outcome, Failure> {
    let creates = plan
        .creates
        .iter()
        .map(|i| (i, (|o| &mut o.created) as Place));
    let updates = plan
        .updates
        .iter()
        .map(|u| (&u.info, (|o| &mut o.updated) as Place));
    let rotates = plan
        .rotates
        .iter()
        .map(|i| (i, (|o| &mut o.rotated) as Place));
    let mut places = Vec::new();
    let mut changes = Vec::new();
    for (info, place) in creates.chain(updates).chain(rotates) {
        // Plan and passwords are of one policy, so each has its credential.
        if let Some((password, credential)) = passwords.credential(info) {
            places.push((info, place));
            changes.push(ScramChange::Upsert {
                user: info.user.clone(),
                mechanism: info.mechanism,
                iterations: credential.iterations,
                password: password.clone(),
                salt: credential.salt.clone(),
            });
        }
    }
    let mut outcome = Outcome::default();
    if changes.is_empty() {
        return Ok(outcome);
    }
    let bar = ui.progress(changes.len() as u64, "SCRAM users");
    let mut batch = Batch {
        size: AT_ONCE,
        progress: &mut |done, _| bar.set_position(done as u64),
        ..Batch::default()
    };
    let results = admin.alter_scram(&changes, &mut batch);
    bar.finish_and_clear();
    let results = match results {
        Ok(results) => results,
        Err(error) if error.may_be_done() => {
            vec![Err(EntryError::Unanswered(error.to_string())); changes.len()]
        }
        Err(error) => {
            passwords.withdraw(&users(&plan.rotates))?;
            return Err(error.into());
        }
    };
    for ((info, place), result) in places.into_iter().zip(results) {
        match result {
            Ok(()) => place(&mut outcome).push(info.clone()),
            Err(error) => outcome.failed.push((info.clone(), error)),
        }
    }
    Ok(outcome)
}

fn users(infos: &[ScramInfo]) -> Vec<&str> {
    let users: BTreeSet<&str> = infos.iter().map(|i| i.user.as_str()).collect();
    users.into_iter().collect()
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
    for user in users(&plan.rotates) {
        let failed = || outcome.failed.iter().filter(|(i, _)| i.user == user);
        let unknown = failed().any(|(_, e)| e.may_be_done());
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
        ui.warn(format!(
            "it is not known whether the cluster has the old or the new password of {}; both are kept on the disk, and the next `kpki scram apply` finishes the rotation",
            open.join(", ")
        ));
    }
    if !done.is_empty() {
        passwords.finish(&done).inspect_err(|_| {
            ui.warn(format!(
                "the cluster has the new password of {}, which is still in scram.password.next on the disk; the next `kpki scram apply` moves it to its place",
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
            Ok(()) => outcome.deleted.push(info.clone()),
            Err(error) if error.is_not_found() => outcome.deleted.push(info.clone()),
            Err(error) => outcome.failed.push((info.clone(), error)),
        }
    }
}

/// Waits until the broker that is asked shows what the controller has done, so that whoever comes next sees it too.
fn await_brokers(admin: &mut Admin, outcome: &Outcome) {
    let there: Vec<&ScramInfo> = outcome.created.iter().chain(&outcome.updated).collect();
    let gone = &outcome.deleted;
    let users = there.iter().copied().chain(gone);
    let users: Vec<&str> = users.map(|i| i.user.as_str()).collect();
    if users.is_empty() {
        return;
    }
    let begun = Instant::now();
    // It is done in any case: a broker that does not answer now is no failure.
    while let Ok(found) = admin.describe_scram(&users) {
        let found: HashSet<ScramInfo> = found.into_iter().collect();
        let shown =
            there.iter().all(|i| found.contains(*i)) && !gone.iter().any(|i| found.contains(i));
        if shown || begun.elapsed() > SETTLED {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
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
        // NOT_CONTROLLER: the one that was may have written it.
        let moved = EntryError::Refused {
            code: 41,
            text: "moved".to_owned(),
        };
        let cases = [
            ("done", None, None),
            ("half", None, Some(EntryError::NotAttempted)),
            ("lost", Some(unanswered), Some(EntryError::NotAttempted)),
            ("moved", Some(moved), Some(EntryError::NotAttempted)),
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
            open: vec!["half", "lost", "moved"],
            refused: vec!["refused"],
        };
        assert_eq!(verdict(&plan, &outcome), expected);
    }
}
