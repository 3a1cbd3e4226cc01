//! What a client must know to connect, and the table of files that can tell it.

use super::{
    ConfigError, FileNames, Stores, client_java::client_properties, librdkafka::librdkafka_conf,
    quarkus::quarkus_properties, spring::spring_yaml,
};
use crate::{
    pki::IdentityName,
    policy::{Auth, Broker, ClientAuth, ClientFormat, Cluster, Listener, SecurityProtocol},
    scram::Mechanism,
    secret::Secret,
};

/// What a client's configuration is made from.
#[derive(Debug, Clone, Copy)]
pub struct ClientInput<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// Its brokers; where there are none, `cluster.bootstrap_servers` is where to connect.
    pub brokers: &'a [Broker],
    /// The client, which is also its SCRAM user.
    pub name: &'a IdentityName,
    /// How it authenticates with this file.
    pub auth: Auth,
    /// Its stores.
    pub stores: Stores<'a>,
    /// Its SCRAM password, where `auth` is SCRAM.
    pub scram_password: Option<&'a Secret>,
}

/// A format of client configuration.
#[derive(Debug, Clone, Copy)]
pub struct Format {
    /// Which it is.
    pub format: ClientFormat,
    /// What the policy and `--format` call it.
    pub word: &'static str,
    /// What the file is called.
    pub file_name: fn(&FileNames) -> &str,
    /// The file's text.
    pub write: fn(&ClientInput<'_>) -> Result<Secret, ConfigError>,
}

/// Every format, one line each.
#[rustfmt::skip]
pub const FORMATS: &[Format] = &[
    Format { format: ClientFormat::Java, word: "java", file_name: |names| &names.client_properties, write: client_properties },
    Format { format: ClientFormat::Librdkafka, word: "librdkafka", file_name: |_| "librdkafka.conf", write: librdkafka_conf },
    Format { format: ClientFormat::Spring, word: "spring", file_name: |_| "spring.yaml", write: spring_yaml },
    Format { format: ClientFormat::Quarkus, word: "quarkus", file_name: |_| "quarkus.properties", write: quarkus_properties },
];

impl Format {
    /// The table's line for a format.
    pub fn of(format: ClientFormat) -> &'static Self {
        #[expect(clippy::expect_used, reason = "a test walks over all formats")]
        FORMATS
            .iter()
            .find(|f| f.format == format)
            .expect("the table has every format")
    }
}

/// What every format says in its own words.
pub(super) struct Connection<'a> {
    /// `host:port` of each broker, joined by commas; `None` where nothing is known.
    pub(super) bootstrap: Option<String>,
    /// The protocol of the listener.
    pub(super) protocol: SecurityProtocol,
    /// Whether to show a certificate.
    pub(super) certificate: bool,
    /// Mechanism, user and password.
    pub(super) sasl: Option<(Mechanism, &'a str, &'a Secret)>,
}

impl<'a> ClientInput<'a> {
    /// Finds the first listener that serves the client, and what it asks for.
    pub(super) fn connection(&self) -> Result<Connection<'a>, ConfigError> {
        let listener = self.listener()?;
        let bootstrap = if self.brokers.is_empty() {
            self.cluster.bootstrap_servers.clone()
        } else {
            self.brokers
                .iter()
                .map(|b| {
                    Ok(format!(
                        "{}:{}",
                        b.advertised_host()?,
                        b.port(listener.port)?
                    ))
                })
                .collect::<Result<_, ConfigError>>()?
        };
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
            bootstrap: (!bootstrap.is_empty()).then(|| bootstrap.join(",")),
            protocol: listener.protocol,
            certificate: self.auth == Auth::Tls
                || listener.protocol.is_tls() && listener.client_auth == ClientAuth::Required,
            sasl,
        })
    }

    fn listener(&self) -> Result<&'a Listener, ConfigError> {
        let serves = |listener: &&Listener| match self.auth {
            Auth::Tls => {
                listener.protocol == SecurityProtocol::Ssl
                    && listener.client_auth != ClientAuth::None
            }
            Auth::Scram(mechanism) => {
                listener.protocol.is_sasl() && listener.mechanisms.contains(&mechanism)
            }
            Auth::None => {
                listener.protocol == SecurityProtocol::Ssl
                    && listener.client_auth != ClientAuth::Required
            }
        };
        self.cluster
            .listeners
            .iter()
            .find(serves)
            .ok_or_else(|| ConfigError::NoListener {
                client: self.name.to_string(),
                auth: match self.auth {
                    Auth::Tls => "tls".to_owned(),
                    Auth::None => "none".to_owned(),
                    Auth::Scram(mechanism) => mechanism.name().to_ascii_lowercase(),
                },
            })
    }
}
