//! Files that are complete or absent, with their final mode from the start.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, fchown},
    path::{Path, PathBuf},
};

use super::{StateError, failed, unfit};

/// Mode of files with secrets.
pub const SECRET: u32 = 0o600;
/// Mode of files that anybody may read, inside directories that nobody else can enter.
pub const PUBLIC: u32 = 0o644;

/// The mode of a file with this name.
pub fn mode_of(name: &str) -> u32 {
    let public = [".crt", "crl.pem", ".der", ".csr"]
        .iter()
        .any(|end| name.ends_with(end));
    if public { PUBLIC } else { SECRET }
}

/// How the names of temporary files begin.
pub const TEMPORARY: &str = ".kpki-";

/// The user and group that files should belong to, if not the caller.
pub type Owner = (u32, u32);

/// Creates a directory with mode 0700, and its parents, if it does not exist.
pub fn create_private_dir(path: &Path, owner: Option<Owner>) -> Result<(), StateError> {
    let mut builder = fs::DirBuilder::new();
    builder
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(failed("create", path))?;
    if let Some((uid, gid)) = owner {
        std::os::unix::fs::chown(path, Some(uid), Some(gid))
            .map_err(failed("change the owner of", path))?;
    }
    Ok(())
}

/// Creates a new file with its final mode and owner and writes it; syncs it if requested.
pub fn create(
    path: &Path,
    bytes: &[u8],
    mode: u32,
    owner: Option<Owner>,
    sync: bool,
) -> Result<(), StateError> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .map_err(failed("create", path))?;
    if let Some((uid, gid)) = owner {
        fchown(&file, Some(uid), Some(gid)).map_err(failed("change the owner of", path))?;
    }
    file.write_all(bytes).map_err(failed("write", path))?;
    if sync {
        file.sync_all().map_err(failed("sync", path))?;
    }
    Ok(())
}

/// Makes renames and new entries in a directory durable.
pub fn sync_dir(path: &Path) -> Result<(), StateError> {
    File::open(path)
        .and_then(|dir| dir.sync_all())
        .map_err(failed("sync", path))
}

/// Writes everything on the directory's file system to the disk: one call instead of one per file.
#[cfg(target_os = "linux")]
pub fn sync_file_system(path: &Path) -> Result<(), StateError> {
    let dir = File::open(path).map_err(failed("open", path))?;
    rustix::fs::syncfs(&dir).map_err(|e| failed("sync", path)(e.into()))
}

/// Replaces a file: temporary beside it, synced, renamed. On failure the old file is still there.
pub fn write_atomic(
    path: &Path,
    bytes: &[u8],
    mode: u32,
    owner: Option<Owner>,
) -> Result<(), StateError> {
    let temporary = write_beside(path, bytes, mode, owner)?;
    temporary
        .persist(path)
        .map_err(|e| failed("replace", path)(e.error))?;
    sync_dir(parent(path))
}

/// Creates a directory for files that everyone may read, with the directories above it, unless it exists.
pub fn create_dir(path: &Path) -> Result<(), StateError> {
    fs::create_dir_all(path).map_err(unfit("create", path))
}

/// Creates a file, complete or not at all, and never overwrites one.
pub fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), StateError> {
    let temporary = write_beside(path, bytes, mode, None)?;
    temporary
        .persist_noclobber(path)
        .map_err(|e| failed("create", path)(e.error))?;
    sync_dir(parent(path))
}

/// Whether such a file can be created or replaced, before something is done that cannot be undone.
pub fn check_writable(path: &Path) -> Result<(), StateError> {
    write_beside(path, b"", SECRET, None).map(drop)
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn write_beside(
    path: &Path,
    bytes: &[u8],
    mode: u32,
    owner: Option<Owner>,
) -> Result<tempfile::NamedTempFile, StateError> {
    let parent = parent(path);
    let mut temporary = tempfile::Builder::new()
        .prefix(TEMPORARY)
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(mode))
        .tempfile_in(parent)
        // The library's own message contains the temporary name.
        .map_err(|e| unfit("create", path)(e.kind().into()))?;
    if let Some((uid, gid)) = owner {
        fchown(temporary.as_file(), Some(uid), Some(gid))
            .map_err(failed("change the owner of", path))?;
    }
    temporary.write_all(bytes).map_err(failed("write", path))?;
    temporary
        .as_file()
        .sync_all()
        .map_err(failed("sync", path))?;
    Ok(temporary)
}

