//! A node's address and id.

use super::ConfigError;
use crate::{
    pki::Host,
    policy::{Broker, CONTROLLER, Cluster, Mode},
};

/// The host that clients connect to: the first that is not a wildcard.
pub(super) fn advertised_host(broker: &Broker) -> Result<String, ConfigError> {
    let mut hosts = broker.hosts.iter();
    hosts
        .find(|h| !h.is_wildcard())
        .map(Host::authority)
        .ok_or_else(|| ConfigError::NoAdvertisedHost(broker.name.to_string()))
}

/// A broker's id, which is chosen before anything is written.
pub(super) fn node_id(broker: &Broker) -> Result<u32, ConfigError> {
    broker
        .id
        .ok_or_else(|| ConfigError::NoId(broker.name.to_string()))
}

/// A cluster-wide port, as this broker has it.
pub(super) fn port(broker: &Broker, port: u16) -> Result<u16, ConfigError> {
    let sum = u32::from(port) + u32::from(broker.port_offset);
    u16::try_from(sum).map_err(|_| ConfigError::Port(broker.name.to_string(), sum))
}

/// A listener with TLS of one node, as others reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsEndpoint {
    /// Its name: `SSL`, `CONTROLLER`.
    pub listener: String,
    /// The host that is asked for.
    pub host: String,
    /// `host:port`.
    pub address: String,
}

/// The listeners with TLS of a node, that of the controllers last.
///
/// # Errors
/// When it has no host that others could connect to, or no such port.
pub fn tls_endpoints(cluster: &Cluster, node: &Broker) -> Result<Vec<TlsEndpoint>, ConfigError> {
    let mut listeners: Vec<(&str, u16)> = Vec::new();
    if node.role.is_broker() {
        let tls = cluster.listeners.iter().filter(|l| l.protocol.is_tls());
        listeners.extend(tls.map(|l| (l.name.as_str(), l.port)));
    }
    if cluster.mode == Mode::Kraft && node.role.is_controller() {
        listeners.push((CONTROLLER, cluster.controller_port));
    }
    let endpoint = |(listener, number): (&str, u16)| {
        let host = advertised_host(node)?;
        Ok(TlsEndpoint {
            listener: listener.to_owned(),
            address: format!("{host}:{}", port(node, number)?),
            host: host.trim_matches(['[', ']']).to_owned(),
        })
    };
    listeners.into_iter().map(endpoint).collect()
}
