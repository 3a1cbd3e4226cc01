//! Takes a cluster from what it has to what a plan says: creates, reads back, deletes, reads back.
//!
//! One request is in flight at a time and each is short, because a KRaft controller answers the brokers' heartbeats on
//! the thread that changes ACLs.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use indicatif::ProgressBar;

use super::cover::{Cut, cover, fits};
use crate::{
    acl::RawBinding,
    admin::{AclFilter, Admin, AdminError, Batch, Described, Entries, EntryError},
};

/// Bindings in a request that creates them.
const CREATED_AT_ONCE: usize = 2_000;
/// As many principals are read one by one before their bindings are deleted; more of them by reading everything.
const READ_ONE_BY_ONE: usize = 200;
/// The same for looking at what was done. A broker looks through all of its bindings for each.
const LOOKED_AT_ONE_BY_ONE: usize = 8;
/// How long a request that deletes shall keep the controller busy.
const BUSY: Duration = Duration::from_millis(400);
/// How long to wait until the cluster shows what was done.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long to wait for a cluster that has just failed to answer.
const LAST_LOOK: Duration = Duration::from_secs(5);

/// Why something was left undone.
const STOPPED: &str = "not attempted: stopped before its turn";
const NOT_ATTEMPTED: &str = "not attempted: the work ended before its turn";

/// What is to be done.
pub struct Work<'a> {
    /// What to create.
    pub creates: Vec<RawBinding>,
    /// What to delete.
    pub deletes: &'a [RawBinding],
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
    /// What else to know.
    pub remarks: Vec<String>,
}

impl Outcome {
    /// Takes note of bindings that were deleted although nobody said so, and of the attempt to create them again. One
    /// that is lost is a failure: whoever reads no more than the exit code has to learn of it.
    fn put_back(&mut self, beyond: Vec<RawBinding>, back: Result<Entries, AdminError>) {
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

struct Run<'a> {
    admin: &'a mut Admin,
    work: &'a Work<'a>,
    outcome: Outcome,
}

impl Run<'_> {
    fn stopped(&self) -> bool {
        self.work.stop.load(Ordering::Relaxed)
    }

