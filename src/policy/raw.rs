//! The shape of a policy file. The doc comments are what editors show, by way of the JSON Schema; the limits
//! here are checked against that schema, so that editors and kpki agree.
//!
//! `rename` gives each type the name that diagnostics use: "a listener has no key `prot`".

use crate::{
    document::{OneOrMany, Spanned},
    pki::KeyAlgorithm,
    scram::Mechanism,
};
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) use super::raw_access::{RawAcl, RawManage, RawOperation, RawPattern, RawTest};
pub(super) use super::raw_include::{RawInclude, RawScope};
pub(super) use super::raw_issuer::RawIssuer;
pub(super) use super::raw_properties::RawProperties;
pub(super) use super::roles::RawRole;
use super::{ClientAuth, ClientFormat, Mode, SecurityProtocol};

/// The security of a Kafka cluster: certificates, SCRAM users and ACLs. Read by kpki.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "policy")]
pub(super) struct RawPolicy {
    /// The cluster as a whole.
    pub cluster: Option<RawCluster>,
    /// The private CA that signs every certificate.
    pub ca: Option<RawCa>,
    /// The brokers; each gets a key, a certificate, stores and a server.properties.
    pub brokers: Option<Vec<Spanned<RawBroker>>>,
    /// The clients; each gets what it needs to connect, and the rights of its roles.
    pub clients: Option<Vec<Spanned<RawClient>>>,
    /// SCRAM users besides the clients: credentials only.
    pub users: Option<Vec<Spanned<RawUser>>>,
    /// Rights that no role covers, in Kafka's own terms.
    pub acls: Option<Vec<Spanned<RawAcl>>>,
    /// Further files with clients, acls and tests, as paths or patterns (`teams/*.yaml`); with `scope` to restrict a
    /// team to its own names.
    pub include: Option<Vec<Spanned<RawInclude>>>,
    /// What `--prune` may delete.
    pub manage: Option<RawManage>,
    /// Requests that must be allowed or denied; run by `acl test`.
    pub tests: Option<Vec<Spanned<RawTest>>>,
}

/// A file that a policy includes: the clients, acls and tests of one team.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "included_file")]
pub(super) struct RawIncluded {
    /// Clients, besides those of the policy.
    pub clients: Option<Vec<Spanned<RawClient>>>,
    /// Rights that no role covers, in Kafka's own terms.
    pub acls: Option<Vec<Spanned<RawAcl>>>,
    /// Requests that must be allowed or denied.
    pub tests: Option<Vec<Spanned<RawTest>>>,
}

/// A file that the policy includes.
pub(super) struct Included {
    /// The place in the policy's `include` of the entry that names it.
    pub entry: usize,
    /// What it says.
    pub raw: RawIncluded,
}

/// The cluster as a whole.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "cluster")]
pub(super) struct RawCluster {
    /// A name for people. Default: kafka.
    pub name: Option<Spanned<String>>,
    /// `host:port` of brokers that kpki connects to. Default: the brokers' first TLS listener.
    pub bootstrap_servers: Option<Vec<Spanned<String>>>,
    /// The client that kpki connects as; a super user.
    pub admin: Option<Spanned<String>>,
    /// How the cluster keeps its metadata. Default: kraft.
    pub mode: Option<Spanned<Mode>>,
    /// `host:port` of the ZooKeeper nodes, the last one with a path if there is one. With mode zookeeper only.
    #[schemars(length(min = 1))]
    pub zookeeper_connect: Option<Spanned<Vec<Spanned<String>>>>,
    /// Kafka's version, in quotes: "4.3". Default: the newest that kpki knows.
    pub kafka_version: Option<Spanned<String>>,
    /// The absolute path of an identity's files on its machine. Default: where they were written.
    pub install_dir: Option<Spanned<String>>,
    /// The absolute path of the brokers' data (log.dirs).
    pub log_dir: Option<Spanned<String>>,
    /// The address that brokers listen on. Default: every interface.
    pub bind_address: Option<Spanned<String>>,
    /// Principals that may do everything, besides the brokers and the admin: `User:name`.
    pub super_users: Option<Vec<Spanned<String>>>,
    /// Whether everyone may use a resource that no ACL names. Default: false.
    pub allow_everyone_if_no_acl_found: Option<Spanned<bool>>,
    /// Rules that map a certificate's subject to a principal: `RULE:pattern/replacement/` or `DEFAULT`.
    /// Default: the CN is the name.
    #[schemars(length(min = 1))]
    pub principal_mapping_rules: Option<Vec<Spanned<String>>>,
    /// The listeners of every broker. Default: SSL on 9093, and SASL_SSL on 9094 if SCRAM is used.
    #[schemars(length(min = 1))]
    pub listeners: Option<Vec<Spanned<RawListener>>>,
    /// The listener that brokers use among themselves. Default: the first one with TLS.
    pub inter_broker_listener: Option<Spanned<String>>,
    /// The port of the KRaft controllers. Default: 9095, or the next free one.
    #[schemars(range(min = 1, max = 65535))]
    pub controller_port: Option<Spanned<u16>>,
    /// The names and files that an image or recipe expects. Default: default.
    pub layout: Option<Spanned<String>>,
    /// The owner of the files, in quotes: "1000:1000".
    pub owner: Option<Spanned<String>>,
    /// Further settings of every node's server.properties, under Kafka's own names.
    pub properties: Option<RawProperties>,
}

