//! What a client must know to connect, and the table of files that can tell it.

use super::{
    ConfigError, Stores, client_java::client_properties, librdkafka::librdkafka_conf,
    quarkus::quarkus_properties, spring::spring_yaml,
};
use crate::{
    pki::IdentityName,
    policy::{
        Auth, Broker, ClientAuth, ClientFormat, Cluster, FileNames, KafkaProperties, Listener,
        SecurityProtocol,
    },
    scram::Mechanism,
    secret::Secret,
};

/// What a client's configuration is made from.
#[derive(Debug, Clone, Copy)]
pub struct ClientInput<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// Its nodes, of which those that are controllers alone are not for clients; where there are none,
    /// `cluster.bootstrap_servers` is where to connect.
    pub brokers: &'a [Broker],
    /// The client, which is also its SCRAM user.
    pub name: &'a IdentityName,
    /// How it authenticates with this file.
    pub auth: Auth,
    /// Its stores.
    pub stores: Stores<'a>,
    /// Its SCRAM password, where `auth` is SCRAM.
    pub scram_password: Option<&'a Secret>,
    /// What else the policy says of it.
    pub properties: &'a KafkaProperties,
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

/// The way to the first listener that serves a client, and what that asks for.
#[derive(Debug)]
pub struct Route {
    /// `host:port` of each broker, joined by commas; `None` where nothing is known.
    pub bootstrap: Option<String>,
    /// The protocol of the listener.
    pub protocol: SecurityProtocol,
    /// Whether to show a certificate.
    pub certificate: bool,
}

/// Finds the way of a client that authenticates so. Where there are no brokers, `cluster.bootstrap_servers` is where to
/// connect.
///
/// # Errors
/// No listener serves it, or a broker's address does not fit into a setting.
pub fn route(
    cluster: &Cluster,
    brokers: &[Broker],
    client: &IdentityName,
    auth: Auth,
) -> Result<Route, ConfigError> {
    let listener = listener(cluster, client, auth)?;
    let bootstrap = if brokers.is_empty() {
        cluster.bootstrap_servers.clone()
    } else {
        brokers
            .iter()
            .filter(|b| b.role.is_broker())
            .map(|b| {
                Ok(format!(
                    "{}:{}",
                    b.advertised_host()?,
                    b.port(listener.port)?
                ))
            })
            .collect::<Result<_, ConfigError>>()?
    };
    Ok(Route {
        bootstrap: (!bootstrap.is_empty()).then(|| bootstrap.join(",")),
        protocol: listener.protocol,
        certificate: auth == Auth::Tls
            || listener.protocol.is_tls() && listener.client_auth == ClientAuth::Required,
    })
}

fn listener<'c>(
    cluster: &'c Cluster,
    client: &IdentityName,
    auth: Auth,
) -> Result<&'c Listener, ConfigError> {
    cluster
        .listener_for(auth)
        .ok_or_else(|| ConfigError::NoListener {
            client: client.to_string(),
            auth: auth.to_string(),
        })
}

/// What every format says in its own words.
pub(super) struct Connection<'a> {
    /// As in [`Route`].
    pub(super) bootstrap: Option<String>,
    /// As in [`Route`].
    pub(super) protocol: SecurityProtocol,
    /// As in [`Route`].
    pub(super) certificate: bool,
    /// Mechanism, user and password.
    pub(super) sasl: Option<(Mechanism, &'a str, &'a Secret)>,
}

impl<'a> ClientInput<'a> {
    /// The client's way, and what it logs in with.
    pub(super) fn connection(&self) -> Result<Connection<'a>, ConfigError> {
        let Route {
            bootstrap,
            protocol,
            certificate,
        } = route(self.cluster, self.brokers, self.name, self.auth)?;
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
            bootstrap,
            protocol,
            certificate,
            sasl,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::fixture::fixture;

    const SCRAM: Auth = Auth::Scram(Mechanism::Sha512);

