//! Layouts: the file names that an image or recipe expects. One entry each.

/// The placeholder for the identity's name in file names.
const NAME: &str = "{name}";

/// The value of `ssl.keystore.type`. The stores are always PKCS#12, which Java reads with both values
/// (`keystore.type.compat` in java.security, since Java 8u60).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreType {
    /// `PKCS12`
    Pkcs12,
    /// `JKS`
    Jks,
}

impl StoreType {
    /// Java's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pkcs12 => "PKCS12",
            Self::Jks => "JKS",
        }
    }
}

/// A layout; `{name}` in file names is the identity's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Its name, for the policy and `--layout`.
    pub name: &'static str,
    /// Its description, for users.
    pub about: &'static str,
    /// The default of `install_dir`; `None`: the directory where the files were written.
    pub install_dir: Option<&'static str>,
    /// The type in the configuration files.
    pub store_type: StoreType,
    keystore: &'static str,
    truststore: &'static str,
    key: &'static str,
    certificate: &'static str,
    ca: &'static str,
    pem: &'static str,
    password: &'static str,
    key_password: Option<&'static str>,
    truststore_password: Option<&'static str>,
    server_properties: &'static str,
    client_properties: &'static str,
}

/// The file names of an identity, without directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileNames {
    /// The type in the configuration files.
    pub store_type: StoreType,
    /// Key and chain, PKCS#12.
    pub keystore: String,
    /// The CA, PKCS#12.
    pub truststore: String,
    /// The key, PKCS#8 PEM.
    pub key: String,
    /// The chain, PEM.
    pub certificate: String,
    /// The CA, PEM.
    pub ca: String,
    /// Key and chain in one PEM file (KIP-651).
    pub pem: String,
    /// The file with the keystore's password.
    pub password: String,
    /// The file with the key's password, if the image needs one.
    pub key_password: Option<String>,
    /// The file with the truststore's password, if the image needs one.
    pub truststore_password: Option<String>,
    /// The broker's configuration.
    pub server_properties: String,
    /// The Java client's configuration.
    pub client_properties: String,
}

impl FileNames {
    /// All names. A field that is missing here is a compile error.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        let Self {
            store_type: _,
            keystore,
            truststore,
            key,
            certificate,
            ca,
            pem,
            password,
            key_password,
            truststore_password,
            server_properties,
            client_properties,
        } = self;
        [keystore, truststore, key, certificate, ca, pem, password]
            .into_iter()
            .chain(key_password)
            .chain(truststore_password)
            .chain([server_properties, client_properties])
            .map(String::as_str)
    }

    /// The files with an identity's certificate: keystore, PEM files, and their password.
    pub fn of_certificate(&self) -> [&str; 5] {
        [
            &self.keystore,
            &self.key,
            &self.certificate,
            &self.pem,
            &self.password,
        ]
    }
}

/// Every layout; the first is the default.
pub const LAYOUTS: &[Layout] = &[
    Layout::DEFAULT,
    Layout {
        name: "script-sh",
        about: "the classic keytool script: JKS names, everything mounted at /opt/ssl",
        install_dir: Some("/opt/ssl"),
        store_type: StoreType::Jks,
        keystore: "{name}.keystore.jks",
        truststore: "{name}.truststore.jks",
        client_properties: "kafka_client.properties",
        ..Layout::DEFAULT
    },
    Layout {
        name: "apache-kafka",
        about: "the image apache/kafka: JKS names and password files, everything mounted at /etc/kafka/secrets",
        install_dir: Some("/etc/kafka/secrets"),
        store_type: StoreType::Jks,
        keystore: "{name}.keystore.jks",
        truststore: "kafka.truststore.jks",
        password: "kafka_keystore_creds",
        key_password: Some("kafka_ssl_key_creds"),
        truststore_password: Some("kafka_truststore_creds"),
        client_properties: "client-ssl.properties",
        ..Layout::DEFAULT
    },
];

impl Layout {
    /// kpki's own names.
    pub const DEFAULT: Layout = Layout {
        name: "default",
        about: "kpki's own names",
        install_dir: None,
        store_type: StoreType::Pkcs12,
        keystore: "{name}.keystore.p12",
        truststore: "{name}.truststore.p12",
        key: "{name}.key",
        certificate: "{name}.crt",
        ca: "ca.crt",
        pem: "{name}.pem",
        password: "keystore_creds",
        key_password: None,
        truststore_password: None,
        server_properties: "server.properties",
        client_properties: "client.properties",
    };

    /// The layout of that name.
    pub fn named(name: &str) -> Option<&'static Layout> {
        LAYOUTS.iter().find(|l| l.name == name)
    }

    /// The names of an identity's files.
    pub fn files(&self, identity: &str) -> FileNames {
        let fill = |template: &str| template.replace(NAME, identity);
        FileNames {
            store_type: self.store_type,
            keystore: fill(self.keystore),
            truststore: fill(self.truststore),
            key: fill(self.key),
            certificate: fill(self.certificate),
            ca: fill(self.ca),
            pem: fill(self.pem),
            password: fill(self.password),
            key_password: self.key_password.map(fill),
            truststore_password: self.truststore_password.map(fill),
            server_properties: fill(self.server_properties),
            client_properties: fill(self.client_properties),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names that are promised to other programs.
    #[test]
    fn the_default_names() {
        let names = Layout::DEFAULT.files("kafka1");
        assert_eq!(
            [
                names.keystore,
                names.truststore,
                names.key,
                names.certificate,
                names.ca,
                names.pem,
                names.server_properties,
                names.client_properties,
            ],
            [
                "kafka1.keystore.p12",
                "kafka1.truststore.p12",
                "kafka1.key",
                "kafka1.crt",
                "ca.crt",
                "kafka1.pem",
                "server.properties",
                "client.properties",
            ]
        );
        assert_eq!(LAYOUTS[0].name, "default");
    }

    #[test]
    fn the_classic_recipes_names() {
        let layout = Layout::named("script-sh").unwrap();
        let names = layout.files("kafka1");
        assert_eq!(names.keystore, "kafka1.keystore.jks");
        assert_eq!(names.truststore, "kafka1.truststore.jks");
        assert_eq!(names.client_properties, "kafka_client.properties");
        assert_eq!(names.store_type.name(), "JKS");
        assert_eq!(layout.install_dir, Some("/opt/ssl"));
    }

    /// Two files of one identity must not overwrite each other, nor escape their directory, in any layout.
    #[test]
    fn the_names_of_a_layout_differ_and_are_plain() {
        for layout in LAYOUTS {
            let names = layout.files("x");
            let all: Vec<&str> = names.all().collect();
            let distinct: std::collections::BTreeSet<_> = all.iter().collect();
            assert_eq!(distinct.len(), all.len(), "{}", layout.name);
            assert!(
                all.iter().all(|n| !n.contains('/') && !n.contains('{')),
                "{}",
                layout.name
            );
        }
    }
}