    fn give_up<'b>(&mut self, bindings: impl Iterator<Item = &'b RawBinding>, why: &str) {
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

    /// What the cluster has of some principals.
    fn read(&mut self, principals: &BTreeSet<String>) -> Result<BTreeSet<RawBinding>, AdminError> {
        if principals.len() > LOOKED_AT_ONE_BY_ONE {
            let all = self
                .admin
                .describe_acls_of(&AclFilter::default(), principals)?;
            return Ok(all.bindings.into_iter().collect());
        }
        let mut found = BTreeSet::new();
        for principal in principals {
            let of = self.admin.describe_acls(&AclFilter::principal(principal))?;
            found.extend(of.bindings);
        }
        Ok(found)
    }

    /// Reads until all of these are there, or none; returns those that are not so after all. A broker learns what the
    /// controller did a moment later, and in the same order.
    fn await_state<'b>(&mut self, of: Vec<&'b RawBinding>, there: bool) -> Vec<&'b RawBinding> {
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
            let read = self.admin.describe_acls(&AclFilter::from(*last))?;
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

    fn delete(&mut self) {
        let mut of: BTreeMap<&str, BTreeSet<&RawBinding>> = BTreeMap::new();
        for binding in self.work.deletes {
            of.entry(&binding.principal).or_default().insert(binding);
        }
        let mut deleted: BTreeSet<RawBinding> = BTreeSet::new();
        let mut at_once = 4;
        let mut principals = of.iter();
        let mut waiting = Vec::new();
        let mut all = match of.len() > READ_ONE_BY_ONE {
            true => self.read_all(of.keys().map(|p| (*p).to_owned()).collect()),
            false => None,
        };
        while !self.stopped() && self.outcome.cause.is_none() {
            // Read just before it is deleted, so that a broad filter meets nothing else.
            while waiting.len() < at_once
                && let Some((principal, going)) = principals.next()
            {
                let held = match &mut all {
                    Some(all) => Ok(all.take(principal)),
                    None => Held::read(self.admin, principal),
                };
                match held {
                    Ok(held) => {
                        let cuts = cover(principal, &held.bindings, going, held.whole);
                        waiting.extend(cuts.into_iter().map(Sent::from));
                    }
                    Err(error) => {
                        self.outcome.cause = Some(error);
                        break;
                    }
                }
            }
            if waiting.is_empty() || self.stopped() || self.outcome.cause.is_some() {
                break;
            }
            let request = take(&mut waiting, at_once);
            let begun = Instant::now();
            self.request(&request, &mut deleted);
            let done = self.work.creates.len() + deleted.len();
            self.work.bar.set_position(done as u64);
            let each = begun.elapsed() / request.len() as u32;
            let fit = BUSY.as_micros() / each.as_micros().max(1);
            at_once = (fit as usize).clamp(1, at_once * 4).min(1_000);
        }
        self.finish_deletion(deleted);
    }

    /// What all of these have, where asking for one after the other would take too long.
    fn read_all(&mut self, principals: BTreeSet<String>) -> Option<HeldByAll> {
        let read = self
            .admin
            .describe_acls_of(&AclFilter::default(), &principals);
        match read {
            Ok(read) => {
                let whole = is_whole(&read);
                let mut of: HashMap<Arc<str>, BTreeSet<RawBinding>> = HashMap::new();
                for binding in read.bindings {
                    let principal = Arc::clone(&binding.principal);
                    of.entry(principal).or_default().insert(binding);
                }
                Some(HeldByAll { of, whole })
            }
            Err(error) => {
                self.outcome.cause = Some(error);
                None
            }
        }
    }

    /// Sends one request, and puts back what it should not have deleted.
    fn request(&mut self, request: &[Sent], deleted: &mut BTreeSet<RawBinding>) {
        let filters: Vec<AclFilter> = request.iter().map(|sent| sent.filter.clone()).collect();
        let mut batch = Batch {
            size: filters.len(),
            ..Batch::default()
        };
        let results = match self.admin.delete_acls(&filters, &mut batch) {
            Ok(results) => results,
            Err(error) => {
                self.outcome.cause = Some(error);
                return;
            }
        };
        let mut beyond = Vec::new();
        for (sent, result) in request.iter().zip(results) {
            let matched = match result {
                Ok(matched) => matched,
                Err(error) => {
                    self.outcome.open |= matches!(error, EntryError::Unanswered(_));
                    let all = sent.bindings.iter().cloned();
                    let failed = all.map(|b| (b, error.to_string()));
                    self.outcome.failed.extend(failed);
                    continue;
                }
            };
            for (binding, result) in matched.bindings {
                match result {
                    Ok(()) if sent.bindings.contains(&binding) => drop(deleted.insert(binding)),
                    Ok(()) => beyond.push(binding),
                    Err(error) => self.outcome.failed.push((binding, error.to_string())),
                }
            }
            if matched.unreadable > 0 {
                self.outcome.remarks.push(format!(
                    "{} that came while kpki worked and that it cannot name went with those of {}",
                    super::count(matched.unreadable, "binding"),
                    sent.filter.principal.as_deref().unwrap_or_default()
                ));
            }
        }
        if beyond.is_empty() {
            return;
        }
        // They came between the reading and the deleting.
        let back = self.admin.create_acls(&beyond, &mut Batch::default());
        self.outcome.put_back(beyond, back);
    }

    /// Holds what was to go against what went.
    fn finish_deletion(&mut self, deleted: BTreeSet<RawBinding>) {
        // A request without an answer may have done its work all the same.
        let still = match &self.outcome.cause {
            Some(cause) if cause.leaves_open() => self.last_look(self.work.deletes.iter()),
            _ => None,
        };
        let refused: HashSet<RawBinding> =
            self.outcome.failed.iter().map(|(b, _)| b.clone()).collect();
        let left = self.work.deletes.iter();
        let left = left.filter(|b| !deleted.contains(*b) && !refused.contains(*b));
        let (mut gone_anyhow, mut open) = (0, false);
        for binding in left {
            let why = match (&still, &self.outcome.cause) {
                (Some(still), _) if !still.contains(binding) => {
                    gone_anyhow += 1;
                    continue;
                }
                (Some(_), _) => "not deleted",
                (None, Some(cause)) if cause.leaves_open() => {
                    open = true;
                    "not known to be deleted: the cluster no longer answers"
                }
                (None, Some(_)) => NOT_ATTEMPTED,
                (None, None) if self.stopped() => STOPPED,
                // Somebody else was faster.
                (None, None) => continue,
            };
            self.outcome.failed.push((binding.clone(), why.to_owned()));
        }
        self.outcome.open |= open;
        let wrong = match self.outcome.cause.is_some() {
            true => Vec::new(),
            false => self.await_state(deleted.iter().collect(), false),
        };
        self.outcome.deleted = deleted.len() + gone_anyhow - wrong.len();
        let wrong: Vec<RawBinding> = wrong.into_iter().cloned().collect();
        let why = "deleted, but the broker that was asked still shows it";
        self.give_up(wrong.iter(), why);
    }
}

