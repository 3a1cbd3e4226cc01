//! Chooses filters that delete exactly a set of bindings.
//!
//! A controller tests every filter of a request against every binding, so a few broad filters are much faster than
//! thousands of exact ones. But a broad filter also deletes bindings that were created after reading, so it is only
//! used if exact ones would take too long, and only if everything that it matches is to be deleted.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{
    acl::{AclBindingFilter, RawBinding},
    admin::LARGEST_ANSWER,
    state::Reach,
};

/// KRaft refuses a request that deletes more than 10,000 (`AclControlManager.MAX_RECORDS_PER_USER_OP`); this leaves
/// room for bindings that are created in the meantime.
const MOST: usize = 9_000;

/// How long a controller takes to compare one filter with one binding.
pub(super) const COMPARING: Duration = Duration::from_nanos(150);
/// How long the controller may spend on comparisons before broad filters are used.
const AFFORDABLE: Duration = Duration::from_secs(10);

/// How long a controller takes to compare this many filters with its bindings, whose number decreases.
fn comparing(filters: usize, observed: usize, deletes: usize) -> Duration {
    let each = observed.saturating_sub(deletes / 2) as u128;
    let nanos = COMPARING.as_nanos() * filters as u128 * each;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// Whether this many bindings can be deleted with one filter each.
pub(super) fn is_affordable(deletes: usize, observed: usize) -> bool {
    comparing(deletes, observed, deletes) <= AFFORDABLE
}

/// Whether one request can delete these, and its answer, which lists them all, can be received.
pub(super) fn fits<'b>(bindings: impl Iterator<Item = &'b RawBinding>) -> bool {
    let (mut count, mut bytes) = (0, 0);
    for b in bindings {
        count += 1;
        bytes += 16 + b.name.len() + b.principal.len() + b.host.len();
    }
    count <= MOST && bytes <= LARGEST_ANSWER / 4 * 3
}

/// The cost of deletions that cannot be done with one filter each.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// The number of filters.
    pub filters: usize,
    /// How long the controller compares them with its bindings.
    pub time: Duration,
}

/// The cost of deleting these; `None`: one filter each, which is fast.
pub fn effort(observed: &[RawBinding], deletes: &[RawBinding]) -> Option<Effort> {
    if is_affordable(deletes.len(), observed.len()) {
        return None;
    }
    let filters = filters(observed, deletes);
    let time = comparing(filters, observed.len(), deletes.len());
    Some(Effort { filters, time })
}

pub(super) fn by_principal(bindings: &[RawBinding]) -> BTreeMap<&str, BTreeSet<&RawBinding>> {
    let mut of: BTreeMap<&str, BTreeSet<&RawBinding>> = BTreeMap::new();
    for binding in bindings {
        of.entry(&binding.principal).or_default().insert(binding);
    }
    of
}

/// How many filters [`delete_filters`] would need for these, by principal.
fn filters(observed: &[RawBinding], deletes: &[RawBinding]) -> usize {
    let going = by_principal(deletes);
    let mut all: BTreeMap<&str, BTreeSet<RawBinding>> = BTreeMap::new();
    for binding in observed {
        if going.contains_key(&*binding.principal) {
            let of = all.entry(&binding.principal).or_default();
            of.insert(binding.clone());
        }
    }
    let batches = all
        .iter()
        .map(|(principal, all)| delete_filters(principal, all, &going[principal], true).len());
    batches.sum()
}

/// A filter to send, with the bindings that it should match.
pub(super) struct Sent {
    pub filter: AclBindingFilter,
    /// What it matched when the bindings were read.
    pub bindings: BTreeSet<RawBinding>,
}

impl Sent {
    /// A filter for one binding.
    pub fn exact(binding: &RawBinding) -> Self {
        Sent {
            filter: binding.into(),
            bindings: BTreeSet::from([binding.clone()]),
        }
    }

    /// What is recorded about it.
    pub fn reach(&self) -> Reach {
        Reach {
            principal: self.filter.principal.clone().unwrap_or_default(),
            filter: self.filter.to_string(),
            read: self.bindings.len(),
        }
    }

    /// What it may match, unless it is exact.
    pub fn broad(&self) -> Option<Reach> {
        (!self.filter.is_exact()).then(|| self.reach())
    }
}

/// One filter for each existing binding.
pub(super) fn exact(all: &BTreeSet<RawBinding>, going: &BTreeSet<&RawBinding>) -> Vec<Sent> {
    let there = all.iter().filter(|b| going.contains(b));
    there.map(Sent::exact).collect()
}

