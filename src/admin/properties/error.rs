//! Why a client's properties cannot be used.

use std::path::PathBuf;

use crate::{config::PropertiesError, keystore::StoreError, state::StateError};

pub(super) type Result<T> = std::result::Result<T, ClientPropertiesError>;

/// Why a client's properties cannot be used. No message shows a value that could be secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientPropertiesError {
    /// A file that cannot be read: the properties themselves, or one of their stores.
    #[error(transparent)]
    Read(#[from] StateError),
    /// The properties are damaged.
    #[error("{}: {source}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: PropertiesError,
    },
    /// A store that cannot be used.
    #[error("{setting}: {path}: {source}")]
    Store {
        /// The setting that refers to it.
        setting: &'static str,
        /// The file, or `the value itself`.
        path: String,
        /// What is wrong with it.
        source: StoreError,
    },
    /// A required setting is missing.
    #[error("{0} is not set")]
    Missing(&'static str),
    /// A value that is not valid in Kafka, or not supported by kpki.
    #[error("{setting}={value} is not supported: {why}")]
    Unsupported {
        /// The setting.
        setting: &'static str,
        /// Its value, which is not secret.
        value: String,
        /// What is supported.
        why: &'static str,
    },
    /// A value that cannot be read and may be secret.
    #[error("{setting} {why}")]
    Invalid {
        /// The setting.
        setting: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl ClientPropertiesError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Read(_) => Some(
                "check the path; those in the properties are relative to the directory that the command runs in, as with Kafka's own tools",
            ),
            Self::Missing("bootstrap.servers") => {
                Some("give --bootstrap-server HOST:PORT, or set bootstrap.servers in the file")
            }
            Self::Store { source, .. } => source.hint(),
            Self::Unsupported {
                setting: "sasl.mechanism",
                ..
            } => Some(
                "give kpki a user of its own: a client certificate, or a SCRAM user with Alter on the cluster",
            ),
            _ => None,
        }
    }
}

pub(super) fn unsupported(
    setting: &'static str,
    value: &str,
    why: &'static str,
) -> ClientPropertiesError {
    ClientPropertiesError::Unsupported {
        setting,
        value: value.to_owned(),
        why,
    }
}
