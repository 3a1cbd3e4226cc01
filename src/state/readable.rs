//! Whether another user could read files, by owners and modes alone, as the user of a container will.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::{StateError, failed};

const READ: u32 = 0o4;
const ENTER: u32 = 0o1;

/// What keeps a user from a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// The file, or a directory above it.
    pub path: PathBuf,
    /// True for a directory that cannot be entered.
    pub is_dir: bool,
    /// Its permissions.
    pub mode: u32,
    /// Its owner, `UID:GID`.
    pub owner: (u32, u32),
}

/// Looks for the files in a directory that `uid:gid` cannot read, and for directories above that it cannot enter. The
/// number of files, and the first obstacle.
///
/// # Errors
/// If the directory cannot be read.
pub fn readable_by(dir: &Path, uid: u32, gid: u32) -> Result<(usize, Option<Closed>), StateError> {
    let dir = fs::canonicalize(dir).map_err(failed("read", dir))?;
    let may = |meta: &fs::Metadata, bit: u32| {
        let shift = match meta {
            m if m.uid() == uid => 6,
            m if m.gid() == gid => 3,
            _ => 0,
        };
        uid == 0 || meta.mode() >> shift & bit != 0
    };
    let closed = |path: &Path, meta: &fs::Metadata| Closed {
        path: path.to_owned(),
        is_dir: meta.is_dir(),
        mode: meta.mode() & 0o7777,
        owner: (meta.uid(), meta.gid()),
    };
    let mut above: Vec<&Path> = dir.ancestors().collect();
    above.reverse();
    for path in above {
        let meta = fs::metadata(path).map_err(failed("read", path))?;
        if !may(&meta, ENTER) {
            return Ok((0, Some(closed(path, &meta))));
        }
    }
    let entries = fs::read_dir(&dir).map_err(failed("read", &dir))?;
    let entries: io::Result<Vec<PathBuf>> = entries.map(|e| Ok(e?.path())).collect();
    let mut paths = entries.map_err(failed("read", &dir))?;
    paths.sort();
    let mut count = 0;
    for path in paths {
        let meta = fs::symlink_metadata(&path).map_err(failed("read", &path))?;
        if meta.is_file() {
            count += 1;
            if !may(&meta, READ) {
                return Ok((count, Some(closed(&path, &meta))));
            }
        }
    }
    Ok((count, None))
}
