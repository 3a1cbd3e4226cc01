//! The broker's file, setting by setting.

use super::*;
use crate::{
    config::{
        Properties,
        fixture::{self, Fixture, fixture},
    },
    policy::SecurityProtocol,
};

fn properties(fixture: &Fixture, at: usize) -> Properties {
    Properties::parse(fixture.server(at).unwrap().as_bytes()).unwrap()
}

#[test]
fn the_whole_file_of_one_kraft_node() {
    insta::assert_snapshot!(fixture(1, "kafka1").server(0).unwrap(), @"
    # Broker kafka1 of the Kafka cluster quickstart, written by kpki from its policy: what is to stay belongs there. Where this file is edited, kpki stops and says so.

    # KRaft combined mode: every node is a broker and a controller of the metadata quorum.
    process.roles=broker,controller
    node.id=1
    controller.quorum.voters=1@kafka1.example.com:9095
    controller.listener.names=CONTROLLER

    # Where it listens, and where it tells others to connect to.
    listeners=SSL://:9093,SASL_SSL://:9094,CONTROLLER://:9095
    advertised.listeners=SSL://kafka1.example.com:9093,SASL_SSL://kafka1.example.com:9094,CONTROLLER://kafka1.example.com:9095
    listener.security.protocol.map=SSL:SSL,SASL_SSL:SASL_SSL,CONTROLLER:SSL
    inter.broker.listener.name=SSL

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
    listener.name.ssl.ssl.client.auth=required
    listener.name.sasl_ssl.ssl.client.auth=none
    listener.name.controller.ssl.client.auth=required

    # SASL: SCRAM users log in by name and password.
    sasl.enabled.mechanisms=SCRAM-SHA-512
    listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;

    # Who may do what: ACLs, which super users pass over. Certificates become principals by these rules.
    authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
    super.users=User:kafka1;User:admin
    allow.everyone.if.no.acl.found=false
    ssl.principal.mapping.rules=RULE:^CN=([^,]+).*$/$1/,DEFAULT

    # Where data is kept, and how many copies of it: what the number of brokers allows.
    log.dirs=/var/lib/kafka/data
    default.replication.factor=1
    min.insync.replicas=1
    offsets.topic.replication.factor=1
    transaction.state.log.replication.factor=1
    transaction.state.log.min.isr=1
    share.coordinator.state.topic.replication.factor=1
    share.coordinator.state.topic.min.isr=1
    ");
}

#[test]
fn three_nodes_form_a_quorum_and_keep_three_copies() {
    let fixture = fixture(3, "kafka2");
    let read = properties(&fixture, 1);
    assert_eq!(read.get("node.id"), Some("2"));
    assert_eq!(
        read.get("controller.quorum.voters"),
        Some("1@kafka1.example.com:9095,2@kafka2.example.com:9095,3@kafka3.example.com:9095")
    );
    assert_eq!(read.get("default.replication.factor"), Some("3"));
    assert_eq!(read.get("min.insync.replicas"), Some("2"));
    let two = properties(&fixture::fixture(2, "kafka1"), 0);
    assert_eq!(two.get("default.replication.factor"), Some("2"));
    assert_eq!(two.get("min.insync.replicas"), Some("1"));
}

#[test]
fn brokers_on_one_machine_have_their_own_ports_and_addresses() {
    let mut fixture = fixture(2, "kafka2");
    fixture.cluster.bind_address = Some("::1".parse().unwrap());
    for (broker, offset) in fixture.brokers.iter_mut().zip([0, 100]) {
        broker.port_offset = offset;
        broker.hosts = vec!["::1".parse().unwrap()];
    }
    let read = properties(&fixture, 1);
    assert_eq!(
        read.get("listeners"),
        Some("SSL://[::1]:9193,SASL_SSL://[::1]:9194,CONTROLLER://[::1]:9195")
    );
    assert_eq!(
        read.get("controller.quorum.voters"),
        Some("1@[::1]:9095,2@[::1]:9195")
    );
    fixture.brokers[1].port_offset = 60_000;
    assert_eq!(
        fixture.server(1),
        Err(ConfigError::Port("kafka2".into(), 69_095))
    );
}

#[test]
fn brokers_log_in_to_each_other_where_their_listener_is_sasl() {
    let mut fixture = fixture(1, "kafka1");
    fixture.cluster.inter_broker_listener = "SASL_SSL".into();
    fixture.cluster.listeners[1].mechanisms = vec![Mechanism::Sha512, Mechanism::Sha256];
    let read = properties(&fixture, 0);
    assert_eq!(
        read.get("sasl.mechanism.inter.broker.protocol"),
        Some("SCRAM-SHA-512")
    );
    assert_eq!(
        read.get("listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config"),
        Some(
            "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"kafka1\" password=\"scram-secret\";"
        )
    );
    assert_eq!(
        read.get("listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config"),
        Some("org.apache.kafka.common.security.scram.ScramLoginModule required;")
    );
    fixture.scram_password = None;
    assert_eq!(
        fixture.server(0),
        Err(ConfigError::NoScramPassword("kafka1".into()))
    );
}

#[test]
fn a_mechanism_stays_on_the_listener_that_has_it() {
    let mut fixture = fixture(1, "kafka1");
    let mut second = fixture.cluster.listeners[1].clone();
    second.name = "LEGACY".into();
    second.port = 9099;
    second.mechanisms = vec![Mechanism::Sha256];
    fixture.cluster.listeners.push(second);
    let read = properties(&fixture, 0);
    assert_eq!(
        read.get("sasl.enabled.mechanisms"),
        Some("SCRAM-SHA-256,SCRAM-SHA-512")
    );
    assert_eq!(
        read.get("listener.name.sasl_ssl.sasl.enabled.mechanisms"),
        Some("SCRAM-SHA-512")
    );
    assert_eq!(
        read.get("listener.name.legacy.sasl.enabled.mechanisms"),
        Some("SCRAM-SHA-256")
    );
    assert_eq!(
        read.get("listener.name.legacy.scram-sha-512.sasl.jaas.config"),
        None
    );
}

#[test]
fn zookeeper_mode_has_the_authorizer_of_its_version_and_no_controller() {
    let mut fixture = fixture(1, "kafka1");
    fixture.cluster.mode = Mode::Zookeeper;
    assert_eq!(
        fixture.server(0),
        Err(ConfigError::NoZookeeper("quickstart".into()))
    );
    fixture.cluster.zookeeper_connect = vec!["zk1:2181".into(), "zk2:2181".into()];
    for (version, class, tls) in [
        (
            (3, 9),
            "kafka.security.authorizer.AclAuthorizer",
            "TLSv1.3,TLSv1.2",
        ),
        ((2, 4), "kafka.security.authorizer.AclAuthorizer", "TLSv1.2"),
        ((2, 2), "kafka.security.auth.SimpleAclAuthorizer", "TLSv1.2"),
    ] {
        fixture.cluster.kafka_version = KafkaVersion::new(version.0, version.1);
        let read = properties(&fixture, 0);
        assert_eq!(read.get("authorizer.class.name"), Some(class));
        assert_eq!(read.get("ssl.enabled.protocols"), Some(tls));
        assert_eq!(read.get("broker.id"), Some("1"));
        assert_eq!(read.get("zookeeper.connect"), Some("zk1:2181,zk2:2181"));
        assert!(
            read.iter()
                .all(|(k, v)| !k.contains("controller") && !v.contains(CONTROLLER))
        );
        assert_eq!(read.get("process.roles"), None);
    }
}

#[test]
fn what_is_missing_is_named() {
    let mut fixture = fixture(1, "kafka1");
    fixture.brokers[0].hosts.truncate(1);
    assert_eq!(
        fixture.server(0),
        Err(ConfigError::NoAdvertisedHost("kafka1".into()))
    );
    fixture = fixture::fixture(1, "kafka1");
    fixture.cluster.inter_broker_listener = "INTERNAL".into();
    assert_eq!(
        fixture.server(0),
        Err(ConfigError::NoInterBrokerListener("INTERNAL".into()))
    );
    fixture = fixture::fixture(1, "kafka1");
    fixture.keystore_password = None;
    assert_eq!(
        fixture.server(0),
        Err(ConfigError::NoKeystore("kafka1".into()))
    );
    fixture = fixture::fixture(1, "kafka1");
    fixture.cluster.listeners[1].mechanisms.clear();
    assert_eq!(
        fixture.server(0),
        Err(ConfigError::NoMechanism("SASL_SSL".into()))
    );
}

#[test]
fn open_listeners_need_no_sasl_and_no_client_auth() {
    let mut fixture = fixture(1, "kafka1");
    fixture.cluster.allow_everyone_if_no_acl_found = true;
    fixture.cluster.listeners[1].protocol = SecurityProtocol::Plaintext;
    fixture.cluster.listeners[1].mechanisms.clear();
    let read = properties(&fixture, 0);
    assert!(read.iter().all(|(k, _)| !k.contains("sasl")));
    assert_eq!(read.get("allow.everyone.if.no.acl.found"), Some("true"));
}

#[test]
fn a_log_directory_is_one_directory() {
    let mut fixture = fixture(1, "kafka1");
    fixture.log_dir = "/data/a,b".into();
    let error = fixture.server(0).unwrap_err().to_string();
    assert_eq!(
        error,
        "server.properties: the value of `log.dirs` contains a comma, at which Kafka splits it into several directories"
    );
}
