//! Deleting: with one filter per binding if the controller is fast enough, else with broader filters.
//!
//! With exact filters, a plan is applied exactly as reviewed, whatever happens in the meantime. A broad filter also
//! deletes bindings that someone else creates between reading and deleting, and only its answer lists those. So a broad
//! filter is recorded in the output directory before it is sent, and if its answer is lost, the next command says so.

use std::{
    collections::{BTreeSet, HashSet},
    time::{Duration, Instant},
};

use time::OffsetDateTime;

use super::{
    Incident, Run, Undone,
    delete_filters::{COMPARING, Sent, by_principal, delete_filters, exact, is_affordable},
    held::{Held, take},
};
use crate::{
    acl::{AclBindingFilter, RawBinding},
    admin::{AdminError, Batch},
    state::{Pruning, Reach, StateError},
};

/// Up to this many principals are read one by one before their bindings are deleted; for more, everything is read.
const READ_ONE_BY_ONE: usize = 200;
/// How long a deletion request may keep the controller busy.
const BUSY: Duration = Duration::from_millis(400);
/// The maximum number of filters in a request: the default of a [`Batch`].
const MOST_AT_ONCE: usize = 1_000;
/// How often, and with what pauses, to read after a request without an answer: brokers lag behind the controller.
const LOOKS: usize = 3;
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

/// The results of the deletions.
#[derive(Default)]
struct Deleting {
    /// The controller reported these as deleted.
    done: BTreeSet<RawBinding>,
    /// Their request got no answer.
    unanswered: BTreeSet<RawBinding>,
}

/// How many filters fit into a request.
struct Pace {
    at_once: usize,
}

impl Pace {
    fn new(observed: usize) -> Self {
        let each = COMPARING.as_nanos() * observed.max(1) as u128;
        let fit = BUSY.as_nanos() / 2 / each;
        Self {
            at_once: (fit as usize).clamp(1, MOST_AT_ONCE),
        }
    }

    fn took(&mut self, filters: usize, time: Duration) {
        let each = time.as_micros() / filters.max(1) as u128;
        let fit = (BUSY.as_micros() / each.max(1)) as usize;
        self.at_once = fit.clamp(1, self.at_once * 4).min(MOST_AT_ONCE);
    }
}

