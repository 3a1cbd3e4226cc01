//! Reads what a connection needs from a Java client's `client.properties`.
//!
//! Every other tool of the user already has this file, so kpki does not require another format.

mod error;
mod jaas;
mod settings;
mod stores;

use std::path::Path;

use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

pub use error::ClientPropertiesError;
pub use stores::Identity;

use error::{Result, unsupported};
use settings::Settings;

use crate::{config::Properties, secret::Secret, state::read_text};

/// How to connect, with every store opened: nothing in it refers to a file.
#[derive(Debug, Clone)]
pub struct ClientProperties {
    /// `host:port`, separated by commas.
    pub bootstrap_servers: String,
    /// `None` if the connection is not encrypted.
    pub tls: Option<Tls>,
    /// `None` if the client does not log in with a password.
    pub sasl: Option<Sasl>,
    /// Settings that have no effect in kpki, each with the reason.
    pub notes: Vec<String>,
}

/// The TLS side of a connection.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The CAs to trust; empty means those of the operating system.
    pub trusted: Vec<CertificateDer<'static>>,
    /// The client certificate.
    pub identity: Option<Identity>,
    /// Whether a broker's certificate must name its host (`ssl.endpoint.identification.algorithm`).
    pub check_host: bool,
}

/// A login with a password.
#[derive(Debug, Clone)]
pub struct Sasl {
    /// `SCRAM-SHA-256`, `SCRAM-SHA-512` or `PLAIN`.
    pub mechanism: String,
    /// The user's name, as Kafka stores it.
    pub user: String,
    /// The password.
    pub password: Secret,
}

impl ClientProperties {
    /// Reads a file and its stores. `bootstrap_servers` replaces the value in the file.
    ///
    /// # Errors
    /// If a setting cannot be used; the error contains its name.
    pub fn read(path: &Path, bootstrap_servers: Option<&str>) -> Result<Self> {
        let bytes = Zeroizing::new(read_text(path)?);
        let properties =
            Properties::parse(&bytes).map_err(|source| ClientPropertiesError::Syntax {
                path: path.to_owned(),
                source,
            })?;
        Self::new(&properties, bootstrap_servers)
    }

    /// The same for properties in memory; the stores are still files.
    ///
    /// # Errors
    /// As [`ClientProperties::read`].
    pub fn new(properties: &Properties, bootstrap_servers: Option<&str>) -> Result<Self> {
        let settings = Settings(properties);
        let bootstrap_servers = bootstrap_servers
            .or_else(|| settings.get("bootstrap.servers"))
            .ok_or(ClientPropertiesError::Missing("bootstrap.servers"))?
            .to_owned();
        let protocol = settings.get("security.protocol").unwrap_or("PLAINTEXT");
        let (tls, sasl) = match protocol.to_ascii_uppercase().as_str() {
            "PLAINTEXT" => (false, false),
            "SSL" => (true, false),
            "SASL_PLAINTEXT" => (false, true),
            "SASL_SSL" => (true, true),
            _ => {
                return Err(unsupported(
                    "security.protocol",
                    protocol,
                    "PLAINTEXT, SSL, SASL_PLAINTEXT and SASL_SSL are",
                ));
            }
        };
        Ok(Self {
            bootstrap_servers,
            tls: tls.then(|| settings.tls()).transpose()?,
            sasl: sasl.then(|| settings.sasl()).transpose()?,
            notes: settings.notes(),
        })
    }
}

