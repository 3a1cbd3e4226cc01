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
    /// The file, or its directory.
    pub path: PathBuf,
    /// True for a directory that cannot be entered.
    pub is_dir: bool,
    /// Its permissions.
    pub mode: u32,
    /// Its owner, `UID:GID`.
    pub owner: (u32, u32),
}

/// What a user can read of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readable {
    /// The number of files.
    pub files: usize,
    /// The first file that it cannot read, or the directory if it cannot enter it.
    pub closed: Option<Closed>,
    /// A directory above that it cannot enter, which does not matter where the directory is mounted or copied.
    pub above: Option<PathBuf>,
}

/// Looks for what `uid:gid` cannot read in a directory.
///
/// # Errors
/// If the directory cannot be read.
pub fn readable_by(dir: &Path, uid: u32, gid: u32) -> Result<Readable, StateError> {
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
    let mut found = Readable {
        files: 0,
        closed: None,
        above: None,
    };
    for path in dir.ancestors() {
        let meta = fs::metadata(path).map_err(failed("read", path))?;
        if may(&meta, ENTER) {
            continue;
        }
        if path == dir {
            found.closed = Some(closed(path, &meta));
            return Ok(found);
        }
        found.above = Some(path.to_owned());
    }
    let entries = fs::read_dir(&dir).map_err(failed("read", &dir))?;
    let entries: io::Result<Vec<PathBuf>> = entries.map(|e| Ok(e?.path())).collect();
    let mut paths = entries.map_err(failed("read", &dir))?;
    paths.sort();
    for path in paths {
        let meta = fs::symlink_metadata(&path).map_err(failed("read", &path))?;
        if meta.is_file() {
            found.files += 1;
            if !may(&meta, READ) {
                found.closed = Some(closed(&path, &meta));
                break;
            }
        }
    }
    Ok(found)
}
