//! Files that kpki reads but never writes: policies, plans, exports and requests.

use std::{
    fs::File,
    io::{self, Read},
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::MetadataExt,
    },
    path::{Component, Path},
};

use rustix::{
    fs::{Mode, OFlags, openat},
    io::Errno,
};

use super::{StateError, failed, files::is_absent, unfit};
use crate::secret::SecretBytes;

/// The maximum size of such a file, in bytes: a million ACL bindings as JSON lines.
const MAX_TEXT: u64 = 256 * 1024 * 1024;
/// The maximum size of an included policy file, in bytes.
const MAX_INCLUDED: u64 = 64 * 1024 * 1024;

/// Reads a file named on the command line: anything readable, also a pipe or a link, up to a size limit.
pub fn read_text(path: &Path) -> Result<Vec<u8>, StateError> {
    let mut file = File::open(path).map_err(unfit("read", path))?;
    bounded(&mut file, path, MAX_TEXT)
}

/// The same for a file that is to be written there, and may be missing.
pub fn read_optional(path: &Path) -> Result<Option<Vec<u8>>, StateError> {
    match read_text(path) {
        Err(StateError::Named { source, .. }) if is_absent(&source) => Ok(None),
        read => read.map(Some),
    }
}

/// The same for standard input.
pub fn read_stdin() -> Result<Vec<u8>, StateError> {
    bounded(
        &mut io::stdin().lock(),
        Path::new("standard input"),
        MAX_TEXT,
    )
}

/// The maximum size of a certificate request, in bytes: one with a hundred hosts and a large key has about ten
/// thousand.
const MAX_REQUEST: u64 = 64 * 1024;

/// Reads a certificate request named on the command line; `-` is standard input.
pub fn read_request(path: &Path) -> Result<Vec<u8>, StateError> {
    if path == Path::new("-") {
        let path = Path::new("standard input");
        return bounded(&mut io::stdin().lock(), path, MAX_REQUEST);
    }
    let mut file = File::open(path).map_err(unfit("read", path))?;
    bounded(&mut file, path, MAX_REQUEST)
}

/// The most that a key, a store or a chain of certificates may hold, in bytes.
const MAX_FOREIGN: u64 = 1024 * 1024;

/// A file with keys or certificates of somebody else's making.
#[derive(Debug)]
pub struct Foreign {
    /// What it holds.
    pub bytes: SecretBytes,
    /// Its mode, where that lets others read or write it.
    pub exposed: Option<u32>,
}

/// Reads one that somebody named on the command line.
pub fn read_foreign(path: &Path) -> Result<Foreign, StateError> {
    let mut file = File::open(path).map_err(unfit("read", path))?;
    let meta = file.metadata().map_err(unfit("read", path))?;
    let mode = meta.mode() & 0o777;
    Ok(Foreign {
        bytes: bounded(&mut file, path, MAX_FOREIGN)?.into(),
        exposed: (meta.is_file() && mode & 0o077 != 0).then_some(mode),
    })
}

/// Opens a file named on the command line, to be read as a stream of any length.
pub fn open(path: &Path) -> io::Result<impl Read + AsFd + use<>> {
    File::open(path)
}

/// Reads a regular file below a directory, whatever its path: no part of the path may be a link, so that someone who
/// can write below the directory cannot make kpki read another file, and a pipe or device is refused at once.
pub fn read_below(dir: &Path, relative: &Path) -> Result<Vec<u8>, StateError> {
    let shown = dir.join(relative);
    let obstacle = |why: &str| StateError::obstacle(&shown, why);
    let mut names = Vec::new();
    for component in relative.components() {
        match component {
            Component::Normal(name) => names.push(name),
            Component::CurDir => {}
            _ => return Err(obstacle("is not below the policy's own directory")),
        }
    }
    let Some(last) = names.pop() else {
        return Err(obstacle("is a directory"));
    };
    let start = match dir.as_os_str().is_empty() {
        true => Path::new("."),
        false => dir,
    };
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let mut at = rustix::fs::open(start, flags | OFlags::DIRECTORY, Mode::empty())
        .map_err(|e| failed("open", start)(e.into()))?;
    let mut path = dir.to_owned();
    for name in names {
        path.push(name);
        at = step(&at, Path::new(name), flags | OFlags::DIRECTORY, &path)?;
    }
    // Opening a pipe without a writer would block.
    let flags = flags | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = step(&at, Path::new(last), flags, &shown)?;
    let mut file = File::from(file);
    let meta = file.metadata().map_err(failed("read", &shown))?;
    if !meta.is_file() {
        let why = match meta.is_dir() {
            true => "is a directory, but a regular file is needed",
            false => "is not a regular file",
        };
        return Err(obstacle(why));
    }
    bounded(&mut file, &shown, MAX_INCLUDED)
}

/// Opens an entry of a directory, unless it is a link.
fn step(at: &OwnedFd, name: &Path, flags: OFlags, path: &Path) -> Result<OwnedFd, StateError> {
    let opened = openat(at, name, flags | OFlags::NOFOLLOW, Mode::empty());
    opened.map_err(|error| {
        let is_link = path.symlink_metadata().is_ok_and(|meta| meta.is_symlink());
        match is_link && matches!(error, Errno::LOOP | Errno::NOTDIR | Errno::MLINK) {
            true => StateError::obstacle(
                path,
                "is a symbolic link, but included files must be regular files",
            ),
            false => failed("read", path)(error.into()),
        }
    })
}

fn bounded(from: &mut impl Read, path: &Path, limit: u64) -> Result<Vec<u8>, StateError> {
    let mut bytes = Vec::new();
    from.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(unfit("read", path))?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len > limit) {
        return Err(StateError::TooLarge {
            path: path.to_owned(),
            limit,
        });
    }
    Ok(bytes)
}
