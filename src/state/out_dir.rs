//! The places in the output directory.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::{Lock, StateError, failed, files};
use crate::deeds::did;
use crate::pki::IdentityName;

/// An output directory, by its path. `docs/files.md` describes its contents.
#[derive(Debug, Clone)]
pub struct OutDir {
    root: PathBuf,
}

/// Keeps keys out of version control, whoever adds the directory.
const GITIGNORE: &[u8] = b"*\n!.gitignore\n";

/// Whether a `.gitignore` keeps everything out of version control.
pub fn leaves_out_everything(gitignore: &[u8]) -> bool {
    gitignore
        .split(|b| *b == b'\n')
        .any(|line| line.trim_ascii() == b"*")
}

impl OutDir {
    /// Names a directory, which need not exist.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Creates the directory with mode 0700, if it does not exist.
    pub fn create(&self) -> Result<(), StateError> {
        files::create_private_dir(&self.root, None)?;
        self.check()
    }

    /// Gives the directory its own `.gitignore`. Returns false if it contains other things, or another `.gitignore`, so
    /// that keys could get into version control.
    pub fn ignore(&self, _lock: &Lock) -> Result<bool, StateError> {
        let ignore = self.root.join(".gitignore");
        match files::read_plain(&ignore) {
            Ok(None) => {}
            Ok(Some(text)) => return Ok(leaves_out_everything(&text)),
            // Somebody's link, in a directory of their own.
            Err(StateError::Obstacle { .. }) => return Ok(false),
            Err(error) => return Err(error),
        }
        let entries = fs::read_dir(&self.root).map_err(failed("list", &self.root))?;
        let foreign = entries
            .filter_map(Result::ok)
            .any(|e| e.file_name() != "ca" && !e.file_name().as_encoded_bytes().starts_with(b"."));
        if foreign {
            return Ok(false);
        }
        files::write_atomic(&ignore, GITIGNORE, files::PUBLIC, None)?;
        Ok(true)
    }

    /// True if `ca/` is empty or does not exist.
    pub fn is_ca_empty(&self) -> Result<bool, StateError> {
        let path = self.ca();
        Ok(files::look(&path)?.is_none() || files::entries(&path)?.is_empty())
    }

    /// True if a file or directory belongs to this user and group.
    pub fn is_owned(path: &Path, (uid, gid): files::Owner) -> bool {
        fs::symlink_metadata(path).is_ok_and(|meta| (meta.uid(), meta.gid()) == (uid, gid))
    }

    /// The names of the files in an identity's directory.
    pub fn files(&self, name: &IdentityName) -> Vec<String> {
        let entries = fs::read_dir(self.identity(name))
            .into_iter()
            .flatten()
            .filter_map(Result::ok);
        entries
            .filter_map(|e| e.file_name().into_string().ok())
            .collect()
    }

    /// Permanently removes a file from an identity's directory. A missing one is not an error.
    pub fn remove_file(
        &self,
        _lock: &Lock,
        name: &IdentityName,
        file: &str,
    ) -> Result<(), StateError> {
        let path = self.identity(name).join(file);
        match fs::remove_file(&path) {
            Ok(()) => {
                did("removed", format!("{name}/{file}"));
                files::sync_dir(&self.identity(name))
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(e) => Err(failed("remove", &path)(e)),
        }
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The directory as an absolute path, for configuration that names files.
    pub fn absolute(&self) -> Result<PathBuf, StateError> {
        fs::canonicalize(&self.root)
            .or_else(|_| std::path::absolute(&self.root))
            .map_err(failed("find", &self.root))
    }

    /// `ca/`
    pub fn ca(&self) -> PathBuf {
        self.root.join("ca")
    }

    /// `ca/FILE`
    pub fn ca_file(&self, file: &str) -> PathBuf {
        self.ca().join(file)
    }

    /// `NAME/`
    pub fn identity(&self, name: &IdentityName) -> PathBuf {
        self.root.join(name.as_str())
    }

    /// The names of all directories that look like identities.
    pub fn identities(&self) -> Result<Vec<IdentityName>, StateError> {
        let mut names = Vec::new();
        let entries = match fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(names),
            Err(e) => return Err(failed("list", &self.root)(e)),
        };
        for entry in entries {
            let entry = entry.map_err(failed("list", &self.root))?;
            // A link is not an identity: files are never written through one.
            if entry.file_type().is_ok_and(|kind| kind.is_dir())
                && let Some(name) = entry.file_name().to_str().and_then(|n| n.parse().ok())
            {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }
}