/// The filters for one principal.
///
/// `all` are its bindings, just read, and `going` says which of them to delete. `whole` means that it has no others,
/// which a filter by principal alone would delete as well.
pub(super) fn delete_filters(
    principal: &str,
    all: &BTreeSet<RawBinding>,
    going: &BTreeSet<&RawBinding>,
    whole: bool,
) -> Vec<Sent> {
    let mut left: BTreeSet<&RawBinding> = all.iter().filter(|b| going.contains(b)).collect();
    if whole && left.len() == all.len() && left.len() > 1 && fits(all.iter()) {
        return vec![Sent {
            filter: AclBindingFilter::principal(principal),
            bindings: all.clone(),
        }];
    }
    let mut batches = Vec::new();
    // Everything of one type, then everything on one resource; if these overlap, they are sent in two requests.
    let mut kinds: BTreeMap<_, Vec<&RawBinding>> = BTreeMap::new();
    let mut resources: BTreeMap<_, Vec<&RawBinding>> = BTreeMap::new();
    for b in all {
        let kind = (b.resource_type, b.pattern_type, b.operation, b.permission);
        kinds.entry(kind).or_default().push(b);
        let resource = (b.resource_type, b.pattern_type, &b.name);
        resources.entry(resource).or_default().push(b);
    }
    let mut take = |bindings: &[&RawBinding], filter: &dyn Fn(&RawBinding) -> AclBindingFilter| {
        let all_go = bindings.iter().all(|b| going.contains(*b));
        let still = bindings.iter().filter(|b| left.contains(**b)).count();
        if all_go && still > 1 && fits(bindings.iter().copied()) {
            for b in bindings {
                left.remove(*b);
            }
            batches.push(Sent {
                filter: filter(bindings[0]),
                bindings: bindings.iter().copied().cloned().collect(),
            });
        }
    };
    for kind in kinds.values() {
        take(kind, &|b| AclBindingFilter {
            name: None,
            host: None,
            ..AclBindingFilter::from(b)
        });
    }
    // The resource may also have bindings that librdkafka cannot represent, if there are any.
    for resource in resources.values().filter(|_| whole) {
        take(resource, &|b| AclBindingFilter {
            host: None,
            operation: None,
            permission: None,
            ..AclBindingFilter::from(b)
        });
    }
    batches.extend(left.into_iter().map(Sent::exact));
    batches
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::acl::{Operation, PatternType, Permission, ResourceType};

    fn binding(kind: ResourceType, name: &str, operation: Operation) -> RawBinding {
        RawBinding {
            resource_type: kind,
            pattern_type: PatternType::Literal,
            name: name.into(),
            principal: "User:a".into(),
            host: "*".into(),
            operation,
            permission: Permission::Allow,
        }
    }

    fn matches(filter: &AclBindingFilter, b: &RawBinding) -> bool {
        filter.resource_type.is_none_or(|t| t == b.resource_type)
            && filter.pattern_type.is_none_or(|t| t == b.pattern_type)
            && filter.operation.is_none_or(|o| o == b.operation)
            && filter.permission.is_none_or(|p| p == b.permission)
            && filter.name.as_deref().is_none_or(|n| n == &*b.name)
            && filter
                .principal
                .as_deref()
                .is_none_or(|p| p == &*b.principal)
            && filter.host.as_deref().is_none_or(|h| h == &*b.host)
    }

    #[test]
    fn what_goes_together_takes_one_filter() {
        let all: BTreeSet<RawBinding> = (0..100)
            .flat_map(|n| {
                let topic = format!("t{n}");
                [
                    binding(ResourceType::Topic, &topic, Operation::Read),
                    binding(ResourceType::Topic, &topic, Operation::Write),
                    binding(ResourceType::Group, &topic, Operation::Read),
                ]
            })
            .collect();
        let batches = |whole: bool, keep: &dyn Fn(&RawBinding) -> bool| {
            let going = all.iter().filter(|b| !keep(b)).collect();
            delete_filters("User:a", &all, &going, whole).len()
        };
        assert_eq!(batches(true, &|_| false), 1);
        // A binding that cannot be represented must stay.
        assert_eq!(batches(false, &|_| false), 3);
        assert_eq!(
            batches(true, &|b| b.resource_type == ResourceType::Group),
            2
        );
        // 99 topics with two rights each, and 99 groups with one.
        assert_eq!(batches(true, &|b| &*b.name == "t7"), 198);
        assert_eq!(batches(true, &|_| true), 0);
    }

    proptest! {
        #[test]
        fn exactly_what_is_to_go_is_matched(
            picks in proptest::collection::vec((0..3usize, 0..4usize, 0..3usize, any::<bool>()), 0..40),
            whole in any::<bool>(),
        ) {
            let kinds = [ResourceType::Topic, ResourceType::Group, ResourceType::TransactionalId];
            let operations = [Operation::Read, Operation::Write, Operation::Describe];
            let mut all = BTreeSet::new();
            let mut stays = BTreeSet::new();
            for (kind, name, operation, goes) in picks {
                let b = binding(kinds[kind], &format!("n{name}"), operations[operation]);
                if !goes {
                    stays.insert(b.clone());
                }
                all.insert(b);
            }
            let going: BTreeSet<&RawBinding> = all.difference(&stays).collect();
            let batches = delete_filters("User:a", &all, &going, whole);
            for b in &all {
                let matched = batches.iter().any(|batch| matches(&batch.filter, b));
                prop_assert_eq!(matched, going.contains(b), "{}", b);
            }
            for batch in &batches {
                let matched = all.iter().filter(|b| matches(&batch.filter, b));
                let matched: BTreeSet<&RawBinding> = matched.collect();
                prop_assert_eq!(&matched, &batch.bindings.iter().collect());
                prop_assert!(whole || batch.filter.resource_type.is_some() && batch.filter.operation.is_some());
            }
        }
    }
}
