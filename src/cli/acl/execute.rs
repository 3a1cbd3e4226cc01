//! Takes a cluster from what it has to what a plan says: creates, reads back, deletes, reads back.
//!
//! One request is in flight at a time and each is short, because a KRaft controller answers the brokers' heartbeats on
//! the thread that changes ACLs.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use indicatif::ProgressBar;

use crate::{
    acl::RawBinding,
    admin::{AclBindingFilter, Admin, AdminError, Batch, Entries, EntryError},
    state::{OutDir, Reach},
};

/// Bindings in a request that creates them.
const CREATED_AT_ONCE: usize = 2_000;
/// As many principals are looked at one by one, more of them by reading everything. A broker looks through all of its
/// bindings for each.
const LOOKED_AT_ONE_BY_ONE: usize = 8;
/// How long to wait until the cluster shows what was done.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long to wait for a cluster that has just failed to answer.
const LAST_LOOK: Duration = Duration::from_secs(5);

/// Why something was left undone.
pub const STOPPED: &str = "not attempted: stopped before its turn";
/// The same.
pub const NOT_ATTEMPTED: &str = "not attempted: the work ended before its turn";

/// What is to be done.
pub struct Work<'a> {
    /// What to create.
    pub creates: Vec<RawBinding>,
    /// What to delete.
    pub deletes: &'a [RawBinding],
    /// How many bindings the cluster has: each filter that deletes is compared with all of them.
    pub observed: usize,
    /// Where it is noted what broad filters may delete.
    pub out: &'a OutDir,
    /// Stops the work between two requests.
    pub stop: &'a AtomicBool,
    /// Shows how far it is.
    pub bar: ProgressBar,
}

/// What became of it.
#[derive(Default)]
pub struct Outcome {
    /// The number of bindings that were created.
    pub created: usize,
    /// The number of bindings that were deleted.
    pub deleted: usize,
    /// What was not done, each with the reason.
    pub failed: Vec<(RawBinding, String)>,
    /// Why the work ended early, if one cause did it.
    pub cause: Option<AdminError>,
    /// Some of what is listed as failed may have been done: there was no answer.
    pub open: bool,
    /// Filters whose answer was lost, and with it what they deleted beyond what was known.
    pub lost: Vec<Reach>,
    /// What else to know.
    pub remarks: Vec<String>,
}

impl Outcome {
    /// Takes note of bindings that were deleted although nobody said so, and of the attempt to create them again. One
    /// that is lost is a failure: whoever reads no more than the exit code has to learn of it. True if all are there again.
    pub fn put_back(&mut self, beyond: Vec<RawBinding>, back: Result<Entries, AdminError>) -> bool {
        let failed = self.failed.len();
        let entries = back.unwrap_or_else(|error| {
            let why = EntryError::Unanswered(error.to_string());
            let lost = beyond.into_iter().map(|b| (b, Err(why.clone())));
            lost.collect()
        });
        for (binding, result) in entries {
            match result {
                Ok(()) => self.remarks.push(format!(
                    "{binding}: came while kpki worked, was deleted with others, and was created again"
                )),
                Err(error) => {
                    self.open = true;
                    let why = format!("came while kpki worked, was deleted with others, and COULD NOT BE CREATED AGAIN: {error}");
                    self.failed.push((binding, why));
                }
            }
        }
        self.failed.len() == failed
    }
}

/// Does it, as far as it goes.
pub fn execute(admin: &mut Admin, work: &Work<'_>) -> Outcome {
    let mut run = Run {
        admin,
        work,
        outcome: Outcome::default(),
    };
    run.create();
    let went_wrong = match () {
        () if run.stopped() => Some(STOPPED),
        () if run.outcome.cause.is_some() => Some(NOT_ATTEMPTED),
        () if !run.outcome.failed.is_empty() => {
            Some("not attempted: nothing is deleted before all is created")
        }
        () => None,
    };
    match went_wrong {
        None => run.delete(),
        Some(why) => run.give_up(work.deletes.iter(), why),
    }
    work.bar.finish_and_clear();
    run.outcome
}

/// The work while it is done.
pub struct Run<'a> {
    /// The cluster.
    pub admin: &'a mut Admin,
    /// What is to be done.
    pub work: &'a Work<'a>,
    /// What was done so far.
    pub outcome: Outcome,
}

