//! Nodes that are not alike: controllers and brokers by themselves, racks, properties, and no TLS at all.

use super::*;
use crate::{
    config::{
        Properties,
        fixture::{Fixture, fixture},
    },
    policy::SecurityProtocol,
};

fn properties(fixture: &Fixture, at: usize) -> Properties {
    Properties::parse(fixture.server(at).unwrap().as_bytes()).unwrap()
}

/// One controller, kafka1, and two brokers.
fn apart() -> Fixture {
    let mut fixture = fixture(3, "kafka1");
    fixture.brokers[0].role = NodeRole::Controller;
    fixture.brokers[1].role = NodeRole::Broker;
    fixture.brokers[2].role = NodeRole::Broker;
    fixture
}

/// The lines of one file that another lacks.
fn without(text: &str, other: &str) -> String {
    let lines = text.lines().filter(|l| !other.lines().any(|o| o == *l));
    lines.collect::<Vec<_>>().join("\n")
}

/// What is not shown here stands in the file of a node that is both, which `tests` shows whole.
#[test]
fn a_controllers_file_beside_that_of_a_node_that_is_both() {
    let mut fixture = apart();
    let controller = fixture.server(0).unwrap();
    fixture.brokers[0].role = NodeRole::Both;
    let both = fixture.server(0).unwrap();
    insta::assert_snapshot!(without(&controller, &both), @"
    # Controller kafka1 of the Kafka cluster quickstart, written by kpki from its policy: what is to stay belongs there. Where this file is edited, kpki stops and says so.
    # A KRaft controller: it keeps the cluster's metadata, with the others that are listed here.
    process.roles=controller
    listeners=CONTROLLER://:9095
    advertised.listeners=CONTROLLER://kafka1.example.com:9095
    listener.security.protocol.map=CONTROLLER:SSL
    default.replication.factor=2
    min.insync.replicas=1
    offsets.topic.replication.factor=2
    transaction.state.log.replication.factor=2
    transaction.state.log.min.isr=1
    share.coordinator.state.topic.replication.factor=2
    share.coordinator.state.topic.min.isr=1
    ");
    insta::assert_snapshot!(without(&both, &controller), @"
    # Broker kafka1 of the Kafka cluster quickstart, written by kpki from its policy: what is to stay belongs there. Where this file is edited, kpki stops and says so.
    # KRaft combined mode: every node is a broker and a controller of the metadata quorum.
    process.roles=broker,controller
    listeners=SSL://:9093,SASL_SSL://:9094,CONTROLLER://:9095
    advertised.listeners=SSL://kafka1.example.com:9093,SASL_SSL://kafka1.example.com:9094,CONTROLLER://kafka1.example.com:9095
    listener.security.protocol.map=SSL:SSL,SASL_SSL:SASL_SSL,CONTROLLER:SSL
    inter.broker.listener.name=SSL
    listener.name.ssl.ssl.client.auth=required
    listener.name.sasl_ssl.ssl.client.auth=none
    # SASL: SCRAM users log in by name and password.
    sasl.enabled.mechanisms=SCRAM-SHA-512
    listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
    default.replication.factor=3
    min.insync.replicas=2
    offsets.topic.replication.factor=3
    transaction.state.log.replication.factor=3
    transaction.state.log.min.isr=2
    share.coordinator.state.topic.replication.factor=3
    share.coordinator.state.topic.min.isr=2
    ");
}

#[test]
fn a_broker_alone_names_the_controllers_and_listens_for_none() {
    let fixture = apart();
    let read = properties(&fixture, 1);
    for (key, value) in [
        ("process.roles", "broker"),
        ("controller.quorum.voters", "1@kafka1.example.com:9095"),
        ("controller.listener.names", "CONTROLLER"),
        ("listeners", "SSL://:9093,SASL_SSL://:9094"),
        (
            "advertised.listeners",
            "SSL://kafka2.example.com:9093,SASL_SSL://kafka2.example.com:9094",
        ),
        (
            "listener.security.protocol.map",
            "SSL:SSL,SASL_SSL:SASL_SSL,CONTROLLER:SSL",
        ),
        ("inter.broker.listener.name", "SSL"),
        // Of two brokers, not of three nodes.
        ("default.replication.factor", "2"),
    ] {
        assert_eq!(read.get(key), Some(value), "{key}");
    }
    assert_eq!(read.get("listener.name.controller.ssl.client.auth"), None);
}

#[test]
fn before_3_9_a_controller_advertises_nothing() {
    let mut fixture = apart();
    fixture.cluster.kafka_version = KafkaVersion::new(3, 8);
    assert_eq!(properties(&fixture, 0).get("advertised.listeners"), None);
}

#[test]
fn the_brokers_password_is_not_for_a_controller() {
    let mut fixture = apart();
    fixture.cluster.inter_broker_listener = "SASL_SSL".into();
    fixture.scram_password = None;
    assert!(fixture.server(1).is_err());
    let read = properties(&fixture, 0);
    assert!(read.iter().all(|(key, _)| !key.contains("sasl")));
}

#[test]
fn a_node_says_what_the_policy_says_and_the_node_goes_before_the_cluster() {
    let mut fixture = fixture(1, "kafka1");
    fixture.brokers[0].rack = Some("eu west: 1#a".into());
    fixture.cluster.properties = KafkaProperties::of(&[
        ("log.retention.hours", "24"),
        ("min.insync.replicas", "1"),
        ("compression.type", "zstd"),
    ]);
    fixture.brokers[0].properties =
        KafkaProperties::of(&[("log.retention.hours", "48"), ("x", " \\u0041\u{e9}=")]);
    let text = fixture.server(0).unwrap();
    let read = Properties::parse(text.as_bytes()).unwrap();
    assert_eq!(read.get("broker.rack"), Some("eu west: 1#a"));
    assert_eq!(read.get("log.retention.hours"), Some("48"));
    assert_eq!(read.get("compression.type"), Some("zstd"));
    assert_eq!(read.get("x"), Some(" \\u0041\u{e9}="));
    assert_eq!(text.matches("min.insync.replicas=").count(), 1, "{text}");
}

/// Validation refuses these already; a gap in it must not become a broker that listens elsewhere.
#[test]
fn a_property_that_the_file_has_is_refused_where_it_is_written_too() {
    let mut fixture = fixture(1, "kafka1");
    fixture.cluster.properties = KafkaProperties::of(&[("listeners", "PLAINTEXT://:9092")]);
    assert_eq!(
        fixture.server(0).unwrap_err().to_string(),
        "server.properties: the value of `listeners` is set by kpki itself; remove it from `properties`"
    );
}

#[test]
fn without_tls_no_file_says_anything_about_it() {
    let mut fixture = fixture(1, "kafka1");
    fixture.cluster.mode = Mode::Zookeeper;
    fixture.cluster.kafka_version = KafkaVersion::new(3, 9);
    fixture.cluster.zookeeper_connect = vec!["zk1:2181".into()];
    fixture.cluster.listeners[0].protocol = SecurityProtocol::Plaintext;
    fixture.cluster.listeners[1].protocol = SecurityProtocol::SaslPlaintext;
    fixture.keystore_password = None;
    let read = properties(&fixture, 0);
    assert!(
        read.iter()
            .all(|(key, _)| !key.starts_with("ssl.") && !key.contains(".ssl.")),
        "{read:?}"
    );
    // The controllers of KRaft always talk over TLS.
    fixture.cluster.mode = Mode::Kraft;
    assert!(fixture.server(0).is_err(), "there is no key store");
}
