//! `client.properties`: what every Java client and every one of Kafka's command-line tools reads.

use super::{
    ClientInput, ConfigError,
    jaas::scram_login,
    properties::Writer,
    stores::{Setting, setting, tls_protocols},
};
use crate::secret::Secret;

/// Settings that belong together, under one line of comment.
pub(super) struct Section {
    pub(super) about: &'static str,
    pub(super) settings: Vec<Setting>,
}

/// The text of `client.properties`.
///
/// # Errors
/// When no listener serves the client, or a password or store that it needs is missing.
pub(super) fn client_properties(input: &ClientInput<'_>) -> Result<Secret, ConfigError> {
    let mut out = Writer::default();
    out.comment(&format!(
        "How {} connects to the Kafka cluster {}, written by kpki.",
        input.name, input.cluster.name
    ));
    for section in sections(input)? {
        out.comment(section.about);
        for (key, value) in section.settings {
            out.set(&key, &value);
        }
    }
    Ok(out.finish())
}

/// The settings of a Java client.
pub(super) fn sections(input: &ClientInput<'_>) -> Result<Vec<Section>, ConfigError> {
    let connection = input.connection()?;
    let mut sections = Vec::new();
    let mut section = |about, settings| sections.push(Section { about, settings });

    match connection.bootstrap {
        Some(servers) => section(
            "Where the brokers are.",
            vec![setting("bootstrap.servers", servers)],
        ),
        None => section(
            "Where the brokers are is not known here: set bootstrap.servers, or give --bootstrap-server.",
            vec![],
        ),
    }
    section(
        "How the connection is protected.",
        vec![setting(
            "security.protocol",
            connection.protocol.kafka_name(),
        )],
    );
    if connection.protocol.is_tls() {
        let mut trust = input.stores.trust();
        trust.push(setting(
            "ssl.enabled.protocols",
            tls_protocols(input.cluster.kafka_version),
        ));
        trust.push(setting("ssl.endpoint.identification.algorithm", "https"));
        section(
            "Which CA to trust, and that a broker's certificate must name its host.",
            trust,
        );
    }
    if connection.certificate {
        section(
            "The certificate to show.",
            input.stores.identity(input.name.as_str())?,
        );
    }
    if let Some((mechanism, user, password)) = connection.sasl {
        section(
            "The SCRAM user to log in as.",
            vec![
                setting("sasl.mechanism", mechanism.name()),
                ("sasl.jaas.config".to_owned(), scram_login(user, password)),
            ],
        );
    }
    Ok(sections)
}
