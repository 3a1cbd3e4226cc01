//! The rights of a role in the making: names are checked and reported, operations added.

use crate::{
    acl::{CLUSTER_NAME, KafkaVersion, Operation, PatternType, ResourceType},
    document::{Report, Spanned},
    policy::{
        NamePattern, RoleRight,
        names::{literal, patterns},
        raw_access::Patterns,
    },
};

/// What a role grants so far.
pub struct Rights<'a> {
    report: &'a mut Report,
    version: KafkaVersion,
    rights: Vec<RoleRight>,
}

/// Exactly this resource.
pub fn named(name: impl Into<String>) -> NamePattern {
    NamePattern {
        pattern_type: PatternType::Literal,
        name: name.into(),
    }
}

/// Every resource.
pub fn all() -> NamePattern {
    named("*")
}

/// Every resource whose name begins so.
pub fn prefixed(prefix: impl Into<String>) -> NamePattern {
    NamePattern {
        pattern_type: PatternType::Prefixed,
        name: prefix.into(),
    }
}

impl<'a> Rights<'a> {
    pub(super) fn new(report: &'a mut Report, version: KafkaVersion) -> Self {
        Self {
            report,
            version,
            rights: Vec::new(),
        }
    }

    /// The names of an argument.
    pub fn names(&mut self, kind: ResourceType, raw: &Patterns) -> Vec<NamePattern> {
        patterns(self.report, self.version, kind, raw)
    }

    /// The names of an argument that may be left out.
    pub fn names_if_any(&mut self, kind: ResourceType, raw: &Option<Patterns>) -> Vec<NamePattern> {
        raw.as_ref()
            .map_or_else(Vec::new, |raw| self.names(kind, raw))
    }

    /// The one name of an argument, unless it is wrong, which is reported.
    pub fn name(&mut self, kind: ResourceType, raw: &Spanned<String>) -> Option<String> {
        literal(self.report, self.version, kind, raw)
    }

    /// Adds operations on a resource.
    pub fn on(&mut self, kind: ResourceType, name: &NamePattern, operations: &[Operation]) {
        let each = operations.iter().map(|o| (kind, name.clone(), *o));
        self.rights.extend(each);
    }

    /// Adds operations on each of several resources.
    pub fn on_each(&mut self, kind: ResourceType, names: &[NamePattern], operations: &[Operation]) {
        for name in names {
            self.on(kind, name, operations);
        }
    }

    /// Adds operations on the cluster.
    pub fn on_cluster(&mut self, operations: &[Operation]) {
        self.on(ResourceType::Cluster, &named(CLUSTER_NAME), operations);
    }

    /// All of them, and the right that old brokers want of every producer: clients since 3.0 produce idempotently by
    /// default (KIP-679).
    pub(super) fn finish(mut self) -> Vec<RoleRight> {
        let writes = |(kind, _, operation): &RoleRight| {
            (*kind, *operation) == (ResourceType::Topic, Operation::Write)
        };
        if self.version < KafkaVersion::WRITE_IS_IDEMPOTENT && self.rights.iter().any(writes) {
            self.on_cluster(&[Operation::IdempotentWrite]);
        }
        self.rights
    }
}
