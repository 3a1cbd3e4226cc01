//! `server.properties`: a complete file that a broker starts with, in KRaft combined mode or with ZooKeeper.

use super::{
    ConfigError, Stores,
    jaas::{scram_login, scram_server},
    properties::Writer,
    stores::tls_protocols,
};
use crate::{
    pki::Host,
    policy::{Broker, ClientAuth, Cluster, Listener, Mode},
    scram::Mechanism,
    secret::Secret,
};

/// The listener of the KRaft controllers.
const CONTROLLER: &str = "CONTROLLER";

/// What a broker's configuration is made from.
#[derive(Debug, Clone, Copy)]
pub struct ServerInput<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// All of its brokers, which are its KRaft controllers too.
    pub brokers: &'a [Broker],
    /// The one among them that the file is for.
    pub broker: &'a Broker,
    /// Its stores.
    pub stores: Stores<'a>,
    /// `log.dirs`, as its machine sees it.
    pub log_dir: &'a str,
    /// The password of its own SCRAM user, which has its name; needed where the inter-broker listener is over SASL.
    pub scram_password: Option<&'a Secret>,
    /// Every super user as a whole principal: the brokers, the admin and those of the policy.
    pub super_users: &'a [String],
}

/// The text of `server.properties`.
///
/// # Errors
/// When a host, a port, a password or a listener is missing or cannot be written.
pub fn server_properties(input: &ServerInput<'_>) -> Result<Secret, ConfigError> {
    let mut out = Writer::default();
    out.comment(&format!(
        "Broker {} of the Kafka cluster {}, written by kpki from its policy; changes made here are lost when kpki writes it again.",
        input.broker.name, input.cluster.name
    ));
    node(input, &mut out)?;
    listeners(input, &mut out)?;
    tls(input, &mut out)?;
    sasl(input, &mut out)?;
    authorization(input, &mut out);
    storage(input, &mut out);
    Ok(out.finish())
}

impl Broker {
    /// The host that clients connect to: the first that is no wildcard.
    pub(super) fn advertised_host(&self) -> Result<String, ConfigError> {
        self.hosts
            .iter()
            .find(|h| !h.is_wildcard())
            .map(Host::authority)
            .ok_or_else(|| ConfigError::NoAdvertisedHost(self.name.to_string()))
    }

    /// A cluster-wide port, as this broker has it.
    pub(super) fn port(&self, port: u16) -> Result<u16, ConfigError> {
        let sum = u32::from(port) + u32::from(self.port_offset);
        u16::try_from(sum).map_err(|_| ConfigError::Port(self.name.to_string(), sum))
    }
}

fn node(input: &ServerInput<'_>, out: &mut Writer) -> Result<(), ConfigError> {
    let id = input.broker.id.to_string();
    match input.cluster.mode {
        Mode::Kraft => {
            out.comment(
                "KRaft combined mode: every node is a broker and a controller of the metadata quorum.",
            );
            out.set("process.roles", "broker,controller");
            out.set("node.id", &id);
            let voters: Vec<String> = input
                .brokers
                .iter()
                .map(|b| {
                    let port = b.port(input.cluster.controller_port)?;
                    Ok(format!("{}@{}:{port}", b.id, b.advertised_host()?))
                })
                .collect::<Result<_, ConfigError>>()?;
            out.set("controller.quorum.voters", &voters.join(","));
            out.set("controller.listener.names", CONTROLLER);
        }
        Mode::Zookeeper => {
            if input.cluster.zookeeper_connect.is_empty() {
                return Err(ConfigError::NoZookeeper(input.cluster.name.clone()));
            }
            out.comment("ZooKeeper keeps the metadata.");
            out.set("broker.id", &id);
            out.set(
                "zookeeper.connect",
                &input.cluster.zookeeper_connect.join(","),
            );
        }
    }
    Ok(())
}

