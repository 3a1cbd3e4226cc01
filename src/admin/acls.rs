//! Creating and deleting ACL bindings, in parts that the broker and the library can handle.

use super::{
    answers::Matched,
    client::{Admin, Batch, Repeat},
    codes,
    error::{AdminError, EntryError},
    raw::{Answered, BrokerError, code},
};
use crate::acl::{AclBindingFilter, Interner, RawBinding};

const CREATE: &str = "creating ACLs";
const DELETE: &str = "deleting ACLs";

/// Bindings, each with its result.
pub type Entries = Vec<(RawBinding, Result<(), EntryError>)>;

/// What one filter deleted.
#[derive(Debug, PartialEq, Eq)]
pub struct Deleted {
    /// The bindings that matched, each deleted or not.
    pub bindings: Entries,
    /// Deleted bindings that librdkafka cannot represent; see [`Described::unreadable`](super::Described::unreadable).
    /// If names in the answer were truncated at a NUL character, all that the filter itself does not name are counted
    /// here.
    pub unreadable: usize,
}

impl Admin {
    /// Creates bindings; one that already exists is a success. The result has every binding, in the given order.
    ///
    /// A request whose answer is lost is sent again. Once the work has begun, the call as a whole never fails: entries
    /// without an answer, or that were not attempted, are marked as such.
    ///
    /// # Errors
    /// If nothing was written: the cluster has no authorizer, does not let this principal write, or did not answer the
    /// first request.
    pub fn create_acls(
        &mut self,
        bindings: &[RawBinding],
        batch: &mut Batch<'_>,
    ) -> Result<Entries, AdminError> {
        let results = self.in_chunks(
            CREATE,
            bindings,
            batch,
            |binding| codes::pattern(binding).map(drop),
            |admin, chunk| {
                let patterns: Vec<_> = chunk.iter().flat_map(|b| codes::pattern(b)).collect();
                admin.ask(CREATE, Repeat::Safe, |handle, wait| {
                    heard(handle.create_acls(&patterns, wait)?)
                })
            },
        )?;
        Ok(bindings.iter().cloned().zip(results).collect())
    }

    /// Deletes what matches the filters; the results are in the filters' order. A missing binding is not an error.
    /// A request with exact filters whose answer is lost is sent again, so its result may list fewer bindings than were
    /// deleted; a request with a broad filter is not repeated.
    ///
    /// The controller tests every filter against every binding, so use one broad filter instead of many exact ones if
    /// everything that it matches is to be deleted, else small chunks with pauses. A filter that matches more than
    /// about 20,000 bindings deletes them, but its answer is too large to be received; KRaft refuses a request whose
    /// filters match more than 10,000 in total (`AclControlManager.MAX_RECORDS_PER_USER_OP`).
    ///
    /// # Errors
    /// As [`Admin::create_acls`].
    pub fn delete_acls(
        &mut self,
        filters: &[AclBindingFilter],
        batch: &mut Batch<'_>,
    ) -> Result<Vec<Result<Deleted, EntryError>>, AdminError> {
        let mut interner = Interner::default();
        self.in_chunks(
            DELETE,
            filters,
            batch,
            |filter| codes::filter(filter).map(drop),
            |admin, chunk| {
                let patterns: Vec<_> = chunk.iter().flat_map(|f| codes::filter(f)).collect();
                // Only the first answer lists unknown bindings that a broad filter deleted.
                let repeat = match chunk.iter().all(|filter| filter.is_exact()) {
                    true => Repeat::Safe,
                    false => Repeat::Never,
                };
                let (answer, whole) = admin.ask(DELETE, repeat, |handle, wait| {
                    let answer = handle.delete_acls(&patterns, wait)?;
                    let whole = answer.is_whole();
                    Ok((heard(answer.filters)?, whole))
                })?;
                let answer = answer.into_iter().enumerate().map(|(at, matched)| {
                    let sure = whole || chunk.get(at).is_some_and(|f| f.names_all());
                    Ok(deleted(matched?, sure, &mut interner))
                });
                Ok(answer.collect())
            },
        )
    }

