//! A Java client's `client.properties`, read as written, into what a connection needs.
//!
//! Kafka's own file is the one that every other tool of the user already has, so kpki asks for no second one.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

use super::jaas;
use crate::{
    config::{Properties, PropertiesError},
    keystore::{StoreError, pem, pkcs12},
    secret::Secret,
};

/// How to connect, with every store opened: nothing in it refers to a file any more.
#[derive(Debug, Clone)]
pub struct ClientProperties {
    /// `host:port`, separated by commas.
    pub bootstrap_servers: String,
    /// `None` where the connection is not encrypted.
    pub tls: Option<Tls>,
    /// `None` where nobody logs in by password.
    pub sasl: Option<Sasl>,
    /// Settings that were read and have no effect here, each with the reason.
    pub notes: Vec<String>,
}

/// The TLS side of a connection.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The CAs to trust; empty means those of the operating system.
    pub trusted: Vec<CertificateDer<'static>>,
    /// The certificate to show.
    pub identity: Option<Identity>,
    /// Whether a broker's certificate must name its host (`ssl.endpoint.identification.algorithm`).
    pub check_host: bool,
}

/// A key and its certificate.
#[derive(Clone)]
pub struct Identity {
    /// DER of an unencrypted PKCS#8 key.
    pub key_pkcs8: Zeroizing<Vec<u8>>,
    /// The certificate, then its issuers.
    pub chain: Vec<CertificateDer<'static>>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({} certificates)", self.chain.len())
    }
}

/// A login by password.
#[derive(Debug, Clone)]
pub struct Sasl {
    /// `SCRAM-SHA-256`, `SCRAM-SHA-512` or `PLAIN`.
    pub mechanism: String,
    /// The user's name, as Kafka stores it.
    pub user: String,
    /// The password.
    pub password: Secret,
}

/// Why a client's properties cannot be used. No message shows a value that could be secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientPropertiesError {
    /// A file that cannot be read: the properties themselves, or a store that they name.
    #[error("{} cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The properties are damaged.
    #[error("{}: {source}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: PropertiesError,
    },
    /// A store that cannot be used.
    #[error("{setting}: {path}: {source}")]
    Store {
        /// The setting that names it.
        setting: &'static str,
        /// The file, or `the value itself`.
        path: String,
        /// What is wrong with it.
        source: StoreError,
    },
    /// A setting that is needed and absent.
    #[error("{0} is not set")]
    Missing(&'static str),
    /// A value that is none, or one that kpki cannot serve.
    #[error("{setting}={value} is not supported: {why}")]
    Unsupported {
        /// The setting.
        setting: &'static str,
        /// Its value, which is not secret.
        value: String,
        /// What is supported.
        why: &'static str,
    },
    /// A value that may be secret and cannot be read.
    #[error("{setting} {why}")]
    Invalid {
        /// The setting.
        setting: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl ClientPropertiesError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Read { .. } => Some(
                "check the path; those in the properties are relative to the directory that the command runs in, as with Kafka's own tools",
            ),
            Self::Missing("bootstrap.servers") => {
                Some("give --bootstrap-server HOST:PORT, or set bootstrap.servers in the file")
            }
            Self::Store { source, .. } => source.hint(),
            Self::Unsupported {
                setting: "sasl.mechanism",
                ..
            } => Some(
                "give kpki a user of its own: a client certificate, or a SCRAM user with Alter on the cluster",
            ),
            _ => None,
        }
    }
}

type Result<T> = std::result::Result<T, ClientPropertiesError>;

impl ClientProperties {
    /// Reads a file and the stores that it names. `bootstrap_servers` replaces the file's own.
    ///
    /// # Errors
    /// Whatever keeps the settings from being used, with the setting's name.
    pub fn read(path: &Path, bootstrap_servers: Option<&str>) -> Result<Self> {
        let bytes = Zeroizing::new(read(path)?);
        let properties =
            Properties::parse(&bytes).map_err(|source| ClientPropertiesError::Syntax {
                path: path.to_owned(),
                source,
            })?;
        Self::new(&properties, bootstrap_servers)
    }

    /// The same for properties that are in memory already; the stores are still files.
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

struct Settings<'a>(&'a Properties);

