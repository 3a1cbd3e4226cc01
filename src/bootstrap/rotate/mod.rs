//! Replaces the CA without a moment in which two members of the cluster cannot talk to each other: first everyone
//! trusts both CAs, then the new one re-issues all certificates, then the old one is no longer trusted.
//!
//! The signing CA, the trusted CAs and the phase change in one step. The identities' files follow from that: whatever
//! does not match the CA's state is written, so an interrupted command is completed by running it again.

mod seen;
mod steps;
mod work;

pub use seen::{Seen, Step};
pub use steps::{Outcome, Rotating, Successor, Tools};

use std::path::PathBuf;

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
    /// An external issuer signs.
    #[error("{0}: kpki does not hold this CA's key, so it cannot replace the CA")]
    Elsewhere(PathBuf),
    /// A subject to which no generation can be appended.
    #[error("kpki cannot make the next CA's subject from {0}")]
    Subject(Name),
}

/// How many are named.
const NAMED: usize = 10;

fn not_everywhere(missing: &[(String, &str)]) -> String {
    if missing.is_empty() {
        return "the last step cannot be confirmed: there is no broker here to ask".to_owned();
    }
    let shown = missing.iter().take(NAMED);
    let shown: Vec<String> = shown.map(|(name, why)| format!("{name} ({why})")).collect();
    let more = match missing.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "the last step was not confirmed everywhere: {}{more}",
        shown.join(", ")
    )
}
