//! One writer at a time.

use std::{
    fs::{self, File, TryLockError},
    os::unix::fs::MetadataExt,
};

use super::{OutDir, StateError, failed};

/// The right to write in an output directory, held until dropped. It lies on the directory itself, so there is no
/// file that somebody could remove as stale, and the operating system gives it back however the process ends.
#[derive(Debug)]
pub struct Lock {
    _directory: File,
}

impl Lock {
    /// Takes the lock; where another process has it, calls `waiting` once and waits.
    ///
    /// # Errors
    /// When the directory cannot be opened or locked.
    pub fn acquire(out: &OutDir, waiting: impl FnOnce()) -> Result<Self, StateError> {
        let path = out.root();
        let mut waiting = Some(waiting);
        loop {
            let directory = File::open(path).map_err(failed("open", path))?;
            match directory.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    if let Some(waiting) = waiting.take() {
                        waiting();
                    }
                    directory.lock().map_err(failed("lock", path))?;
                }
                Err(TryLockError::Error(e)) => return Err(failed("lock", path)(e)),
            }
            // Somebody may have put another directory in its place meanwhile.
            let mine = directory.metadata().map_err(failed("look at", path))?;
            let there = fs::metadata(path).map_err(failed("look at", path))?;
            if (mine.dev(), mine.ino()) == (there.dev(), there.ino()) {
                return Ok(Self {
                    _directory: directory,
                });
            }
        }
    }
}
