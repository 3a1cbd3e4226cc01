//! Applies a plan to a cluster's SCRAM users: creates, updates and rotates, then deletes.

mod plan;
mod strangers;

use std::{
    collections::{BTreeSet, HashSet},
    time::{Duration, Instant},
};

use crate::{
    admin::{Admin, AdminError, Batch, ClientProperties, EntryError, ScramChange},
    deeds::did,
    plan::{Action, ScramPlan},
    scram::{Credential, ScramInfo},
    secret::Secret,
};

pub use plan::{DesiredUsers, UnknownUsers};

/// How long to wait: brokers see a change shortly after the controller made it.
const SETTLED: Duration = Duration::from_secs(10);
/// Credentials per request: librdkafka derives them one after the other, about 10 ms each, within the request's
/// timeout.
const AT_ONCE: usize = 200;

/// A connection that has logged in.
pub struct Connected {
    /// The client.
    pub admin: Admin,
    /// The user that it is logged in as by SASL.
    pub operator: Option<String>,
    /// The properties of the connection.
    pub properties: ClientProperties,
}

/// The result of a plan.
#[derive(Debug, Default)]
pub struct ScramOutcome {
    /// Changes that were made.
    pub done: Vec<(Action, ScramInfo)>,
    /// Changes that were not made, or for which this is unknown.
    pub failed: Vec<(ScramInfo, EntryError)>,
}

impl ScramOutcome {
    /// The credentials that were changed in this way.
    pub fn of(&self, action: Action) -> impl Iterator<Item = &ScramInfo> {
        let done = self.done.iter().filter(move |(done, _)| *done == action);
        done.map(|(_, info)| info)
    }

    fn take(&mut self, action: Action, info: &ScramInfo, result: Result<(), EntryError>) {
        match result {
            Ok(()) => {
                did("changed in the cluster: SCRAM user", &info.user);
                self.done.push((action, info.clone()));
            }
            Err(error) => self.failed.push((info.clone(), error)),
        }
    }
}

/// The changes to send to the cluster, with their passwords.
pub struct ScramWork<'a> {
    plan: &'a ScramPlan,
    /// What each request does.
    of: Vec<(Action, &'a ScramInfo)>,
    upserts: Vec<ScramChange>,
}

impl<'a> ScramWork<'a> {
    /// The work of a plan, with what is on disk for each of its credentials.
    pub fn new<'p>(
        plan: &'a ScramPlan,
        credential: impl Fn(&ScramInfo) -> Option<(&'p Secret, &'p Credential)>,
    ) -> ScramWork<'a> {
        let writes = plan.changes().filter(|(a, _)| *a != Action::Delete);
        let upserts = writes.filter_map(|write| {
            // The plan and the passwords are from the same policy, so each has its credential.
            let (password, credential) = credential(write.1)?;
            let upsert = ScramChange::Upsert {
                user: write.1.user.clone(),
                mechanism: write.1.mechanism,
                iterations: credential.iterations,
                password: password.clone(),
                salt: credential.salt.clone(),
            };
            Some((write, upsert))
        });
        let (of, upserts) = upserts.unzip();
        ScramWork { plan, of, upserts }
    }

    /// How many credentials are written.
    pub fn writes(&self) -> usize {
        self.upserts.len()
    }

    /// Makes the changes. `rotated` moves new passwords into place on disk, or discards them, before anything is
    /// deleted.
    pub fn execute<E: From<AdminError>>(
        self,
        admin: &mut Admin,
        progress: &dyn Fn(usize),
        rotated: impl FnOnce(&RotationVerdict<'_>) -> Result<(), E>,
    ) -> Result<ScramOutcome, E> {
        let mut outcome = ScramOutcome::default();
        if let Err(error) = self.write(admin, progress, &mut outcome) {
            rotated(&RotationVerdict {
                refused: users(&self.plan.rotates),
                ..RotationVerdict::default()
            })?;
            return Err(error.into());
        }
        rotated(&RotationVerdict::of(self.plan, &outcome))?;
        delete(admin, &self.plan.deletes, &mut outcome);
        await_brokers(admin, &outcome);
        Ok(outcome)
    }

    fn write(
        &self,
        admin: &mut Admin,
        progress: &dyn Fn(usize),
        outcome: &mut ScramOutcome,
    ) -> Result<(), AdminError> {
        if self.upserts.is_empty() {
            return Ok(());
        }
        let mut batch = Batch {
            size: AT_ONCE,
            progress: &mut |done, _| progress(done),
            ..Batch::default()
        };
        let results = match admin.alter_scram(&self.upserts, &mut batch) {
            Err(error) if error.may_be_done() => {
                vec![Err(EntryError::Unanswered(error.to_string())); self.upserts.len()]
            }
            results => results?,
        };
        for ((action, info), result) in self.of.iter().zip(results) {
            outcome.take(*action, info, result);
        }
        Ok(())
    }
}

