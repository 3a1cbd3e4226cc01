//! `client.properties`, for every Java client and all of Kafka's command-line tools.

use super::{
    ClientInput, ConfigError,
    jaas::scram_login,
    properties::Writer,
    stores::{Setting, tls_settings},
};
use crate::{policy::FileNames, secret::Secret};

/// A group of settings under a comment.
pub(super) struct Section {
    pub(super) about: &'static str,
    pub(super) settings: Vec<Setting>,
}

/// The layout's file name.
pub(super) fn file_name(names: &FileNames) -> &str {
    &names.client_properties
}

/// The text of `client.properties`.
pub(super) fn write(input: &ClientInput<'_>) -> Result<Secret, ConfigError> {
    let mut out = Writer::default();
    out.comment(&format!(
        "How {} connects to the Kafka cluster {}, written by kpki.",
        input.name, input.cluster.name
    ));
    for section in sections(input)? {
        out.comment(section.about);
        out.settings(&section.settings);
    }
    out.properties("client.properties", input.properties.iter())?;
    Ok(out.finish())
}

/// The settings of a Java client.
pub(super) fn sections(input: &ClientInput<'_>) -> Result<Vec<Section>, ConfigError> {
    let connection = input.connection()?;
    let protocol = connection.route.protocol;
    let mut sections = Vec::new();
    let mut section = |about, settings| sections.push(Section { about, settings });

    let servers = connection.route.bootstrap_servers();
    let about = match &servers {
        Some(_) => "Where the brokers are.",
        None => {
            "Where the brokers are is not known here: set bootstrap.servers, or give --bootstrap-server."
        }
    };
    let servers = servers.map(|servers| Setting::new("bootstrap.servers", servers));
    section(about, servers.into_iter().collect());
    let security = Setting::new("security.protocol", protocol.kafka_name());
    section("How the connection is protected.", vec![security]);
    if protocol.is_tls() {
        let mut trust = input.stores.trust().to_vec();
        trust.extend(tls_settings(input.cluster.kafka_version));
        let about = "Which CA to trust, and that a broker's certificate must name its host.";
        section(about, trust);
    }
    if let Some(password) = connection.keystore_password {
        let identity = input.stores.identity(password).to_vec();
        section("The certificate to show.", identity);
    }
    if let Some((mechanism, user, password)) = connection.sasl {
        let login = vec![
            Setting::new("sasl.mechanism", mechanism.name()),
            Setting::new("sasl.jaas.config", scram_login(user, password)),
        ];
        section("The SCRAM user to log in as.", login);
    }
    Ok(sections)
}

#[cfg(test)]
mod tests {
    use crate::{
        config::{Properties, fixture::fixture},
        policy::{Auth, ClientFormat},
        scram::Mechanism,
        secret::Secret,
    };

    #[test]
    fn the_whole_file_of_a_tls_client() {
        let text = fixture(2, "alice")
            .client(ClientFormat::Java, Auth::Tls)
            .unwrap();
        insta::assert_snapshot!(text, @"
        # How alice connects to the Kafka cluster quickstart, written by kpki.

        # Where the brokers are.
        bootstrap.servers=kafka1.example.com:9093,kafka2.example.com:9093

        # How the connection is protected.
        security.protocol=SSL

        # Which CA to trust, and that a broker's certificate must name its host.
        ssl.truststore.type=PKCS12
        ssl.truststore.location=/opt/ssl/alice.truststore.p12
        ssl.truststore.password=truststore-secret
        ssl.enabled.protocols=TLSv1.3,TLSv1.2
        ssl.endpoint.identification.algorithm=https

        # The certificate to show.
        ssl.keystore.type=PKCS12
        ssl.keystore.location=/opt/ssl/alice.keystore.p12
        ssl.keystore.password=keystore-secret
        ssl.key.password=keystore-secret
        ");
    }

    #[test]
    fn the_whole_file_of_a_scram_client() {
        let text = fixture(1, "alice")
            .client(ClientFormat::Java, Auth::Scram(Mechanism::Sha512))
            .unwrap();
        insta::assert_snapshot!(text, @r#"
        # How alice connects to the Kafka cluster quickstart, written by kpki.

        # Where the brokers are.
        bootstrap.servers=kafka1.example.com:9094

        # How the connection is protected.
        security.protocol=SASL_SSL

        # Which CA to trust, and that a broker's certificate must name its host.
        ssl.truststore.type=PKCS12
        ssl.truststore.location=/opt/ssl/alice.truststore.p12
        ssl.truststore.password=truststore-secret
        ssl.enabled.protocols=TLSv1.3,TLSv1.2
        ssl.endpoint.identification.algorithm=https

        # The SCRAM user to log in as.
        sasl.mechanism=SCRAM-SHA-512
        sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username="alice" password="scram-secret";
        "#);
    }

    #[test]
    fn odd_passwords_and_paths_survive_both_kinds_of_escaping() {
        let mut fixture = fixture(1, "alice");
        fixture.dir = "/opt/k\u{e9}y #1=\\x".into();
        fixture.scram_password = Some(Secret::new("a\\b\"c \u{1f600}".into()));
        let text = fixture
            .client(ClientFormat::Java, Auth::Scram(Mechanism::Sha512))
            .unwrap();
        assert!(text.is_ascii());
        let read = Properties::parse(text.as_bytes()).unwrap();
        assert_eq!(
            read.get("ssl.truststore.location"),
            Some("/opt/k\u{e9}y #1=\\x/alice.truststore.p12")
        );
        assert_eq!(
            read.get("sasl.jaas.config"),
            Some(
                "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"alice\" password=\"a\\\\b\\\"c \u{1f600}\";"
            )
        );
    }
}
