//! Creating, describing and deleting ACL bindings, in parts that broker and library can take.

use std::collections::BTreeSet;

use super::{
    client::{ALTER, Admin, Batch, DESCRIBE, Failure},
    codes,
    error::{AdminError, EntryError},
    raw::{AnyBinding, BrokerError, Matched, code},
};
use crate::acl::{Interner, Operation, PatternType, Permission, RawBinding, ResourceType};

const CREATE: &str = "creating ACLs";
const READ: &str = "reading ACLs";
const DELETE: &str = "deleting ACLs";

/// Bytes of an answer to DescribeAcls version 0 and 1 without a binding and without an error message: throttle time,
/// error code, the length of no message, the length of no resources.
const EMPTY_ANSWER: usize = 4 + 2 + 2 + 4;

/// Which bindings are meant; `None` is all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AclFilter {
    /// On what kind of thing.
    pub resource_type: Option<ResourceType>,
    /// LITERAL or PREFIXED.
    pub pattern_type: Option<PatternType>,
    /// The binding's own name, not names that it covers.
    pub name: Option<String>,
    /// `User:a`.
    pub principal: Option<String>,
    /// The host as it is stored.
    pub host: Option<String>,
    /// The operation.
    pub operation: Option<Operation>,
    /// ALLOW or DENY.
    pub permission: Option<Permission>,
}

impl AclFilter {
    /// Everything about one principal.
    pub fn principal(principal: &str) -> Self {
        Self {
            principal: Some(principal.to_owned()),
            ..Self::default()
        }
    }
}

impl From<&RawBinding> for AclFilter {
    /// This binding and no other.
    fn from(binding: &RawBinding) -> Self {
        Self {
            resource_type: Some(binding.resource_type),
            pattern_type: Some(binding.pattern_type),
            name: Some(binding.name.to_string()),
            principal: Some(binding.principal.to_string()),
            host: Some(binding.host.to_string()),
            operation: Some(binding.operation),
            permission: Some(binding.permission),
        }
    }
}

/// What a cluster holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Described {
    /// The bindings, each once, in order.
    pub bindings: Vec<RawBinding>,
    /// Bindings that matched and that librdkafka cannot name: on delegation tokens and users, or with the operations
    /// CreateTokens, DescribeTokens and TwoPhaseCommit. They exist and are not among `bindings`.
    pub unreadable: usize,
    /// Whether there may be more of the unreadable ones: to stay within what can be received, the question was asked by
    /// operation or by resource type, and those cannot be asked for.
    pub may_miss_unreadable: bool,
}

/// Bindings, each with what became of it.
pub type Entries = Vec<(RawBinding, Result<(), EntryError>)>;

/// What one filter deleted.
#[derive(Debug, PartialEq, Eq)]
pub struct Deleted {
    /// The bindings that matched, each deleted or not.
    pub bindings: Entries,
    /// Deleted bindings that librdkafka cannot name; see [`Described::unreadable`].
    pub unreadable: usize,
}

