//! Whom a cluster is to refuse, whatever else it grants: those whose certificates are revoked.

use super::Remark;
use crate::acl::{
    Binding, CLUSTER_NAME, KafkaVersion, Operation, PatternType, Permission, Principal, RawBinding,
    ResourceType,
};

/// Everything that a right can be on and every client of kpki's has a name for. A Deny wins over every Allow, those of
/// everyone included, so nothing that was granted has to be found and deleted, and all of it is back once it is gone.
const EVERYTHING: [(ResourceType, &str); 4] = [
    (ResourceType::Topic, "*"),
    (ResourceType::Group, "*"),
    (ResourceType::TransactionalId, "*"),
    (ResourceType::Cluster, CLUSTER_NAME),
];

/// The principals, and what to know about it.
#[derive(Debug, Clone, Default)]
pub struct CutOff {
    /// Who shall be denied everything.
    pub principals: Vec<Principal>,
    /// False where the inventory is not here, and nobody can say whose certificates are revoked: then no such Deny goes.
    pub is_known: bool,
    /// Whom a Deny does not stop, and why.
    pub remarks: Vec<Remark>,
}

impl CutOff {
    /// What the cluster shall have for it.
    pub fn bindings(&self, observed: &[RawBinding], version: KafkaVersion) -> Vec<Binding> {
        let denials = self.principals.iter().flat_map(denials);
        let kept = observed.iter().filter(|b| !self.is_known && is_denial(b));
        let all = denials.chain(kept.cloned());
        // Of a principal that no binding can have there is nothing to deny.
        all.filter_map(|binding| Binding::new(binding, version).ok())
            .collect()
    }
}

/// Denies a principal everything.
fn denials(principal: &Principal) -> impl Iterator<Item = RawBinding> {
    EVERYTHING
        .into_iter()
        .map(move |(resource_type, name)| RawBinding {
            resource_type,
            pattern_type: PatternType::Literal,
            name: name.into(),
            principal: principal.as_str().into(),
            host: "*".into(),
            operation: Operation::All,
            permission: Permission::Deny,
        })
}

/// Whether a binding looks like one of these.
fn is_denial(binding: &RawBinding) -> bool {
    binding.permission == Permission::Deny
        && binding.operation == Operation::All
        && binding.pattern_type == PatternType::Literal
        && &*binding.host == "*"
        && EVERYTHING.contains(&(binding.resource_type, &binding.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_denial_can_be_written_and_is_known_again() {
        let version = KafkaVersion::ASSUMED;
        let cut_off = CutOff {
            principals: vec![Principal::user("alice")],
            is_known: true,
            ..CutOff::default()
        };
        let bindings = cut_off.bindings(&[], version);
        assert_eq!(bindings.len(), EVERYTHING.len());
        assert!(bindings.iter().all(|b| is_denial(b)));
        // Where nobody knows, what is there stays.
        let observed: Vec<RawBinding> = bindings.iter().map(|b| b.as_raw().clone()).collect();
        assert_eq!(CutOff::default().bindings(&observed, version), bindings);
        let other = CutOff {
            is_known: true,
            ..CutOff::default()
        };
        assert!(other.bindings(&observed, version).is_empty());
    }
}
