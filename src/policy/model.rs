//! A policy that has passed every check.

use std::ops::Deref;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    acl::{
        Binding, KafkaVersion, Operation, PatternType, Permission, Principal, PrincipalPattern,
        ResourceType,
    },
    document::Source,
    pki::{CrlUrl, Dn, Host, IdentityName, KeyAlgorithm, principal::MappingRules},
};

use super::{ClientFormat, IssuerSettings, KafkaProperties, Layout};

/// A policy that has passed every check, which is the only way to construct one; it cannot be changed.
#[derive(Debug, Clone)]
pub struct ValidatedPolicy(pub(super) Policy);

impl Deref for ValidatedPolicy {
    type Target = Policy;

    fn deref(&self) -> &Policy {
        &self.0
    }
}

impl ValidatedPolicy {
    /// The same policy with another layout and owner of the files.
    pub fn laid_out(
        mut self,
        layout: Option<&'static Layout>,
        owner: Option<(u32, u32)>,
    ) -> ValidatedPolicy {
        let cluster = &mut self.0.cluster;
        cluster.layout = layout.unwrap_or(cluster.layout);
        cluster.owner = owner.or(cluster.owner);
        self
    }
}

/// The content of a policy, with every default filled in.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The `cluster` section.
    pub cluster: Cluster,
    /// The `ca` section.
    pub ca: CaSettings,
    /// The brokers, in the policy's order.
    pub brokers: Vec<Broker>,
    /// The clients, in the policy's order, followed by those of included files.
    pub clients: Vec<Client>,
    /// SCRAM users besides the clients: credentials without certificates or configuration.
    pub users: Vec<ScramUser>,
    /// The `acls` section.
    pub acls: Vec<AclEntry>,
    /// What `--prune` may delete: `None` for the default.
    pub manage: Option<Vec<PrincipalPattern>>,
    /// The `tests` section.
    pub tests: Vec<AclTest>,
    /// The bindings of roles and acls, without duplicates, each with the first place that defines it.
    pub bindings: Vec<PolicyBinding>,
    /// Where the cluster's settings are defined.
    pub places: Places,
}

/// Where a policy defines the cluster's settings.
#[derive(Debug, Clone)]
pub struct Places {
    /// The start of the policy file, for what it leaves out.
    pub file: Source,
    /// `admin`.
    pub admin: Option<Source>,
    /// Each of `super_users`.
    pub super_users: Vec<Source>,
    /// `allow_everyone_if_no_acl_found`.
    pub allow_everyone: Option<Source>,
    /// The first of `principal_mapping_rules`.
    pub mapping_rules: Option<Source>,
    /// Each of `listeners`, if the policy has any.
    pub listeners: Vec<Source>,
    /// `inter_broker_listener`.
    pub inter_broker_listener: Option<Source>,
}

/// A binding of the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyBinding {
    /// The binding.
    pub binding: Binding,
    /// The role or the entry of `acls` that it comes from.
    pub source: Source,
}

/// How a cluster keeps its metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "mode")]
pub enum Mode {
    /// A KRaft quorum of the nodes that are controllers; the only one from Kafka 4.0.
    Kraft,
    /// ZooKeeper, up to Kafka 3.9.
    Zookeeper,
}

/// The port of the TLS listener in a policy without `listeners`.
pub const TLS_PORT: u16 = 9093;

/// The name of the KRaft controllers' listener, which is reserved.
pub const CONTROLLER: &str = "CONTROLLER";

