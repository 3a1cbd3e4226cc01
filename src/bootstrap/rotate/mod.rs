//! The CA is replaced without a moment in which two of the cluster cannot talk to each other: first everyone trusts both,
//! then the new one signs and everyone gets a certificate of it, then the old one is trusted no longer.
//!
//! Who signs, who is trusted and how far that is change in one step. What identities have follows from it: whatever is
//! not as the CA is now is written, so that a command that was interrupted is finished by doing the same again.

mod seen;
mod steps;
mod work;

pub use seen::{Seen, Step};
pub use steps::{Outcome, Rotating, Successor, Tools};

use std::path::PathBuf;

use crate::state::Phase;

/// Why a rotation does not go on.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// One is under way.
    #[error("the CA is being replaced already: the rotation is {}", .0.word())]
    Running(Phase),
    /// None is under way.
    #[error("no rotation of the CA is under way")]
    None,
    /// It is not the turn of that step.
    #[error("the rotation is {}, so this is not the next step", .0.word())]
    NotYet(Phase),
    /// The old CA is trusted no longer.
    #[error("the old CA is trusted no longer, so there is no way back to it")]
    TooLate,
    /// What was written last is not seen everywhere.
    #[error("{}", not_everywhere(.0))]
    NotEverywhere(Vec<(String, &'static str)>),
    /// An engine elsewhere signs.
    #[error("{0}: this CA's key is not kept by kpki, so kpki cannot replace it")]
    Elsewhere(PathBuf),
    /// A subject that no generation can be put behind.
    #[error("the subject {0} is not one that kpki can write for the next CA")]
    Subject(String),
}

/// So many are named.
const NAMED: usize = 10;

fn not_everywhere(missing: &[(String, &str)]) -> String {
    if missing.is_empty() {
        return "the last step cannot be seen anywhere: there is no broker here that could be asked".to_owned();
    }
    let shown = missing.iter().take(NAMED);
    let shown: Vec<String> = shown.map(|(name, why)| format!("{name} ({why})")).collect();
    let more = match missing.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "the last step is not seen everywhere: {}{more}",
        shown.join(", ")
    )
}
