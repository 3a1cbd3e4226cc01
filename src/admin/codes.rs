//! Kafka's codes for its access control enums (`ResourceType`, `PatternType`, `AclOperation`, `AclPermissionType`), and
//! which of them librdkafka supports.

use std::{borrow::Cow, sync::Arc};

use super::raw;
use crate::acl::{AclBindingFilter, Operation, PatternType, Permission, RawBinding, ResourceType};

/// Matches everything, in each of the four enums.
pub(super) const ANY: i32 = 1;

/// librdkafka's codes end at TRANSACTIONAL_ID and IDEMPOTENT_WRITE: it reads higher ones as UNKNOWN, and refuses to
/// write them.
pub(super) const RESOURCE_TYPES: [(ResourceType, i32); 4] = [
    (ResourceType::Topic, 2),
    (ResourceType::Group, 3),
    (ResourceType::Cluster, 4),
    (ResourceType::TransactionalId, 5),
];
pub(super) const PATTERN_TYPES: [(PatternType, i32); 2] =
    [(PatternType::Literal, 3), (PatternType::Prefixed, 4)];
pub(super) const OPERATIONS: [(Operation, i32); 11] = [
    (Operation::All, 2),
    (Operation::Read, 3),
    (Operation::Write, 4),
    (Operation::Create, 5),
    (Operation::Delete, 6),
    (Operation::Alter, 7),
    (Operation::Describe, 8),
    (Operation::ClusterAction, 9),
    (Operation::DescribeConfigs, 10),
    (Operation::AlterConfigs, 11),
    (Operation::IdempotentWrite, 12),
];
pub(super) const PERMISSIONS: [(Permission, i32); 2] =
    [(Permission::Deny, 2), (Permission::Allow, 3)];

fn code<T: PartialEq + Copy>(table: &[(T, i32)], word: T) -> Option<i32> {
    table.iter().find(|(w, _)| *w == word).map(|(_, c)| *c)
}

fn word<T: Copy>(table: &[(T, i32)], code: i32) -> Option<T> {
    table.iter().find(|(_, c)| *c == code).map(|(w, _)| *w)
}

/// A string without the NUL character, which ends librdkafka's strings.
fn whole(text: &str) -> Result<Cow<'_, str>, &'static str> {
    match text.contains('\0') {
        false => Ok(text.into()),
        true => Err("a NUL character"),
    }
}

/// The code of a word, or [`ANY`] for `None`; the error is the name of a word that librdkafka does not support.
fn coded<T: PartialEq + Copy>(
    table: &[(T, i32)],
    word: Option<T>,
    title: fn(T) -> &'static str,
) -> Result<i32, &'static str> {
    word.map_or(Ok(ANY), |w| code(table, w).ok_or_else(|| title(w)))
}

/// The binding in codes; the error is a word that librdkafka does not support.
pub(super) fn pattern(binding: &RawBinding) -> Result<raw::Pattern<'_>, &'static str> {
    Ok(raw::Pattern {
        resource_type: coded(
            &RESOURCE_TYPES,
            Some(binding.resource_type),
            ResourceType::title,
        )?,
        pattern_type: coded(
            &PATTERN_TYPES,
            Some(binding.pattern_type),
            PatternType::title,
        )?,
        name: Some(whole(&binding.name)?),
        principal: Some(whole(&binding.principal)?),
        host: Some(whole(&binding.host)?),
        operation: coded(&OPERATIONS, Some(binding.operation), Operation::title)?,
        permission: coded(&PERMISSIONS, Some(binding.permission), Permission::title)?,
    })
}

/// The filter in codes; the error is a word that librdkafka does not support.
pub(super) fn filter(filter: &AclBindingFilter) -> Result<raw::Pattern<'_>, &'static str> {
    Ok(raw::Pattern {
        resource_type: coded(&RESOURCE_TYPES, filter.resource_type, ResourceType::title)?,
        pattern_type: coded(&PATTERN_TYPES, filter.pattern_type, PatternType::title)?,
        name: filter.name.as_deref().map(whole).transpose()?,
        principal: filter.principal.as_deref().map(whole).transpose()?,
        host: filter.host.as_deref().map(whole).transpose()?,
        operation: coded(&OPERATIONS, filter.operation, Operation::title)?,
        permission: coded(&PERMISSIONS, filter.permission, Permission::title)?,
    })
}

/// The binding in words; `None` if librdkafka reads one of its codes as UNKNOWN.
pub(super) fn binding(
    from: &raw::AnyBinding,
    share: &mut impl FnMut(&str) -> Arc<str>,
) -> Option<RawBinding> {
    Some(RawBinding {
        resource_type: word(&RESOURCE_TYPES, from.resource_type)?,
        pattern_type: word(&PATTERN_TYPES, from.pattern_type)?,
        name: share(&from.name),
        principal: share(&from.principal),
        host: share(&from.host),
        operation: word(&OPERATIONS, from.operation)?,
        permission: word(&PERMISSIONS, from.permission)?,
    })
}

/// Whether librdkafka reads one of its codes as UNKNOWN.
pub(super) fn is_unknown(from: &raw::AnyBinding) -> bool {
    binding(from, &mut |_| Arc::default()).is_none()
}

/// The part of a binding that librdkafka cannot express, if any.
pub fn inexpressible(binding: &RawBinding) -> Option<&'static str> {
    pattern(binding).err()
}

/// Whether a broker's answer can be this binding, given that librdkafka reads unsupported words as UNKNOWN.
pub(super) fn looks_like(found: &raw::AnyBinding, binding: &RawBinding) -> bool {
    const UNKNOWN: i32 = 0;
    found.resource_type == code(&RESOURCE_TYPES, binding.resource_type).unwrap_or(UNKNOWN)
        && found.operation == code(&OPERATIONS, binding.operation).unwrap_or(UNKNOWN)
        && Some(found.pattern_type) == code(&PATTERN_TYPES, binding.pattern_type)
        && Some(found.permission) == code(&PERMISSIONS, binding.permission)
        && found.name == *binding.name
        && found.principal == *binding.principal
        && found.host == *binding.host
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_would_be_cut_is_not_sent() {
        let mut filter = AclBindingFilter::principal("User:a");
        assert!(super::filter(&filter).is_ok());
        filter.name = Some("t\0x".to_owned());
        assert_eq!(super::filter(&filter).err(), Some("a NUL character"));
    }
}
