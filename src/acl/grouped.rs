//! Bindings put together as people write them: the operations of one principal on resources of one type.

use std::collections::{BTreeMap, BTreeSet};

use super::{Operation, PatternType, Permission, RawBinding, ResourceType};
use crate::code::StableCode;

/// One statement: every operation on every resource is a binding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group<'a> {
    /// `Type:name`
    pub principal: &'a str,
    /// The host as it is stored.
    pub host: &'a str,
    /// ALLOW or DENY.
    pub permission: Permission,
    /// The resource type.
    pub resource_type: ResourceType,
    /// The operations, in Kafka's order; never empty.
    pub operations: Vec<Operation>,
    /// The resources, literal ones first; never empty.
    pub resources: Vec<(PatternType, &'a str)>,
}

/// The code of a sound binding that a form of writing has no words for.
pub(crate) const NO_WORDS: StableCode = StableCode::new(
    "no-words",
    "a sound binding that cannot be written in this form",
);

/// A binding that a form of writing cannot say, or that its reader would refuse.
#[derive(Debug, PartialEq, Eq)]
pub struct LeftOut<'a> {
    /// The binding.
    pub binding: &'a RawBinding,
    /// A stable name of the reason: that of the problem, or [`NO_WORDS`] where the binding is sound.
    pub code: StableCode,
    /// The reason.
    pub reason: String,
}

impl<'a> LeftOut<'a> {
    /// The bindings for which `why` finds no reason, and the others.
    pub(crate) fn of(
        bindings: &'a BTreeSet<RawBinding>,
        why: impl Fn(&RawBinding) -> Option<(StableCode, String)>,
    ) -> (Vec<&'a RawBinding>, Vec<Self>) {
        let (mut said, mut left_out) = (Vec::new(), Vec::new());
        for binding in bindings {
            match why(binding) {
                None => said.push(binding),
                Some((code, reason)) => left_out.push(Self {
                    binding,
                    code,
                    reason,
                }),
            }
        }
        (said, left_out)
    }
}

/// The statements that together mean exactly these bindings, sorted by principal, then by resource type and host.
/// The bindings' order and what is there twice make no difference.
pub fn grouped<'a>(bindings: impl IntoIterator<Item = &'a RawBinding>) -> Vec<Group<'a>> {
    type Resource<'a> = (PatternType, &'a str);
    let mut subjects: BTreeMap<_, BTreeMap<Resource<'_>, BTreeSet<Operation>>> = BTreeMap::new();
    for b in bindings {
        subjects
            .entry((&*b.principal, b.resource_type, &*b.host, b.permission))
            .or_default()
            .entry((b.pattern_type, &*b.name))
            .or_default()
            .insert(b.operation);
    }
    let mut groups = Vec::new();
    for ((principal, resource_type, host, permission), resources) in subjects {
        let mut alike: BTreeMap<BTreeSet<Operation>, Vec<Resource<'_>>> = BTreeMap::new();
        for (resource, operations) in resources {
            alike.entry(operations).or_default().push(resource);
        }
        groups.extend(alike.into_iter().map(|(operations, resources)| Group {
            principal,
            host,
            permission,
            resource_type,
            operations: operations.into_iter().collect(),
            resources,
        }));
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_with_the_same_operations_stand_together() {
        let binding = |name: &str, operation, pattern_type| RawBinding {
            resource_type: ResourceType::Topic,
            pattern_type,
            name: name.into(),
            principal: "User:a".into(),
            host: "*".into(),
            operation,
            permission: Permission::Allow,
        };
        use {
            Operation::{Read, Write},
            PatternType::{Literal, Prefixed},
        };
        let bindings = [
            binding("p", Write, Prefixed),
            binding("b", Write, Literal),
            binding("b", Read, Literal),
            binding("p", Read, Prefixed),
            binding("c", Read, Literal),
            binding("c", Read, Literal),
        ];
        let groups = grouped(&bindings);
        let short: Vec<_> = groups
            .iter()
            .map(|g| (&*g.operations, &*g.resources))
            .collect();
        assert_eq!(
            short,
            [
                (&[Read][..], &[(Literal, "c")][..]),
                (&[Read, Write], &[(Literal, "b"), (Prefixed, "p")]),
            ]
        );
    }
}