impl Run<'_> {
    /// Deletes, as far as possible.
    pub(super) fn delete(&mut self) {
        let mut deleting = Deleting::default();
        let affordable = is_affordable(self.of.plan.deletes.len(), self.of.observed);
        match if affordable { None } else { self.note() } {
            Some(note) => self.broadly(note, &mut deleting),
            None => self.one_by_one(&self.of.plan.deletes, &mut deleting),
        }
        self.finish(deleting);
    }

    /// The record that must be written before a broad filter is sent.
    fn note(&mut self) -> Option<Pruning> {
        let why = match Pruning::take(self.of.out, OffsetDateTime::now_utc()) {
            Ok(Some(note)) => return Some(note),
            Ok(None) => Incident::NoteHeld,
            Err(error) => Incident::NotNoted(error),
        };
        self.outcome.incidents.push(why);
        None
    }

    fn one_by_one(&mut self, bindings: &[RawBinding], deleting: &mut Deleting) {
        let mut pace = Pace::new(self.of.observed);
        let mut left = bindings;
        while !left.is_empty() && !self.stopped() && self.outcome.cause.is_none() {
            let (now, later) = left.split_at(pace.at_once.min(left.len()));
            left = later;
            let filters: Vec<AclBindingFilter> = now.iter().map(AclBindingFilter::from).collect();
            let begun = Instant::now();
            match self.admin.delete_acls(&filters, &mut Batch::default()) {
                Ok(results) => {
                    for (binding, result) in now.iter().zip(results) {
                        let refused = match result {
                            Ok(matched) => matched.bindings.into_iter().find_map(|(_, r)| r.err()),
                            Err(error) => Some(error),
                        };
                        match refused {
                            // Deleted, even if this is the answer to a repeated request and does not list it.
                            None => drop(deleting.done.insert(binding.clone())),
                            Some(error) if error.may_be_done() => {
                                deleting.unanswered.insert(binding.clone());
                            }
                            Some(error) => {
                                self.outcome.failed.push((binding.clone(), error.into()));
                            }
                        }
                    }
                }
                Err(error) => self.broken_off(error, now.iter(), deleting),
            }
            pace.took(now.len(), begun.elapsed());
            self.show(deleting);
        }
    }

    fn show(&self, deleting: &Deleting) {
        let done = self.of.plan.creates.len() + deleting.done.len();
        (self.of.progress)(done);
    }

    /// Ends the work if a request failed as a whole.
    fn broken_off<'b>(
        &mut self,
        error: AdminError,
        bindings: impl Iterator<Item = &'b RawBinding>,
        deleting: &mut Deleting,
    ) {
        if error.may_be_done() {
            deleting.unanswered.extend(bindings.cloned());
        }
        self.outcome.cause = Some(error);
    }

    fn broadly(&mut self, mut note: Pruning, deleting: &mut Deleting) {
        let of = by_principal(&self.of.plan.deletes);
        let mut pace = Pace::new(self.of.observed);
        let mut principals = of.iter();
        let mut waiting = Vec::new();
        let mut all = None;
        if of.len() > READ_ONE_BY_ONE {
            let principals = of.keys().map(|p| (*p).to_owned()).collect();
            match Held::read(self.admin, &AclBindingFilter::default(), &principals) {
                Ok(read) => all = Some(read),
                Err(error) => self.outcome.cause = Some(error),
            }
        }
        while !self.stopped() && self.outcome.cause.is_none() {
            // Read just before deleting, so that a broad filter matches little else.
            while waiting.len() < pace.at_once
                && let Some((principal, going)) = principals.next()
            {
                let of = AclBindingFilter::principal(principal);
                let mut own;
                let held = match &mut all {
                    Some(all) => all,
                    None => match Held::read(self.admin, &of, &BTreeSet::new()) {
                        Ok(read) => {
                            own = read;
                            &mut own
                        }
                        Err(error) => {
                            self.outcome.cause = Some(error);
                            break;
                        }
                    },
                };
                let bindings = held.of.remove(*principal).unwrap_or_default();
                waiting.extend(match held.cut {
                    true => exact(&bindings, going),
                    false => delete_filters(principal, &bindings, going, held.whole),
                });
            }
            if waiting.is_empty() || self.stopped() || self.outcome.cause.is_some() {
                break;
            }
            let request = take(&mut waiting, pace.at_once);
            let begun = Instant::now();
            if let Err(why) = self.request(&request, &mut note, deleting) {
                self.outcome.incidents.push(Incident::NoLongerNoted(why));
                let left = self.of.plan.deletes.iter();
                let left = left.filter(|b| !deleting.knows(b)).cloned();
                let left: Vec<RawBinding> = left.collect();
                self.one_by_one(&left, deleting);
                break;
            }
            pace.took(request.len(), begun.elapsed());
            self.show(deleting);
        }
        if let Err(error) = note.close() {
            self.outcome.incidents.push(error.into());
        }
    }

    /// Records and sends one request, and restores what it should not have deleted. An error says why it was not
    /// recorded, and therefore not sent.
    fn request(
        &mut self,
        request: &[Sent],
        note: &mut Pruning,
        deleting: &mut Deleting,
    ) -> Result<(), StateError> {
        let broad = request.iter().filter(|sent| !sent.filter.is_exact());
        let reach: Vec<Reach> = broad.map(Sent::reach).collect();
        let noted = match reach.is_empty() {
            true => None,
            false => {
                let cluster = self.admin.cluster_id().unwrap_or_default();
                Some(note.sent(cluster, reach.clone(), OffsetDateTime::now_utc())?)
            }
        };
        let filters: Vec<_> = request.iter().map(|sent| sent.filter.clone()).collect();
        let results = match self.admin.delete_acls(&filters, &mut Batch::default()) {
            Ok(results) => results,
            Err(error) => {
                match &noted {
                    Some(_) if error.may_be_done() => self.outcome.lost.extend(reach),
                    // A record that stays only causes a needless warning.
                    Some(id) => drop(note.settled(id)),
                    None => {}
                }
                let bindings = request.iter().flat_map(|sent| &sent.bindings);
                self.broken_off(error, bindings, deleting);
                return Ok(());
            }
        };
        let (mut newer, mut lost) = (Vec::new(), Vec::new());
        for (sent, result) in request.iter().zip(results) {
            let matched = match result {
                Ok(matched) => matched,
                Err(error) if error.may_be_done() => {
                    deleting.unanswered.extend(sent.bindings.iter().cloned());
                    lost.extend(sent.broad());
                    continue;
                }
                Err(error) => {
                    let all = sent.bindings.iter().cloned();
                    let failed = all.map(|b| (b, error.clone().into()));
                    self.outcome.failed.extend(failed);
                    continue;
                }
            };
            let mut named = 0;
            let mut refused = HashSet::new();
            for (binding, result) in matched.bindings {
                let known = sent.bindings.contains(&binding);
                named += usize::from(known);
                match result {
                    Ok(()) if known => {}
                    Ok(()) => newer.push(binding),
                    Err(error) => {
                        refused.insert(binding.clone());
                        self.outcome.failed.push((binding, error.into()));
                    }
                }
            }
            let gone = sent.bindings.iter().filter(|b| !refused.contains(*b));
            deleting.done.extend(gone.cloned());
            if named < sent.bindings.len() {
                // The broker repeats the request if its connection to the controller breaks, and the answer then does
                // not list what the first attempt deleted.
                lost.extend(sent.broad());
            }
            if matched.unreadable > 0 {
                self.outcome.incidents.push(Incident::Unnamed {
                    number: matched.unreadable,
                    principal: sent.filter.principal.clone().unwrap_or_default(),
                });
            }
        }
        let mut settled = lost.is_empty();
        self.outcome.lost.extend(lost);
        if !newer.is_empty() {
            // They were created between reading and deleting.
            if let (true, Some(id)) = (settled, &noted)
                && let Err(error) = note.answered(id, newer.clone())
            {
                self.outcome.incidents.push(error.into());
            }
            let back = self.admin.create_acls(&newer, &mut Batch::default());
            settled &= self.outcome.put_back(newer, back);
        }
        if let (true, Some(id)) = (settled, &noted) {
            drop(note.settled(id));
        }
        Ok(())
    }

    /// Compares what was to be deleted with what was.
    fn finish(&mut self, deleting: Deleting) {
        let refused = self.outcome.failed.iter().map(|(b, _)| b.clone());
        let refused: HashSet<RawBinding> = refused.collect();
        let left = self.of.plan.deletes.iter();
        let left = left.filter(|b| !deleting.knows(b) && !refused.contains(*b));
        let left: Vec<RawBinding> = left.cloned().collect();
        let Deleting {
            mut done,
            unanswered,
        } = deleting;
        match &self.outcome.cause {
            Some(_) => self.give_up(&left, Undone::NotAttempted),
            None if self.stopped() => self.give_up(&left, Undone::Stopped),
            // Already deleted.
            None => {}
        }
        // A request without an answer may have been executed all the same.
        let mut still = None;
        for look in 0..LOOKS {
            if unanswered.is_empty() {
                break;
            }
            if look > 0 {
                std::thread::sleep(BETWEEN_LOOKS);
            }
            still = self.last_look(unanswered.iter());
            match &still {
                Some(still) if unanswered.is_disjoint(still) => break,
                Some(_) => {}
                None => break,
            }
        }
        for binding in unanswered {
            let why = match &still {
                Some(still) if !still.contains(&binding) => {
                    done.insert(binding);
                    continue;
                }
                Some(_) => Undone::NotDeleted,
                None => {
                    self.outcome.open = true;
                    Undone::Unknown
                }
            };
            self.outcome.failed.push((binding, why));
        }
        let wrong = match self.outcome.cause.is_some() {
            true => Vec::new(),
            false => self.await_state(done.iter().collect(), false),
        };
        self.outcome.deleted = done.len() - wrong.len();
        self.give_up(wrong, Undone::StillShown);
    }
}

impl Deleting {
    fn knows(&self, binding: &RawBinding) -> bool {
        self.done.contains(binding) || self.unanswered.contains(binding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_short_from_the_first_one_on() {
        assert_eq!(Pace::new(0).at_once, MOST_AT_ONCE);
        assert_eq!(Pace::new(10_000).at_once, 133);
        assert_eq!(Pace::new(10_000_000).at_once, 1);
        let mut pace = Pace::new(10_000);
        pace.took(133, Duration::from_millis(13));
        assert_eq!(pace.at_once, 4 * 133);
        pace.took(532, Duration::from_secs(4));
        assert_eq!(pace.at_once, 53);
    }
}
