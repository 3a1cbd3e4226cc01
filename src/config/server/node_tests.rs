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

#[test]
fn the_whole_file_of_a_controller() {
    insta::assert_snapshot!(apart().server(0).unwrap(), @"
    # Controller kafka1 of the Kafka cluster quickstart, written by kpki from its policy: what is to stay belongs there. Where this file is edited, kpki stops and says so.

    # A KRaft controller: it keeps the cluster's metadata, with the others that are listed here.
    process.roles=controller
    node.id=1
    controller.quorum.voters=1@kafka1.example.com:9095
    controller.listener.names=CONTROLLER

    # Where it listens, and where it tells others to connect to.
    listeners=CONTROLLER://:9095
    advertised.listeners=CONTROLLER://kafka1.example.com:9095
    listener.security.protocol.map=CONTROLLER:SSL

    # TLS: this broker's key and certificate, and the CA that it trusts.
    ssl.keystore.type=PKCS12
    ssl.keystore.location=/opt/ssl/kafka1.keystore.p12
    ssl.keystore.password=keystore-secret
    ssl.key.password=keystore-secret
    ssl.truststore.type=PKCS12
    ssl.truststore.location=/opt/ssl/kafka1.truststore.p12
    ssl.truststore.password=truststore-secret

    # Only sound versions of TLS, and brokers check each other's host names.
    ssl.enabled.protocols=TLSv1.3,TLSv1.2
    ssl.endpoint.identification.algorithm=https

    # Who must show a certificate.
    listener.name.controller.ssl.client.auth=required

    # Who may do what: ACLs, which super users pass over. Certificates become principals by these rules.
    authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
    super.users=User:kafka1;User:admin
    allow.everyone.if.no.acl.found=false
    ssl.principal.mapping.rules=RULE:^CN=([^,]+).*$/$1/,DEFAULT

    # Where data is kept, and how many copies of it: what the number of brokers allows.
    log.dirs=/var/lib/kafka/data
    default.replication.factor=2
    min.insync.replicas=1
    offsets.topic.replication.factor=2
    transaction.state.log.replication.factor=2
    transaction.state.log.min.isr=1
    share.coordinator.state.topic.replication.factor=2
    share.coordinator.state.topic.min.isr=1
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
    fixture.cluster.kafka_version = (3, 8);
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
        "server.properties: the value of `listeners` is kpki's to set; remove it from `properties`"
    );
}

#[test]
fn without_tls_no_file_says_anything_about_it() {
    let mut fixture = fixture(1, "kafka1");
    fixture.cluster.mode = Mode::Zookeeper;
    fixture.cluster.kafka_version = (3, 9);
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
