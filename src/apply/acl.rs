//! Applies a plan to a cluster's ACLs: creates, reads back, deletes, reads back.
//!
//! There is one short request at a time, because a KRaft controller answers the brokers' heartbeats on the thread that
//! changes ACLs.

mod delete;
mod delete_filters;
mod held;
mod outcome;
pub mod unsettled;

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use super::observed::Observed;
use crate::{
    acl::{AclBindingFilter, Binding, Principal, RawBinding, kafka_acls_command},
    admin::{Admin, AdminError, Batch, EntryError, inexpressible},
    deeds::did,
    plan::{AclInputs, AclPlan, CutOff, Deletion, Managed, Remark, acl_plan, count},
    policy::ValidatedPolicy,
    state::OutDir,
};

pub use delete_filters::{Effort, effort};
pub use outcome::{AclOutcome, Incident, Undone};

/// The number of bindings in a request that creates them.
const CREATED_AT_ONCE: usize = 2_000;
/// Up to this many principals are read one by one; for more, everything is read. A broker searches all its bindings
/// for each request.
const LOOKED_AT_ONE_BY_ONE: usize = 8;
/// How long to wait until the cluster shows the changes.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long to wait for a cluster that has just failed to answer.
const LAST_LOOK: Duration = Duration::from_secs(5);

/// The plan that makes the cluster match the policy and locks out revoked clients, for `acl plan` and `acl apply`.
pub fn plan(
    policy: &ValidatedPolicy,
    cut_off: &CutOff,
    observed: &Observed,
    deletion: Deletion,
) -> AclPlan {
    let bindings = policy.bindings.iter().map(|b| b.binding.clone());
    let mut desired: Vec<Binding> = bindings.collect();
    let refused = cut_off.bindings(&observed.bindings, policy.version());
    if !refused.is_empty() {
        desired.extend(refused);
        desired.sort();
        desired.dedup();
    }
    let mut plan = acl_plan(&AclInputs {
        desired: &desired,
        observed: &observed.bindings,
        managed: &Managed::of(&policy.managed()),
        deletion,
        operator: observed.operator.as_ref().map(Principal::as_str),
        operator_doubt: observed.operator_doubt.as_deref(),
        settings: &observed.settings,
    });
    plan.warnings.extend(cut_off.remarks.iter().cloned());
    // Bindings that librdkafka cannot express must be created with Kafka's own tool.
    let unnamed = plan.creates.iter().filter(|b| inexpressible(b).is_some());
    let refusals = unnamed.map(|binding| {
        let command = kafka_acls_command(binding);
        Remark::new(
            "inexpressible",
            format!("kpki's Kafka client cannot create {binding}; create it with Kafka's own tool, then run this again:\n  {command}"),
        )
    });
    plan.refusals.extend(refusals.collect::<Vec<_>>());
    plan
}

/// How a plan is executed.
pub struct Execution<'a> {
    /// The changes to make.
    pub plan: &'a AclPlan,
    /// How many bindings the cluster has, all of which are compared with each deletion filter.
    pub observed: usize,
    /// Where to record what broad filters may delete.
    pub out: &'a OutDir,
    /// Stops the work between two requests.
    pub stop: &'a AtomicBool,
    /// Called with the number of changes made so far.
    pub progress: &'a dyn Fn(usize),
}

/// Makes the changes of a plan, as far as possible.
pub fn execute(admin: &mut Admin, of: &Execution<'_>) -> AclOutcome {
    let mut run = Run {
        admin,
        of,
        outcome: AclOutcome::default(),
    };
    run.create();
    let went_wrong = match () {
        () if run.stopped() => Some(Undone::Stopped),
        () if run.outcome.cause.is_some() => Some(Undone::NotAttempted),
        () if !run.outcome.failed.is_empty() => Some(Undone::CreatesFirst),
        () => None,
    };
    match went_wrong {
        None => run.delete(),
        Some(why) => run.give_up(&of.plan.deletes, why),
    }
    for (verb, changed) in [
        ("created", run.outcome.created),
        ("deleted", run.outcome.deleted),
    ] {
        if changed > 0 {
            did(verb, count(changed, "ACL binding"));
        }
    }
    run.outcome
}

/// The work in progress.
struct Run<'a> {
    admin: &'a mut Admin,
    of: &'a Execution<'a>,
    /// What was done so far.
    outcome: AclOutcome,
}

