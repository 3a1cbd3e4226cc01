//! `librdkafka.conf`: for kcat and everything else built on librdkafka, with PEM files in place of stores.

use zeroize::Zeroizing;

use super::{ClientInput, ConfigError, stores::setting};
use crate::secret::Secret;

const FILE: &str = "librdkafka.conf";

/// The text of `librdkafka.conf`, one `key=value` a line (`kcat -F`).
///
/// # Errors
/// As for `client.properties`, and a value that the format cannot hold: it has no escapes.
pub(super) fn librdkafka_conf(input: &ClientInput<'_>) -> Result<Secret, ConfigError> {
    let connection = input.connection()?;
    let (stores, names) = (input.stores, input.stores.names);
    let mut settings = Vec::new();
    if let Some(servers) = connection.bootstrap {
        settings.push(setting("bootstrap.servers", servers));
    }
    settings.push(setting(
        "security.protocol",
        connection.protocol.kafka_name().to_ascii_lowercase(),
    ));
    if connection.protocol.is_tls() {
        settings.push(setting("ssl.ca.location", stores.path(&names.ca)));
        settings.push(setting("ssl.endpoint.identification.algorithm", "https"));
    }
    if connection.certificate {
        if stores.keystore_password.is_none() {
            return Err(ConfigError::NoKeystore(input.name.to_string()));
        }
        settings.push(setting(
            "ssl.certificate.location",
            stores.path(&names.certificate),
        ));
        settings.push(setting("ssl.key.location", stores.path(&names.key)));
    }
    if let Some((mechanism, user, password)) = connection.sasl {
        settings.push(setting("sasl.mechanism", mechanism.name()));
        settings.push(setting("sasl.username", user));
        settings.push(setting("sasl.password", password.expose()));
    }

    let mut text = Zeroizing::new(format!(
        "# How {} connects to its Kafka cluster, written by kpki for clients built on librdkafka.\n",
        input.name
    ));
    for (key, value) in settings {
        if value.trim() != value.as_str() || value.chars().any(char::is_control) {
            return Err(ConfigError::Unwritable {
                file: FILE,
                key,
                why: "begins or ends with white space or has a control character, which the file's format cannot hold",
            });
        }
        text.push_str(&format!("{key}={}\n", *value));
    }
    Ok(Secret::new(std::mem::take(&mut *text)))
}
