//! The bootstrap itself: what the verbs do, without a terminal. Joins the pure rooms with the state on disk.

pub mod ca;
pub mod connection;
pub mod files;
pub mod folded;
pub mod identity;
pub mod member;
pub mod passwords;
pub mod random;
pub mod renew;
pub mod restore;
pub mod survey;
pub mod up;

use crate::{
    config::ConfigError, keystore::StoreError, pki::PkiError, scram::ScramError, state::StateError,
};
use ca::CaError;
use random::NoRandomness;

/// Why an identity could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// An identity of that name is there already.
    #[error("the identity `{0}` exists already")]
    Exists(String),
    /// Two names that are one where case is folded.
    #[error("the name `{name}` differs from `{other}`, which is there, only in case")]
    Clash {
        /// The new one.
        name: String,
        /// The one on disk.
        other: String,
    },
    /// No identity of that name is there.
    #[error("there is no identity `{name}` in {out}")]
    Unknown {
        /// The name.
        name: String,
        /// The output directory.
        out: String,
    },
    /// A file of an identity that cannot be used.
    #[error("{file} is damaged: {reason}")]
    Damaged {
        /// Its path.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The CA.
    #[error(transparent)]
    Ca(#[from] CaError),
    /// The disk.
    #[error(transparent)]
    State(#[from] StateError),
    /// Certificates.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// Stores.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// SCRAM.
    #[error(transparent)]
    Scram(#[from] ScramError),
    /// Configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Randomness.
    #[error(transparent)]
    Random(#[from] NoRandomness),
}

/// A time as RFC 3339 text in UTC, to the second.
pub fn rfc3339(time: time::OffsetDateTime) -> String {
    // Formatting fails only outside the years 0 to 9999, which no certificate can have.
    time.to_offset(time::UtcOffset::UTC)
        .format(&time::format_description::well_known::Rfc3339)
        .unwrap_or_default()
}
