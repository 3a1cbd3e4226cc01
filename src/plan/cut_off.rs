//! The principals with revoked certificates, which a cluster must deny everything.

use super::Remark;
use crate::acl::{
    Binding, CLUSTER_NAME, KafkaVersion, Operation, PatternType, Permission, Principal, RawBinding,
    ResourceType,
};

/// All resource types that kpki's clients know. A Deny overrides every Allow, including those for everyone, so existing
/// grants need not be found and deleted, and take effect again once the Deny is removed.
const EVERYTHING: [(ResourceType, &str); 4] = [
    (ResourceType::Topic, "*"),
    (ResourceType::Group, "*"),
    (ResourceType::TransactionalId, "*"),
    (ResourceType::Cluster, CLUSTER_NAME),
];

/// The principals, and warnings about them.
#[derive(Debug, Clone, Default)]
pub struct CutOff {
    /// The principals that are denied everything.
    pub principals: Vec<Principal>,
    /// False if there is no inventory, and so no list of revoked certificates: then no such Deny is deleted.
    pub is_known: bool,
    /// The principals that a Deny does not stop, and why.
    pub remarks: Vec<Remark>,
}

impl CutOff {
    /// The bindings for it.
    pub fn bindings(&self, observed: &[RawBinding], version: KafkaVersion) -> Vec<Binding> {
        let denials = self.principals.iter().flat_map(denials);
        let kept = observed.iter().filter(|b| !self.is_known && is_denial(b));
        let all = denials.chain(kept.cloned());
        // A principal that is not valid in a binding has no rights to deny.
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
        // If that is unknown, existing ones stay.
        let observed: Vec<RawBinding> = bindings.iter().map(|b| b.as_raw().clone()).collect();
        assert_eq!(CutOff::default().bindings(&observed, version), bindings);
        let other = CutOff {
            is_known: true,
            ..CutOff::default()
        };
        assert!(other.bindings(&observed, version).is_empty());
    }
}