/// True if an error means that nothing exists at a path.
pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// What is at a path, without following links; `None` if nothing is.
pub fn look(path: &Path) -> Result<Option<fs::Metadata>, StateError> {
    match fs::symlink_metadata(path) {
        Ok(meta) => Ok(Some(meta)),
        Err(e) if is_absent(&e) => Ok(None),
        Err(e) => Err(failed("examine", path)(e)),
    }
}

/// The contents of a directory, sorted.
pub fn entries(path: &Path) -> Result<Vec<PathBuf>, StateError> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(path).map_err(failed("list", path))? {
        paths.push(entry.map_err(failed("list", path))?.path());
    }
    paths.sort();
    Ok(paths)
}

/// Why nothing can be moved over this, whatever its mode; `None` if no reason is known.
#[cfg(target_os = "linux")]
pub fn pinned(path: &Path) -> Option<&'static str> {
    use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
    let flags = AtFlags::SYMLINK_NOFOLLOW;
    let attributes = statx(CWD, path, flags, StatxFlags::TYPE)
        .ok()?
        .stx_attributes;
    if attributes.contains(StatxAttributes::MOUNT_ROOT) {
        Some("is a mount point, so files cannot be moved over it in one step")
    } else if attributes.intersects(StatxAttributes::IMMUTABLE | StatxAttributes::APPEND) {
        Some("is marked as immutable (chattr)")
    } else {
        None
    }
}

/// On other systems, only trying shows this.
#[cfg(not(target_os = "linux"))]
pub fn pinned(_path: &Path) -> Option<&'static str> {
    None
}

/// Options that open no links, and do not wait for the other end of a pipe.
pub(super) fn no_link() -> OpenOptions {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let mut options = OpenOptions::new();
    // The flags fit: they are bits of a C int.
    options.custom_flags(flags.bits() as i32);
    options
}

/// Why a link is refused.
pub(super) const LINK: &str = "is a symbolic link, but only regular files are read there";

/// Opens a file of the output directory: only a regular one, so that a link cannot make kpki read or write what only its
/// caller may, and a pipe cannot block it.
pub(super) fn open_plain(
    options: &OpenOptions,
    action: &'static str,
    path: &Path,
) -> Result<(File, fs::Metadata), StateError> {
    let file = options.open(path).map_err(|error| {
        match error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) {
            true => StateError::obstacle(path, LINK),
            false => failed(action, path)(error),
        }
    })?;
    let meta = file.metadata().map_err(failed(action, path))?;
    match meta.is_file() {
        true => Ok((file, meta)),
        false => Err(StateError::obstacle(path, "is not a regular file")),
    }
}

/// The same for reading; `None` if there is nothing.
pub(super) fn open_existing(path: &Path) -> Result<Option<(File, fs::Metadata)>, StateError> {
    match open_plain(no_link().read(true), "read", path) {
        Ok(opened) => Ok(Some(opened)),
        Err(StateError::Io { source, .. }) if is_absent(&source) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The maximum size of an identity's file, in bytes.
const MAX_PLAIN: u64 = 16 * 1024 * 1024;

/// Reads a file that may be missing, from a directory that may belong to another user: its size is limited.
pub fn read_plain(path: &Path) -> Result<Option<Vec<u8>>, StateError> {
    read_up_to(path, MAX_PLAIN)
}

/// Reads a file that may be missing, of the CA or of kpki's records, which grow with the number of certificates.
pub fn read_record(path: &Path) -> Result<Option<Vec<u8>>, StateError> {
    read_up_to(path, u64::MAX - 1)
}

fn read_up_to(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, StateError> {
    let Some((file, meta)) = open_existing(path)? else {
        return Ok(None);
    };
    let too_large = || StateError::obstacle(path, "is larger than any file that kpki writes");
    if meta.len() > limit {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(meta.len()).unwrap_or_default());
    // Its owner may still be writing it.
    file.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(failed("read", path))?;
    if bytes.len() as u64 > limit {
        return Err(too_large());
    }
    Ok(Some(bytes))
}

/// Refuses an owner that this process may not give files to.
pub fn check_owner(out: &Path, owner: Option<Owner>) -> Result<(), StateError> {
    let me = rustix::process::geteuid();
    match owner {
        Some((uid, gid))
            if !me.is_root()
                && (uid, gid) != (me.as_raw(), rustix::process::getegid().as_raw()) =>
        {
            Err(failed("change the owner of", out)(
                io::ErrorKind::PermissionDenied.into(),
            ))
        }
        _ => Ok(()),
    }
}
