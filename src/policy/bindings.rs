//! Expands roles and acls to ACL bindings.

use crate::{
    acl::{Interner, Operation, Permission, Principal, RawBinding, ResourceType},
    policy::{AclEntry, Role, RoleRight},
};

/// Whether a binding is the right to produce idempotently, which brokers before 2.8 require in addition to Write.
pub(super) fn is_idempotence(binding: &RawBinding) -> bool {
    binding.resource_type == ResourceType::Cluster
        && binding.operation == Operation::IdempotentWrite
}

/// Makes bindings that share their strings.
#[derive(Default)]
pub(super) struct Expander {
    texts: Interner,
}

impl Expander {
    /// The bindings of a role for one principal.
    pub(super) fn role(&mut self, principal: &Principal, role: &Role) -> Vec<RawBinding> {
        let rights = role.rights.iter();
        rights
            .map(|right| self.binding(principal, "*", Permission::Allow, right))
            .collect()
    }

    /// The bindings of an entry of `acls`.
    pub(super) fn acl(&mut self, entry: &AclEntry) -> Vec<RawBinding> {
        let mut bindings = Vec::new();
        for name in &entry.resources {
            for operation in &entry.operations {
                let right = (entry.resource_type, name.clone(), *operation);
                bindings.push(self.binding(
                    &entry.principal,
                    &entry.host,
                    entry.permission,
                    &right,
                ));
            }
        }
        bindings
    }

    fn binding(
        &mut self,
        principal: &Principal,
        host: &str,
        permission: Permission,
        (resource_type, name, operation): &RoleRight,
    ) -> RawBinding {
        RawBinding {
            resource_type: *resource_type,
            pattern_type: name.pattern_type,
            name: self.texts.share(&name.name),
            principal: self.texts.share(principal.as_str()),
            host: self.texts.share(host),
            operation: *operation,
            permission,
        }
    }
}
