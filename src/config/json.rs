//! `connection.json`, for clients that are configured in code; with PEM files instead of stores.

use std::collections::BTreeMap;

use serde::Serialize;
use zeroize::Zeroizing;

use super::{ClientInput, ConfigError};
use crate::{policy::FileNames, secret::Secret};

const FILE: &str = "connection.json";

pub(super) fn file_name(_: &FileNames) -> &str {
    FILE
}

/// The settings, under neutral names. Every key is present: what does not apply is `null`.
#[derive(Serialize)]
struct Connection<'a> {
    brokers: &'a [String],
    protocol: &'static str,
    ca: Option<String>,
    certificate: Option<String>,
    key: Option<String>,
    mechanism: Option<&'static str>,
    user: Option<&'a str>,
    password: Option<&'a str>,
    properties: BTreeMap<&'a str, &'a str>,
}

/// The text of `connection.json`.
///
/// # Errors
/// As for `client.properties`.
pub(super) fn write(input: &ClientInput<'_>) -> Result<Secret, ConfigError> {
    let connection = input.connection()?;
    let (stores, names) = (input.stores, input.stores.names);
    let protocol = connection.route.protocol;
    let shown = |file| connection.keystore_password.map(|_| stores.path(file));
    let text = serde_json::to_string_pretty(&Connection {
        brokers: &connection.route.brokers,
        protocol: protocol.kafka_name(),
        ca: protocol.is_tls().then(|| stores.path(&names.ca)),
        certificate: shown(&names.certificate),
        key: shown(&names.key),
        mechanism: connection.sasl.map(|(mechanism, ..)| mechanism.name()),
        user: connection.sasl.map(|(_, user, _)| user),
        password: connection.sasl.map(|(.., password)| password.expose()),
        properties: input.properties.iter().collect(),
    })
    .map(Zeroizing::new);
    #[expect(
        clippy::expect_used,
        reason = "texts, and maps of texts, are always JSON"
    )]
    let mut text = text.expect("plain data is JSON");
    text.push('\n');
    Ok(Secret::new(std::mem::take(&mut *text)))
}

#[cfg(test)]
mod tests {
    use crate::{
        config::fixture::fixture,
        policy::{Auth, ClientAuth, ClientFormat, KafkaProperties},
        scram::Mechanism,
        secret::Secret,
    };

    #[test]
    fn the_whole_files() {
        let mut fixture = fixture(2, "alice");
        fixture.properties = KafkaProperties::of(&[("client.id", "a \"b\"")]);
        insta::assert_snapshot!(fixture.client(ClientFormat::Json, Auth::Tls).unwrap(), @r#"
        {
          "brokers": [
            "kafka1.example.com:9093",
            "kafka2.example.com:9093"
          ],
          "protocol": "SSL",
          "ca": "/opt/ssl/ca.crt",
          "certificate": "/opt/ssl/alice.crt",
          "key": "/opt/ssl/alice.key",
          "mechanism": null,
          "user": null,
          "password": null,
          "properties": {
            "client.id": "a \"b\""
          }
        }
        "#);
        fixture.brokers.clear();
        fixture.cluster.listeners[1].client_auth = ClientAuth::Required;
        insta::assert_snapshot!(fixture.client(ClientFormat::Json, Auth::Scram(Mechanism::Sha512)).unwrap(), @r#"
        {
          "brokers": [],
          "protocol": "SASL_SSL",
          "ca": "/opt/ssl/ca.crt",
          "certificate": "/opt/ssl/alice.crt",
          "key": "/opt/ssl/alice.key",
          "mechanism": "SCRAM-SHA-512",
          "user": "alice",
          "password": "scram-secret",
          "properties": {
            "client.id": "a \"b\""
          }
        }
        "#);
    }

    #[test]
    fn any_password_reads_back() {
        let mut fixture = fixture(1, "alice");
        let password = "\"\\ \u{e9}\n\u{1f511}";
        fixture.scram_password = Some(Secret::new(password.into()));
        let text = fixture.client(ClientFormat::Json, Auth::Scram(Mechanism::Sha512));
        let read: serde_json::Value = serde_json::from_str(&text.unwrap()).unwrap();
        assert_eq!(read["password"], password);
    }
}
