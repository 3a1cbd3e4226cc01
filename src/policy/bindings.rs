//! What roles and acls mean as ACL bindings. Least privilege: what a broker implies (Describe beside Read) is not
//! written, and each role has what real clients of Kafka 4.3 are seen to need (`tests/suite/roles`), and nothing else;
//! only the Schema Registry's is taken from its documentation.

use crate::{
    acl::{
        CLUSTER_NAME, Interner, KafkaVersion, Operation, PatternType, Permission, Principal,
        RawBinding, ResourceType,
    },
    policy::{AclEntry, NamePattern, RoleKind},
};

/// An operation on a resource.
type Right = (ResourceType, NamePattern, Operation);

/// Every resource.
fn all() -> NamePattern {
    literal("*")
}

fn literal(name: &str) -> NamePattern {
    NamePattern {
        pattern_type: PatternType::Literal,
        name: name.to_owned(),
    }
}

fn prefix(prefix: String) -> NamePattern {
    NamePattern {
        pattern_type: PatternType::Prefixed,
        name: prefix,
    }
}

/// The rights in the making.
#[derive(Default)]
struct Rights(Vec<Right>);

impl Rights {
    fn on(&mut self, kind: ResourceType, name: &NamePattern, operations: &[Operation]) {
        let each = operations.iter().map(|o| (kind, name.clone(), *o));
        self.0.extend(each);
    }

    fn on_each(&mut self, kind: ResourceType, names: &[NamePattern], operations: &[Operation]) {
        for name in names {
            self.on(kind, name, operations);
        }
    }
}

/// Whether a binding is the right to produce idempotently, which brokers before 2.8 want beside that to write.
pub(super) fn is_idempotence(binding: &RawBinding) -> bool {
    binding.resource_type == ResourceType::Cluster
        && binding.operation == Operation::IdempotentWrite
}

/// What a role lets its client do, in the order of `policy.md`'s table.
fn rights(role: &RoleKind, version: KafkaVersion) -> Vec<Right> {
    use Operation::*;
    use ResourceType::{Cluster, Group, Topic, TransactionalId};
    let cluster = literal(CLUSTER_NAME);
    let mut rights = Rights::default();
    match role {
        RoleKind::Produce {
            topics,
            transactional_ids,
            create,
        } => {
            rights.on_each(Topic, topics, &[Write]);
            if *create {
                rights.on_each(Topic, topics, &[Create]);
            }
            rights.on_each(TransactionalId, transactional_ids, &[Write]);
        }
        RoleKind::Consume { topics, groups } => {
            rights.on_each(Topic, topics, &[Read]);
            rights.on_each(Group, groups, &[Read]);
        }
        RoleKind::Streams {
            application_id,
            read,
            write,
            exactly_once,
        } => {
            // Repartition and changelog topics; without Delete the former would grow for ever.
            let internal = prefix(format!("{application_id}-"));
            rights.on_each(Topic, read, &[Read]);
            rights.on_each(Topic, write, &[Write]);
            rights.on(Topic, &internal, &[Create, Read, Write, Delete]);
            rights.on(Group, &literal(application_id), &[Read]);
            if *exactly_once {
                rights.on(TransactionalId, &internal, &[Write]);
            }
        }
        RoleKind::Connect {
            group_id,
            config_topic,
            offset_topic,
            status_topic,
            sinks,
            sources,
            exactly_once,
        } => {
            for topic in [config_topic, offset_topic, status_topic] {
                rights.on(Topic, &literal(topic), &[Create, Read, Write]);
            }
            rights.on(Group, &literal(group_id), &[Read]);
            for (name, topics) in sinks {
                rights.on_each(Topic, topics, &[Read]);
                rights.on(Group, &literal(&format!("connect-{name}")), &[Read]);
            }
            rights.on_each(Topic, sources, &[Write]);
            if *exactly_once {
                // The leader's own id, and `<group.id>-<connector>-<task>` (KIP-618).
                let leader = literal(&format!("connect-cluster-{group_id}"));
                rights.on(TransactionalId, &leader, &[Write]);
                rights.on(TransactionalId, &prefix(format!("{group_id}-")), &[Write]);
            }
        }
        // The names of MirrorMaker's own are those of MirrorMakerConfig.workerConfig and DefaultReplicationPolicy.
        RoleKind::MirrorSource {
            topics,
            groups,
            target,
        } => {
            rights.on_each(Topic, topics, &[Read, DescribeConfigs]);
            rights.on_each(Group, groups, &[Describe]);
            if let Some(target) = target {
                let syncs = literal(&format!("mm2-offset-syncs.{target}.internal"));
                rights.on(Topic, &syncs, &[Create, Read, Write]);
            }
        }
        RoleKind::MirrorTarget {
            topics,
            groups,
            source,
        } => {
            rights.on_each(Topic, topics, &[Create, Write, Alter, AlterConfigs]);
            if !groups.is_empty() {
                // Whoever commits offsets has to be one who could have read.
                rights.on_each(Topic, topics, &[Read]);
                rights.on_each(Group, groups, &[Read]);
            }
            if let Some(source) = source {
                for what in ["configs", "offsets", "status"] {
                    let topic = literal(&format!("mm2-{what}.{source}.internal"));
                    rights.on(Topic, &topic, &[Create, Read, Write]);
                }
                rights.on(Group, &literal(&format!("{source}-mm2")), &[Read]);
                let checkpoints = literal(&format!("{source}.checkpoints.internal"));
                rights.on(Topic, &checkpoints, &[Create, Read, Write]);
                rights.on(Topic, &literal("heartbeats"), &[Create, Write]);
            }
        }
        RoleKind::SchemaRegistry {
            schemas_topic,
            group,
        } => {
            let topic = literal(schemas_topic);
            rights.on(Topic, &topic, &[Create, Read, Write, DescribeConfigs]);
            rights.on(Group, &literal(group), &[Read]);
        }
        RoleKind::Monitor => {
            rights.on(Cluster, &cluster, &[Describe, DescribeConfigs]);
            rights.on(Topic, &all(), &[Describe, DescribeConfigs]);
            rights.on(Group, &all(), &[Describe]);
        }
        RoleKind::Admin => {
            // Alter implies Describe, AlterConfigs implies DescribeConfigs, Delete implies Describe; Create of the cluster is
            // enough to create topics.
            rights.on(Cluster, &cluster, &[Create, Alter, AlterConfigs]);
            rights.on(Topic, &all(), &[Delete, Alter, AlterConfigs]);
            rights.on(Group, &all(), &[Delete]);
        }
    }
    // Producers are idempotent by default since the clients of 3.0 (KIP-679).
    let writes = |(kind, _, operation): &Right| (*kind, *operation) == (Topic, Write);
    if version < KafkaVersion::WRITE_IS_IDEMPOTENT && rights.0.iter().any(writes) {
        rights.on(Cluster, &cluster, &[IdempotentWrite]);
    }
    rights.0
}

/// Makes bindings for one version of Kafka, sharing their texts.
pub(super) struct Expander {
    texts: Interner,
    version: KafkaVersion,
}

impl Expander {
    pub(super) fn new(version: KafkaVersion) -> Self {
        Self {
            texts: Interner::default(),
            version,
        }
    }

    /// The bindings of a role for one principal.
    pub(super) fn role(&mut self, principal: &Principal, role: &RoleKind) -> Vec<RawBinding> {
        let rights = rights(role, self.version);
        rights
            .into_iter()
            .map(|right| self.binding(principal, "*", Permission::Allow, &right))
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
        (resource_type, name, operation): &Right,
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

#[cfg(test)]
mod tests;