    /// Sends a list in chunks. Entries that `expressible` refuses are not sent.
    fn in_chunks<T, R>(
        &mut self,
        what: &'static str,
        entries: &[T],
        batch: &mut Batch<'_>,
        expressible: impl Fn(&T) -> Result<(), &'static str>,
        mut send: impl FnMut(&mut Self, &[&T]) -> Result<Vec<Answered<R>>, AdminError>,
    ) -> Result<Vec<Result<R, EntryError>>, AdminError> {
        let problem = |entry| expressible(entry).err();
        let (mut results, to_send) = unsent(entries.iter().map(problem));
        for (number, chunk) in to_send.chunks(batch.chunk()).enumerate() {
            if batch.stopped() {
                break;
            }
            if number > 0 {
                std::thread::sleep(batch.pause);
            }
            let sent: Vec<&T> = chunk.iter().map(|i| &entries[*i]).collect();
            let answer = match send(self, &sent) {
                Ok(answer) if answer.len() == chunk.len() => answer,
                Ok(_) if number == 0 => return Err(self.failed(what, BrokerError::empty_answer())),
                Err(error) if number == 0 => return Err(error),
                other => {
                    let why = other.map_or_else(
                        |error| error.to_string(),
                        |_| BrokerError::empty_answer().text,
                    );
                    for i in chunk {
                        results[*i] = Err(EntryError::Unanswered(why.clone()));
                    }
                    break;
                }
            };
            let refused = all_refused(&answer);
            if let (0, Some(error)) = (number, &refused) {
                return Err(self.failed(what, error.clone()));
            }
            for (i, result) in chunk.iter().zip(answer) {
                results[*i] = result.map_err(EntryError::from);
            }
            if refused.is_some() {
                // The rest would be refused for the same reason.
                break;
            }
            let done = (number * batch.chunk()) + chunk.len();
            (batch.progress)(done + entries.len() - to_send.len(), entries.len());
        }
        Ok(results)
    }
}

/// Initial results of all entries, and the positions of those that can be sent.
pub(super) fn unsent<R>(
    problems: impl Iterator<Item = Option<&'static str>>,
) -> (Vec<Result<R, EntryError>>, Vec<usize>) {
    let (mut results, mut to_send) = (Vec::new(), Vec::new());
    for (at, problem) in problems.enumerate() {
        results.push(Err(match problem {
            Some(problem) => EntryError::Unsupported(problem.to_owned()),
            None => EntryError::NotAttempted,
        }));
        to_send.extend(problem.is_none().then_some(at));
    }
    (results, to_send)
}

/// An answer in which every entry failed because the broker got no answer from the controller counts as no answer.
fn heard<R>(answer: Vec<Answered<R>>) -> Answered<Vec<Answered<R>>> {
    let silent = |r: &Answered<R>| matches!(r, Err(e) if e.is_silence());
    match answer.first() {
        Some(Err(error)) if answer.iter().all(silent) => Err(error.clone()),
        _ => Ok(answer),
    }
}

/// The one reason for which a cluster refuses every entry.
fn all_refused<R>(answer: &[Answered<R>]) -> Option<BrokerError> {
    let first = answer.first()?.as_ref().err()?;
    let whole = [code::SECURITY_DISABLED, code::CLUSTER_AUTHORIZATION_FAILED];
    let same = |r: &Answered<R>| r.as_ref().is_err_and(|e| e.code == first.code);
    (whole.contains(&first.code) && answer.iter().all(same)).then(|| first.clone())
}

/// `sure`: no name was truncated at a NUL character, which would make it look like another binding's.
fn deleted(matched: Matched, sure: bool, interner: &mut Interner) -> Deleted {
    let mut deleted = Deleted {
        bindings: Vec::with_capacity(matched.len()),
        unreadable: 0,
    };
    for (binding, result) in matched {
        match codes::binding(&binding, &mut |text| interner.share(text)) {
            Some(binding) if sure || result.is_err() => {
                let result = result.map_err(EntryError::from);
                deleted.bindings.push((binding, result));
            }
            _ => deleted.unreadable += 1,
        }
    }
    deleted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::raw::AnyBinding;

    /// Else a binding on `t` would be restored after one on `t\0x` was deleted.
    #[test]
    fn what_was_deleted_under_a_name_that_may_be_cut_is_not_named() {
        let binding = AnyBinding {
            resource_type: 2,
            pattern_type: 3,
            name: "t".into(),
            principal: "User:a".into(),
            host: "*".into(),
            operation: 3,
            permission: 3,
        };
        let refused = Err(BrokerError::new(1, "x".into()));
        let matched = || {
            vec![
                (binding.clone(), Ok(())),
                (binding.clone(), refused.clone()),
            ]
        };
        let of = |sure| deleted(matched(), sure, &mut Interner::default());
        assert_eq!((of(true).bindings.len(), of(true).unreadable), (2, 0));
        let unsure = of(false);
        assert_eq!((unsure.bindings.len(), unsure.unreadable), (1, 1));
        assert!(unsure.bindings[0].1.is_err());
    }

    #[test]
    fn one_reason_for_all_is_the_requests_own_error() {
        let refused = |code| Err::<(), _>(BrokerError::new(code, "x".into()));
        assert!(all_refused::<()>(&[]).is_none());
        assert!(all_refused(&[refused(54), Ok(())]).is_none());
        assert!(all_refused(&[refused(42), refused(42)]).is_none());
        assert_eq!(all_refused(&[refused(54), refused(54)]).unwrap().code, 54);
    }
}
