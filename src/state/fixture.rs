//! An output directory to write to, shared by this room's tests.

use std::time::Duration;

use super::{Lock, OutDir};

/// An empty one with its lock held, and the temporary directory that contains it.
pub(super) fn out() -> (tempfile::TempDir, OutDir, Lock) {
    let dir = tempfile::tempdir().unwrap();
    let out = OutDir::new(dir.path().join("out"));
    out.create().unwrap();
    let lock = Lock::acquire(out.root(), Duration::ZERO, |_| ()).unwrap();
    (dir, out, lock)
}