fn listeners(input: &ServerInput<'_>, out: &mut Writer) -> Result<(), ConfigError> {
    let (cluster, broker) = (input.cluster, input.broker);
    // No address at all makes Kafka listen on every interface.
    let bind = cluster.bind_address.as_deref().unwrap_or_default();
    let bind = bind
        .parse()
        .map_or_else(|_| bind.to_owned(), |h: Host| h.authority());
    let host = broker.advertised_host()?;
    let mut bound = Vec::new();
    let mut advertised = Vec::new();
    let mut protocols = Vec::new();
    for listener in &cluster.listeners {
        let (name, port) = (&listener.name, broker.port(listener.port)?);
        bound.push(format!("{name}://{bind}:{port}"));
        advertised.push(format!("{name}://{host}:{port}"));
        protocols.push(format!("{name}:{}", listener.protocol.kafka_name()));
    }
    if cluster.mode == Mode::Kraft {
        let port = broker.port(cluster.controller_port)?;
        bound.push(format!("{CONTROLLER}://{bind}:{port}"));
        // Earlier versions refuse to advertise it; from 3.9 on it is what `--bootstrap-controller` clients are sent to.
        if cluster.kafka_version >= (3, 9) {
            advertised.push(format!("{CONTROLLER}://{host}:{port}"));
        }
        protocols.push(format!("{CONTROLLER}:SSL"));
    }
    out.comment("Where it listens, and where it tells others to connect to.");
    out.set("listeners", &bound.join(","));
    out.set("advertised.listeners", &advertised.join(","));
    out.set("listener.security.protocol.map", &protocols.join(","));
    out.set("inter.broker.listener.name", &cluster.inter_broker_listener);
    Ok(())
}

fn tls(input: &ServerInput<'_>, out: &mut Writer) -> Result<(), ConfigError> {
    out.comment("TLS: this broker's key and certificate, and the CA that it trusts.");
    let stores = input.stores;
    for (key, value) in [stores.identity(input.broker.name.as_str())?, stores.trust()].concat() {
        out.set(&key, &value);
    }
    out.comment("Only sound versions of TLS, and brokers check each other's host names.");
    out.set(
        "ssl.enabled.protocols",
        tls_protocols(input.cluster.kafka_version),
    );
    out.set("ssl.endpoint.identification.algorithm", "https");
    out.comment("Who must show a certificate.");
    // Kafka heeds `ssl.client.auth` without a prefix on SSL listeners alone, not on SASL_SSL.
    for listener in input
        .cluster
        .listeners
        .iter()
        .filter(|l| l.protocol.is_tls())
    {
        let word = match listener.client_auth {
            ClientAuth::None => "none",
            ClientAuth::Requested => "requested",
            ClientAuth::Required => "required",
        };
        out.set(&format!("{}ssl.client.auth", prefix(&listener.name)), word);
    }
    if input.cluster.mode == Mode::Kraft {
        out.set(
            &format!("{}ssl.client.auth", prefix(CONTROLLER)),
            "required",
        );
    }
    Ok(())
}

/// What makes a setting one listener's.
fn prefix(listener: &str) -> String {
    format!("listener.name.{}.", listener.to_ascii_lowercase())
}

fn sasl(input: &ServerInput<'_>, out: &mut Writer) -> Result<(), ConfigError> {
    let cluster = input.cluster;
    let inter_broker = cluster
        .listeners
        .iter()
        .find(|l| l.name == cluster.inter_broker_listener)
        .ok_or_else(|| ConfigError::NoInterBrokerListener(cluster.inter_broker_listener.clone()))?;
    let listeners: Vec<&Listener> = cluster
        .listeners
        .iter()
        .filter(|l| l.protocol.is_sasl())
        .collect();
    if listeners.is_empty() {
        return Ok(());
    }
    out.comment("SASL: SCRAM users log in by name and password.");
    let all: Vec<Mechanism> = Mechanism::ALL
        .into_iter()
        .filter(|m| listeners.iter().any(|l| l.mechanisms.contains(m)))
        .collect();
    out.set("sasl.enabled.mechanisms", &names(&all));
    for listener in listeners {
        let first = *listener
            .mechanisms
            .first()
            .ok_or_else(|| ConfigError::NoMechanism(listener.name.clone()))?;
        let prefix = prefix(&listener.name);
        if !all.iter().all(|m| listener.mechanisms.contains(m)) {
            out.set(
                &format!("{prefix}sasl.enabled.mechanisms"),
                &names(&listener.mechanisms),
            );
        }
        let ours = listener.name == inter_broker.name;
        for mechanism in &listener.mechanisms {
            let key = format!(
                "{prefix}{}.sasl.jaas.config",
                mechanism.name().to_ascii_lowercase()
            );
            if ours && *mechanism == first {
                let name = input.broker.name.as_str();
                let password = input
                    .scram_password
                    .ok_or_else(|| ConfigError::NoScramPassword(name.to_owned()))?;
                out.set(&key, &scram_login(name, password));
            } else {
                out.set(&key, &scram_server());
            }
        }
        if ours {
            out.set("sasl.mechanism.inter.broker.protocol", first.name());
        }
    }
    Ok(())
}

