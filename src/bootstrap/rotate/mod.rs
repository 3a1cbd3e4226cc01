//! Replaces the CA without a moment in which two members of the cluster cannot talk to each other: first everyone
//! trusts both CAs, then the new one re-issues all certificates, then the old one is no longer trusted.
//!
//! The signing CA, the trusted CAs and the phase change in one step. The identities' files follow from that: whatever
//! does not match the CA's state is written, so an interrupted command is completed by running it again.

mod ended;
mod next;
mod seen;
mod steps;
mod work;

pub use next::{Pending, Successor};
pub use seen::{Ask, Seen, Step};
pub use steps::{Outcome, Rotating, Tools};

use std::{fmt, path::PathBuf};

use time::OffsetDateTime;

use crate::{printable::Name, state::Phase};

/// Why a rotation cannot proceed.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// One is in progress.
    #[error("a CA rotation is already in progress: the rotation is {}", .0.word())]
    Running(Phase),
    /// None is in progress.
    #[error("no CA rotation is in progress")]
    None,
    /// That step is out of order.
    #[error("the rotation is {}, so this is not its next step", .0.word())]
    NotYet(Phase),
    /// The old CA is no longer trusted.
    #[error("the old CA is no longer trusted, so the rotation cannot be aborted")]
    TooLate,
    /// The last step was not confirmed everywhere.
    #[error("{}", not_everywhere(.0))]
    NotEverywhere(Vec<(String, &'static str)>),
    /// Revoked certificates would be accepted again.
    #[error("{0}")]
    AcceptedAgain(AcceptedAgain),
    /// An external issuer signs.
    #[error("{0}: kpki does not hold this CA's key, so it cannot replace the CA")]
    Elsewhere(PathBuf),
    /// A subject to which no generation can be appended.
    #[error("kpki cannot make the next CA's subject from {0}")]
    Subject(Name),
    /// The next CA's certificate was requested.
    #[error("the certificate of the next CA, {0}, was requested and is not installed yet")]
    Requested(String),
    /// It was not requested.
    #[error("there is no pending request for the next CA in {0}")]
    NoRequest(String),
    /// A CA that cannot follow the present one.
    #[error("the CA is refused: `{0}` {1}")]
    Taken(Name, Taken),
}

/// Revoked certificates that would be accepted again.
#[derive(Debug)]
pub struct AcceptedAgain {
    /// The CA that signed them.
    pub ca: Name,
    /// Each with its name, serial number and end.
    pub certificates: Vec<String>,
    /// When the last of them expires.
    pub until: OffsetDateTime,
}

impl fmt::Display for AcceptedAgain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} is below a root that stays trusted, and without its key no further CRL says that these certificates are revoked: {}",
            self.ca,
            first_of(&self.certificates)
        )
    }
}

/// Why a CA cannot be the next one.
#[derive(Debug, thiserror::Error)]
pub enum Taken {
    /// It is the present one, or above it.
    #[error("is a CA of the present chain")]
    Present,
    /// It has the key of another one.
    #[error("has the same key as `{0}`, so nothing would be replaced")]
    Key(Name),
    /// It has the subject of another one.
    #[error(
        "is already the subject of another CA certificate, and issuers are looked up by their subjects"
    )]
    Subject,
    /// Its root has the subject of one that is trusted.
    #[error("is also the subject of the trusted root, but the certificates are not the same")]
    Root,
}

/// How many are named.
const NAMED: usize = 10;

fn not_everywhere(missing: &[(String, &str)]) -> String {
    if missing.is_empty() {
        return "the last step cannot be confirmed: there is no broker here to ask".to_owned();
    }
    let all: Vec<String> = missing
        .iter()
        .map(|(name, why)| format!("{name} ({why})"))
        .collect();
    format!(
        "the last step was not confirmed everywhere: {}",
        first_of(&all)
    )
}

fn first_of(all: &[String]) -> String {
    let shown = &all[..all.len().min(NAMED)];
    let more = match all.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", shown.join(", "))
}