impl Admin {
    /// Writes bindings; one that exists already is a success. The result has every binding, in the order given.
    ///
    /// Work that was begun is never an error as a whole: what got no answer and what was not attempted says so.
    ///
    /// # Errors
    /// When nothing was written: the cluster has no authorizer, or does not let this principal write, or gave no answer
    /// to the first request.
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
                admin.ask(CREATE, |handle, timeout, watch| {
                    handle.create_acls(&patterns, timeout, watch)
                })
            },
        )?;
        Ok(bindings.iter().cloned().zip(results).collect())
    }

    /// Deletes what matches the filters; the results are in the filters' order. A binding that is not there is no error.
    ///
    /// The controller tests every filter against every binding that it holds, so give one broad filter rather than many
    /// exact ones where everything that it matches is to go, and else small chunks with pauses. A filter that matches
    /// more than some 20,000 bindings deletes them and gives an answer that cannot be received.
    ///
    /// # Errors
    /// As [`Admin::create_acls`].
    pub fn delete_acls(
        &mut self,
        filters: &[AclFilter],
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
                let answer = admin.ask(DELETE, |handle, timeout, watch| {
                    handle.delete_acls(&patterns, timeout, watch)
                })?;
                Ok(answer
                    .into_iter()
                    .map(|result| Ok(deleted(result?, &mut interner)))
                    .collect())
            },
        )
    }

    /// Sends a list in chunks. What `expressible` refuses is not sent.
    fn in_chunks<T, R>(
        &mut self,
        what: &'static str,
        entries: &[T],
        batch: &mut Batch<'_>,
        expressible: impl Fn(&T) -> Result<(), &'static str>,
        mut send: impl FnMut(&mut Self, &[&T]) -> Result<Vec<Result<R, BrokerError>>, AdminError>,
    ) -> Result<Vec<Result<R, EntryError>>, AdminError> {
        let mut results: Vec<Result<R, EntryError>> = entries
            .iter()
            .map(|entry| match expressible(entry) {
                Ok(()) => Err(EntryError::NotAttempted),
                Err(word) => Err(EntryError::Unsupported(word.to_owned())),
            })
            .collect();
        let to_send: Vec<usize> = results
            .iter()
            .enumerate()
            .filter(|(_, r)| matches!(r, Err(EntryError::NotAttempted)))
            .map(|(i, _)| i)
            .collect();
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
                    let why = match other {
                        Err(error) => error.to_string(),
                        Ok(_) => BrokerError::empty_answer().text,
                    };
                    for i in chunk {
                        results[*i] = Err(EntryError::Unanswered(why.clone()));
                    }
                    break;
                }
            };
            if let (0, Some(error)) = (number, all_refused(&answer)) {
                return Err(self.failed(what, error));
            }
            for (i, result) in chunk.iter().zip(answer) {
                results[*i] = result.map_err(EntryError::from);
            }
            let done = (number * batch.chunk()) + chunk.len();
            (batch.progress)(done + entries.len() - to_send.len(), entries.len());
        }
        Ok(results)
    }

    /// The bindings that match. Where they are too many for one answer, it asks for each pattern type, permission,
    /// operation and resource type apart.
    ///
    /// # Errors
    /// Whatever keeps the answer from being complete, but for what [`Described`] says itself; never an empty list.
    pub fn describe_acls(&mut self, filter: &AclFilter) -> Result<Described, AdminError> {
        let mut interner = Interner::default();
        let mut found = BTreeSet::new();
        let mut described = Described::default();
        let mut parts = vec![filter.clone()];
        while let Some(part) = parts.pop() {
            match self.describe_part(&part)? {
                Some(bindings) => {
                    for binding in &bindings {
                        match codes::binding(binding, &mut |text| interner.share(text)) {
                            Some(binding) => drop(found.insert(binding)),
                            None => described.unreadable += 1,
                        }
                    }
                }
                None => {
                    let (smaller, complete) =
                        split(&part).ok_or_else(|| AdminError::TooManyBindings {
                            part: describe_filter(&part),
                        })?;
                    described.may_miss_unreadable |= !complete;
                    parts.extend(smaller);
                }
            }
        }
        described.bindings = found.into_iter().collect();
        Ok(described)
    }

    /// One request; `None`: the answer is too large.
    fn describe_part(&mut self, part: &AclFilter) -> Result<Option<Vec<AnyBinding>>, AdminError> {
        let pattern = codes::filter(part).map_err(|word| AdminError::Unsupported {
            what: READ,
            text: word.to_owned(),
        })?;
        let answer =
            self.run(|handle, timeout, watch| handle.describe_acls(&pattern, timeout, watch));
        match answer {
            Err(Failure::TooLarge) => Ok(None),
            Err(Failure::Error(error)) => Err(self.failed(READ, error)),
            // librdkafka drops the broker's error and gives an empty list (rd_kafka_DescribeAclsResponse_parse), but the
            // error's message makes the answer longer than an empty one.
            Ok(bindings)
                if bindings.is_empty() && self.handle.describe_acls_bytes() != EMPTY_ANSWER =>
            {
                Err(self.hidden())
            }
            Ok(bindings) => Ok(Some(bindings)),
        }
    }

    /// Why a broker refused to describe ACLs, found out by other requests.
    fn hidden(&mut self) -> AdminError {
        let may = match self.cluster_operations(READ) {
            Ok(operations) => operations,
            Err(error) => return error,
        };
        if !may.contains(&DESCRIBE) {
            let text = "it needs Describe on the cluster".to_owned();
            return AdminError::NotAuthorized { what: READ, text };
        }
        if may.contains(&ALTER) {
            // An error comes through here, and this matches nothing: names of topics have no spaces.
            let nothing = AclFilter {
                resource_type: Some(ResourceType::Topic),
                pattern_type: Some(PatternType::Literal),
                name: Some("kpki asks whether there is an authorizer".into()),
                principal: Some("User:kpki".into()),
                host: Some("*".into()),
                operation: Some(Operation::Read),
                permission: Some(Permission::Deny),
            };
            if let Err(error @ AdminError::SecurityDisabled { .. }) =
                self.delete_acls(&[nothing], &mut Batch::default())
            {
                return match error {
                    AdminError::SecurityDisabled { .. } => {
                        AdminError::SecurityDisabled { what: READ }
                    }
                    other => other,
                };
            }
        }
        AdminError::Hidden { what: READ }
    }
}

