//! The bindings of principals just before they are deleted, and the filters for a request.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use super::delete_filters::{Sent, fits};
use crate::{
    acl::{AclBindingFilter, RawBinding},
    admin::{Admin, AdminError},
};

/// The bindings of principals.
pub(super) struct Held {
    /// The bindings of each.
    pub of: HashMap<Arc<str>, BTreeSet<RawBinding>>,
    /// There are no other bindings, not even ones that librdkafka cannot represent.
    pub whole: bool,
    /// Some names were truncated, so a broad filter may match unseen bindings.
    pub cut: bool,
}

impl Held {
    /// Reads everything that this filter matches, and all bindings of these principals.
    pub fn read(
        admin: &mut Admin,
        filter: &AclBindingFilter,
        principals: &BTreeSet<String>,
    ) -> Result<Held, AdminError> {
        let read = admin.describe_acls_of(filter, principals)?;
        let cut = read.cut > 0;
        let whole = read.unreadable == 0 && !cut && !read.may_miss_unreadable;
        let mut of: HashMap<Arc<str>, BTreeSet<RawBinding>> = HashMap::new();
        for binding in read.bindings {
            let principal = Arc::clone(&binding.principal);
            of.entry(principal).or_default().insert(binding);
        }
        Ok(Held { of, whole, cut })
    }
}

/// The next request: limited in filters and in the size of its answer, and without overlapping filters, which crash
/// controllers of Kafka 3.2 (KAFKA-13892).
pub(super) fn take(waiting: &mut Vec<Sent>, most: usize) -> Vec<Sent> {
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
            filter: AclBindingFilter::principal("User:a"),
            bindings: names.iter().map(|name| binding(name)).collect(),
        };
        let mut waiting = vec![sent(&["a", "b", "c"]), sent(&["b", "d"]), sent(&["e"])];
        assert_eq!(take(&mut waiting, 10).len(), 2);
        assert_eq!(take(&mut waiting, 10).len(), 1);
        assert!(waiting.is_empty());
    }
}