fn names(mechanisms: &[Mechanism]) -> String {
    let names: Vec<_> = mechanisms.iter().map(|m| m.name()).collect();
    names.join(",")
}

fn authorization(input: &ServerInput<'_>, out: &mut Writer) {
    let cluster = input.cluster;
    out.comment(
        "Who may do what: ACLs, which super users pass over. Certificates become principals by these rules.",
    );
    let class = match cluster.mode {
        Mode::Kraft => "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        // KIP-504 brought a new interface and class in 2.4; the old one went in 3.0.
        Mode::Zookeeper if cluster.kafka_version >= (2, 4) => {
            "kafka.security.authorizer.AclAuthorizer"
        }
        Mode::Zookeeper => "kafka.security.auth.SimpleAclAuthorizer",
    };
    out.set("authorizer.class.name", class);
    out.set("super.users", &input.super_users.join(";"));
    out.set(
        "allow.everyone.if.no.acl.found",
        if cluster.allow_everyone_if_no_acl_found {
            "true"
        } else {
            "false"
        },
    );
    if !cluster.principal_mapping_rules.is_empty() {
        out.set(
            "ssl.principal.mapping.rules",
            &cluster.principal_mapping_rules.join(","),
        );
    }
}

fn storage(input: &ServerInput<'_>, out: &mut Writer) {
    let cluster = input.cluster;
    let replicas = input.brokers.len().clamp(1, 3);
    // With three copies one broker may be away and what is written still be kept twice.
    let in_sync = if replicas == 3 { "2" } else { "1" };
    let replicas = replicas.to_string();
    out.comment(
        "Where data is kept, and how many copies of it: what the number of brokers allows.",
    );
    out.set("log.dirs", input.log_dir);
    out.set("default.replication.factor", &replicas);
    out.set("min.insync.replicas", in_sync);
    out.set("offsets.topic.replication.factor", &replicas);
    out.set("transaction.state.log.replication.factor", &replicas);
    out.set("transaction.state.log.min.isr", in_sync);
    // Share groups (KIP-932) have a topic of their own from 4.0 on.
    if cluster.kafka_version >= (4, 0) {
        out.set(
            "share.coordinator.state.topic.replication.factor",
            &replicas,
        );
        out.set("share.coordinator.state.topic.min.isr", in_sync);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{
        Properties,
        fixture::{Fixture, fixture},
    };
    use super::*;
    use crate::policy::SecurityProtocol;

    fn properties(fixture: &Fixture, at: usize) -> Properties {
        Properties::parse(fixture.server(at).unwrap().as_bytes()).unwrap()
    }

    #[test]
    fn the_whole_file_of_one_kraft_node() {
        insta::assert_snapshot!(fixture(1, "kafka1").server(0).unwrap(), @"
        # Broker kafka1 of the Kafka cluster quickstart, written by kpki from its policy; changes made here are lost when kpki writes it again.

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
        let two = properties(&super::super::fixture::fixture(2, "kafka1"), 0);
        assert_eq!(two.get("default.replication.factor"), Some("2"));
        assert_eq!(two.get("min.insync.replicas"), Some("1"));
    }

    #[test]
    fn brokers_on_one_machine_have_their_own_ports_and_addresses() {
        let mut fixture = fixture(2, "kafka2");
        fixture.cluster.bind_address = Some("::1".into());
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
            fixture.cluster.kafka_version = version;
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
        fixture = super::super::fixture::fixture(1, "kafka1");
        fixture.cluster.inter_broker_listener = "INTERNAL".into();
        assert_eq!(
            fixture.server(0),
            Err(ConfigError::NoInterBrokerListener("INTERNAL".into()))
        );
        fixture = super::super::fixture::fixture(1, "kafka1");
        fixture.keystore_password = None;
        assert_eq!(
            fixture.server(0),
            Err(ConfigError::NoKeystore("kafka1".into()))
        );
        fixture = super::super::fixture::fixture(1, "kafka1");
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
}
