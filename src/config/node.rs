//! The parts of a broker's configuration that cannot be changed just by writing a new file and restarting it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Properties;

/// What the rest of the cluster, and its formatted disk, depend on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeFacts {
    /// `node.id` or `broker.id`.
    pub id: u32,
    /// The cluster id that its disk is formatted with, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// `controller.quorum.voters`: `1@kafka1:9095`.
    #[serde(default)]
    pub voters: BTreeSet<String>,
    /// The name of the listener between brokers.
    #[serde(default)]
    pub inter_broker: String,
    /// Each listener's name, with its protocol and port: `SSL 9093`.
    #[serde(default)]
    pub listeners: BTreeMap<String, String>,
    /// The listeners in `bootstrap_servers`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub bootstrap: BTreeSet<String>,
    /// The hosts that its certificate is to name: `DNS:kafka1`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub hosts: BTreeSet<String>,
    /// `super.users`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub super_users: BTreeSet<String>,
    /// `ssl.principal.mapping.rules`; an older kpki recorded them only with super users that the policy itself lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mapping_rules: Option<String>,
}

impl NodeFacts {
    /// Reads them from a broker's configuration; `None` if it has no id, and so is not a broker's file.
    pub fn of(properties: &Properties) -> Option<Self> {
        let id = properties
            .get("node.id")
            .or(properties.get("broker.id"))?
            .trim()
            .parse()
            .ok()?;
        let list = |key: &str| {
            let text = properties.get(key).unwrap_or_default();
            let words = text.split(',').map(str::trim).filter(|w| !w.is_empty());
            words.map(str::to_owned).collect::<Vec<_>>()
        };
        let protocols: BTreeMap<String, String> = list("listener.security.protocol.map")
            .iter()
            .filter_map(|pair| pair.split_once(':'))
            .map(|(name, protocol)| (name.to_owned(), protocol.to_owned()))
            .collect();
        let mut listeners = BTreeMap::new();
        for listener in list("listeners") {
            if let Some((name, address)) = listener.split_once("://") {
                // Without a map, a listener's name is its protocol.
                let protocol = protocols.get(name).map_or(name, String::as_str);
                let port = address.rsplit_once(':').map_or("", |(_, port)| port);
                listeners.insert(name.to_owned(), format!("{protocol} {port}"));
            }
        }
        let inter_broker = properties
            .get("inter.broker.listener.name")
            .or(properties.get("security.inter.broker.protocol"))
            .unwrap_or("PLAINTEXT");
        Some(Self {
            id,
            voters: list("controller.quorum.voters").into_iter().collect(),
            inter_broker: inter_broker.to_owned(),
            listeners,
            ..Self::default()
        })
    }

    /// The listeners on one of these ports.
    pub fn at<'a>(&'a self, ports: &'a BTreeSet<String>) -> impl Iterator<Item = &'a str> {
        self.listeners
            .iter()
            .filter(|(_, at)| {
                at.rsplit_once(' ')
                    .is_some_and(|(_, port)| ports.contains(port))
            })
            .map(|(name, _)| name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::fixture::fixture;

    #[test]
    fn they_are_read_from_what_is_written() {
        let text = fixture(3, "kafka2").server(1).unwrap();
        let facts = NodeFacts::of(&Properties::parse(text.as_bytes()).unwrap()).unwrap();
        assert_eq!(facts.id, 2);
        assert_eq!(facts.voters.len(), 3);
        assert!(
            facts.voters.contains("2@kafka2.example.com:9095"),
            "{facts:?}"
        );
        assert_eq!(facts.inter_broker, "SSL");
        assert_eq!(facts.listeners["SASL_SSL"], "SASL_SSL 9094");
        let ports = BTreeSet::from(["9094".to_owned()]);
        assert_eq!(facts.at(&ports).collect::<Vec<_>>(), ["SASL_SSL"]);
    }

    #[test]
    fn a_file_of_something_else_has_none() {
        for text in ["", "node.id=x", "bootstrap.servers=a:1"] {
            assert_eq!(
                NodeFacts::of(&Properties::parse(text.as_bytes()).unwrap()),
                None
            );
        }
    }
}