/// The one reason for which a cluster refuses every entry, whatever it says.
fn all_refused<R>(answer: &[Result<R, BrokerError>]) -> Option<BrokerError> {
    let first = answer.first()?.as_ref().err()?;
    let whole = [code::SECURITY_DISABLED, code::CLUSTER_AUTHORIZATION_FAILED];
    let same = |r: &Result<R, BrokerError>| r.as_ref().is_err_and(|e| e.code == first.code);
    (whole.contains(&first.code) && answer.iter().all(same)).then(|| first.clone())
}

fn deleted(matched: Matched, interner: &mut Interner) -> Deleted {
    let mut deleted = Deleted {
        bindings: Vec::with_capacity(matched.len()),
        unreadable: 0,
    };
    for (binding, result) in matched {
        match codes::binding(&binding, &mut |text| interner.share(text)) {
            Some(binding) => deleted
                .bindings
                .push((binding, result.map_err(EntryError::from))),
            None => deleted.unreadable += 1,
        }
    }
    deleted
}

/// Filters that together match what one matches, and whether they really match all of it: there are operations and
/// resource types that librdkafka does not have. The splits without loss come first.
fn split(filter: &AclFilter) -> Option<(Vec<AclFilter>, bool)> {
    fn each<T: Copy>(
        table: &[(T, i32)],
        filter: &AclFilter,
        set: impl Fn(&mut AclFilter, T),
    ) -> Vec<AclFilter> {
        let one = |(word, _): &(T, i32)| {
            let mut part = filter.clone();
            set(&mut part, *word);
            part
        };
        table.iter().map(one).collect()
    }
    if filter.pattern_type.is_none() {
        let set = |f: &mut AclFilter, t| f.pattern_type = Some(t);
        return Some((each(&codes::PATTERN_TYPES, filter, set), true));
    }
    if filter.permission.is_none() {
        let set = |f: &mut AclFilter, p| f.permission = Some(p);
        return Some((each(&codes::PERMISSIONS, filter, set), true));
    }
    if filter.operation.is_none() {
        let set = |f: &mut AclFilter, o| f.operation = Some(o);
        return Some((each(&codes::OPERATIONS, filter, set), false));
    }
    if filter.resource_type.is_none() {
        let set = |f: &mut AclFilter, t| f.resource_type = Some(t);
        return Some((each(&codes::RESOURCE_TYPES, filter, set), false));
    }
    None
}

fn describe_filter(filter: &AclFilter) -> String {
    let words = [
        filter.permission.map(|p| p.title()),
        filter.operation.map(|o| o.title()),
        filter.resource_type.map(|t| t.title()),
        filter.pattern_type.map(|t| t.title()),
        filter.principal.as_deref(),
        filter.name.as_deref(),
    ];
    words.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_end_and_lose_nothing_that_can_be_asked_for() {
        let mut parts = vec![AclFilter::default()];
        let mut leaves = 0;
        while let Some(part) = parts.pop() {
            match split(&part) {
                Some((smaller, _)) => parts.extend(smaller),
                None => leaves += 1,
            }
        }
        assert_eq!(leaves, 2 * 2 * 11 * 4);
        let (_, complete) = split(&AclFilter::default()).unwrap();
        assert!(complete);
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
