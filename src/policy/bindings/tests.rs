//! Which rights each role comes to, right by right.

use super::*;

fn shown(role: &RoleKind) -> Vec<String> {
    shown_for(KafkaVersion::ASSUMED, role)
}

fn shown_for(version: KafkaVersion, role: &RoleKind) -> Vec<String> {
    let bindings = Expander::new(version).role(&Principal::user("x"), role);
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
