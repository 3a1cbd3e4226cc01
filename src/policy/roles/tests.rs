//! Which rights each role comes to, right by right.

use crate::{
    acl::{Binding, PatternType},
    policy::parse,
};

/// The bindings of a client with this role, in their order.
fn shown(role: &str) -> Vec<String> {
    shown_for("\"4.3\"", role)
}

fn shown_for(version: &str, role: &str) -> Vec<String> {
    let text =
        format!("cluster: {{kafka_version: {version}}}\nclients: [{{name: x, roles: [{role}]}}]");
    let policy = parse("p.yaml", &text, &|_| Ok(Vec::new())).unwrap();
    let show = |b: &Binding| {
        let prefixed = match b.pattern_type {
            PatternType::Literal => "",
            PatternType::Prefixed => "…",
        };
        format!("{} {} {}{prefixed}", b.operation, b.resource_type, b.name)
    };
    policy.bindings.iter().map(|b| show(&b.binding)).collect()
}

#[test]
fn produce_and_consume() {
    let produce = |more| {
        shown(&format!(
            "produce: {{topic: [t, {{prefix: p-}}], transactional_id: id{more}}}"
        ))
    };
    assert_eq!(
        produce(""),
        [
            "Write Topic t",
            "Write Topic p-…",
            "Write TransactionalId id"
        ]
    );
    assert_eq!(
        produce(", create: true"),
        [
            "Write Topic t",
            "Write Topic p-…",
            "Create Topic t",
            "Create Topic p-…",
            "Write TransactionalId id"
        ]
    );
    assert_eq!(
        shown("consume: {topic: '*', group: {prefix: g-}}"),
        ["Read Topic *", "Read Group g-…"]
    );
}

#[test]
fn read_only() {
    assert_eq!(
        shown("read_only: {topic: [t, {prefix: p-}], group: g}"),
        ["Read Topic t", "Read Topic p-…", "Read Group g"]
    );
    assert_eq!(shown("read_only: {topic: t}"), ["Read Topic t"]);
    assert_eq!(shown("read_only: {group: '*'}"), ["Read Group *"]);
}

#[test]
fn whoever_produces_may_do_so_idempotently_where_brokers_ask_for_that_right() {
    let right = "IdempotentWrite Cluster kafka-cluster".to_owned();
    let old = "\"2.7\", mode: zookeeper";
    let produce = "produce: {topic: t}";
    assert_eq!(shown_for(old, produce), ["Write Topic t", &right]);
    let registry = shown_for(old, "schema_registry: {}");
    assert_eq!(registry.last(), Some(&right));
    for role in ["consume: {topic: t, group: g}", "monitor", "admin"] {
        assert!(!shown_for(old, role).contains(&right));
    }
    assert_eq!(
        shown_for("\"2.8\", mode: zookeeper", produce),
        ["Write Topic t"]
    );
}

#[test]
fn streams() {
    let streams = |more| {
        shown(&format!(
            "streams: {{application_id: app, read: in, write: out{more}}}"
        ))
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
    assert_eq!(streams(""), expected);
    expected.push("Write TransactionalId app-…");
    assert_eq!(streams(", exactly_once: true"), expected);
}

#[test]
fn connect() {
    let connect = |more| {
        shown(&format!(
            "connect: {{group_id: c, config_topic: config, offset_topic: offset, status_topic: status, \
             sinks: [{{name: s3, topic: orders}}], sources: changes{more}}}"
        ))
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
    assert_eq!(connect(""), expected);
    expected.extend([
        "Write TransactionalId connect-cluster-c",
        "Write TransactionalId c-…",
    ]);
    assert_eq!(connect(", exactly_once: true"), expected);
}

#[test]
fn mirror() {
    let source = |more| shown(&format!("mirror_source: {{topics: t, groups: g{more}}}"));
    let mut expected = vec![
        "Read Topic t",
        "DescribeConfigs Topic t",
        "Describe Group g",
    ];
    assert_eq!(source(""), expected);
    expected.extend([
        "Create Topic mm2-offset-syncs.b.internal",
        "Read Topic mm2-offset-syncs.b.internal",
        "Write Topic mm2-offset-syncs.b.internal",
    ]);
    assert_eq!(source(", target: b"), expected);

    let target = |more| shown(&format!("mirror_target: {{topics: t{more}}}"));
    let mut expected = vec![
        "Create Topic t",
        "Write Topic t",
        "Alter Topic t",
        "AlterConfigs Topic t",
    ];
    assert_eq!(target(""), expected);
    expected.extend(["Read Topic t", "Read Group g"]);
    assert_eq!(target(", groups: g"), expected);
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
    assert_eq!(target(", groups: g, source: a"), expected);
}

#[test]
fn the_others() {
    assert_eq!(
        shown("schema_registry: {}"),
        [
            "Create Topic _schemas",
            "Read Topic _schemas",
            "Write Topic _schemas",
            "DescribeConfigs Topic _schemas",
            "Read Group schema-registry"
        ]
    );
    assert_eq!(
        shown("monitor"),
        [
            "Describe Cluster kafka-cluster",
            "DescribeConfigs Cluster kafka-cluster",
            "Describe Topic *",
            "DescribeConfigs Topic *",
            "Describe Group *"
        ]
    );
    assert_eq!(
        shown("admin"),
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
