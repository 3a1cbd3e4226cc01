//! Files with a passphrase that kpki did not write.

use std::{
    fs::{File, Metadata},
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::Path,
};

use crate::secret::Secret;

/// The maximum size of such a file.
const MAX_FILE: u64 = 64 * 1024;

/// The content of such a file, and whether other users may know it.
#[derive(Debug)]
pub struct SecretFile {
    /// Its text, without one trailing line ending.
    pub text: Secret,
    /// Its mode, if it lets other users read or write it and can be changed.
    pub exposed: Option<u32>,
}

impl SecretFile {
    /// Reads one.
    pub fn read(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let meta = file.metadata()?;
        // Allocated large enough from the start: growing would leave copies in memory.
        let mut text = String::with_capacity(meta.len().clamp(1024, MAX_FILE + 2) as usize);
        let read = file.take(MAX_FILE + 1).read_to_string(&mut text);
        let text = Secret::new(text);
        read?;
        if text.expose().len() as u64 > MAX_FILE {
            return Err(io::Error::other("it is too large for a passphrase"));
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

/// Whether other users may read or write a file on a disk. A group may read it if root owns the file, since only root
/// decides who is in the group: services get their passphrases this way.
fn is_open(meta: &Metadata) -> bool {
    let roots = meta.uid() == 0 && !rustix::process::geteuid().is_root();
    let closed = if roots { 0o037 } else { 0o077 };
    meta.is_file() && meta.mode() & closed != 0
}

/// Whether a file is where its mode cannot be changed, like container secrets: who may read it there is decided by
/// whoever mounts it.
fn is_read_only(path: &Path) -> bool {
    rustix::fs::statvfs(path)
        .is_ok_and(|fs| fs.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY))
}