/// What a principal has.
struct Held {
    bindings: BTreeSet<RawBinding>,
    /// There is nothing else, not even what librdkafka cannot name.
    whole: bool,
}

impl Held {
    fn read(admin: &mut Admin, principal: &str) -> Result<Held, AdminError> {
        let read = admin.describe_acls(&AclFilter::principal(principal))?;
        let whole = is_whole(&read);
        let bindings = read.bindings.into_iter().collect();
        Ok(Held { bindings, whole })
    }
}

/// What every principal has.
struct HeldByAll {
    of: HashMap<Arc<str>, BTreeSet<RawBinding>>,
    whole: bool,
}

impl HeldByAll {
    fn take(&mut self, principal: &str) -> Held {
        Held {
            bindings: self.of.remove(principal).unwrap_or_default(),
            whole: self.whole,
        }
    }
}

fn is_whole(read: &Described) -> bool {
    read.unreadable == 0 && !read.may_miss_unreadable
}

/// A filter to send, with what it is to match.
struct Sent {
    filter: AclFilter,
    bindings: BTreeSet<RawBinding>,
}

impl From<Cut<'_>> for Sent {
    fn from(cut: Cut<'_>) -> Self {
        Sent {
            filter: cut.filter,
            bindings: cut.bindings.into_iter().cloned().collect(),
        }
    }
}

/// The next request: at most so many filters, with an answer that can be received, and none that matches what another
/// does: controllers of Kafka 3.2 do not survive that (KAFKA-13892).
fn take(waiting: &mut Vec<Sent>, most: usize) -> Vec<Sent> {
    let mut request: Vec<Sent> = Vec::new();
    while request.len() < most
        && let Some(next) = waiting.pop()
    {
        let so_far = request.iter().flat_map(|s| &s.bindings);
        let alone = request
            .iter()
            .all(|sent| sent.bindings.is_disjoint(&next.bindings));
        let joins = request.is_empty() || alone && fits(so_far.chain(&next.bindings));
        if !joins {
            waiting.push(next);
            break;
        }
        request.push(next);
    }
    request
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acl::{Operation, PatternType, Permission, ResourceType};

    #[test]
    fn no_request_has_two_filters_for_one_binding() {
        let binding = |name: &str| RawBinding {
            resource_type: ResourceType::Topic,
            pattern_type: PatternType::Literal,
            name: name.into(),
            principal: "User:a".into(),
            host: "*".into(),
            operation: Operation::Read,
            permission: Permission::Allow,
        };
        let sent = |names: &[&str]| Sent {
            filter: AclFilter::principal("User:a"),
            bindings: names.iter().map(|name| binding(name)).collect(),
        };
        let mut waiting = vec![sent(&["a", "b", "c"]), sent(&["b", "d"]), sent(&["e"])];
        assert_eq!(take(&mut waiting, 10).len(), 2);
        assert_eq!(take(&mut waiting, 10).len(), 1);
        assert!(waiting.is_empty());
    }

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