/// A listener of every broker.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "listener")]
pub(super) struct RawListener {
    /// Its name: letters, digits and `_`.
    pub name: Spanned<String>,
    /// Its port, to which a broker's port_offset is added.
    #[schemars(range(min = 1, max = 65535))]
    pub port: Spanned<u16>,
    /// Encryption and authentication.
    pub protocol: Spanned<SecurityProtocol>,
    /// Whether clients must present a certificate. Default: required on SSL, none on SASL_SSL.
    pub client_auth: Option<Spanned<ClientAuth>>,
    /// The SASL mechanisms, on SASL_SSL and SASL_PLAINTEXT.
    #[schemars(length(min = 1))]
    pub mechanisms: Option<Spanned<Vec<Spanned<Mechanism>>>>,
}

/// The private CA.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "ca")]
pub(super) struct RawCa {
    /// Its subject as RFC 2253 text, `CN=Example CA,O=Example`; a generation number is appended to the CN.
    pub subject: Option<Spanned<String>>,
    /// Its key. Default: ecdsa-p256.
    pub key: Option<KeyAlgorithm>,
    /// Validity of its certificate in days. Default: 3650.
    #[schemars(range(min = 1, max = 36500))]
    pub valid_days: Option<Spanned<u32>>,
    /// Validity of all other certificates in days. Default: 397.
    #[schemars(range(min = 1, max = 36500))]
    pub leaf_valid_days: Option<Spanned<u32>>,
    /// A certificate is due for renewal this many days before it expires. Default: 60.
    #[schemars(range(min = 1, max = 36500))]
    pub renew_before_days: Option<Spanned<u32>>,
    /// The issuer. Default: a key in the output directory, under `ca/`.
    pub issuer: Option<Spanned<RawIssuer>>,
    /// The URL of the CRL that `kpki crl --der` writes: `http://…` or, for a file on each machine, `file:///…`. It is
    /// added to every certificate that is signed from then on.
    pub crl_url: Option<Spanned<String>>,
}

/// A broker, or a dedicated controller.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "broker")]
pub(super) struct RawBroker {
    /// Its name: the certificate's CN and its directory.
    pub name: Spanned<String>,
    /// node.id or broker.id. Default: the one assigned before; for a new broker its position in the list, or the lowest
    /// free id.
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub id: Option<Spanned<u32>>,
    /// Its host names and addresses; the first is advertised. Default: its name.
    #[schemars(length(min = 1))]
    pub hosts: Option<Vec<Spanned<String>>>,
    /// Added to every port, so that several brokers fit one machine. Default: 0.
    #[schemars(range(min = 0, max = 65534))]
    pub port_offset: Option<Spanned<u16>>,
    /// Its key algorithm; `external` if the key is made on its own machine and stays there. Default: ecdsa-p256.
    pub key: Option<RawLeafKey>,
    /// Its roles in a KRaft cluster. Default: both.
    pub roles: Option<Spanned<OneOrMany<Spanned<RawNodeRole>>>>,
    /// Its rack, data centre or availability zone (broker.rack).
    pub rack: Option<Spanned<String>>,
    /// Further settings of its server.properties, under Kafka's own names; they take precedence over those of the
    /// cluster.
    pub properties: Option<RawProperties>,
}

