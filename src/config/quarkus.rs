//! `quarkus.properties`: the Java client's settings under `kafka.`, which Quarkus hands to every Kafka client it makes.

use super::{ClientInput, ConfigError, client_java::sections, properties::Writer};
use crate::secret::Secret;

/// The text of `quarkus.properties`, to be put into `application.properties` or named in `quarkus.config.locations`.
///
/// # Errors
/// As [`super::client_java::client_properties`], and a value with `$` in it, where Quarkus would look for an expression.
pub(super) fn quarkus_properties(input: &ClientInput<'_>) -> Result<Secret, ConfigError> {
    let mut out = Writer::default();
    out.comment(&format!(
        "How {} connects to the Kafka cluster {}, written by kpki; part of application.properties.",
        input.name, input.cluster.name
    ));
    for section in sections(input)? {
        out.comment(section.about);
        for (key, value) in section.settings {
            if value.contains('$') {
                return Err(ConfigError::Unwritable {
                    file: "quarkus.properties",
                    key,
                    why: "contains `$`, which Quarkus takes for an expression",
                });
            }
            out.set(&format!("kafka.{key}"), &value);
        }
    }
    Ok(out.finish())
}