impl Settings<'_> {
    fn tls(&self) -> Result<Tls> {
        let check_host = match self.value("ssl.endpoint.identification.algorithm") {
            None => true,
            // Java treats the empty string as "off"; any value other than https fails every handshake.
            Some("") => false,
            Some(value) if value.eq_ignore_ascii_case("https") => true,
            Some(value) => {
                return Err(unsupported(
                    "ssl.endpoint.identification.algorithm",
                    value,
                    "`https` checks the broker's host name, an empty value does not",
                ));
            }
        };
        Ok(Tls {
            trusted: self.trusted()?,
            identity: self.identity()?,
            check_host,
        })
    }

    fn sasl(&self) -> Result<Sasl> {
        let mechanism = self.get("sasl.mechanism").unwrap_or("GSSAPI");
        let mechanism = mechanism.to_ascii_uppercase();
        if !["SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"].contains(&mechanism.as_str()) {
            return Err(unsupported(
                "sasl.mechanism",
                &mechanism,
                "SCRAM-SHA-256, SCRAM-SHA-512 and PLAIN are (Kafka's default is GSSAPI)",
            ));
        }
        let config = self
            .get("sasl.jaas.config")
            .ok_or(ClientPropertiesError::Missing("sasl.jaas.config"))?;
        let invalid = |why| ClientPropertiesError::Invalid {
            setting: "sasl.jaas.config",
            why,
        };
        let login = jaas::parse(config).map_err(invalid)?;
        Ok(Sasl {
            mechanism,
            user: login.user,
            password: login.password,
        })
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for key in ["ssl.enabled.protocols", "ssl.protocol", "ssl.cipher.suites"] {
            // The versions that kpki supports are those that it writes, and Java's default.
            let same = |v: &str| {
                let mut protocols: Vec<&str> = v.split(',').map(str::trim).collect();
                protocols.sort_unstable();
                protocols == ["TLSv1.2", "TLSv1.3"]
            };
            if self.get(key).is_some_and(|v| !same(v)) {
                notes.push(format!(
                    "{key} has no effect in kpki, which connects with TLS 1.2 or 1.3 and OpenSSL's cipher suites"
                ));
            }
        }
        if self.get("ssl.engine.factory.class").is_some() {
            notes
                .push("ssl.engine.factory.class names a Java class, which kpki cannot load".into());
        }
        notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRAM: &str = "sasl.mechanism=SCRAM-SHA-256\nsasl.jaas.config=x.ScramLoginModule required username=\"al\" password=\"hunter2\";\n";

    fn new(text: &str) -> Result<ClientProperties> {
        ClientProperties::new(&Properties::parse(text.as_bytes()).unwrap(), None)
    }

    fn message(text: &str) -> String {
        let message = new(text).unwrap_err().to_string();
        assert!(!message.contains("hunter2"), "{message}");
        message
    }

    #[test]
    fn the_four_protocols() {
        let plain = new("bootstrap.servers = a:9092,b:9092 ").unwrap();
        assert_eq!(plain.bootstrap_servers, "a:9092,b:9092");
        assert!(plain.tls.is_none() && plain.sasl.is_none());
        let tls = new("bootstrap.servers=a:1\nsecurity.protocol=SSL").unwrap();
        assert!(tls.sasl.is_none() && tls.tls.unwrap().check_host);
        let both = format!(
            "bootstrap.servers=a:1\nsecurity.protocol=sasl_ssl\nssl.endpoint.identification.algorithm=\n{SCRAM}"
        );
        let both = new(&both).unwrap();
        assert!(!both.tls.unwrap().check_host);
        let sasl = both.sasl.unwrap();
        assert_eq!((&*sasl.mechanism, &*sasl.user), ("SCRAM-SHA-256", "al"));
        assert_eq!(sasl.password.expose(), "hunter2");
        assert!(!format!("{sasl:?}").contains("hunter2"));
    }

    /// `ConfigDef.parseType` of Kafka 4.3.1 does so for every type that is given as a string.
    #[test]
    fn blanks_around_a_value_are_no_part_of_it_as_in_kafka() {
        let text = "x=hunter2 \t\ny=\\u0001a b\\u001f\nz=\\u00a0a\nn= \n";
        let properties = Properties::parse(text.as_bytes()).unwrap();
        let settings = Settings(&properties);
        let password = |key| settings.password(key).map(|p| p.expose().to_owned());
        assert_eq!(password("x").as_deref(), Some("hunter2"));
        assert_eq!(password("y").as_deref(), Some("a b"));
        assert_eq!(password("z").as_deref(), Some("\u{a0}a"));
        assert_eq!(
            (password("n").as_deref(), settings.get("n")),
            (Some(""), None)
        );
    }

    #[test]
    fn the_address_may_come_from_elsewhere() {
        assert_eq!(message(""), "bootstrap.servers is not set");
        let properties = Properties::parse(b"bootstrap.servers=a:1").unwrap();
        let other = ClientProperties::new(&properties, Some("b:2")).unwrap();
        assert_eq!(other.bootstrap_servers, "b:2");
    }

    #[test]
    fn what_is_not_supported_is_named() {
        let with = |text: &str| message(&format!("bootstrap.servers=a:1\n{text}"));
        assert!(with("security.protocol=SASL").starts_with("security.protocol=SASL is not"));
        for mechanism in ["GSSAPI", "OAUTHBEARER"] {
            let text = format!("security.protocol=SASL_SSL\nsasl.mechanism={mechanism}");
            assert!(with(&text).starts_with(&format!("sasl.mechanism={mechanism} is not")));
        }
        assert!(with("security.protocol=SASL_SSL").starts_with("sasl.mechanism=GSSAPI"));
        let none = "security.protocol=SSL\nssl.endpoint.identification.algorithm=None";
        assert!(with(none).starts_with("ssl.endpoint.identification.algorithm=None"));
        let kind = "security.protocol=SSL\nssl.keystore.type=BCFKS";
        assert!(with(kind).starts_with("ssl.keystore.type=BCFKS"));
        let broken = SCRAM.replace("\";", "");
        let broken = format!("security.protocol=SASL_PLAINTEXT\n{broken}");
        assert_eq!(with(&broken), "sasl.jaas.config has an unterminated string");
        let missing = "security.protocol=SSL\nssl.keystore.location=/none/such.p12";
        assert!(with(missing).starts_with("cannot read /none/such.p12: no such file"));
    }

    #[test]
    fn settings_without_effect_are_said_to_have_none() {
        let notes = new("bootstrap.servers=a:1\nssl.enabled.protocols=TLSv1.3")
            .unwrap()
            .notes;
        assert_eq!(notes.len(), 1);
        assert!(notes[0].starts_with("ssl.enabled.protocols has no effect"));
    }
}
