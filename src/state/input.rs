//! Files that kpki reads and never writes: policies, plans, exports and requests.

use std::{
    fs::File,
    io::{self, Read},
    os::{fd::OwnedFd, unix::fs::MetadataExt},
    path::{Component, Path},
};

use rustix::{
    fs::{Mode, OFlags, openat},
    io::Errno,
};

use super::{StateError, failed};
use crate::secret::SecretBytes;

/// The most that one such file may hold, in bytes: a million ACL bindings as JSON lines.
const MAX_TEXT: u64 = 256 * 1024 * 1024;
/// The most that a file may hold that a policy includes, in bytes.
const MAX_INCLUDED: u64 = 64 * 1024 * 1024;

/// Why a file that is too large was not read.
const TOO_LARGE: &str = "is larger than any file that kpki reads";

/// Reads a file that somebody named on the command line: whatever can be read, a pipe or a link too, but not without end.
pub fn read_text(path: &Path) -> Result<Vec<u8>, StateError> {
    let mut file = File::open(path).map_err(failed("read", path))?;
    bounded(&mut file, path, MAX_TEXT)
}

/// The same of standard input.
pub fn read_stdin() -> Result<Vec<u8>, StateError> {
    bounded(
        &mut io::stdin().lock(),
        Path::new("standard input"),
        MAX_TEXT,
    )
}

/// The most that a certificate request may hold, in bytes: one with a hundred hosts and a large key has some ten thousand.
const MAX_REQUEST: u64 = 64 * 1024;

/// Reads a certificate request that somebody named on the command line; `-` is standard input.
pub fn read_request(path: &Path) -> Result<Vec<u8>, StateError> {
    if path == Path::new("-") {
        let path = Path::new("standard input");
        return bounded(&mut io::stdin().lock(), path, MAX_REQUEST);
    }
    let mut file = File::open(path).map_err(failed("read", path))?;
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
    let mut file = File::open(path).map_err(failed("read", path))?;
    let meta = file.metadata().map_err(failed("read", path))?;
    let mode = meta.mode() & 0o777;
    Ok(Foreign {
        bytes: bounded(&mut file, path, MAX_FOREIGN)?.into(),
        exposed: (meta.is_file() && mode & 0o077 != 0).then_some(mode),
    })
}

/// Opens a file that somebody named on the command line, to be read as it comes, however long it is.
pub fn open(path: &Path) -> io::Result<impl Read + use<>> {
    File::open(path)
}

/// Reads a plain file below a directory, whatever its path says: nothing on the way from there is a link, so that whoever
/// may write below the directory cannot have another file read, and a pipe or device is refused at once.
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
    // A pipe without a writer would be waited for.
    let flags = flags | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = step(&at, Path::new(last), flags, &shown)?;
    let mut file = File::from(file);
    let meta = file.metadata().map_err(failed("read", &shown))?;
    if !meta.is_file() {
        let why = match meta.is_dir() {
            true => "is a directory, where a plain file is needed",
            false => "is not a plain file",
        };
        return Err(obstacle(why));
    }
    bounded(&mut file, &shown, MAX_INCLUDED)
}

/// Opens what a directory holds under a name, unless it is a link.
fn step(at: &OwnedFd, name: &Path, flags: OFlags, path: &Path) -> Result<OwnedFd, StateError> {
    let opened = openat(at, name, flags | OFlags::NOFOLLOW, Mode::empty());
    opened.map_err(|error| {
        let is_link = path.symlink_metadata().is_ok_and(|meta| meta.is_symlink());
        match is_link && matches!(error, Errno::LOOP | Errno::NOTDIR | Errno::MLINK) {
            true => StateError::obstacle(
                path,
                "is a symbolic link, and included files are plain files",
            ),
            false => failed("read", path)(error.into()),
        }
    })
}

fn bounded(from: &mut impl Read, path: &Path, limit: u64) -> Result<Vec<u8>, StateError> {
    let mut bytes = Vec::new();
    from.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(failed("read", path))?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len > limit) {
        return Err(StateError::obstacle(path, TOO_LARGE));
    }
    Ok(bytes)
}
