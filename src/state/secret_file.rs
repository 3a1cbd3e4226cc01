//! Files of somebody else's making with a passphrase in them.

use std::{
    fs::{File, Metadata},
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::Path,
};

use crate::secret::Secret;

/// The most that is read of such a file.
const MAX_FILE: u64 = 64 * 1024;

/// What such a file holds, and whether others may know it.
#[derive(Debug)]
pub struct SecretFile {
    /// Its text; one line end behind it is not part of it.
    pub text: Secret,
    /// Its mode, where that lets others read or write it and somebody could change that.
    pub exposed: Option<u32>,
}

impl SecretFile {
    /// Reads one.
    pub fn read(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let meta = file.metadata()?;
        // Large enough from the start: growing leaves copies behind.
        let mut text = String::with_capacity(meta.len().clamp(1024, MAX_FILE + 2) as usize);
        let read = file.take(MAX_FILE + 1).read_to_string(&mut text);
        let text = Secret::new(text);
        read?;
        if text.expose().len() as u64 > MAX_FILE {
            return Err(io::Error::other("it is larger than any passphrase"));
        }
        let line = text.expose().strip_suffix('\n').unwrap_or(text.expose());
        let line = line.strip_suffix('\r').unwrap_or(line);
        let exposed = is_open(&meta) && !is_read_only(path);
        Ok(Self {
            text: Secret::new(line.to_owned()),
            exposed: exposed.then(|| meta.mode() & 0o777),
        })
    }
}

/// Whether others may read or write a file on a disk. A group may, where root alone decides who is in it and what the
/// file holds: services get their passphrases so.
fn is_open(meta: &Metadata) -> bool {
    let roots = meta.uid() == 0 && !rustix::process::geteuid().is_root();
    let closed = if roots { 0o037 } else { 0o077 };
    meta.is_file() && meta.mode() & closed != 0
}

/// Whether a file lies where nobody could give it another mode, as the secrets of containers do: who may read it there
/// is decided by whoever mounts it.
fn is_read_only(path: &Path) -> bool {
    rustix::fs::statvfs(path)
        .is_ok_and(|fs| fs.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY))
}
