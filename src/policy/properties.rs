//! `properties`: settings with Kafka's own names, and the table of those that other parts of the policy decide.

use std::{collections::BTreeMap, fmt};

/// Settings with Kafka's own names. Values may be secret, so Debug does not show them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct KafkaProperties(pub(super) BTreeMap<String, String>);

impl KafkaProperties {
    /// The value of a setting.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// All settings, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(k, v)| (k.as_str(), v.as_str()))
    }

    /// These settings, with those of `others` for missing names.
    #[must_use]
    pub fn or(&self, others: &Self) -> Self {
        let mut all = others.0.clone();
        all.extend(self.0.clone());
        Self(all)
    }
}

#[cfg(test)]
impl KafkaProperties {
    /// For tests.
    pub(crate) fn of(settings: &[(&str, &str)]) -> Self {
        let owned = settings.iter().map(|(k, v)| ((*k).into(), (*v).into()));
        Self(owned.collect())
    }
}

/// All names that `properties` must not contain, for nodes and for clients; a final `*` matches any suffix.
#[cfg(test)]
pub(crate) fn decided() -> [Vec<&'static str>; 2] {
    let names = |tables: &[&[Decided]]| tables.concat().iter().map(|(name, _)| *name).collect();
    [names(&[NODE, LISTENER]), names(&[CLIENT])]
}

impl fmt::Debug for KafkaProperties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// A setting, or a prefix with a final `*`; and what in the policy decides it, as a sentence.
type Decided = (&'static str, &'static str);

const LISTENERS: &str = "`cluster.listeners` and `brokers[].hosts` decide it";
const STORES: &str = "it refers to files that kpki writes, whose paths `cluster.install_dir` and `cluster.layout` decide";
const TLS_VERSIONS: &str = "`cluster.kafka_version` decides it";
const HOST_NAMES: &str =
    "host names are always verified; `brokers[].hosts` decide the names in the certificates";
const CLIENT_AUTH: &str = "`client_auth` in `cluster.listeners` decides it";
const MECHANISMS: &str = "`mechanisms` in `cluster.listeners` decide it";
const MAPPING: &str = "`cluster.principal_mapping_rules` decide it";
const QUORUM: &str = "`brokers[].roles`, `brokers[].hosts` and `cluster.controller_port` decide it";
const INTER_BROKER: &str = "`cluster.inter_broker_listener` decides it";
const AUTH: &str = "`clients[].auth` decides it";
const ID: &str = "`brokers[].id` decides it";
const LOG_DIR: &str = "`cluster.log_dir` decides it";

/// The settings that kpki writes to every `server.properties`, and Kafka's other names for them. Replication factors
/// are not listed: `properties` may override them.
#[rustfmt::skip]
const NODE: &[Decided] = &[
    ("process.roles", "`brokers[].roles` decide it"),
    ("node.id", ID),
    ("broker.id", ID),
    ("broker.rack", "`brokers[].rack` decides it"),
    ("controller.quorum.voters", QUORUM),
    ("controller.quorum.bootstrap.servers", QUORUM),
    ("controller.listener.names", QUORUM),
    ("zookeeper.connect", "`cluster.zookeeper_connect` decides it"),
    ("listeners", LISTENERS),
    ("advertised.listeners", LISTENERS),
    ("listener.security.protocol.map", LISTENERS),
    ("host.name", LISTENERS),
    ("port", LISTENERS),
    ("advertised.host.name", LISTENERS),
    ("advertised.port", LISTENERS),
    ("inter.broker.listener.name", INTER_BROKER),
    ("security.inter.broker.protocol", INTER_BROKER),
    ("sasl.mechanism.inter.broker.protocol", INTER_BROKER),
    ("ssl.keystore.*", STORES),
    ("ssl.key.password", STORES),
    ("ssl.truststore.*", STORES),
    ("ssl.enabled.protocols", TLS_VERSIONS),
    ("authorizer.class.name", "`cluster.mode` decides it"),
    ("super.users", "`cluster.super_users` decide it"),
    ("allow.everyone.if.no.acl.found", "`cluster.allow_everyone_if_no_acl_found` decides it"),
    ("log.dirs", LOG_DIR),
    ("log.dir", LOG_DIR),
];

/// The same for listeners, with or without the prefix `listener.name.<name>.`.
#[rustfmt::skip]
const LISTENER: &[Decided] = &[
    ("ssl.client.auth", CLIENT_AUTH),
    ("ssl.endpoint.identification.algorithm", HOST_NAMES),
    ("ssl.principal.mapping.rules", MAPPING),
    ("sasl.enabled.mechanisms", MECHANISMS),
    ("scram-sha-256.sasl.jaas.config", MECHANISMS),
    ("scram-sha-512.sasl.jaas.config", MECHANISMS),
];

/// The settings that kpki writes to a client's files in any format, and the other names for them.
#[rustfmt::skip]
const CLIENT: &[Decided] = &[
    ("bootstrap.servers", LISTENERS),
    ("metadata.broker.list", LISTENERS),
    ("security.protocol", AUTH),
    ("ssl.truststore.*", STORES),
    ("ssl.keystore.*", STORES),
    ("ssl.key.*", STORES),
    ("ssl.ca.*", STORES),
    ("ssl.certificate.*", STORES),
    ("ssl.enabled.protocols", TLS_VERSIONS),
    ("ssl.endpoint.identification.algorithm", HOST_NAMES),
    ("enable.ssl.certificate.verification", HOST_NAMES),
    ("sasl.mechanism", AUTH),
    ("sasl.mechanisms", AUTH),
    ("sasl.jaas.config", AUTH),
    ("sasl.username", AUTH),
    ("sasl.password", AUTH),
];

fn find(table: &[Decided], name: &str) -> Option<&'static str> {
    let is = |pattern: &str| match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == pattern,
    };
    table
        .iter()
        .find(|(pattern, _)| is(pattern))
        .map(|(_, by)| *by)
}

/// What in the policy decides a setting of `server.properties`, as a sentence; `None` if `properties` may contain it.
pub fn decides_for_node(name: &str) -> Option<&'static str> {
    let of_listener = name
        .strip_prefix("listener.name.")
        .and_then(|rest| rest.split_once('.'))
        .map_or(name, |(_, setting)| setting);
    find(NODE, name).or_else(|| find(LISTENER, of_listener))
}

/// The same for a client's files.
pub fn decides_for_client(name: &str) -> Option<&'static str> {
    find(CLIENT, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_particular_settings_go_first() {
        let of = KafkaProperties::of;
        let (broker, cluster) = (of(&[("a", "1"), ("b", "2")]), of(&[("b", "3"), ("c", "4")]));
        let all = broker.or(&cluster);
        assert_eq!(all, of(&[("a", "1"), ("b", "2"), ("c", "4")]));
        assert_eq!(format!("{all:?}"), r#"{"a", "b", "c"}"#);
    }

    #[test]
    fn a_listener_s_own_spelling_is_the_same_setting() {
        assert_eq!(
            decides_for_node("listener.name.ssl.ssl.client.auth"),
            Some(CLIENT_AUTH)
        );
        assert_eq!(decides_for_node("ssl.client.auth"), Some(CLIENT_AUTH));
        // A listener may have another certificate, for example from a public CA.
        let keystore = "listener.name.public.ssl.keystore.location";
        assert_eq!(decides_for_node(keystore), None);
        assert_eq!(decides_for_node("ssl.keystore.location"), Some(STORES));
        assert_eq!(decides_for_node("min.insync.replicas"), None);
        assert_eq!(decides_for_client("client.rack"), None);
    }
}
