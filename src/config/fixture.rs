//! A cluster for this room's tests.

use super::{ClientInput, ServerInput, Stores, client_config, server_properties};
use crate::{
    acl::{KafkaVersion, Principal},
    document::Source,
    pki::KeyAlgorithm,
    policy::{
        Auth, Broker, ClientAuth, ClientFormat, Cluster, DEFAULT_MAPPING_RULES, FileNames,
        KafkaProperties, Layout, Listener, Mode, NodeRole, SecurityProtocol,
    },
    scram::Mechanism,
    secret::Secret,
};

pub(super) struct Fixture {
    pub(super) cluster: Cluster,
    pub(super) brokers: Vec<Broker>,
    pub(super) names: FileNames,
    pub(super) dir: String,
    pub(super) log_dir: String,
    pub(super) keystore_password: Option<Secret>,
    pub(super) truststore_password: Secret,
    pub(super) scram_password: Option<Secret>,
    /// The client's stores.
    pub(super) properties: KafkaProperties,
}

/// The policy's defaults: SSL and SASL_SSL, ACLs, `brokers` brokers kafka1, kafka2, … and the identity `name`'s stores.
pub(super) fn fixture(brokers: u32, name: &str) -> Fixture {
    let listener = |name: &str, port, protocol, client_auth, mechanisms| Listener {
        name: name.to_owned(),
        port,
        protocol,
        client_auth,
        mechanisms,
    };
    let source = Source {
        file: "policy.yaml".into(),
        line: 1,
        column: 1,
    };
    Fixture {
        cluster: Cluster {
            name: "quickstart".into(),
            bootstrap_servers: vec![],
            admin: None,
            mode: Mode::Kraft,
            zookeeper_connect: vec![],
            kafka_version: KafkaVersion::ASSUMED,
            install_dir: Some("/opt/ssl".into()),
            log_dir: None,
            bind_address: None,
            super_users: vec![],
            allow_everyone_if_no_acl_found: false,
            principal_mapping_rules: DEFAULT_MAPPING_RULES.clone(),
            listeners: vec![
                listener(
                    "SSL",
                    9093,
                    SecurityProtocol::Ssl,
                    ClientAuth::Required,
                    vec![],
                ),
                listener(
                    "SASL_SSL",
                    9094,
                    SecurityProtocol::SaslSsl,
                    ClientAuth::None,
                    vec![Mechanism::Sha512],
                ),
            ],
            inter_broker_listener: "SSL".into(),
            controller_port: 9095,
            layout: &Layout::DEFAULT,
            owner: None,
            properties: KafkaProperties::default(),
        },
        brokers: (1..=brokers)
            .map(|id| Broker {
                name: format!("kafka{id}").parse().unwrap(),
                id: Some(id),
                hosts: vec![
                    "*.example.com".parse().unwrap(),
                    format!("kafka{id}.example.com").parse().unwrap(),
                ],
                port_offset: 0,
                key: Some(KeyAlgorithm::EcdsaP256),
                role: NodeRole::Both,
                rack: None,
                properties: KafkaProperties::default(),
                source: source.clone(),
            })
            .collect(),
        names: Layout::DEFAULT.files(name),
        dir: "/opt/ssl/".into(),
        log_dir: "/var/lib/kafka/data".into(),
        keystore_password: Some(Secret::new("keystore-secret".into())),
        truststore_password: Secret::new("truststore-secret".into()),
        scram_password: Some(Secret::new("scram-secret".into())),
        properties: KafkaProperties::default(),
    }
}

impl Fixture {
    pub(super) fn stores(&self) -> Stores<'_> {
        Stores {
            dir: &self.dir,
            names: &self.names,
            keystore_password: self.keystore_password.as_ref(),
            truststore_password: &self.truststore_password,
        }
    }

    /// The configuration of the broker at this position.
    pub(super) fn server(&self, at: usize) -> Result<String, super::ConfigError> {
        let super_users = ["kafka1", "admin"].map(Principal::user);
        server_properties(&ServerInput {
            cluster: &self.cluster,
            brokers: &self.brokers,
            broker: &self.brokers[at],
            stores: self.stores(),
            log_dir: &self.log_dir,
            scram_password: self.scram_password.as_ref(),
            crl_url: None,
            super_users: &super_users,
        })
        .map(|text| text.expose().to_owned())
    }

    /// The configuration of the client alice.
    pub(super) fn client(
        &self,
        format: ClientFormat,
        auth: Auth,
    ) -> Result<String, super::ConfigError> {
        let input = ClientInput {
            cluster: &self.cluster,
            brokers: &self.brokers,
            name: &"alice".parse().unwrap(),
            auth,
            stores: self.stores(),
            scram_password: self.scram_password.as_ref(),
            properties: &self.properties,
        };
        client_config(format, &input).map(|text| text.expose().to_owned())
    }
}