    #[test]
    fn the_table_has_every_format_under_its_promised_name() {
        let names = crate::policy::Layout::DEFAULT.files("alice");
        let all: Vec<_> = [
            ClientFormat::Java,
            ClientFormat::Librdkafka,
            ClientFormat::Spring,
            ClientFormat::Quarkus,
        ]
        .map(|f| (Format::of(f).word, (Format::of(f).file_name)(&names)))
        .to_vec();
        assert_eq!(
            all,
            [
                ("java", "client.properties"),
                ("librdkafka", "librdkafka.conf"),
                ("spring", "spring.yaml"),
                ("quarkus", "quarkus.properties"),
            ]
        );
        assert_eq!(FORMATS.len(), all.len());
    }

    #[test]
    fn every_format_refuses_for_the_same_reasons() {
        let client = "alice".to_owned();
        for format in FORMATS.iter().map(|f| f.format) {
            let mut fixture = fixture(1, "alice");
            assert_eq!(
                fixture.client(format, Auth::Scram(Mechanism::Sha256)),
                Err(ConfigError::NoListener {
                    client: client.clone(),
                    auth: "scram-sha-256".into()
                })
            );
            assert_eq!(
                fixture.client(format, Auth::None),
                Err(ConfigError::NoListener {
                    client: client.clone(),
                    auth: "none".into()
                }),
                "the SSL listener requires a certificate"
            );
            fixture.scram_password = None;
            assert_eq!(
                fixture.client(format, SCRAM),
                Err(ConfigError::NoScramPassword(client.clone()))
            );
            fixture.keystore_password = None;
            assert_eq!(
                fixture.client(format, Auth::Tls),
                Err(ConfigError::NoKeystore(client.clone()))
            );
            fixture.cluster.listeners[0].client_auth = ClientAuth::None;
            assert!(fixture.client(format, Auth::None).is_ok());
            assert!(fixture.client(format, Auth::Tls).is_err());
        }
    }

    #[test]
    fn bootstrap_servers_are_those_of_the_listener_that_serves_the_client() {
        let mut fixture = fixture(2, "alice");
        fixture.cluster.bootstrap_servers = vec!["lb.example.com:443".into()];
        fixture.brokers[1].port_offset = 10;
        let has = |text: &str, servers: &str| text.contains(servers);
        for format in FORMATS.iter().map(|f| f.format) {
            let tls = fixture.client(format, Auth::Tls).unwrap();
            assert!(
                has(&tls, "kafka1.example.com:9093,kafka2.example.com:9103"),
                "{tls}"
            );
            let scram = fixture.client(format, SCRAM).unwrap();
            assert!(
                has(&scram, "kafka1.example.com:9094,kafka2.example.com:9104"),
                "{scram}"
            );
        }
        fixture.brokers.clear();
        for format in FORMATS.iter().map(|f| f.format) {
            assert!(has(
                &fixture.client(format, SCRAM).unwrap(),
                "lb.example.com:443"
            ));
        }
        fixture.cluster.bootstrap_servers.clear();
        for format in FORMATS.iter().map(|f| f.format) {
            let text = fixture.client(format, SCRAM).unwrap();
            assert!(
                !has(&text, "bootstrap-servers:") && !has(&text, "bootstrap.servers="),
                "{text}"
            );
        }
    }

    #[test]
    fn a_scram_client_shows_a_certificate_only_where_it_must() {
        let mut fixture = fixture(1, "alice");
        for format in FORMATS.iter().map(|f| f.format) {
            for (client_auth, shown) in [
                (ClientAuth::None, false),
                (ClientAuth::Requested, false),
                (ClientAuth::Required, true),
            ] {
                fixture.cluster.listeners[1].client_auth = client_auth;
                let text = fixture.client(format, SCRAM).unwrap();
                let shows = text.contains("keystore")
                    || text.contains("alice.key")
                    || text.contains("key-store");
                assert_eq!(shows, shown, "{text}");
            }
        }
    }

    #[test]
    fn without_tls_no_store_is_named() {
        let mut fixture = fixture(1, "alice");
        fixture.cluster.listeners[1].protocol = SecurityProtocol::SaslPlaintext;
        for format in FORMATS.iter().map(|f| f.format) {
            let text = fixture.client(format, SCRAM).unwrap();
            assert!(!text.contains("ssl."), "{text}");
            assert!(
                text.to_ascii_lowercase().contains("sasl_plaintext"),
                "{text}"
            );
        }
    }
}