impl Run<'_> {
    /// Whether somebody pressed Ctrl-C.
    pub fn stopped(&self) -> bool {
        self.work.stop.load(Ordering::Relaxed)
    }

    /// These are not done.
    pub fn give_up<'b>(&mut self, bindings: impl Iterator<Item = &'b RawBinding>, why: &str) {
        let failed = bindings.map(|b| (b.clone(), why.to_owned()));
        self.outcome.failed.extend(failed);
    }

    fn create(&mut self) {
        let creates = &self.work.creates;
        if creates.is_empty() {
            return;
        }
        let bar = &self.work.bar;
        let mut batch = Batch {
            size: CREATED_AT_ONCE,
            pause: Duration::ZERO,
            stop: self.work.stop,
            progress: &mut |done, _| bar.set_position(done as u64),
        };
        let results = match self.admin.create_acls(creates, &mut batch) {
            Ok(results) => results,
            Err(error) => {
                // Whether a request without an answer did something, only a look can say.
                let each = match error.leaves_open() {
                    true => EntryError::Unanswered(error.to_string()),
                    false => EntryError::NotAttempted,
                };
                self.outcome.cause = Some(error);
                let all = creates.iter().cloned();
                all.map(|b| (b, Err(each.clone()))).collect()
            }
        };
        let (mut created, mut unknown, mut skipped) = (Vec::new(), Vec::new(), Vec::new());
        for (binding, result) in results {
            match result {
                Ok(()) => created.push(binding),
                Err(EntryError::Unanswered(why)) => unknown.push((binding, why)),
                Err(EntryError::NotAttempted) => skipped.push(binding),
                Err(error) => self.outcome.failed.push((binding, error.to_string())),
            }
        }
        let silent = !unknown.is_empty();
        let found = self.look_again(unknown);
        // A cluster that answers nothing any more shows nothing either; what it said before is believed.
        let shows = !silent || !found.is_empty();
        created.extend(found);
        let why = match self.stopped() {
            true => STOPPED,
            false => NOT_ATTEMPTED,
        };
        self.give_up(skipped.iter(), why);
        let missing = match shows {
            true => self.await_state(created.iter().collect(), true),
            false => Vec::new(),
        };
        self.outcome.created = created.len() - missing.len();
        let why = "written, but the broker that was asked does not show it";
        self.give_up(missing.into_iter(), why);
    }

    /// Of those that got no answer, the ones that were created nevertheless.
    fn look_again(&mut self, unknown: Vec<(RawBinding, String)>) -> Vec<RawBinding> {
        if unknown.is_empty() {
            return Vec::new();
        }
        let there = self.last_look(unknown.iter().map(|(b, _)| b));
        let mut created = Vec::new();
        for (binding, why) in unknown {
            match &there {
                Some(there) if there.contains(&binding) => created.push(binding),
                Some(_) => self
                    .outcome
                    .failed
                    .push((binding, "no answer, and it was not done".to_owned())),
                None => {
                    self.outcome.open = true;
                    let why = EntryError::Unanswered(why).to_string();
                    self.outcome.failed.push((binding, why));
                }
            }
        }
        created
    }

    /// What the cluster has of these principals, if it still answers.
    pub fn last_look<'b>(
        &mut self,
        bindings: impl Iterator<Item = &'b RawBinding>,
    ) -> Option<BTreeSet<RawBinding>> {
        let principals: BTreeSet<String> = bindings.map(|b| b.principal.to_string()).collect();
        let before = self.admin.set_timeout(LAST_LOOK);
        let there = self.read(&principals).ok();
        self.admin.set_timeout(before);
        there
    }

    /// What the cluster has of some principals.
    fn read(&mut self, principals: &BTreeSet<String>) -> Result<BTreeSet<RawBinding>, AdminError> {
        if principals.len() > LOOKED_AT_ONE_BY_ONE {
            let all = self
                .admin
                .describe_acls_of(&AclBindingFilter::default(), principals)?;
            return Ok(all.bindings.into_iter().collect());
        }
        let mut found = BTreeSet::new();
        for principal in principals {
            let of = self
                .admin
                .describe_acls(&AclBindingFilter::principal(principal))?;
            found.extend(of.bindings);
        }
        Ok(found)
    }

    /// Reads until all of these are there, or none; returns those that are not so after all. A broker learns what the
    /// controller did a moment later, and in the same order.
    pub fn await_state<'b>(&mut self, of: Vec<&'b RawBinding>, there: bool) -> Vec<&'b RawBinding> {
        let mut wrong = of;
        match self.reads_back(&mut wrong, there) {
            Ok(()) => wrong,
            Err(error) => {
                self.outcome.remarks.push(format!(
                    "the cluster accepted the changes, but reading them back failed: {error}"
                ));
                Vec::new()
            }
        }
    }

    /// Takes out of `wrong` what is as it should be, and waits until that is all.
    fn reads_back(&mut self, wrong: &mut Vec<&RawBinding>, there: bool) -> Result<(), AdminError> {
        let deadline = Instant::now() + PATIENCE;
        let mut pause = Duration::from_millis(20);
        while let Some(last) = wrong.last() {
            // The last one is cheap to ask for.
            let read = self.admin.describe_acls(&AclBindingFilter::from(*last))?;
            let late = Instant::now() > deadline;
            if late || read.bindings.is_empty() != there {
                let principals = wrong.iter().map(|b| b.principal.to_string()).collect();
                let found = self.read(&principals)?;
                wrong.retain(|b| found.contains(*b) != there);
            }
            if late || wrong.is_empty() {
                break;
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_secs(1));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binding_that_is_lost_is_a_failure_and_no_mere_remark() {
        let binding: RawBinding = serde_json::from_str(
            r#"{"resource_type":"TOPIC","pattern_type":"LITERAL","name":"t","principal":"User:a","host":"*","operation":"READ","permission":"ALLOW"}"#,
        )
        .unwrap();
        let lost = |back| {
            let mut outcome = Outcome::default();
            outcome.put_back(vec![binding.clone()], back);
            (outcome.failed.len(), outcome.open, outcome.remarks.len())
        };
        assert_eq!(lost(Ok(vec![(binding.clone(), Ok(()))])), (0, false, 1));
        let refused = Err(EntryError::NotAttempted);
        assert_eq!(lost(Ok(vec![(binding.clone(), refused)])), (1, true, 0));
        let gone = AdminError::SecurityDisabled { what: "x" };
        assert_eq!(lost(Err(gone)), (1, true, 0));
    }
}
