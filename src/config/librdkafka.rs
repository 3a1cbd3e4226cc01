//! `librdkafka.conf`, for kcat and other clients based on librdkafka, with PEM files instead of stores.

use zeroize::Zeroizing;

use super::{ClientInput, ConfigError, stores::Setting};
use crate::{policy::FileNames, secret::Secret};

const FILE: &str = "librdkafka.conf";

pub(super) fn file_name(_: &FileNames) -> &str {
    FILE
}

/// Fixed by its pull request 4895: the second message repeated the client's nonce, which Kafka accepted before 4.0.
const OLD_SCRAM: &str = "\
# SCRAM with brokers of Kafka 4 needs librdkafka 2.6.1 or later. Earlier ones, that of kcat in Debian 12 among them,
# repeat a part of a message, and these brokers answer that the credentials are invalid.
";

/// The text of `librdkafka.conf`, one `key=value` per line (`kcat -F`).
///
/// # Errors
/// As for `client.properties`, and a value that the format cannot represent, because it has no escapes.
pub(super) fn write(input: &ClientInput<'_>) -> Result<Secret, ConfigError> {
    let connection = input.connection()?;
    let (stores, names) = (input.stores, input.stores.names);
    let mut settings = Vec::new();
    let mut set = |key: &str, value: &str| settings.push(Setting::new(key, value));
    if let Some(servers) = connection.route.bootstrap_servers() {
        set("bootstrap.servers", &servers);
    }
    let protocol = connection.route.protocol;
    set(
        "security.protocol",
        &protocol.kafka_name().to_ascii_lowercase(),
    );
    if protocol.is_tls() {
        set("ssl.ca.location", &stores.path(&names.ca));
        set("ssl.endpoint.identification.algorithm", "https");
    }
    if connection.keystore_password.is_some() {
        set("ssl.certificate.location", &stores.path(&names.certificate));
        set("ssl.key.location", &stores.path(&names.key));
    }
    if let Some((mechanism, user, password)) = connection.sasl {
        set("sasl.mechanism", mechanism.name());
        set("sasl.username", user);
        set("sasl.password", password.expose());
    }
    // The client's own settings come last, under librdkafka's names, because it refuses all others.
    input
        .properties
        .iter()
        .for_each(|(key, value)| set(key, value));

    let mut text = Zeroizing::new(format!(
        "# How {} connects to its Kafka cluster, written by kpki for clients built on librdkafka.\n",
        input.name
    ));
    if connection.sasl.is_some() {
        text.push_str(OLD_SCRAM);
    }
    for Setting { key, value } in settings {
        if value.trim() != value.as_str() || value.chars().any(char::is_control) {
            return Err(ConfigError::Unwritable {
                file: FILE,
                key,
                why: "begins or ends with white space or contains a control character, which the file's format cannot represent",
            });
        }
        text.push_str(&format!("{key}={}\n", *value));
    }
    Ok(Secret::new(std::mem::take(&mut *text)))
}

#[cfg(test)]
mod tests {
    use crate::{
        config::{ConfigError, fixture::fixture},
        policy::{Auth, ClientFormat},
        scram::Mechanism,
        secret::Secret,
    };

    #[test]
    fn the_whole_files() {
        let fixture = fixture(1, "alice");
        insta::assert_snapshot!(fixture.client(ClientFormat::Librdkafka, Auth::Tls).unwrap(), @"
        # How alice connects to its Kafka cluster, written by kpki for clients built on librdkafka.
        bootstrap.servers=kafka1.example.com:9093
        security.protocol=ssl
        ssl.ca.location=/opt/ssl/ca.crt
        ssl.endpoint.identification.algorithm=https
        ssl.certificate.location=/opt/ssl/alice.crt
        ssl.key.location=/opt/ssl/alice.key
        ");
        insta::assert_snapshot!(fixture.client(ClientFormat::Librdkafka, Auth::Scram(Mechanism::Sha512)).unwrap(), @"
        # How alice connects to its Kafka cluster, written by kpki for clients built on librdkafka.
        # SCRAM with brokers of Kafka 4 needs librdkafka 2.6.1 or later. Earlier ones, that of kcat in Debian 12 among them,
        # repeat a part of a message, and these brokers answer that the credentials are invalid.
        bootstrap.servers=kafka1.example.com:9094
        security.protocol=sasl_ssl
        ssl.ca.location=/opt/ssl/ca.crt
        ssl.endpoint.identification.algorithm=https
        sasl.mechanism=SCRAM-SHA-512
        sasl.username=alice
        sasl.password=scram-secret
        ");
    }

    #[test]
    fn values_that_the_format_cannot_hold_are_refused() {
        let mut fixture = fixture(1, "alice");
        for password in [" a", "a ", "a\nb"] {
            fixture.scram_password = Some(Secret::new(password.into()));
            let error = fixture
                .client(ClientFormat::Librdkafka, Auth::Scram(Mechanism::Sha512))
                .unwrap_err();
            assert!(matches!(error, ConfigError::Unwritable { key, .. } if key == "sasl.password"));
        }
    }
}
