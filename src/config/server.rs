//! `server.properties`: a complete file for a KRaft broker, controller or both, or for a broker with ZooKeeper.

use super::{
    ConfigError, Stores,
    address::{advertised_host, node_id, port},
    jaas::{scram_login, scram_server},
    properties::Writer,
    stores::tls_settings,
};
use crate::{
    acl::{KafkaVersion, Principal},
    pki::{CrlUrl, Host},
    policy::{Broker, CONTROLLER, ClientAuth, Cluster, KafkaProperties, Listener, Mode, NodeRole},
    scram::Mechanism,
    secret::Secret,
};

/// The JVM option that enables CRL checks; Kafka has no setting for it.
const CHECKS_CRL: &str =
    r#"KAFKA_OPTS="-Dcom.sun.net.ssl.checkRevocation=true -Dcom.sun.security.enableCRLDP=true""#;

/// The inputs of a broker's configuration.
#[derive(Debug, Clone, Copy)]
pub struct ServerInput<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// All of its nodes, including KRaft controllers, each with its id.
    pub brokers: &'a [Broker],
    /// The node that the file is for.
    pub broker: &'a Broker,
    /// Its stores.
    pub stores: Stores<'a>,
    /// `log.dirs` on its machine.
    pub log_dir: &'a str,
    /// The password of its own SCRAM user, which has its name; needed if the inter-broker listener uses SASL.
    pub scram_password: Option<&'a Secret>,
    /// The CRL URL in certificates.
    pub crl_url: Option<&'a CrlUrl>,
    /// Every super user as a full principal: the brokers, the admin and those of the policy.
    pub super_users: &'a [Principal],
}

/// The text of `server.properties`.
///
/// # Errors
/// If a host, a port, a password or a listener is missing or cannot be written.
pub fn server_properties(input: &ServerInput<'_>) -> Result<Secret, ConfigError> {
    let mut out = Writer::default();
    let what = match input.broker.role.is_broker() {
        true => "Broker",
        false => "Controller",
    };
    out.comment(&format!(
        "{what} {} of the Kafka cluster {}, written by kpki from its policy: what is to stay belongs there. Where this file is edited, kpki stops and says so.",
        input.broker.name, input.cluster.name
    ));
    node(input, &mut out)?;
    listeners(input, &mut out)?;
    if input.cluster.speaks_tls() {
        tls(input, &mut out)?;
    }
    if input.broker.role.is_broker() {
        sasl(input, &mut out)?;
    }
    authorization(input, &mut out);
    let said = input.broker.properties.or(&input.cluster.properties);
    storage(input, &said, &mut out)?;
    if let Some(rack) = &input.broker.rack {
        out.comment("Where it stands: copies are spread over the racks.");
        out.set("broker.rack", rack);
    }
    out.properties("server.properties", said.iter())?;
    Ok(out.finish())
}

