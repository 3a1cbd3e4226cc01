//! The formats of client configuration: each line of the policy's table is written by the file of the same name here.

use super::{ClientInput, ConfigError};
use crate::{
    policy::{ClientFormat, FileNames, client_formats},
    secret::Secret,
};

macro_rules! writers {
    ($($variant:ident $module:ident $about:literal;)+) => {
        /// The name of a format's file.
        pub fn client_file_name(format: ClientFormat, names: &FileNames) -> &str {
            match format {
                $(ClientFormat::$variant => super::$module::file_name(names),)+
            }
        }

        /// The text of a client's configuration.
        ///
        /// # Errors
        /// If no listener accepts the client, a password or store is missing, or the format cannot represent a value.
        pub fn client_config(
            format: ClientFormat,
            input: &ClientInput<'_>,
        ) -> Result<Secret, ConfigError> {
            match format {
                $(ClientFormat::$variant => super::$module::write(input),)+
            }
        }
    };
}
client_formats!(writers);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{
        config::fixture::fixture,
        policy::{Auth, ClientAuth, SecurityProtocol},
        scram::Mechanism,
    };

    const SCRAM: Auth = Auth::Scram(Mechanism::Sha512);

    #[test]
    fn every_format_has_its_promised_file() {
        let names = crate::policy::Layout::DEFAULT.files("alice");
        let mut files = BTreeSet::new();
        for format in ClientFormat::ALL {
            let file = client_file_name(*format, &names);
            assert!(files.insert(file), "{file} is of two formats");
            // The documented table says the same.
            let (said, _) = format.about().split_once(": ").unwrap();
            assert_eq!(file, said);
        }
    }

    #[test]
    fn every_format_refuses_for_the_same_reasons() {
        let client = "alice".to_owned();
        for &format in ClientFormat::ALL {
            let mut fixture = fixture(1, "alice");
            assert_eq!(
                fixture.client(format, Auth::Scram(Mechanism::Sha256)),
                Err(ConfigError::NoListener(
                    client.clone(),
                    "scram-sha-256".into()
                ))
            );
            assert_eq!(
                fixture.client(format, Auth::None),
                Err(ConfigError::NoListener(client.clone(), "none".into())),
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
        let has = |text: &str, servers: [&str; 2]| servers.iter().all(|s| text.contains(s));
        for &format in ClientFormat::ALL {
            let tls = fixture.client(format, Auth::Tls).unwrap();
            assert!(
                has(&tls, ["kafka1.example.com:9093", "kafka2.example.com:9103"]),
                "{tls}"
            );
            let scram = fixture.client(format, SCRAM).unwrap();
            assert!(
                has(
                    &scram,
                    ["kafka1.example.com:9094", "kafka2.example.com:9104"]
                ),
                "{scram}"
            );
        }
        fixture.brokers.clear();
        for &format in ClientFormat::ALL {
            let text = fixture.client(format, SCRAM).unwrap();
            assert!(text.contains("lb.example.com:443"), "{text}");
        }
        fixture.cluster.bootstrap_servers.clear();
        for &format in ClientFormat::ALL {
            let text = fixture.client(format, SCRAM).unwrap();
            let empty = ["bootstrap-servers:", "bootstrap.servers="];
            assert!(empty.iter().all(|key| !text.contains(key)), "{text}");
        }
    }

    #[test]
    fn a_scram_client_shows_a_certificate_only_where_it_must() {
        let mut fixture = fixture(1, "alice");
        for &format in ClientFormat::ALL {
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

    /// What the check of a policy refuses is what cannot be written.
    #[test]
    fn a_value_is_refused_where_its_reader_would_interpret_it() {
        for &format in ClientFormat::ALL {
            for value in ["a${b}", "a$b", "a{b}"] {
                let mut fixture = fixture(1, "alice");
                fixture.dir = format!("/opt/{value}");
                let interpreted = format.interprets();
                let interpreted = interpreted.is_some_and(|(text, _)| value.contains(text));
                let refused = fixture.client(format, Auth::Tls).is_err();
                assert_eq!(refused, interpreted, "{format:?}: {value}");
            }
        }
    }

    #[test]
    fn a_client_without_a_certificate_gets_a_listener_that_requires_none() {
        let mut fixture = fixture(1, "alice");
        fixture.cluster.listeners[1].client_auth = ClientAuth::Required;
        let mut open = fixture.cluster.listeners[1].clone();
        open.name = "OPEN".into();
        open.port = 9096;
        open.client_auth = ClientAuth::None;
        fixture.cluster.listeners.push(open);
        for &format in ClientFormat::ALL {
            fixture.keystore_password = Some(Secret::new("keystore-secret".into()));
            let text = fixture.client(format, SCRAM).unwrap();
            assert!(text.contains(":9094"), "{text}");
            fixture.keystore_password = None;
            let text = fixture.client(format, SCRAM).unwrap();
            assert!(text.contains(":9096"), "{text}");
        }
    }

    #[test]
    fn without_tls_no_store_is_named() {
        let mut fixture = fixture(1, "alice");
        fixture.cluster.listeners[1].protocol = SecurityProtocol::SaslPlaintext;
        for &format in ClientFormat::ALL {
            let text = fixture.client(format, SCRAM).unwrap();
            assert!(!text.contains("ssl.") && !text.contains("/opt"), "{text}");
            assert!(
                text.to_ascii_lowercase().contains("sasl_plaintext"),
                "{text}"
            );
        }
    }
}
