//! The output directory: the only room that touches the disk.
//!
//! Nothing is lost here. Writers take a lock. What they make is first complete and synced in a staging
//! directory, which one rename turns into a promise; the next command keeps it if this one is killed. The
//! inventory is appended and synced before any key reaches the disk.

mod files;
mod inventory;
mod jsonl;
mod lock;
mod out_dir;
mod sealed_key;
mod staging;
mod written;

pub use files::{Owner, check_owner, read_optional, read_plain, write_atomic};
pub use inventory::{Inventory, Record};
pub use lock::Lock;
pub use out_dir::OutDir;
pub use sealed_key::{KeyProtection, SealError, SealedKey};
pub use staging::{FileSpec, Staging};
pub use written::{Entry, Writing, Written, digest_of};

use std::{io, path::PathBuf};

/// Why the output directory could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The operating system's refusal.
    #[error("cannot {action} {path}: {source}")]
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
        why: &'static str,
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
    /// A sealed key that cannot be used.
    #[error("{path}: {source}")]
    Sealed {
        /// The key file.
        path: PathBuf,
        /// Why.
        source: SealError,
    },
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