fn node(input: &ServerInput<'_>, out: &mut Writer) -> Result<(), ConfigError> {
    let id = node_id(input.broker)?.to_string();
    match input.cluster.mode {
        Mode::Kraft => {
            let (about, roles) = match input.broker.role {
                NodeRole::Both => (
                    "KRaft combined mode: every node is a broker and a controller of the metadata quorum.",
                    "broker,controller",
                ),
                NodeRole::Broker => (
                    "A KRaft broker: the metadata is kept by the controllers that are listed here.",
                    "broker",
                ),
                NodeRole::Controller => (
                    "A KRaft controller: it keeps the cluster's metadata, with the others that are listed here.",
                    "controller",
                ),
            };
            out.comment(about);
            out.set("process.roles", roles);
            out.set("node.id", &id);
            let voters: Vec<String> = input
                .brokers
                .iter()
                .filter(|b| b.role.is_controller())
                .map(|b| {
                    let port = port(b, input.cluster.controller_port)?;
                    Ok(format!("{}@{}:{port}", node_id(b)?, advertised_host(b)?))
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
            let nodes = input.cluster.zookeeper_connect.join(",");
            out.set("zookeeper.connect", &nodes);
        }
    }
    Ok(())
}

fn listeners(input: &ServerInput<'_>, out: &mut Writer) -> Result<(), ConfigError> {
    let (cluster, broker) = (input.cluster, input.broker);
    // Without an address, Kafka listens on every interface.
    let bind = cluster.bind_address.as_ref();
    let bind = bind.map(Host::authority).unwrap_or_default();
    let host = advertised_host(broker)?;
    let mut bound = Vec::new();
    let mut advertised = Vec::new();
    let mut protocols = Vec::new();
    // A dedicated controller must only list its own listener.
    let serving = broker.role.is_broker().then_some(&cluster.listeners);
    for listener in serving.into_iter().flatten() {
        let (name, port) = (&listener.name, port(broker, listener.port)?);
        bound.push(format!("{name}://{bind}:{port}"));
        advertised.push(format!("{name}://{host}:{port}"));
        protocols.push(format!("{name}:{}", listener.protocol.kafka_name()));
    }
    if cluster.mode == Mode::Kraft {
        if broker.role.is_controller() {
            let port = port(broker, cluster.controller_port)?;
            bound.push(format!("{CONTROLLER}://{bind}:{port}"));
            // Earlier versions refuse to advertise it; `--bootstrap-controller` clients connect to it.
            if cluster.kafka_version >= KafkaVersion::ADVERTISED_CONTROLLERS {
                advertised.push(format!("{CONTROLLER}://{host}:{port}"));
            }
        }
        // A dedicated broker connects to that listener, although it has none itself.
        protocols.push(format!("{CONTROLLER}:SSL"));
    }
    out.comment("Where it listens, and where it tells others to connect to.");
    out.set("listeners", &bound.join(","));
    if !advertised.is_empty() {
        out.set("advertised.listeners", &advertised.join(","));
    }
    out.set("listener.security.protocol.map", &protocols.join(","));
    if broker.role.is_broker() {
        out.set("inter.broker.listener.name", &cluster.inter_broker_listener);
    }
    Ok(())
}

fn tls(input: &ServerInput<'_>, out: &mut Writer) -> Result<(), ConfigError> {
    out.comment("TLS: this broker's key and certificate, and the CA that it trusts.");
    let stores = input.stores;
    let password = stores.keystore_password(input.broker.name.as_str())?;
    out.settings(&stores.identity(password));
    out.settings(&stores.trust());
    if let Some(url) = input.crl_url {
        out.comment(&format!(
            "The list of revoked certificates is {url}. It is checked where the node is started with {CHECKS_CRL}; a list that cannot be read or is past its time then keeps everybody out."
        ));
    }
    out.comment("Only sound versions of TLS, and brokers check each other's host names.");
    out.settings(&tls_settings(input.cluster.kafka_version));
    out.comment("Who must show a certificate.");
    // Without a prefix, Kafka applies `ssl.client.auth` only to SSL listeners, not to SASL_SSL.
    let role = input.broker.role;
    let listeners = input.cluster.listeners.iter();
    for listener in listeners.filter(|l| l.protocol.is_tls() && role.is_broker()) {
        let word = match listener.client_auth {
            ClientAuth::None => "none",
            ClientAuth::Requested => "requested",
            ClientAuth::Required => "required",
        };
        out.set(&of_listener(&listener.name, "ssl.client.auth"), word);
    }
    if input.cluster.mode == Mode::Kraft && role.is_controller() {
        out.set(&of_listener(CONTROLLER, "ssl.client.auth"), "required");
    }
    Ok(())
}

/// A setting for one listener.
fn of_listener(listener: &str, key: &str) -> String {
    format!("listener.name.{}.{key}", listener.to_ascii_lowercase())
}

fn sasl(input: &ServerInput<'_>, out: &mut Writer) -> Result<(), ConfigError> {
    let cluster = input.cluster;
    let inter_broker = cluster
        .listeners
        .iter()
        .find(|l| l.name == cluster.inter_broker_listener)
        .ok_or_else(|| ConfigError::NoInterBrokerListener(cluster.inter_broker_listener.clone()))?;
    let listeners = cluster.listeners.iter();
    let listeners: Vec<&Listener> = listeners.filter(|l| l.protocol.is_sasl()).collect();
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
        if !all.iter().all(|m| listener.mechanisms.contains(m)) {
            let key = of_listener(&listener.name, "sasl.enabled.mechanisms");
            out.set(&key, &names(&listener.mechanisms));
        }
        let ours = listener.name == inter_broker.name;
        for mechanism in &listener.mechanisms {
            let key = format!("{}.sasl.jaas.config", mechanism.name().to_ascii_lowercase());
            let key = of_listener(&listener.name, &key);
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
    let certificates = cluster.speaks_tls();
    let about = "Who may do what: ACLs, which super users pass over.";
    out.comment(&match certificates {
        true => format!("{about} Certificates become principals by these rules."),
        false => about.to_owned(),
    });
    let class = match cluster.mode {
        Mode::Kraft => "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        Mode::Zookeeper if cluster.kafka_version >= KafkaVersion::ACL_AUTHORIZER => {
            "kafka.security.authorizer.AclAuthorizer"
        }
        Mode::Zookeeper => "kafka.security.auth.SimpleAclAuthorizer",
    };
    out.set("authorizer.class.name", class);
    out.set("super.users", &input.super_users.join(";"));
    let everyone = cluster.allow_everyone_if_no_acl_found.to_string();
    out.set("allow.everyone.if.no.acl.found", &everyone);
    if certificates {
        let rules = cluster.principal_mapping_rules.to_string();
        out.set("ssl.principal.mapping.rules", &rules);
    }
}

/// The numbers of replicas are defaults, which the policy's properties may override.
fn storage(
    input: &ServerInput<'_>,
    said: &KafkaProperties,
    out: &mut Writer,
) -> Result<(), ConfigError> {
    let cluster = input.cluster;
    if input.log_dir.contains(',') {
        return Err(ConfigError::Unwritable {
            file: "server.properties",
            key: "log.dirs".to_owned(),
            why: "contains a comma, at which Kafka splits it into several directories",
        });
    }
    let brokers = input.brokers.iter().filter(|b| b.role.is_broker());
    let replicas = brokers.count().clamp(1, 3);
    // With three replicas, one broker may be down and writes are still stored twice.
    let in_sync = if replicas == 3 { "2" } else { "1" };
    let replicas = replicas.to_string();
    out.comment(
        "Where data is kept, and how many copies of it: what the number of brokers allows.",
    );
    out.set("log.dirs", input.log_dir);
    let mut copies = vec![
        ("default.replication.factor", replicas.as_str()),
        ("min.insync.replicas", in_sync),
        ("offsets.topic.replication.factor", &replicas),
        ("transaction.state.log.replication.factor", &replicas),
        ("transaction.state.log.min.isr", in_sync),
    ];
    if cluster.kafka_version >= KafkaVersion::SHARE_GROUPS {
        copies.extend([
            (
                "share.coordinator.state.topic.replication.factor",
                &*replicas,
            ),
            ("share.coordinator.state.topic.min.isr", in_sync),
        ]);
    }
    for (key, value) in copies {
        if said.get(key).is_none() {
            out.set(key, value);
        }
    }
    Ok(())
}

#[cfg(test)]
mod node_tests;
#[cfg(test)]
mod tests;