/// The cluster's settings.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// A name for people.
    pub name: String,
    /// The brokers that kpki itself connects to; empty: the brokers' first TLS listener.
    pub bootstrap_servers: Vec<String>,
    /// The client that kpki connects as.
    pub admin: Option<IdentityName>,
    /// KRaft or ZooKeeper.
    pub mode: Mode,
    /// `host:port` of ZooKeeper's nodes, in ZooKeeper mode.
    pub zookeeper_connect: Vec<String>,
    /// The brokers' Kafka version.
    pub kafka_version: KafkaVersion,
    /// Where an identity's directory is mounted; `None`: where it was written.
    pub install_dir: Option<String>,
    /// `log.dirs` of the brokers; `None`: /var/lib/kafka/data if `install_dir` is set, else in the output directory.
    pub log_dir: Option<String>,
    /// The address that brokers listen on; `None`: every interface.
    pub bind_address: Option<Host>,
    /// Full principals (`User:x`) besides the brokers and the admin.
    pub super_users: Vec<Principal>,
    /// `allow.everyone.if.no.acl.found`.
    pub allow_everyone_if_no_acl_found: bool,
    /// `ssl.principal.mapping.rules`.
    pub principal_mapping_rules: MappingRules,
    /// The listeners for clients and brokers, without the KRaft controller listener.
    pub listeners: Vec<Listener>,
    /// The name of the listener that brokers use among themselves.
    pub inter_broker_listener: String,
    /// The port of the KRaft controller listener, named `CONTROLLER`.
    pub controller_port: u16,
    /// File names and password files for the image or recipe that uses them.
    pub layout: &'static Layout,
    /// `UID:GID` of the files' owner.
    pub owner: Option<(u32, u32)>,
    /// Further settings of every node.
    pub properties: KafkaProperties,
}

impl Cluster {
    /// Whether brokers log in to each other with SASL, under their names.
    pub fn brokers_log_in(&self) -> bool {
        let between = &self.inter_broker_listener;
        let mut listeners = self.listeners.iter();
        listeners.any(|l| l.name == *between && l.protocol.is_sasl())
    }
}

/// A listener's protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schemars(rename = "protocol")]
pub enum SecurityProtocol {
    /// No encryption and no authentication.
    Plaintext,
    /// TLS; clients are identified by their certificates, if they present one.
    Ssl,
    /// Passwords without encryption.
    SaslPlaintext,
    /// Passwords over TLS.
    SaslSsl,
}

impl SecurityProtocol {
    /// Kafka's name: `SASL_SSL`.
    pub fn kafka_name(self) -> &'static str {
        match self {
            Self::Plaintext => "PLAINTEXT",
            Self::Ssl => "SSL",
            Self::SaslPlaintext => "SASL_PLAINTEXT",
            Self::SaslSsl => "SASL_SSL",
        }
    }

    /// True for SSL and SASL_SSL.
    pub fn is_tls(self) -> bool {
        matches!(self, Self::Ssl | Self::SaslSsl)
    }

    /// True for SASL_PLAINTEXT and SASL_SSL.
    pub fn is_sasl(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }
}

/// Whether clients must present a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "client_auth")]
pub enum ClientAuth {
    /// They do not.
    None,
    /// They may; without one they are User:ANONYMOUS.
    Requested,
    /// They must.
    Required,
}

/// A listener of every broker.
#[derive(Debug, Clone)]
pub struct Listener {
    /// Letters, digits and `_`, in upper case.
    pub name: String,
    /// The port, before a broker's `port_offset`.
    pub port: u16,
    /// Its protocol.
    pub protocol: SecurityProtocol,
    /// Whether clients present a certificate; `None` on listeners without TLS.
    pub client_auth: ClientAuth,
    /// SASL mechanisms; empty on listeners without SASL.
    pub mechanisms: Vec<crate::scram::Mechanism>,
}

/// The `ca` section.
#[derive(Debug, Clone)]
pub struct CaSettings {
    /// The subject, without its generation.
    pub subject: Dn,
    /// The CA's key.
    pub key: KeyAlgorithm,
    /// Validity of the CA certificate in days.
    pub valid_days: u32,
    /// Validity of leaf certificates in days.
    pub leaf_valid_days: u32,
    /// A leaf is due for renewal this many days before it expires.
    pub renew_before_days: u32,
    /// The issuer; `None`: a key in the output directory, or the existing issuer.
    pub issuer: Option<IssuerSettings>,
    /// The CRL URL in leaves.
    pub crl_url: Option<CrlUrl>,
}

/// What a node does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeRole {
    /// It is a broker and a KRaft controller.
    Both,
    /// It is a broker; in ZooKeeper mode every node is.
    Broker,
    /// It is a KRaft controller, to which no client connects.
    Controller,
}

impl NodeRole {
    /// Whether it stores records, and has listeners for clients.
    pub fn is_broker(self) -> bool {
        self != Self::Controller
    }

    /// Whether it is part of the KRaft quorum.
    pub fn is_controller(self) -> bool {
        self != Self::Broker
    }
}

