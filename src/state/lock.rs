//! One writer at a time.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{Read, Seek, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

use super::{OutDir, StateError, failed, files};

/// The right to write in an output directory, held until dropped. The operating system gives it back when the
/// process ends in whatever way, so no stale lock stays behind.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock; where another process has it, calls `waiting` once with that process's id as far as it
    /// is known, and waits.
    ///
    /// # Errors
    /// When the lock file cannot be created or locked.
    pub fn acquire(out: &OutDir, waiting: impl FnOnce(&str)) -> Result<Self, StateError> {
        let path = out.root().join(".lock");
        let mut waiting = Some(waiting);
        loop {
            let lock = Self::try_file(&path, &mut waiting)?;
            // Whoever removed the file as stale has made the way free for others: then this lock is of no use.
            let same = match (lock.file.metadata(), fs::symlink_metadata(&path)) {
                (Ok(mine), Ok(there)) => (mine.dev(), mine.ino()) == (there.dev(), there.ino()),
                _ => false,
            };
            if same {
                return Ok(lock);
            }
        }
    }

    fn try_file(path: &Path, waiting: &mut Option<impl FnOnce(&str)>) -> Result<Self, StateError> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(files::SECRET)
            // A link would have something else truncated.
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32)
            .open(path)
            .map_err(failed("create", path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Only for the message: an unreadable holder is no reason to fail.
                let _ = file.read_to_string(&mut holder);
                if let Some(waiting) = waiting.take() {
                    waiting(holder.trim());
                }
                file.lock().map_err(failed("lock", path))?;
            }
            Err(TryLockError::Error(e)) => return Err(failed("lock", path)(e)),
        }
        // Best effort as well: a full disk must not keep anyone from the lock.
        let _ = file.set_len(0).and_then(|()| file.rewind());
        let _ = writeln!(file, "{}", std::process::id());
        Ok(Self { file })
    }
}

impl Drop for Lock {
    /// Leaves the file as it was found, so that a command that had nothing to do has changed no byte.
    fn drop(&mut self) {
        let _ = self.file.set_len(0);
    }
}