/// The key of a broker or client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(rename = "leaf_key")]
pub(super) enum RawLeafKey {
    /// ECDSA on P-256, signing with SHA-256: small, fast, read by every client. The default.
    #[serde(rename = "ecdsa-p256")]
    EcdsaP256,
    /// ECDSA on P-384, signing with SHA-384.
    #[serde(rename = "ecdsa-p384")]
    EcdsaP384,
    /// RSA of 2048 bits, signing with SHA-256.
    #[serde(rename = "rsa-2048")]
    Rsa2048,
    /// RSA of 3072 bits, signing with SHA-256.
    #[serde(rename = "rsa-3072")]
    Rsa3072,
    /// RSA of 4096 bits, signing with SHA-256.
    #[serde(rename = "rsa-4096")]
    Rsa4096,
    /// Made on its own machine, which sends a request.
    #[serde(rename = "external")]
    External,
}

/// What a node does in a KRaft cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "node_role")]
pub(super) enum RawNodeRole {
    /// It stores records, and clients connect to it.
    Broker,
    /// It keeps the cluster's metadata, as a member of the quorum.
    Controller,
}

/// A client.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "client")]
pub(super) struct RawClient {
    /// Its name: the principal is `User:<name>`.
    pub name: Spanned<String>,
    /// How it authenticates; client.properties uses the first one. Default: tls.
    pub auth: Option<Spanned<OneOrMany<Spanned<RawAuth>>>>,
    /// Host names and addresses in its certificate. Default: its name, if that is a host name.
    pub hosts: Option<Vec<Spanned<String>>>,
    /// Which configuration files it gets. Default: java.
    pub formats: Option<OneOrMany<Spanned<ClientFormat>>>,
    /// Its key algorithm; `external` if the key is made on its own machine and stays there. Default: ecdsa-p256.
    pub key: Option<RawLeafKey>,
    /// PBKDF2 iterations of its SCRAM credentials. Default: 8192.
    #[schemars(range(min = 4096, max = 16384))]
    pub iterations: Option<Spanned<u32>>,
    /// What it may do.
    pub roles: Option<Spanned<Vec<Spanned<RawRole>>>>,
    /// Further settings of its configuration files, under Kafka's own names; librdkafka.conf gets them unchanged.
    pub properties: Option<RawProperties>,
}

/// How a client authenticates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[schemars(rename = "auth")]
pub(super) enum RawAuth {
    /// With a certificate.
    #[serde(rename = "tls")]
    Tls,
    /// With a password, by SCRAM with SHA-256.
    #[serde(rename = "scram-sha-256")]
    ScramSha256,
    /// With a password, by SCRAM with SHA-512.
    #[serde(rename = "scram-sha-512")]
    ScramSha512,
    /// Not at all: encrypted, but User:ANONYMOUS.
    #[serde(rename = "none")]
    None,
}

/// A SCRAM user besides the clients.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "user")]
pub(super) struct RawUser {
    /// Its name.
    pub name: Spanned<String>,
    /// Its mechanism or mechanisms.
    pub auth: OneOrMany<Spanned<RawUserAuth>>,
    /// PBKDF2 iterations. Default: 8192.
    #[schemars(range(min = 4096, max = 16384))]
    pub iterations: Option<u32>,
}

/// How a user authenticates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[schemars(rename = "user_auth")]
pub(super) enum RawUserAuth {
    /// SCRAM with SHA-256.
    #[serde(rename = "scram-sha-256")]
    ScramSha256,
    /// SCRAM with SHA-512.
    #[serde(rename = "scram-sha-512")]
    ScramSha512,
}