fn users(infos: &[ScramInfo]) -> Vec<&str> {
    let users: BTreeSet<&str> = infos.iter().map(|i| i.user.as_str()).collect();
    users.into_iter().collect()
}

/// The results of the rotations, by user.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct RotationVerdict<'a> {
    /// The cluster has the new password.
    pub done: Vec<&'a str>,
    /// The cluster has it for some mechanisms, or this is unknown.
    pub open: Vec<&'a str>,
    /// The cluster does not have it.
    pub refused: Vec<&'a str>,
}

impl<'a> RotationVerdict<'a> {
    fn of(plan: &'a ScramPlan, outcome: &ScramOutcome) -> RotationVerdict<'a> {
        let mut verdict = RotationVerdict::default();
        for user in users(&plan.rotates) {
            let failed = || outcome.failed.iter().filter(|(i, _)| i.user == user);
            let unknown = failed().any(|(_, e)| e.may_be_done());
            let some = outcome.of(Action::Rotate).any(|i| i.user == user);
            match (failed().next().is_none(), unknown || some) {
                (true, _) => verdict.done.push(user),
                (false, true) => verdict.open.push(user),
                (false, false) => verdict.refused.push(user),
            }
        }
        verdict
    }
}

/// Deletes, last of all, and only if all other changes succeeded.
fn delete(admin: &mut Admin, deletes: &[ScramInfo], outcome: &mut ScramOutcome) {
    let change = |i: &ScramInfo| ScramChange::Delete {
        user: i.user.clone(),
        mechanism: i.mechanism,
    };
    let changes: Vec<ScramChange> = deletes.iter().map(change).collect();
    let results = match (changes.is_empty(), outcome.failed.is_empty()) {
        (true, _) => return,
        (false, false) => vec![Err(EntryError::NotAttempted); changes.len()],
        (false, true) => admin
            .alter_scram(&changes, &mut Batch::default())
            .unwrap_or_else(|error| {
                vec![Err(EntryError::Unanswered(error.to_string())); changes.len()]
            }),
    };
    for (info, result) in deletes.iter().zip(results) {
        let result = match result {
            // Already gone.
            Err(error) if error.is_not_found() => Ok(()),
            result => result,
        };
        outcome.take(Action::Delete, info, result);
    }
}

/// Waits until the connected broker shows the changes, so that the next command sees them too.
fn await_brokers(admin: &mut Admin, outcome: &ScramOutcome) {
    // A rotation is not visible.
    let seen = outcome.done.iter().filter(|(a, _)| *a != Action::Rotate);
    let users: Vec<&str> = seen.clone().map(|(_, i)| i.user.as_str()).collect();
    if users.is_empty() {
        return;
    }
    let begun = Instant::now();
    // The changes are made in any case, so a broker that does not answer now is not a failure.
    while let Ok(found) = admin.describe_scram(&users) {
        let found: HashSet<ScramInfo> = found.into_iter().collect();
        let mut seen = seen.clone();
        let shown = seen.all(|(action, i)| found.contains(i) == (*action != Action::Delete));
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
        let mut outcome = ScramOutcome::default();
        let refused = EntryError::Refused {
            code: 93,
            text: "no".to_owned(),
        };
        let unanswered = EntryError::Unanswered("gone".to_owned());
        // NOT_CONTROLLER: the previous controller may have written it.
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
                    None => outcome.done.push((Action::Rotate, info)),
                    Some(error) => outcome.failed.push((info, error)),
                }
            }
        }
        let expected = RotationVerdict {
            done: vec!["done"],
            open: vec!["half", "lost", "moved"],
            refused: vec!["refused"],
        };
        assert_eq!(RotationVerdict::of(&plan, &outcome), expected);
    }
}