impl Run<'_> {
    fn stopped(&self) -> bool {
        self.of.stop.load(Ordering::Relaxed)
    }

    /// Records changes that were not made.
    fn give_up<'b>(&mut self, bindings: impl IntoIterator<Item = &'b RawBinding>, why: Undone) {
        let failed = bindings.into_iter().map(|b| (b.clone(), why.clone()));
        self.outcome.failed.extend(failed);
    }

    fn create(&mut self) {
        let creates = self.of.plan.creates.iter();
        let creates: Vec<RawBinding> = creates.map(|b| b.as_raw().clone()).collect();
        if creates.is_empty() {
            return;
        }
        let mut batch = Batch {
            size: CREATED_AT_ONCE,
            pause: Duration::ZERO,
            stop: self.of.stop,
            progress: &mut |done, _| (self.of.progress)(done),
        };
        let results = match self.admin.create_acls(&creates, &mut batch) {
            Ok(results) => results,
            Err(error) => {
                // A request without an answer may have been executed: only reading tells.
                let each = match error.leaves_open() {
                    true => EntryError::Unanswered(error.to_string()),
                    false => EntryError::NotAttempted,
                };
                self.outcome.cause = Some(error);
                let all = creates.into_iter().map(|b| (b, Err(each.clone())));
                all.collect()
            }
        };
        let (mut created, mut unknown, mut skipped) = (Vec::new(), Vec::new(), Vec::new());
        for (binding, result) in results {
            match result {
                Ok(()) => created.push(binding),
                Err(error @ EntryError::Unanswered(_)) => unknown.push((binding, error)),
                Err(EntryError::NotAttempted) => skipped.push(binding),
                Err(error) => self.outcome.failed.push((binding, error.into())),
            }
        }
        let silent = !unknown.is_empty();
        let found = self.look_again(unknown);
        // If the cluster no longer answers, its earlier answers are trusted.
        let shows = !silent || !found.is_empty();
        created.extend(found);
        let why = match self.stopped() {
            true => Undone::Stopped,
            false => Undone::NotAttempted,
        };
        self.give_up(&skipped, why);
        let missing = match shows {
            true => self.await_state(created.iter().collect(), true),
            false => Vec::new(),
        };
        self.outcome.created = created.len() - missing.len();
        self.give_up(missing, Undone::NotShown);
    }

    /// The bindings that were created although there was no answer.
    fn look_again(&mut self, unknown: Vec<(RawBinding, EntryError)>) -> Vec<RawBinding> {
        if unknown.is_empty() {
            return Vec::new();
        }
        let there = self.last_look(unknown.iter().map(|(b, _)| b));
        let mut created = Vec::new();
        for (binding, error) in unknown {
            let why = match &there {
                Some(there) if there.contains(&binding) => {
                    created.push(binding);
                    continue;
                }
                Some(_) => Undone::NotCreated,
                None => {
                    self.outcome.open = true;
                    error.into()
                }
            };
            self.outcome.failed.push((binding, why));
        }
        created
    }

    /// The cluster's bindings of these principals, if it still answers.
    fn last_look<'b>(
        &mut self,
        bindings: impl Iterator<Item = &'b RawBinding>,
    ) -> Option<BTreeSet<RawBinding>> {
        let principals: BTreeSet<String> = bindings.map(|b| b.principal.to_string()).collect();
        let before = self.admin.set_timeout(LAST_LOOK);
        let there = self.read(&principals).ok();
        self.admin.set_timeout(before);
        there
    }

    /// The cluster's bindings of some principals.
    fn read(&mut self, principals: &BTreeSet<String>) -> Result<BTreeSet<RawBinding>, AdminError> {
        if principals.len() > LOOKED_AT_ONE_BY_ONE {
            let everything = AclBindingFilter::default();
            let all = self.admin.describe_acls_of(&everything, principals)?;
            return Ok(all.bindings.into_iter().collect());
        }
        let mut found = BTreeSet::new();
        for principal in principals {
            let filter = AclBindingFilter::principal(principal);
            found.extend(self.admin.describe_acls(&filter)?.bindings);
        }
        Ok(found)
    }

    /// Reads until all of these exist, or none do; returns the exceptions. A broker sees the controller's changes
    /// shortly after they are made, in the same order.
    fn await_state<'b>(&mut self, of: Vec<&'b RawBinding>, there: bool) -> Vec<&'b RawBinding> {
        let mut wrong = of;
        if let Err(error) = self.reads_back(&mut wrong, there) {
            self.outcome.incidents.push(Incident::NotReadBack(error));
            wrong.clear();
        }
        wrong
    }

    /// Removes from `wrong` what is right, and waits until it is empty.
    fn reads_back(&mut self, wrong: &mut Vec<&RawBinding>, there: bool) -> Result<(), AdminError> {
        let deadline = Instant::now() + PATIENCE;
        let mut pause = Duration::from_millis(20);
        while let Some(last) = wrong.last() {
            // The last one is cheap to request.
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
