//! `spring.yaml`: Spring Boot's `spring.kafka.*`.

use zeroize::Zeroizing;

use super::{
    ClientInput, ConfigError,
    jaas::scram_login,
    stores::{Setting, tls_settings},
};
use crate::{policy::FileNames, secret::Secret};

const FILE: &str = "spring.yaml";

pub(super) fn file_name(_: &FileNames) -> &str {
    FILE
}

/// The text of `spring.yaml`, to be imported with `spring.config.import` or included in `application.yaml`.
///
/// # Errors
/// As for `client.properties`, and a value with `${`, which Spring would interpret as a placeholder.
pub(super) fn write(input: &ClientInput<'_>) -> Result<Secret, ConfigError> {
    let connection = input.connection()?;
    let protocol = connection.route.protocol;
    let (stores, names) = (input.stores, input.stores.names);
    let (mut ssl, mut properties) = (Vec::new(), Vec::new());
    // A Spring resource location.
    let location = |file| format!("file:{}", stores.path(file));
    if protocol.is_tls() {
        let password = stores.truststore_password.expose();
        ssl.extend([
            Setting::new("trust-store-type", names.store_type.name()),
            Setting::new("trust-store-location", location(&names.truststore)),
            Setting::new("trust-store-password", password),
        ]);
        properties.extend(tls_settings(input.cluster.kafka_version));
    }
    if let Some(password) = connection.keystore_password {
        let password = password.expose();
        ssl.extend([
            Setting::new("key-store-type", names.store_type.name()),
            Setting::new("key-store-location", location(&names.keystore)),
            Setting::new("key-store-password", password),
            Setting::new("key-password", password),
        ]);
    }
    if let Some((mechanism, user, password)) = connection.sasl {
        properties.extend([
            Setting::new("sasl.mechanism", mechanism.name()),
            Setting::new("sasl.jaas.config", scram_login(user, password)),
        ]);
    }
    let own = input.properties.iter();
    properties.extend(own.map(|(name, value)| Setting::new(binding_key(name), value)));

    let mut yaml = Yaml(Zeroizing::new(format!(
        "# How {} connects to its Kafka cluster, written by kpki for Spring Boot.\nspring:\n  kafka:\n",
        input.name
    )));
    if let Some(servers) = connection.route.bootstrap_servers() {
        yaml.set(4, &Setting::new("bootstrap-servers", servers))?;
    }
    yaml.map(
        "security",
        &[Setting::new("protocol", protocol.kafka_name())],
    )?;
    yaml.map("ssl", &ssl)?;
    yaml.map("properties", &properties)?;
    Ok(Secret::new(std::mem::take(&mut *yaml.0)))
}

/// The key with which Spring preserves a setting's name: names that are not in lower case, or contain other characters
/// than `-` and `.`, must be in brackets and quotes (Spring Boot, "Binding Maps").
fn binding_key(name: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    // Without a letter at the start, it might be a number or YAML syntax.
    if name.chars().all(plain) && name.starts_with(|c: char| c.is_ascii_lowercase()) {
        name.to_owned()
    } else {
        format!("\"[{name}]\"")
    }
}

struct Yaml(Zeroizing<String>);

impl Yaml {
    /// A map below `spring.kafka`, left out if it is empty.
    fn map(&mut self, key: &str, settings: &[Setting]) -> Result<(), ConfigError> {
        if !settings.is_empty() {
            self.0.push_str(&format!("    {key}:\n"));
        }
        settings.iter().try_for_each(|setting| self.set(6, setting))
    }

    fn set(&mut self, indent: usize, Setting { key, value }: &Setting) -> Result<(), ConfigError> {
        if value.contains("${") {
            return Err(ConfigError::Unwritable {
                file: FILE,
                key: key.clone(),
                why: "contains `${`, which Spring takes for a placeholder",
            });
        }
        self.0.push_str(&format!("{:indent$}{key}: ", ""));
        quote(value, &mut self.0);
        self.0.push('\n');
        Ok(())
    }
}

/// A double-quoted scalar (YAML 1.2 §5.7, §7.3.1), which is never a number, a boolean or a comment.
fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            '\0'..='\u{ffff}' => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            _ => out.push_str(&format!("\\U{:08X}", u32::from(c))),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use saphyr_parser::{Event, Parser};

    use super::*;
    use crate::{
        config::fixture::fixture,
        policy::{Auth, ClientFormat},
        scram::Mechanism,
    };

    /// The scalars of a YAML text, in order.
    fn scalars(text: &str) -> Vec<String> {
        Parser::new_from_str(text)
            .filter_map(|event| match event.unwrap().0 {
                Event::Scalar(value, ..) => Some(value.into_owned()),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn the_whole_files() {
        let fixture = fixture(1, "alice");
        insta::assert_snapshot!(fixture.client(ClientFormat::Spring, Auth::Tls).unwrap(), @r#"
        # How alice connects to its Kafka cluster, written by kpki for Spring Boot.
        spring:
          kafka:
            bootstrap-servers: "kafka1.example.com:9093"
            security:
              protocol: "SSL"
            ssl:
              trust-store-type: "PKCS12"
              trust-store-location: "file:/opt/ssl/alice.truststore.p12"
              trust-store-password: "truststore-secret"
              key-store-type: "PKCS12"
              key-store-location: "file:/opt/ssl/alice.keystore.p12"
              key-store-password: "keystore-secret"
              key-password: "keystore-secret"
            properties:
              ssl.enabled.protocols: "TLSv1.3,TLSv1.2"
              ssl.endpoint.identification.algorithm: "https"
        "#);
        insta::assert_snapshot!(fixture.client(ClientFormat::Spring, Auth::Scram(Mechanism::Sha512)).unwrap(), @r#"
        # How alice connects to its Kafka cluster, written by kpki for Spring Boot.
        spring:
          kafka:
            bootstrap-servers: "kafka1.example.com:9094"
            security:
              protocol: "SASL_SSL"
            ssl:
              trust-store-type: "PKCS12"
              trust-store-location: "file:/opt/ssl/alice.truststore.p12"
              trust-store-password: "truststore-secret"
            properties:
              ssl.enabled.protocols: "TLSv1.3,TLSv1.2"
              ssl.endpoint.identification.algorithm: "https"
              sasl.mechanism: "SCRAM-SHA-512"
              sasl.jaas.config: "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"alice\" password=\"scram-secret\";"
        "#);
    }

    #[test]
    fn odd_values_survive_yaml_and_placeholders_are_refused() {
        let mut fixture = fixture(1, "alice");
        fixture.dir = "/opt/\u{e9} \"#: \u{1f600}".into();
        let text = fixture.client(ClientFormat::Spring, Auth::Tls).unwrap();
        let location = "file:/opt/\u{e9} \"#: \u{1f600}/alice.truststore.p12".to_owned();
        assert!(scalars(&text).contains(&location), "{text}");
        fixture.dir = "/opt/${user.home}".into();
        assert!(fixture.client(ClientFormat::Spring, Auth::Tls).is_err());
    }

    proptest! {
        #[test]
        fn a_quoted_text_reads_back(text in any::<String>()) {
            let mut yaml = String::from("key: ");
            quote(&text, &mut yaml);
            prop_assert!(yaml.is_ascii());
            prop_assert_eq!(scalars(&yaml), ["key".to_owned(), text]);
        }
    }
}
