//! A node's address and id.

use super::ConfigError;
use crate::{
    pki::Host,
    policy::{Broker, CONTROLLER, Cluster, Mode, SecurityProtocol},
    scram::Mechanism,
};

/// The host that clients connect to: the first one that is not a wildcard.
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

/// A cluster-wide port plus this broker's offset.
pub(super) fn port(broker: &Broker, port: u16) -> Result<u16, ConfigError> {
    let sum = u32::from(port) + u32::from(broker.port_offset);
    u16::try_from(sum).map_err(|_| ConfigError::Port(broker.name.to_string(), sum))
}

/// A listener of one node, as seen by others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its name: `SSL`, `CONTROLLER`.
    pub listener: String,
    /// The host that clients use.
    pub host: String,
    /// `host:port`.
    pub address: String,
    /// Its protocol.
    pub protocol: SecurityProtocol,
    /// Its SASL mechanisms.
    pub mechanisms: Vec<Mechanism>,
}

/// The listeners of a node, the controllers' listener last.
///
/// # Errors
/// If it has no host that others can connect to, or the port is not valid.
pub fn endpoints(cluster: &Cluster, node: &Broker) -> Result<Vec<Endpoint>, ConfigError> {
    let host = advertised_host(node)?;
    let endpoint = |listener: &str, number, protocol, mechanisms: &[Mechanism]| {
        Ok::<_, ConfigError>(Endpoint {
            listener: listener.to_owned(),
            address: format!("{host}:{}", port(node, number)?),
            host: host.trim_matches(['[', ']']).to_owned(),
            protocol,
            mechanisms: mechanisms.to_vec(),
        })
    };
    let mut found = Vec::new();
    if node.role.is_broker() {
        for l in &cluster.listeners {
            found.push(endpoint(&l.name, l.port, l.protocol, &l.mechanisms)?);
        }
    }
    if cluster.mode == Mode::Kraft && node.role.is_controller() {
        let (port, protocol) = (cluster.controller_port, SecurityProtocol::Ssl);
        found.push(endpoint(CONTROLLER, port, protocol, &[])?);
    }
    Ok(found)
}

/// Those with TLS.
///
/// # Errors
/// As [`endpoints`].
pub fn tls_endpoints(cluster: &Cluster, node: &Broker) -> Result<Vec<Endpoint>, ConfigError> {
    let mut found = endpoints(cluster, node)?;
    found.retain(|endpoint| endpoint.protocol.is_tls());
    Ok(found)
}
