//! The output directory: the only room that touches the disk.
//!
//! Nothing is lost here. Writers take a lock. What they make is first complete and synced in a staging
//! directory, which one rename turns into a promise; the next command keeps it if this one is killed. The
//! inventory is appended and synced before any key reaches the disk.

mod event;
mod file_spec;
mod files;
#[cfg(test)]
mod fixture;
mod generations;
mod guard;
mod input;
mod inventory;
mod journal;
mod jsonl;
mod leftovers;
mod lock;
mod matching;
mod out_dir;
mod owners;
mod place;
mod pruning;
mod rotation;
mod secret_file;
mod staging;
mod whole_ca;
mod written;

pub use event::{CrlIssue, Event, Revocation, RotationStep};
pub use file_spec::FileSpec;
pub use files::{Owner, check_owner, mode_of, read_optional, read_plain, write_atomic, write_new};
pub use guard::{Mended, is_own};
pub use input::{open, read_below, read_foreign, read_request, read_stdin, read_text};
pub use inventory::{Inventory, Record, Status};
pub use journal::{Ending, Entry, Who, read_journal};
pub use leftovers::Leftovers;
pub use lock::Lock;
pub use matching::matching;
pub use out_dir::OutDir;
pub use owners::Owners;
pub use place::{CA_REQUEST, CA_REQUEST_KEY};
pub use pruning::{Pruning, Reach, Unsettled};
pub use rotation::{Phase, Rotation};
pub use secret_file::SecretFile;
pub use staging::Staging;
pub use whole_ca::{History, is_ca_file};
pub use written::{Writing, Written, WrittenEntry, digest_of};

use std::{io, path::PathBuf};

/// Why the output directory could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The operating system's refusal.
    #[error("cannot {action} {path}: {}", reason(source))]
    Io {
        /// What was tried: "read", "create", …
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// Something that stands where kpki would write.
    #[error("{path} {why}")]
    Obstacle {
        /// What stands there.
        path: PathBuf,
        /// Why it is in the way.
        why: String,
    },
    /// A directory that others could have put things into, or a file that they could have changed.
    #[error("{path} may be written by {who} ({mode:04o}), so {harm}")]
    Writable {
        /// The directory.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// By whom.
        who: &'static str,
        /// What that means.
        harm: &'static str,
    },
    /// A file or directory of another user, who was never given it.
    #[error(
        "{path} belongs to another user (uid {uid}), who could change what it holds at any time"
    )]
    Foreign {
        /// What belongs to them.
        path: PathBuf,
        /// Their number.
        uid: u32,
    },
    /// A promise of a killed command that cannot be kept.
    #[error("what an interrupted command has promised cannot be put in its place: {cause}")]
    Unfinished {
        /// What stands in the way.
        #[source]
        cause: Box<StateError>,
        /// Where the rest of the promise waits.
        waiting: PathBuf,
    },
    /// Another process that holds the lock and does not give it back.
    #[error("{path} is locked by {}, and still was after {seconds} seconds", holder.as_deref().unwrap_or("another process"))]
    Locked {
        /// The output directory.
        path: PathBuf,
        /// Who holds it, where that can be seen.
        holder: Option<String>,
        /// How long it was waited for.
        seconds: u64,
    },
    /// A line of the inventory that is no record.
    #[error("{path}, line {line}: {reason}")]
    BadInventory {
        /// The inventory.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A line of the journal that is none.
    #[error("{path}, line {line}: {reason}")]
    BadJournal {
        /// The journal.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A line of the record of what was written that is none.
    #[error("{path}, line {line}: {reason}")]
    BadWritten {
        /// The record.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
}

impl StateError {
    fn obstacle(path: &std::path::Path, why: impl Into<String>) -> Self {
        Self::Obstacle {
            path: path.to_owned(),
            why: why.into(),
        }
    }

    /// The same error of a file that was written under a temporary name, with the name that it will have.
    fn of_place(self, place: &std::path::Path) -> Self {
        match self {
            Self::Io { action, source, .. } => Self::Io {
                action,
                path: place.to_owned(),
                source,
            },
            other => other,
        }
    }
}

/// An I/O error in words, without the operating system's number.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = match text.find(" (os error") {
        Some(end) => &text[..end],
        None => &text,
    };
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_ascii_lowercase());
    first.into_iter().chain(chars).collect()
}

/// Gives an I/O error its thing: `.map_err(failed("read", path))`.
fn failed(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> StateError {
    let path = path.into();
    move |source| StateError::Io {
        action,
        path,
        source,
    }
}
