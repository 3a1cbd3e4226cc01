//! The settings that kpki writes are exactly those that the policy's `properties` must not contain.

use std::collections::BTreeSet;

use super::{Properties, fixture::fixture};
use crate::{
    acl::KafkaVersion,
    policy::{
        Auth, ClientAuth, ClientFormat, Mode, NodeRole, SecurityProtocol, decided,
        decides_for_client, decides_for_node,
    },
    scram::Mechanism,
};

/// kpki's defaults, which `properties` may override.
const DEFAULTS: [&str; 7] = [
    "default.replication.factor",
    "min.insync.replicas",
    "offsets.topic.replication.factor",
    "share.coordinator.state.topic.min.isr",
    "share.coordinator.state.topic.replication.factor",
    "transaction.state.log.min.isr",
    "transaction.state.log.replication.factor",
];

/// Never written by kpki: aliases of what it writes, or settings that would contradict it.
const ALIASES: [&str; 12] = [
    "controller.quorum.bootstrap.servers",
    "host.name",
    "port",
    "advertised.host.name",
    "advertised.port",
    "security.inter.broker.protocol",
    "log.dir",
    "metadata.broker.list",
    "enable.ssl.certificate.verification",
    "sasl.mechanisms",
    "ssl.client.auth",
    "sasl.enabled.mechanisms",
];

/// Every setting of every node's file, for all variations of the inputs.
fn of_nodes() -> BTreeSet<String> {
    let mut written = BTreeSet::new();
    for mode in [Mode::Kraft, Mode::Zookeeper] {
        for (version, between) in [((4, 3), "SSL"), ((3, 3), "SASL_SSL"), ((2, 2), "SASL_SSL")] {
            for role in [NodeRole::Both, NodeRole::Broker, NodeRole::Controller] {
                let mut fixture = fixture(2, "kafka1");
                let mut second = fixture.cluster.listeners[1].clone();
                second.name = "SECOND".into();
                second.mechanisms = Mechanism::ALL.to_vec();
                fixture.cluster.listeners.push(second);
                fixture.cluster.mode = mode;
                fixture.cluster.zookeeper_connect = vec!["zk:2181".into()];
                fixture.cluster.kafka_version = KafkaVersion::new(version.0, version.1);
                fixture.cluster.inter_broker_listener = between.into();
                fixture.brokers[0].role = role;
                fixture.brokers[0].rack = Some("a".into());
                let text = fixture.server(0).unwrap();
                let read = Properties::parse(text.as_bytes()).unwrap();
                written.extend(read.iter().map(|(key, _)| key.to_owned()));
            }
        }
    }
    written
}

/// The same for clients, in every format, under Kafka's names.
fn of_clients() -> BTreeSet<String> {
    let mut written = BTreeSet::new();
    for auth in [Auth::Tls, Auth::Scram(Mechanism::Sha512)] {
        let mut fixture = fixture(1, "alice");
        fixture.cluster.listeners[1].client_auth = ClientAuth::Required;
        assert_eq!(
            fixture.cluster.listeners[1].protocol,
            SecurityProtocol::SaslSsl
        );
        for format in [ClientFormat::Java, ClientFormat::Quarkus] {
            let text = fixture.client(format, auth).unwrap();
            let read = Properties::parse(text.as_bytes()).unwrap();
            let names = read
                .iter()
                .map(|(k, _)| k.strip_prefix("kafka.").unwrap_or(k).to_owned());
            written.extend(names);
        }
        let text = fixture.client(ClientFormat::Librdkafka, auth).unwrap();
        let settings = text.lines().filter(|l| !l.starts_with('#'));
        written.extend(settings.map(|l| l.split_once('=').unwrap().0.to_owned()));
        let text = fixture.client(ClientFormat::Spring, auth).unwrap();
        let (_, properties) = text.split_once("    properties:\n").unwrap();
        let names = properties
            .lines()
            .map(|l| l.trim().split_once(':').unwrap().0);
        written.extend(names.map(str::to_owned));
    }
    written
}

#[test]
fn what_is_written_is_not_for_properties_to_say() {
    for key in of_nodes() {
        let default = DEFAULTS.contains(&key.as_str());
        assert_eq!(decides_for_node(&key).is_none(), default, "{key}");
    }
    for key in of_clients() {
        assert!(decides_for_client(&key).is_some(), "{key}");
    }
}

#[test]
fn what_properties_may_not_say_is_written() {
    for (refused, written) in decided().into_iter().zip([of_nodes(), of_clients()]) {
        for name in refused {
            let matches = |key: &String| match name.strip_suffix('*') {
                Some(prefix) => key.starts_with(prefix),
                None => key == name || key.ends_with(&format!(".{name}")),
            };
            let known = written.iter().any(matches) || ALIASES.contains(&name);
            assert!(known, "{name} is refused, though nothing writes it");
        }
    }
}
