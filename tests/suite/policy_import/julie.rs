//! Topologies of julie-ops.

use super::{allowed, import, imported};
use crate::support::kpki::Kpki;

#[test]
fn a_topology_of_julie_comes_over_with_the_names_that_it_builds() {
    let kpki = Kpki::new();
    kpki.write(
        "topology.yaml",
        "context: shop
source: web
projects:
  - name: carts
    consumers:
      - principal: User:mail
      - principal: User:sums
        group: sums-*
    producers:
      - principal: User:web
        transactionId: web-*
    streams:
      - principal: User:join
        topics: {read: [a], write: [b]}
        exactlyOnce: false
      - {principal: User:once, applicationId: once-app, exactlyOnce: true}
    connectors:
      - principal: User:sink
        group: sinks
        status_topic: sinks.status
        topics: {read: [b]}
    topics:
      - name: added
      - name: paid
        dataType: avro
        producers:
          - principal: User:bank
            idempotence: true
  - name: empty
    others: {watcher: [{principal: 'User:eye'}]}
special_topics:
  - name: plain
    consumers: [{principal: 'User:mail', group: '*'}]
platform:
  schema_registry:
    instances:
      - principal: User:registry
      - {principal: User:subjects, topic: subjects, consumer_offsets_topic: offsets, group: subjects-group}
  control_center:
    instances: [{principal: 'User:c3', appId: c3}]
",
    );
    let mut expected = Vec::new();
    let mut add = |rows: &[(&str, &str, &str)]| {
        for (principal, operations, resource) in rows {
            expected.extend(allowed(principal, operations, resource));
        }
    };
    for topic in [
        "TOPIC LITERAL shop.web.carts.added",
        "TOPIC LITERAL shop.web.carts.paid.avro",
    ] {
        add(&[
            ("User:mail", "DESCRIBE READ", topic),
            ("User:sums", "DESCRIBE READ", topic),
            ("User:web", "DESCRIBE WRITE", topic),
        ]);
    }
    add(&[
        ("User:mail", "READ", "GROUP LITERAL *"),
        ("User:mail", "DESCRIBE READ", "TOPIC LITERAL plain"),
        ("User:sums", "READ", "GROUP PREFIXED sums-"),
        (
            "User:web",
            "DESCRIBE WRITE",
            "TRANSACTIONAL_ID PREFIXED web-",
        ),
        (
            "User:web",
            "IDEMPOTENT_WRITE",
            "CLUSTER LITERAL kafka-cluster",
        ),
        (
            "User:bank",
            "DESCRIBE WRITE",
            "TOPIC LITERAL shop.web.carts.paid.avro",
        ),
        (
            "User:bank",
            "IDEMPOTENT_WRITE",
            "CLUSTER LITERAL kafka-cluster",
        ),
        ("User:join", "READ", "TOPIC LITERAL a"),
        ("User:join", "WRITE", "TOPIC LITERAL b"),
        ("User:join", "ALL", "TOPIC PREFIXED shop.web.carts"),
        ("User:join", "READ", "GROUP PREFIXED shop.web.carts"),
        ("User:sink", "READ", "TOPIC LITERAL b"),
        ("User:sink", "READ WRITE", "TOPIC LITERAL sinks.status"),
        ("User:sink", "READ WRITE", "TOPIC LITERAL connect-offsets"),
        ("User:sink", "READ WRITE", "TOPIC LITERAL connect-configs"),
        ("User:sink", "READ", "GROUP LITERAL sinks"),
        ("User:sink", "CREATE", "CLUSTER LITERAL kafka-cluster"),
        (
            "User:registry",
            "CREATE DESCRIBE DESCRIBE_CONFIGS READ WRITE",
            "TOPIC LITERAL _schemas",
        ),
        (
            "User:registry",
            "DESCRIBE",
            "TOPIC LITERAL __consumer_offsets",
        ),
        ("User:registry", "READ", "GROUP LITERAL schema-registry"),
        (
            "User:subjects",
            "CREATE DESCRIBE DESCRIBE_CONFIGS READ WRITE",
            "TOPIC LITERAL subjects",
        ),
        ("User:subjects", "DESCRIBE", "TOPIC LITERAL offsets"),
        ("User:subjects", "READ", "GROUP LITERAL subjects-group"),
        ("User:once", "ALL", "TOPIC PREFIXED once-app"),
        ("User:once", "READ", "GROUP PREFIXED once-app"),
        (
            "User:once",
            "DESCRIBE WRITE",
            "TRANSACTIONAL_ID PREFIXED once-app",
        ),
    ]);
    let left = imported(&kpki, "topology.yaml", &expected);
    let told = [
        (30, "`others` of the project shop.web.empty"),
        (39, "`control_center` of the platform"),
    ];
    assert_eq!(left, told.map(|(line, what)| (line, what.to_owned())));
}

#[test]
fn a_topology_without_a_context_is_not_imported() {
    let kpki = Kpki::new();
    for (key, line, why) in [
        ("team", 2, "which was `team` before 1.0: rename it"),
        ("group", 1, "julie requires `context`"),
    ] {
        kpki.write(
            "topology.yaml",
            &format!("company: c\n{key}: shop\nprojects:\n  - name: p\n    consumers: [{{principal: 'User:a'}}]\n    topics: [{{name: t}}]\n"),
        );
        let told = imported(&kpki, "topology.yaml", &[]);
        assert_eq!(told, [(line, "the topology".to_owned())]);
        let said = import(&kpki, &["topology.yaml"]).stderr;
        assert!(said.contains(why), "{said}");
    }
}