/// A broker, or a dedicated controller.
#[derive(Debug, Clone)]
pub struct Broker {
    /// Its name.
    pub name: IdentityName,
    /// `node.id` or `broker.id`, if the policy has it. Otherwise the broker keeps its previous one, which is stored in
    /// the output directory, and a new broker gets its position in the list, or the lowest free id.
    pub id: Option<u32>,
    /// The SANs, never empty; the first is the advertised host.
    pub hosts: Vec<Host>,
    /// Added to every port, so that several brokers fit one machine.
    pub port_offset: u16,
    /// The leaf's key; `None`: it is made elsewhere, and stays there.
    pub key: Option<KeyAlgorithm>,
    /// What it does.
    pub role: NodeRole,
    /// `broker.rack`.
    pub rack: Option<String>,
    /// Further settings, which override those of the cluster.
    pub properties: KafkaProperties,
    /// Where it was said.
    pub source: Source,
}

/// An authentication method of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// A client certificate.
    Tls,
    /// A SCRAM password.
    Scram(crate::scram::Mechanism),
    /// Nothing: an encrypted connection as `User:ANONYMOUS`.
    None,
}

impl std::fmt::Display for Auth {
    /// The word of the policy: `tls`, `scram-sha-512`, `none`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tls => f.write_str("tls"),
            Self::Scram(mechanism) => f.write_str(&mechanism.name().to_ascii_lowercase()),
            Self::None => f.write_str("none"),
        }
    }
}

/// A client.
#[derive(Debug, Clone)]
pub struct Client {
    /// Its name.
    pub name: IdentityName,
    /// Its SANs: `hosts`, else its name if that is a host name.
    pub hosts: Vec<Host>,
    /// How it authenticates; `client.properties` uses the first one. Never empty.
    pub auth: Vec<Auth>,
    /// Which configuration files it gets.
    pub formats: Vec<ClientFormat>,
    /// The leaf's key; `None`: it is made elsewhere, and stays there.
    pub key: Option<KeyAlgorithm>,
    /// PBKDF2 iterations of its SCRAM credentials.
    pub iterations: u32,
    /// What it may do.
    pub roles: Vec<Role>,
    /// Further settings of its configuration files.
    pub properties: KafkaProperties,
    /// The prefix outside which its file may grant nothing.
    pub scope: Option<String>,
    /// Where it was said.
    pub source: Source,
}

/// A SCRAM user besides the clients.
#[derive(Debug, Clone)]
pub struct ScramUser {
    /// Its name.
    pub name: IdentityName,
    /// Its mechanisms, never empty.
    pub mechanisms: Vec<crate::scram::Mechanism>,
    /// PBKDF2 iterations.
    pub iterations: u32,
    /// Where it was said.
    pub source: Source,
}

/// A resource name with its pattern type.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NamePattern {
    /// LITERAL or PREFIXED.
    pub pattern_type: PatternType,
    /// The name, the prefix, or `*`.
    pub name: String,
}

/// An operation on a resource that a role allows.
pub type RoleRight = (ResourceType, NamePattern, Operation);

/// One role of a client.
#[derive(Debug, Clone)]
pub struct Role {
    /// What it expands to.
    pub rights: Vec<RoleRight>,
    /// Where it was said.
    pub source: Source,
}

/// One entry of `acls`: every operation on every resource.
#[derive(Debug, Clone)]
pub struct AclEntry {
    /// The principal.
    pub principal: Principal,
    /// An address or `*`.
    pub host: String,
    /// ALLOW or DENY.
    pub permission: Permission,
    /// The operations.
    pub operations: Vec<Operation>,
    /// The resource type.
    pub resource_type: ResourceType,
    /// The resources.
    pub resources: Vec<NamePattern>,
    /// The prefix outside which its file may grant nothing.
    pub scope: Option<String>,
    /// Whether it is in the policy itself, not in an included file.
    pub own: bool,
    /// Where it was said.
    pub source: Source,
}

/// One entry of `tests`.
#[derive(Debug, Clone)]
pub struct AclTest {
    /// The principal of the request.
    pub principal: Principal,
    /// The client's address.
    pub host: String,
    /// True for `can`, false for `cannot`.
    pub allowed: bool,
    /// The requested operations.
    pub operations: Vec<Operation>,
    /// The resource type.
    pub resource_type: ResourceType,
    /// The literal resource names.
    pub names: Vec<String>,
    /// Where it was said.
    pub source: Source,
}
