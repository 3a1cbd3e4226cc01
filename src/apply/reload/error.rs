//! Why a broker does not load its new stores.

use crate::{admin::AdminError, printable::Name};

/// Why a broker does not load its new stores.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReloadError {
    /// The cluster did not answer, or refused.
    #[error("{name}: {source}")]
    Cluster {
        /// The broker.
        name: String,
        /// Why.
        source: Box<AdminError>,
    },
    /// Nothing to reload.
    #[error("{0} has no TLS listener")]
    NoTls(String),
    /// Certificates inside the broker's own configuration.
    #[error(
        "{name}: the listener {listener} has no ssl.keystore.location, so there is no file to read again"
    )]
    NoStore {
        /// The broker.
        name: String,
        /// Its listener.
        listener: String,
    },
    /// It is unknown what it serves.
    #[error("cannot see which certificate {name} serves: {why}")]
    Unseen {
        /// The broker.
        name: String,
        /// Each listener's reason.
        why: String,
    },
    /// The new certificate lacks hosts.
    #[error(
        "the current certificate of {name} contains {lost}, but the new one does not: a running broker refuses that"
    )]
    LostHosts {
        /// The broker.
        name: String,
        /// The hosts.
        lost: String,
    },
    /// Another subject.
    #[error(
        "the current certificate of {name} has the subject `{old}`, but the new one has `{new}`: a running broker refuses that"
    )]
    OtherSubject {
        /// The broker.
        name: String,
        /// What it serves.
        old: Name,
        /// What it should serve.
        new: Name,
    },
    /// A CA that is not trusted yet.
    #[error(
        "{name} does not yet trust the CA of its new certificate, `{root}`: a running broker refuses such a certificate on the inter-broker listener"
    )]
    Untrusted {
        /// The broker.
        name: String,
        /// The CA.
        root: Name,
    },
    /// It still serves the old certificate.
    #[error("{name} was told to read its stores again, but after {seconds} s {what}{}", also(.left))]
    NotTakenUp {
        /// The broker.
        name: String,
        /// How long kpki waited.
        seconds: u64,
        /// What is still wrong.
        what: String,
        /// The setting, if it could not be removed either.
        left: Option<SettingLeft>,
    },
    /// It serves the new certificate, but the setting could not be removed.
    #[error("{name} serves its new certificate, but {left}")]
    SettingLeft {
        /// The broker.
        name: String,
        /// The setting.
        left: SettingLeft,
    },
}

impl ReloadError {
    /// Whether nothing is known of the broker, which may be down, so that this says nothing about the others.
    pub fn is_no_answer(&self) -> bool {
        match self {
            Self::Cluster { source, .. } => !matches!(**source, AdminError::NotAuthorized { .. }),
            Self::Unseen { .. } => true,
            _ => false,
        }
    }
}

/// A setting that could not be removed.
#[derive(Debug, thiserror::Error)]
#[error("the setting {setting} could not be removed: {why}")]
pub struct SettingLeft {
    /// Its name.
    pub setting: String,
    /// Why.
    pub why: String,
}

fn also(left: &Option<SettingLeft>) -> String {
    left.as_ref()
        .map_or_else(String::new, |left| format!("; {left}"))
}
