//! External issuers. `ca/` stores the same settings, for commands without a policy.

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
    /// Whether the CA is external, with its own certificates and its own CRL.
    pub fn has_own_ca(&self) -> bool {
        match self {
            Self::Pkcs11(_) => false,
            Self::StepCa(_) | Self::Vault(_) => true,
        }
    }
}

/// A key in a token, used through PKCS#11.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pkcs11Settings {
    /// Its PKCS#11 URI (RFC 7512).
    pub uri: String,
}

/// A step-ca, and the provisioner that kpki uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepCaSettings {
    /// Its URL.
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
    /// The server's URL.
    pub url: String,
    /// The path at which the engine is mounted, without leading and trailing slashes.
    pub mount: String,
    /// The role that defines what is signed.
    pub role: String,
    /// The server's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The file with a token; `None`: from the environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// The CAs that may have issued the server's own certificate, PEM; `None` only without TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// The root certificate, if the server only has its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_file: Option<PathBuf>,
}