impl<'a> Settings<'a> {
    /// A value that is set and not empty.
    fn get(&self, key: &str) -> Option<&'a str> {
        self.value(key).filter(|v| !v.is_empty())
    }

    fn password(&self, key: &str) -> Option<Secret> {
        self.value(key).map(|v| Secret::new(v.to_owned()))
    }

    /// A value as Kafka takes it: Java's properties keep the blanks behind one, and Kafka's `ConfigDef.parseType` then
    /// trims every text, passwords included, by `String.trim()`, to which all up to the space is blank.
    fn value(&self, key: &str) -> Option<&'a str> {
        let value = self.0.get(key)?;
        Some(value.trim_matches(|c| c <= ' '))
    }

    fn tls(&self) -> Result<Tls> {
        let check_host = match self.value("ssl.endpoint.identification.algorithm") {
            None => true,
            // Java takes the empty string for "off"; anything else but https fails every handshake.
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

    fn trusted(&self) -> Result<Vec<CertificateDer<'static>>> {
        let kind = self.kind("ssl.truststore.type")?;
        if let Some(text) = self.get("ssl.truststore.certificates") {
            return pem::parse_certificates(text.as_bytes())
                .map_err(|e| inline("ssl.truststore.certificates", e));
        }
        let Some(path) = self.get("ssl.truststore.location") else {
            return Ok(Vec::new());
        };
        let setting = "ssl.truststore.location";
        let bytes = Zeroizing::new(read(Path::new(path))?);
        if kind == Kind::Pem {
            return pem::parse_certificates(&bytes).map_err(|e| store(setting, path, e));
        }
        let password = self
            .password("ssl.truststore.password")
            .unwrap_or_else(|| Secret::new(String::new()));
        let store_contents =
            pkcs12::open(&bytes, &password).map_err(|e| store(setting, path, e))?;
        let trusted: Vec<_> = store_contents.trusted.into_iter().map(|t| t.cert).collect();
        if trusted.is_empty() {
            return Err(store(setting, path, StoreError::NoEntries));
        }
        Ok(trusted)
    }

    fn identity(&self) -> Result<Option<Identity>> {
        let kind = self.kind("ssl.keystore.type")?;
        if let Some(key) = self.password("ssl.keystore.key") {
            let text = self.get("ssl.keystore.certificate.chain").ok_or(
                ClientPropertiesError::Missing("ssl.keystore.certificate.chain"),
            )?;
            let setting = "ssl.keystore.key";
            return Ok(Some(Identity {
                key_pkcs8: pem::parse_key(key.expose().as_bytes())
                    .map_err(|e| inline(setting, e))?,
                chain: pem::parse_certificates(text.as_bytes())
                    .map_err(|e| inline("ssl.keystore.certificate.chain", e))?,
            }));
        }
        let Some(path) = self.get("ssl.keystore.location") else {
            return Ok(None);
        };
        let setting = "ssl.keystore.location";
        let wrong = |e| store(setting, path, e);
        let bytes = Zeroizing::new(read(Path::new(path))?);
        if kind == Kind::Pem {
            return Ok(Some(Identity {
                key_pkcs8: pem::parse_key(&bytes).map_err(wrong)?,
                chain: pem::parse_certificates(&bytes).map_err(wrong)?,
            }));
        }
        let password = self
            .password("ssl.keystore.password")
            .ok_or(ClientPropertiesError::Missing("ssl.keystore.password"))?;
        let contents = pkcs12::open(&bytes, &password).map_err(wrong)?;
        let key = contents.keys.into_iter().find(|key| !key.chain.is_empty());
        let key = key.ok_or_else(|| wrong(StoreError::NoChain))?;
        Ok(Some(Identity {
            key_pkcs8: key.key_pkcs8,
            chain: key.chain,
        }))
    }

    /// JKS is Kafka's default and Java opens PKCS#12 under that name too, so the bytes decide, not the setting.
    fn kind(&self, setting: &'static str) -> Result<Kind> {
        match self.get(setting).map(str::to_ascii_uppercase).as_deref() {
            None | Some("JKS" | "PKCS12") => Ok(Kind::Pkcs12),
            Some("PEM") => Ok(Kind::Pem),
            Some(other) => Err(unsupported(setting, other, "PKCS12, JKS and PEM are")),
        }
    }

    fn sasl(&self) -> Result<Sasl> {
        let mechanism = self
            .get("sasl.mechanism")
            .unwrap_or("GSSAPI")
            .to_ascii_uppercase();
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
            // Those that kpki speaks are what it writes itself, and Java's default.
            let same = |v: &str| {
                let mut protocols: Vec<&str> = v.split(',').map(str::trim).collect();
                protocols.sort_unstable();
                protocols == ["TLSv1.2", "TLSv1.3"]
            };
            if self.get(key).is_some_and(|v| !same(v)) {
                notes.push(format!(
                    "{key} has no effect on kpki, which connects by TLS 1.2 or 1.3 with OpenSSL's cipher suites"
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

#[derive(PartialEq)]
enum Kind {
    Pkcs12,
    Pem,
}

/// The most that properties or a store of them may hold, in bytes.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// Reads whatever can be read, a pipe too, but not without end.
fn read(path: &Path) -> Result<Vec<u8>> {
    let fault = |source| ClientPropertiesError::Read {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(fault)?;
    let read = file.take(MAX_FILE + 1).read_to_end(&mut bytes);
    if read.map_err(fault)? as u64 > MAX_FILE {
        return Err(fault(io::Error::other(
            "it is larger than any client's properties or store",
        )));
    }
    Ok(bytes)
}

fn store(setting: &'static str, path: &str, source: StoreError) -> ClientPropertiesError {
    ClientPropertiesError::Store {
        setting,
        path: path.to_owned(),
        source,
    }
}

fn inline(setting: &'static str, source: StoreError) -> ClientPropertiesError {
    store(setting, "the value itself", source)
}

fn unsupported(setting: &'static str, value: &str, why: &'static str) -> ClientPropertiesError {
    ClientPropertiesError::Unsupported {
        setting,
        value: value.to_owned(),
        why,
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

    /// `ConfigDef.parseType` of Kafka 4.3.1 does so for every type that comes as a text.
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
        assert_eq!(
            with(&broken),
            "sasl.jaas.config has a string without an end"
        );
        let missing = "security.protocol=SSL\nssl.keystore.location=/none/such.p12";
        assert!(with(missing).starts_with("/none/such.p12 cannot be read"));
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
