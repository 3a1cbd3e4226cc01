//! Where an identity's machine finds its stores, and their passwords.

use zeroize::Zeroizing;

use super::ConfigError;
use crate::{acl::KafkaVersion, policy::FileNames, secret::Secret};

/// An identity's directory as its own machine sees it.
#[derive(Debug, Clone, Copy)]
pub struct Stores<'a> {
    /// The directory: absolute, with or without a final `/`.
    pub dir: &'a str,
    /// What the files in it are called.
    pub names: &'a FileNames,
    /// Of the key store and of the key in it; `None` where the identity has no certificate.
    pub keystore_password: Option<&'a Secret>,
    /// Of the truststore; the same for every identity of a CA.
    pub truststore_password: &'a Secret,
}

/// A setting of a configuration file.
#[derive(Clone)]
pub(super) struct Setting {
    /// Its name, as the reader of the file knows it.
    pub(super) key: String,
    /// Its value, which may be secret.
    pub(super) value: Zeroizing<String>,
}

impl Setting {
    pub(super) fn new(key: impl Into<String>, value: impl AsRef<str>) -> Self {
        Self {
            key: key.into(),
            value: Zeroizing::new(value.as_ref().to_owned()),
        }
    }
}

impl<'a> Stores<'a> {
    /// The path of a file in the directory.
    pub fn path(&self, file: &str) -> String {
        format!("{}/{file}", self.dir.trim_end_matches('/'))
    }

    /// What a Java process needs to verify others.
    pub(super) fn trust(&self) -> [Setting; 3] {
        [
            Setting::new("ssl.truststore.type", self.names.store_type.name()),
            Setting::new("ssl.truststore.location", self.path(&self.names.truststore)),
            Setting::new("ssl.truststore.password", self.truststore_password.expose()),
        ]
    }

    /// The password of the key store of the identity of that name.
    pub(super) fn keystore_password(&self, name: &str) -> Result<&'a Secret, ConfigError> {
        self.keystore_password
            .ok_or_else(|| ConfigError::NoKeystore(name.to_owned()))
    }

    /// What a Java process needs to authenticate itself.
    pub(super) fn identity(&self, password: &Secret) -> [Setting; 4] {
        [
            Setting::new("ssl.keystore.type", self.names.store_type.name()),
            Setting::new("ssl.keystore.location", self.path(&self.names.keystore)),
            Setting::new("ssl.keystore.password", password.expose()),
            // PKCS#12 as Java has it knows one password for the store and the key in it.
            Setting::new("ssl.key.password", password.expose()),
        ]
    }
}

/// The versions of TLS to use, and that the other side's certificate must name its host. Earlier versions of Kafka
/// mishandle what TLS 1.3 sends after the handshake.
pub(super) fn tls_settings(kafka_version: KafkaVersion) -> [Setting; 2] {
    let protocols = match kafka_version >= KafkaVersion::TLS_1_3 {
        true => "TLSv1.3,TLSv1.2",
        false => "TLSv1.2",
    };
    [
        Setting::new("ssl.enabled.protocols", protocols),
        Setting::new("ssl.endpoint.identification.algorithm", "https"),
    ]
}
