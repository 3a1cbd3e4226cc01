//! One writer at a time.

use std::{
    fs::{self, File, TryLockError},
    os::unix::fs::MetadataExt,
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use super::{StateError, failed};

/// How long to wait between two attempts.
const PAUSE: Duration = Duration::from_millis(20);

/// The right to write to an output directory, held until dropped. The lock is on the directory itself, so there is no
/// file that could be removed as stale, and the operating system releases it however the process ends.
#[derive(Debug)]
pub struct Lock {
    _directory: File,
}

impl Lock {
    /// Takes the lock of the output directory at this path; if another process has it, calls `waiting` once with a
    /// description of that process, and waits for at most `limit`.
    pub fn acquire(
        path: &Path,
        limit: Duration,
        waiting: impl FnOnce(Option<&str>),
    ) -> Result<Self, StateError> {
        let begin = Instant::now();
        let mut waiting = Some(waiting);
        loop {
            let directory = File::open(path).map_err(failed("open", path))?;
            match directory.try_lock() {
                Ok(()) => {
                    // Another directory may have been put in its place in the meantime.
                    let mine = directory.metadata().map_err(failed("examine", path))?;
                    let there = fs::metadata(path).map_err(failed("examine", path))?;
                    if (mine.dev(), mine.ino()) == (there.dev(), there.ino()) {
                        return Ok(Self {
                            _directory: directory,
                        });
                    }
                }
                Err(TryLockError::WouldBlock) => {
                    let over = begin.elapsed() >= limit;
                    if over || waiting.is_some() {
                        let holder = holder(&directory);
                        if over {
                            return Err(StateError::Locked {
                                path: path.to_owned(),
                                holder,
                                seconds: limit.as_secs(),
                            });
                        }
                        if let Some(waiting) = waiting.take() {
                            waiting(holder.as_deref());
                        }
                    }
                    sleep(PAUSE.min(limit));
                }
                Err(TryLockError::Error(e)) => return Err(failed("lock", path)(e)),
            }
        }
    }
}

/// The process that holds the lock, from `/proc`; unknown on other systems.
fn holder(directory: &File) -> Option<String> {
    let inode = directory.metadata().ok()?.ino().to_string();
    let locks = fs::read_to_string("/proc/locks").ok()?;
    let process = locks.lines().find_map(|line| holding(line, &inode))?;
    // The name may be anything; it is shown escaped.
    let name = fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
    Some(match name.trim_end() {
        "" => format!("process {process}"),
        name => format!("process {process} ({name})"),
    })
}

/// The process in a line of `/proc/locks` (proc_locks(5)) that holds a lock on a whole file of this inode:
/// `1: FLOCK  ADVISORY  WRITE 4711 fd:00:131090 0 EOF`. A waiting one has `->` after its number.
fn holding(line: &str, inode: &str) -> Option<u32> {
    let mut words = line.split_whitespace().skip(1);
    (words.next()? == "FLOCK").then_some(())?;
    let process = words.nth(2)?.parse().ok()?;
    let (_, theirs) = words.next()?.rsplit_once(':')?;
    (theirs == inode).then_some(process)
}

#[cfg(test)]
mod tests {
    use super::{super::OutDir, *};

    #[test]
    fn the_holder_of_a_lock_is_read_from_the_kernels_list() {
        let line = "12: FLOCK  ADVISORY  WRITE 4711 fd:00:131090 0 EOF";
        assert_eq!(holding(line, "131090"), Some(4711));
        for other in [
            "12: FLOCK  ADVISORY  WRITE 4711 fd:00:13109 0 EOF",
            "12: POSIX  ADVISORY  WRITE 4711 fd:00:131090 0 EOF",
            "12: -> FLOCK  ADVISORY  WRITE 4711 fd:00:131090 0 EOF",
            "",
            "12:",
        ] {
            assert_eq!(holding(other, "131090"), None, "{other}");
        }
    }

    #[test]
    fn whoever_holds_it_is_named_and_not_waited_for_without_end() {
        let dir = tempfile::tempdir().unwrap();
        let out = OutDir::new(dir.path());
        let held = Lock::acquire(out.root(), Duration::ZERO, |_| ()).unwrap();
        let mut said = 0;
        let refused = Lock::acquire(out.root(), Duration::from_millis(100), |_| said += 1);
        assert_eq!(said, 1);
        let Err(StateError::Locked { holder, .. }) = refused else {
            panic!("{refused:?}");
        };
        if cfg!(target_os = "linux") {
            let me = format!("process {}", std::process::id());
            assert!(holder.unwrap().starts_with(&me));
        }
        drop(held);
        Lock::acquire(out.root(), Duration::ZERO, |_| ()).unwrap();
    }
}
