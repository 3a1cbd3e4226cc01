//! The output directory: the only room that touches the disk.
//!
//! Nothing is lost here. Writers take a lock. What they write is first completed and synced in a staging directory,
//! which one rename commits; if the command is killed, the next one completes the commit. The inventory is appended and
//! synced before any key reaches the disk.

mod event;
mod file_spec;
mod files;
#[cfg(test)]
mod fixture;
mod generations;
mod guard;
mod index;
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
mod readable;
mod rotation;
mod secret_file;
mod staging;
mod whole_ca;
mod written;

pub use event::{CaRequest, CrlIssue, Event, Revocation, RotationStep};
pub use file_spec::FileSpec;
pub use files::{
    Owner, check_owner, check_writable, create_dir, mode_of, read_plain, read_record, write_atomic,
    write_new,
};
pub use guard::{Mended, is_own};
pub use input::{
    open, read_below, read_foreign, read_optional, read_request, read_stdin, read_text,
};
pub use inventory::{Inventory, Record, Status};
pub use journal::{Ending, Entry, Who, read_journal};
pub use leftovers::Leftovers;
pub use lock::Lock;
pub use matching::matching;
pub use out_dir::OutDir;
pub use owners::Owners;
pub use place::{CA_REQUEST, CA_REQUEST_KEY};
pub use pruning::{Pruning, Reach, Unsettled};
pub use readable::{Closed, Readable, readable_by};
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
    /// The same for a file that was named, which need not be in the output directory.
    #[error("cannot {action} {path}: {}", reason(source))]
    Named {
        /// What was tried: "read" or "create".
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A file to read that has more than any such file needs.
    #[error("{path} is larger than {}, the most that kpki reads there", size(*.limit))]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// In bytes.
        limit: u64,
    },
    /// Something that is where kpki would write.
    #[error("{path} {why}")]
    Obstacle {
        /// What is there.
        path: PathBuf,
        /// Why it is in the way.
        why: String,
    },
    /// A directory that other users could have put things into, or a file that they could have changed.
    #[error("{path} can be written by {who} ({mode:04o}), so {harm}")]
    Writable {
        /// The directory.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// By whom.
        who: &'static str,
        /// The consequence.
        harm: &'static str,
    },
    /// A file or directory of another user that it was not given to.
    #[error(
        "{path} belongs to another user (uid {uid}), who could change its contents at any time"
    )]
    Foreign {
        /// The path.
        path: PathBuf,
        /// Their user id.
        uid: u32,
    },
    /// A committed change of a killed command that cannot be completed.
    #[error("the work of an interrupted command cannot be completed: {cause}")]
    Unfinished {
        /// What prevents it.
        #[source]
        cause: Box<StateError>,
        /// Where the rest of the change is.
        waiting: PathBuf,
    },
    /// Another process holds the lock and does not release it.
    #[error("{path} is locked by {}, and was still locked after {seconds} seconds", holder.as_deref().unwrap_or("another process"))]
    Locked {
        /// The output directory.
        path: PathBuf,
        /// Who holds it, if that is known.
        holder: Option<String>,
        /// How long kpki waited.
        seconds: u64,
    },
    /// An invalid line of the inventory.
    #[error("{path}, line {line}: {reason}")]
    BadInventory {
        /// The inventory.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// An invalid line of the journal.
    #[error("{path}, line {line}: {reason}")]
    BadJournal {
        /// The journal.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// An invalid line of the record of what was written.
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

    /// The same error for a file that was written under a temporary name, with its final name.
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
    let text = match error.kind() {
        // Without a number from the operating system, it would be "entity not found".
        io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        _ => error.to_string(),
    };
    let text = match text.find(" (os error") {
        Some(end) => &text[..end],
        None => &text,
    };
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_ascii_lowercase());
    first.into_iter().chain(chars).collect()
}

/// A number of bytes in words, which is a whole number of KiB.
fn size(bytes: u64) -> String {
    match bytes / 1024 {
        kib if kib % 1024 == 0 => format!("{} MiB", kib / 1024),
        kib => format!("{kib} KiB"),
    }
}

/// [`failed`] for a file that was named.
fn unfit(action: &'static str, path: &std::path::Path) -> impl FnOnce(io::Error) -> StateError {
    let path = path.to_owned();
    move |source| StateError::Named {
        action,
        path,
        source,
    }
}

/// Adds the action and path to an I/O error: `.map_err(failed("read", path))`.
fn failed(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> StateError {
    let path = path.into();
    move |source| StateError::Io {
        action,
        path,
        source,
    }
}
