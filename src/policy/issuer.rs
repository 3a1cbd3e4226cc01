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
