//! Kinds of certificates.

use serde::{Deserialize, Serialize};

/// What a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A CA: the root.
    Ca,
    /// A CA below the root.
    Intermediate,
    /// A broker: a TLS server that is also a client of other brokers.
    Broker,
    /// A client.
    Client,
}

impl Kind {
    /// The word of the inventory and of `list --json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ca => "ca",
            Self::Intermediate => "intermediate",
            Self::Broker => "broker",
            Self::Client => "client",
        }
    }
}
