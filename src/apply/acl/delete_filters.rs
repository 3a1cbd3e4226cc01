//! Which filters delete a set of bindings and nothing else.
//!
//! A controller tests every filter of a request against every binding that it holds, so a few broad filters are worth
//! thousands of exact ones. But a broad one also deletes what comes after the reading, so it is used only where exact
//! ones would take too long, and only where everything that it matches is to go.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{
    acl::{AclBindingFilter, RawBinding},
    admin::LARGEST_ANSWER,
    state::Reach,
};

/// KRaft refuses a request that deletes more than 10,000 (`AclControlManager.MAX_RECORDS_PER_USER_OP`); this leaves room
/// for some that are created meanwhile.
const MOST: usize = 9_000;

/// What it takes a controller to compare one filter with one binding.
pub(super) const COMPARING: Duration = Duration::from_nanos(150);
/// How long the controller may compare so that no filter has to be broad.
const AFFORDABLE: Duration = Duration::from_secs(10);

/// How long a controller takes to compare so many filters with all of its bindings, which they make fewer.
fn comparing(filters: usize, observed: usize, deletes: usize) -> Duration {
    let each = observed.saturating_sub(deletes / 2) as u128;
    let nanos = COMPARING.as_nanos() * filters as u128 * each;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// Whether so many bindings can be deleted by a filter each.
pub(super) fn is_affordable(deletes: usize, observed: usize) -> bool {
    comparing(deletes, observed, deletes) <= AFFORDABLE
}

/// Whether one request can delete these and its answer, which names them all, be received.
pub(super) fn fits<'b>(bindings: impl Iterator<Item = &'b RawBinding>) -> bool {
    let (mut count, mut bytes) = (0, 0);
    for b in bindings {
        count += 1;
        bytes += 16 + b.name.len() + b.principal.len() + b.host.len();
    }
    count <= MOST && bytes <= LARGEST_ANSWER / 4 * 3
}

/// What deletions take that cannot be done by a filter each.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// The filters that they need.
    pub filters: usize,
    /// How long the controller compares those with its bindings.
    pub time: Duration,
}

/// What it takes to delete these; `None`: a filter each, and not long.
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

/// How many filters delete these, by principal as [`delete_filters`] would.
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

/// A filter to send, with what it is to match.
pub(super) struct Sent {
    pub filter: AclBindingFilter,
    /// What it matched when they were read.
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

    /// What is noted of it.
    pub fn reach(&self) -> Reach {
        Reach {
            principal: self.filter.principal.clone().unwrap_or_default(),
            filter: self.filter.to_string(),
            read: self.bindings.len(),
        }
    }

    /// Its reach, unless it is exact.
    pub fn broad(&self) -> Option<Reach> {
        (!self.filter.is_exact()).then(|| self.reach())
    }
}

/// A filter for each binding that is there.
pub(super) fn exact(all: &BTreeSet<RawBinding>, going: &BTreeSet<&RawBinding>) -> Vec<Sent> {
    let there = all.iter().filter(|b| going.contains(b));
    there.map(Sent::exact).collect()
}

/// The filters for one principal.
///
/// `all` is what it has, just read, and `going` which of that is to go. `whole` says that it has nothing beyond `all`,
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
    // Everything of one kind, then everything on one resource; the two may overlap, and then go into two requests.
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
    // What librdkafka cannot name may sit on the resource as well, if there is anything of that sort.
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
        // Something that cannot be named must stay.
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
