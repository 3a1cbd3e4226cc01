//! Who signs, where that is not a key in the output directory. `ca/` keeps the same, for the commands without a policy.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Who signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IssuerSettings {
    /// A key in a token.
    Pkcs11(Pkcs11Settings),
    /// Smallstep's step-ca.
    StepCa(StepCaSettings),
    /// Vault or OpenBao.
    Vault(VaultSettings),
}

impl IssuerSettings {
    /// Whether the CA is somebody else's, with its own certificates and its own list of what is revoked.
    pub fn has_own_ca(&self) -> bool {
        match self {
            Self::Pkcs11(_) => false,
            Self::StepCa(_) | Self::Vault(_) => true,
        }
    }
}

/// A key in a token, reached by PKCS#11.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pkcs11Settings {
    /// Where it is: a PKCS#11 URI (RFC 7512).
    pub uri: String,
}

/// A step-ca, and the provisioner by which it knows kpki.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepCaSettings {
    /// Where it listens.
    pub url: String,
    /// SHA-256 of its root's certificate, lower-case hex.
    pub fingerprint: String,
    /// The provisioner's name.
    pub provisioner: String,
    /// The file with the provisioner's password; `None`: from the environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
}

/// A PKI secrets engine of Vault's or OpenBao's, and its role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VaultSettings {
    /// Where the server listens.
    pub url: String,
    /// The path that the engine is mounted at, without slashes around.
    pub mount: String,
    /// The role that defines what is signed.
    pub role: String,
    /// The server's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The file with a token; `None`: from the environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// The CAs that the server's own certificate may be of, PEM; `None` without TLS alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// The root's certificate, where the server has none but its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_file: Option<PathBuf>,
}
