//! The bootstrap itself: what the verbs do, without a terminal. Connects the pure rooms with the state on disk.

pub mod archive;
pub mod authorities;
pub mod backup;
pub mod brought;
pub mod bundle;
pub mod ca;
pub mod changes;
mod compare;
pub mod connection;
pub mod context;
pub mod cut_off;
pub mod doctor;
pub mod due;
pub mod edits;
pub mod elsewhere;
pub mod files;
pub mod folded;
pub mod forgotten;
pub mod identity;
pub mod lists;
pub mod member;
pub mod nodes;
pub mod passwords;
pub mod plan;
pub mod planned;
pub mod renew;
pub mod restore;
pub mod revoke;
pub mod rotate;
pub mod running;
pub mod served;
pub mod sign;
mod slot;
pub mod step;
pub mod trust;
pub mod up;
pub mod verify;

use crate::{
    config::ConfigError,
    issuer::IssuerError,
    keystore::StoreError,
    pki::{ChainProblem, IdentityName, Kind, PkiError},
    printable::Name,
    random::NoRandomness,
    scram::ScramError,
    state::{OutDir, Record, Revocation, StateError},
};
use ca::CaError;
use context::Danger;
use edits::Edit;

/// How many identities are signed, written and synced together: enough to share the cost of a sync, few enough that
/// their keys and stores take little memory.
const BATCH: usize = 256;

/// What is wrong with a file: an error of another room, or a sentence.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why an identity could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// An identity of that name already exists.
    #[error("the identity `{0}` already exists")]
    Exists(String),
    /// Two names that differ only by case.
    #[error("the name `{name}` differs from the existing `{other}` only by case")]
    Clash {
        /// The new one.
        name: String,
        /// The one on disk.
        other: String,
    },
    /// There is no identity of that name.
    #[error("there is no identity `{name}` in {out}")]
    Unknown {
        /// The name.
        name: String,
        /// The output directory.
        out: String,
    },
    /// A directory with a key that the inventory knows nothing of.
    #[error("{dir} contains a key, but the inventory has no record of a certificate of {name}")]
    NoRecord {
        /// The name.
        name: String,
        /// The directory.
        dir: String,
    },
    /// An identity whose last certificate was revoked.
    #[error("the certificate of `{}` was revoked on {} ({})", .0.name, .0.at.date(), .0.reason)]
    Revoked(Revocation),
    /// A name that belongs to one of another kind.
    #[error("`{name}` is the name of a {}, so it cannot be used for a {}", .was.name(), .wanted.name())]
    OtherKind {
        /// The name.
        name: String,
        /// What it was certified as.
        was: Kind,
        /// What it should become.
        wanted: Kind,
    },
    /// A request for an identity whose key was made here.
    #[error("the key of the identity `{0}` is in its directory here, so no request is needed")]
    KeyHere(String),
    /// A certificate that was signed for another name.
    #[error("the certificate is for `{subject}`, not for `{name}`")]
    OthersCertificate {
        /// The identity that it was to be installed for.
        name: String,
        /// Its subject.
        subject: Name,
    },
    /// No key in the directory where a certificate is to be installed.
    #[error("there is no key of `{0}` here for the certificate")]
    NoKey(String),
    /// A certificate whose renewal needs a request from the owner of its key.
    #[error(
        "the certificate of `{}` was signed for a request, so the next one needs a request as well", .0.name
    )]
    KeyElsewhere(Box<Record>),
    /// An inventory that was emptied or edited, or is an old copy.
    #[error("{inventory} lacks {what}, which {crl} contains")]
    Forgotten {
        /// The inventory.
        inventory: String,
        /// The file with the current CRLs.
        crl: String,
        /// What was lost.
        what: String,
    },
    /// A file of an identity that cannot be used.
    #[error("{file} is damaged: {source}")]
    Damaged {
        /// Its path.
        file: String,
        /// What is wrong with it.
        source: Cause,
    },
    /// A password that no store can have.
    #[error("the stores of {name} cannot be made with the password in {file}: {source}")]
    Password {
        /// The identity.
        name: String,
        /// The file with the password.
        file: String,
        /// Why.
        source: StoreError,
    },
    /// A file that was edited.
    #[error("{shown} {}", .edit.message())]
    Edited {
        /// Its name for `--overwrite`.
        path: String,
        /// Its path.
        shown: String,
        /// How it differs from what kpki wrote.
        edit: Edit,
    },
    /// A change that rolling restarts cannot apply to a running cluster.
    #[error("{} would change {change}", brokers(.names))]
    Dangerous {
        /// What kind of change.
        danger: Danger,
        /// From what to what.
        change: String,
        /// Whose configuration it affects.
        names: Vec<String>,
    },
    /// The lost id of a cluster whose disks are formatted.
    #[error("{0}")]
    ClusterId(String),
    /// A backup.
    #[error(transparent)]
    Backup(#[from] backup::BackupError),
    /// The CA.
    #[error(transparent)]
    Ca(#[from] CaError),
    /// Somebody else's CA.
    #[error("the CA is refused: {0}")]
    Brought(#[from] ChainProblem),
    /// Its replacement.
    #[error(transparent)]
    Rotation(#[from] rotate::RotationError),
    /// What signs.
    #[error(transparent)]
    Issuer(#[from] IssuerError),
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

impl BootstrapError {
    /// For a directory with a key that the inventory knows nothing of.
    pub fn no_record(out: &OutDir, name: &IdentityName) -> Self {
        Self::NoRecord {
            name: name.to_string(),
            dir: out.identity(name).display().to_string(),
        }
    }

    fn damaged(path: &std::path::Path, source: impl Into<Cause>) -> Self {
        Self::Damaged {
            file: path.display().to_string(),
            source: source.into(),
        }
    }
}

/// All errors, separately.
#[derive(Debug)]
pub struct Errors(pub Vec<BootstrapError>);

impl<E: Into<BootstrapError>> From<E> for Errors {
    fn from(error: E) -> Self {
        Self(vec![error.into()])
    }
}

fn brokers(names: &[String]) -> String {
    match names {
        [only] => format!("the broker {only}"),
        [first, .., last] if names.len() > 5 => {
            format!("{} brokers, {first} to {last},", names.len())
        }
        _ => format!("the brokers {}", names.join(", ")),
    }
}

/// A time as RFC 3339 text in UTC, to the second.
pub fn rfc3339(time: time::OffsetDateTime) -> String {
    // Formatting fails only outside the years 0 to 9999, which no certificate can have.
    time.to_offset(time::UtcOffset::UTC)
        .format(&time::format_description::well_known::Rfc3339)
        .unwrap_or_default()
}
