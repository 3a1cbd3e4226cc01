//! What roles and acls mean as ACL bindings. Least privilege: what a broker implies (Describe beside Read) is not
//! written, and each role has what real clients of Kafka 4.3 are seen to need (`tests/suite/roles`), and nothing else;
//! only the Schema Registry's is taken from its documentation.

use crate::{
    acl::{
        CLUSTER_NAME, Interner, KafkaVersion, Operation, PatternType, Permission, RawBinding,
        ResourceType,
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
    pub(super) fn role(&mut self, principal: &str, role: &RoleKind) -> Vec<RawBinding> {
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
        principal: &str,
        host: &str,
        permission: Permission,
        (resource_type, name, operation): &Right,
    ) -> RawBinding {
        RawBinding {
            resource_type: *resource_type,
            pattern_type: name.pattern_type,
            name: self.texts.share(&name.name),
            principal: self.texts.share(principal),
            host: self.texts.share(host),
            operation: *operation,
            permission,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(role: &RoleKind) -> Vec<String> {
        shown_for(KafkaVersion::ASSUMED, role)
    }

    fn shown_for(version: KafkaVersion, role: &RoleKind) -> Vec<String> {
        let bindings = Expander::new(version).role("User:x", role);
        for binding in &bindings {
            assert_eq!(binding.problems(version), []);
        }
        let show = |b: &RawBinding| {
            let prefixed = match b.pattern_type {
                PatternType::Literal => "",
                PatternType::Prefixed => "…",
            };
            format!("{} {} {}{prefixed}", b.operation, b.resource_type, b.name)
        };
        bindings.iter().map(show).collect()
    }

    #[test]
    fn produce_and_consume() {
        let produce = |create| RoleKind::Produce {
            topics: vec![literal("t"), prefix("p-".to_owned())],
            transactional_ids: vec![literal("id")],
            create,
        };
        assert_eq!(
            shown(&produce(false)),
            [
                "Write Topic t",
                "Write Topic p-…",
                "Write TransactionalId id"
            ]
        );
        assert_eq!(
            shown(&produce(true)),
            [
                "Write Topic t",
                "Write Topic p-…",
                "Create Topic t",
                "Create Topic p-…",
                "Write TransactionalId id"
            ]
        );
        let consume = RoleKind::Consume {
            topics: vec![all()],
            groups: vec![prefix("g-".to_owned())],
        };
        assert_eq!(shown(&consume), ["Read Topic *", "Read Group g-…"]);
    }

    #[test]
    fn whoever_produces_may_do_so_idempotently_where_brokers_ask_for_that_right() {
        let produce = RoleKind::Produce {
            topics: vec![literal("t")],
            transactional_ids: vec![],
            create: false,
        };
        let consume = RoleKind::Consume {
            topics: vec![literal("t")],
            groups: vec![literal("g")],
        };
        let registry = RoleKind::SchemaRegistry {
            schemas_topic: "_schemas".to_owned(),
            group: "schema-registry".to_owned(),
        };
        let right = "IdempotentWrite Cluster kafka-cluster".to_owned();
        let old = KafkaVersion::new(2, 7);
        assert_eq!(shown_for(old, &produce), ["Write Topic t", &right]);
        assert_eq!(shown_for(old, &registry).last(), Some(&right));
        for role in [&consume, &RoleKind::Monitor, &RoleKind::Admin] {
            assert!(!shown_for(old, role).contains(&right));
        }
        assert_eq!(
            shown_for(KafkaVersion::new(2, 8), &produce),
            ["Write Topic t"]
        );
    }

    #[test]
    fn streams() {
        let streams = |exactly_once| RoleKind::Streams {
            application_id: "app".to_owned(),
            read: vec![literal("in")],
            write: vec![literal("out")],
            exactly_once,
        };
        let mut expected = vec![
            "Read Topic in",
            "Write Topic out",
            "Create Topic app-…",
            "Read Topic app-…",
            "Write Topic app-…",
            "Delete Topic app-…",
            "Read Group app",
        ];
        assert_eq!(shown(&streams(false)), expected);
        expected.push("Write TransactionalId app-…");
        assert_eq!(shown(&streams(true)), expected);
    }

    #[test]
    fn connect() {
        let connect = |exactly_once| RoleKind::Connect {
            group_id: "c".to_owned(),
            config_topic: "config".to_owned(),
            offset_topic: "offset".to_owned(),
            status_topic: "status".to_owned(),
            sinks: vec![("s3".to_owned(), vec![literal("orders")])],
            sources: vec![literal("changes")],
            exactly_once,
        };
        let mut expected = vec![
            "Create Topic config",
            "Read Topic config",
            "Write Topic config",
            "Create Topic offset",
            "Read Topic offset",
            "Write Topic offset",
            "Create Topic status",
            "Read Topic status",
            "Write Topic status",
            "Read Group c",
            "Read Topic orders",
            "Read Group connect-s3",
            "Write Topic changes",
        ];
        assert_eq!(shown(&connect(false)), expected);
        expected.extend([
            "Write TransactionalId connect-cluster-c",
            "Write TransactionalId c-…",
        ]);
        assert_eq!(shown(&connect(true)), expected);
    }

    #[test]
    fn mirror() {
        let (topics, groups) = (vec![literal("t")], vec![literal("g")]);
        let source = |target| RoleKind::MirrorSource {
            topics: topics.clone(),
            groups: groups.clone(),
            target,
        };
        let mut expected = vec![
            "Read Topic t",
            "DescribeConfigs Topic t",
            "Describe Group g",
        ];
        assert_eq!(shown(&source(None)), expected);
        expected.extend([
            "Create Topic mm2-offset-syncs.b.internal",
            "Read Topic mm2-offset-syncs.b.internal",
            "Write Topic mm2-offset-syncs.b.internal",
        ]);
        assert_eq!(shown(&source(Some("b".to_owned()))), expected);

        let target = |groups, source| RoleKind::MirrorTarget {
            topics: topics.clone(),
            groups,
            source,
        };
        let mut expected = vec![
            "Create Topic t",
            "Write Topic t",
            "Alter Topic t",
            "AlterConfigs Topic t",
        ];
        assert_eq!(shown(&target(vec![], None)), expected);
        expected.extend(["Read Topic t", "Read Group g"]);
        assert_eq!(shown(&target(groups.clone(), None)), expected);
        expected.extend([
            "Create Topic mm2-configs.a.internal",
            "Read Topic mm2-configs.a.internal",
            "Write Topic mm2-configs.a.internal",
            "Create Topic mm2-offsets.a.internal",
            "Read Topic mm2-offsets.a.internal",
            "Write Topic mm2-offsets.a.internal",
            "Create Topic mm2-status.a.internal",
            "Read Topic mm2-status.a.internal",
            "Write Topic mm2-status.a.internal",
            "Read Group a-mm2",
            "Create Topic a.checkpoints.internal",
            "Read Topic a.checkpoints.internal",
            "Write Topic a.checkpoints.internal",
            "Create Topic heartbeats",
            "Write Topic heartbeats",
        ]);
        assert_eq!(
            shown(&target(groups.clone(), Some("a".to_owned()))),
            expected
        );
    }

    #[test]
    fn the_others() {
        let registry = RoleKind::SchemaRegistry {
            schemas_topic: "_schemas".to_owned(),
            group: "schema-registry".to_owned(),
        };
        assert_eq!(
            shown(&registry),
            [
                "Create Topic _schemas",
                "Read Topic _schemas",
                "Write Topic _schemas",
                "DescribeConfigs Topic _schemas",
                "Read Group schema-registry"
            ]
        );
        assert_eq!(
            shown(&RoleKind::Monitor),
            [
                "Describe Cluster kafka-cluster",
                "DescribeConfigs Cluster kafka-cluster",
                "Describe Topic *",
                "DescribeConfigs Topic *",
                "Describe Group *"
            ]
        );
        assert_eq!(
            shown(&RoleKind::Admin),
            [
                "Create Cluster kafka-cluster",
                "Alter Cluster kafka-cluster",
                "AlterConfigs Cluster kafka-cluster",
                "Delete Topic *",
                "Alter Topic *",
                "AlterConfigs Topic *",
                "Delete Group *"
            ]
        );
    }
}
