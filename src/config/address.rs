//! Where a node is reached, and as which of the cluster's nodes.

use super::ConfigError;
use crate::{pki::Host, policy::Broker};

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
