//! What a client needs to connect, in any format.

use super::{
    ConfigError, Stores,
    address::{advertised_host, port},
};
use crate::{
    pki::IdentityName,
    policy::{Auth, Broker, Cluster, KafkaProperties, SecurityProtocol},
    scram::Mechanism,
    secret::Secret,
};

/// The inputs of a client's configuration.
#[derive(Debug, Clone, Copy)]
pub struct ClientInput<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// Its nodes; clients do not connect to dedicated controllers. If there are none, clients connect to
    /// `cluster.bootstrap_servers`.
    pub brokers: &'a [Broker],
    /// The client, which is also its SCRAM user.
    pub name: &'a IdentityName,
    /// The authentication method of this file.
    pub auth: Auth,
    /// Its stores.
    pub stores: Stores<'a>,
    /// Its SCRAM password, if `auth` is SCRAM.
    pub scram_password: Option<&'a Secret>,
    /// Its further settings in the policy.
    pub properties: &'a KafkaProperties,
}

/// The first listener that accepts a client, and what it requires.
#[derive(Debug)]
pub struct Route {
    /// `host:port` of each broker; empty if unknown.
    pub brokers: Vec<String>,
    /// The protocol of the listener.
    pub protocol: SecurityProtocol,
    /// Whether to send a client certificate.
    pub certificate: bool,
}

impl Route {
    /// The value of `bootstrap.servers`, if known.
    pub fn bootstrap_servers(&self) -> Option<String> {
        (!self.brokers.is_empty()).then(|| self.brokers.join(","))
    }
}

/// Finds the route for a client with this authentication method, and with or without a certificate to present. Without
/// brokers, it is `cluster.bootstrap_servers`.
///
/// # Errors
/// If no listener accepts it, or a broker's address cannot be written into a setting.
pub fn route(
    cluster: &Cluster,
    brokers: &[Broker],
    client: &IdentityName,
    auth: Auth,
    certificate: bool,
) -> Result<Route, ConfigError> {
    let listener = cluster
        .listener_for(auth, certificate)
        .ok_or_else(|| ConfigError::NoListener(client.to_string(), auth.to_string()))?;
    let address = |b: &Broker| {
        let port = port(b, listener.port)?;
        Ok(format!("{}:{port}", advertised_host(b)?))
    };
    let serving = brokers.iter().filter(|b| b.role.is_broker());
    let brokers = match brokers.is_empty() {
        true => cluster.bootstrap_servers.clone(),
        false => serving.map(address).collect::<Result<_, ConfigError>>()?,
    };
    Ok(Route {
        brokers,
        protocol: listener.protocol,
        certificate: auth == Auth::Tls || listener.requires_certificate(),
    })
}

/// The settings that every format expresses in its own way.
pub(super) struct Connection<'a> {
    /// Where to connect.
    pub(super) route: Route,
    /// The password of the keystore, if it sends a certificate.
    pub(super) keystore_password: Option<&'a Secret>,
    /// Mechanism, user and password.
    pub(super) sasl: Option<(Mechanism, &'a str, &'a Secret)>,
}

impl<'a> ClientInput<'a> {
    /// The client's route and credentials.
    pub(super) fn connection(&self) -> Result<Connection<'a>, ConfigError> {
        let certificate = self.stores.keystore_password.is_some();
        let route = route(
            self.cluster,
            self.brokers,
            self.name,
            self.auth,
            certificate,
        )?;
        let keystore = || self.stores.keystore_password(self.name.as_str());
        let keystore_password = route.certificate.then(keystore).transpose()?;
        let sasl = match self.auth {
            Auth::Scram(mechanism) => {
                let password = self
                    .scram_password
                    .ok_or_else(|| ConfigError::NoScramPassword(self.name.to_string()))?;
                Some((mechanism, self.name.as_str(), password))
            }
            Auth::Tls | Auth::None => None,
        };
        Ok(Connection {
            route,
            keystore_password,
            sasl,
        })
    }
}
