//! The paths and passwords of an identity's stores on its machine.

use zeroize::Zeroizing;

use super::ConfigError;
use crate::{acl::KafkaVersion, policy::FileNames, secret::Secret};

/// An identity's directory on its own machine.
#[derive(Debug, Clone, Copy)]
pub struct Stores<'a> {
    /// The directory: absolute, with or without a final `/`.
    pub dir: &'a str,
    /// The names of the files in it.
    pub names: &'a FileNames,
    /// The password of the keystore and its key; `None` if the identity has no certificate.
    pub keystore_password: Option<&'a Secret>,
    /// The password of the truststore, the same for every identity of a CA.
    pub truststore_password: &'a Secret,
}

/// A setting of a configuration file.
#[derive(Clone)]
pub(super) struct Setting {
    /// Its name in this format.
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

    /// The password of the keystore of the named identity.
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
            // In Java, a PKCS#12 store and its key have the same password.
            Setting::new("ssl.key.password", password.expose()),
        ]
    }
}

/// The TLS versions, and host name verification. Earlier versions of Kafka mishandle what TLS 1.3 sends after the
/// handshake.
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
