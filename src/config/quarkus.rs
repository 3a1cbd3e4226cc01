//! `quarkus.properties`: the Java client's settings under `kafka.`, which Quarkus passes to every Kafka client.

use super::{ClientInput, ConfigError, java::sections, properties::Writer, stores::Setting};
use crate::{policy::FileNames, secret::Secret};

const FILE: &str = "quarkus.properties";

pub(super) fn file_name(_: &FileNames) -> &str {
    FILE
}

/// The text of `quarkus.properties`, to be included in `application.properties` or listed in
/// `quarkus.config.locations`.
///
/// # Errors
/// As [`super::java::write`], and a value with `$`, which Quarkus would interpret as an expression.
pub(super) fn write(input: &ClientInput<'_>) -> Result<Secret, ConfigError> {
    let mut out = Writer::default();
    out.comment(&format!(
        "How {} connects to the Kafka cluster {}, written by kpki; part of application.properties.",
        input.name, input.cluster.name
    ));
    for section in sections(input)? {
        out.comment(section.about);
        for Setting { key, value } in section.settings {
            out.set(&prefixed(&key, &value)?, &value);
        }
    }
    let properties: Vec<(String, &str)> = input
        .properties
        .iter()
        .map(|(key, value)| Ok((prefixed(key, value)?, value)))
        .collect::<Result<_, ConfigError>>()?;
    out.properties(FILE, properties.iter().map(|(key, value)| (&**key, *value)))?;
    Ok(out.finish())
}

/// A setting's name under the prefix.
fn prefixed(key: &str, value: &str) -> Result<String, ConfigError> {
    if value.contains('$') {
        return Err(ConfigError::Unwritable {
            file: FILE,
            key: key.to_owned(),
            why: "contains `$`, which Quarkus interprets as an expression",
        });
    }
    Ok(format!("kafka.{key}"))
}

#[cfg(test)]
mod tests {
    use crate::{
        config::{ConfigError, Properties, fixture::fixture},
        policy::{Auth, ClientFormat},
        scram::Mechanism,
        secret::Secret,
    };

    #[test]
    fn it_is_client_properties_under_a_prefix() {
        let fixture = fixture(1, "alice");
        for auth in [Auth::Tls, Auth::Scram(Mechanism::Sha512)] {
            let read = |format| {
                Properties::parse(fixture.client(format, auth).unwrap().as_bytes()).unwrap()
            };
            let (java, quarkus) = (read(ClientFormat::Java), read(ClientFormat::Quarkus));
            let stripped: Vec<_> = quarkus
                .iter()
                .map(|(k, v)| (k.strip_prefix("kafka.").unwrap(), v))
                .collect();
            assert_eq!(stripped, java.iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn values_that_quarkus_would_expand_are_refused() {
        let mut fixture = fixture(1, "alice");
        fixture.scram_password = Some(Secret::new("a${b}".into()));
        let error = fixture
            .client(ClientFormat::Quarkus, Auth::Scram(Mechanism::Sha512))
            .unwrap_err();
        assert!(matches!(&error, ConfigError::Unwritable { key, .. } if key == "sasl.jaas.config"));
        assert!(!error.to_string().contains("a${b}"));
    }
}
