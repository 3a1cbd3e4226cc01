//! The places in the output directory.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::{Lock, StateError, failed, files, staging};
use crate::pki::IdentityName;

/// An output directory, by its path. See `interface.md`'s table for what is where.
#[derive(Debug, Clone)]
pub struct OutDir {
    root: PathBuf,
}

/// Keeps keys out of version control, whoever adds the directory.
const GITIGNORE: &[u8] = b"*\n!.gitignore\n";

impl OutDir {
    /// Names a directory, which need not exist.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Creates the directory 0700; one that exists keeps its mode.
    ///
    /// # Errors
    /// When it cannot be created, or everybody may write in it.
    pub fn create(&self) -> Result<(), StateError> {
        files::create_private_dir(&self.root, None)?;
        let meta = fs::metadata(&self.root).map_err(failed("look at", &self.root))?;
        if meta.mode() & 0o002 != 0 {
            let why = "may be written by everyone, so keys would not be safe in it";
            return Err(StateError::Obstacle {
                path: self.root.clone(),
                why,
            });
        }
        Ok(())
    }

    /// Gives the directory its own `.gitignore`. Returns false where it holds other things, or another `.gitignore`,
    /// so that nothing keeps keys out of version control.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn ignore(&self, _lock: &Lock) -> Result<bool, StateError> {
        let ignore = self.root.join(".gitignore");
        if let Some(text) = files::read_optional(&ignore)? {
            return Ok(text
                .split(|b| *b == b'\n')
                .any(|line| line.trim_ascii() == b"*"));
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

    /// Refuses to go on where an identity's directory is something that files cannot safely be put into.
    ///
    /// # Errors
    /// When it is a link or a file, on another file system, or writable for others.
    pub fn check_identity(&self, name: &IdentityName) -> Result<(), StateError> {
        let path = self.identity(name);
        let meta = match fs::symlink_metadata(&path) {
            Ok(meta) => meta,
            Err(e)
                if matches!(
                    e.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                return Ok(());
            }
            Err(e) => return Err(failed("look at", &path)(e)),
        };
        let why = if !meta.is_dir() {
            "stands where the directory of an identity has to be"
        } else if fs::metadata(&self.root).is_ok_and(|root| root.dev() != meta.dev()) {
            "is on another file system than the output directory, so files cannot be moved into it in one step"
        } else if meta.mode() & 0o022 != 0 {
            "may be written by others, so a key would not be safe in it"
        } else {
            return Ok(());
        };
        Err(StateError::Obstacle { path, why })
    }

    /// True where there is nothing in `ca/`, or no such directory.
    ///
    /// # Errors
    /// When that cannot be seen.
    pub fn is_ca_empty(&self) -> Result<bool, StateError> {
        let path = self.ca();
        match fs::symlink_metadata(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(true),
            Err(e) => Err(failed("look at", &path)(e)),
            Ok(_) => {
                let mut entries = fs::read_dir(&path).map_err(failed("list", &path))?;
                Ok(entries.next().is_none())
            }
        }
    }

    /// True where a file or directory belongs to this user and group.
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

    /// What a command that was interrupted has left.
    ///
    /// # Errors
    /// When the directory cannot be listed.
    pub fn leftovers(&self) -> Result<Vec<PathBuf>, StateError> {
        let mut found = Vec::new();
        for dir in [&self.root, &self.ca()] {
            let entries = match fs::read_dir(dir) {
                Ok(entries) => entries,
                Err(e)
                    if matches!(
                        e.kind(),
                        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                    ) =>
                {
                    continue;
                }
                Err(e) => return Err(failed("list", dir)(e)),
            };
            for entry in entries {
                let entry = entry.map_err(failed("list", dir))?;
                let name = entry.file_name();
                let name = name.as_encoded_bytes();
                if [files::TEMPORARY, staging::NEW, staging::COMMIT]
                    .iter()
                    .any(|p| name.starts_with(p.as_bytes()))
                {
                    found.push(entry.path());
                }
            }
        }
        found.sort();
        Ok(found)
    }

    /// Removes a file from an identity's directory, for good. One that is not there is no error.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove_file(
        &self,
        _lock: &Lock,
        name: &IdentityName,
        file: &str,
    ) -> Result<(), StateError> {
        let path = self.identity(name).join(file);
        match fs::remove_file(&path) {
            Ok(()) => files::sync_dir(&self.identity(name)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(e) => Err(failed("remove", &path)(e)),
        }
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The directory as an absolute path, for configuration that names files.
    ///
    /// # Errors
    /// When the working directory is gone.
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
    ///
    /// # Errors
    /// When the output directory is there and cannot be listed.
    pub fn identities(&self) -> Result<Vec<IdentityName>, StateError> {
        let mut names = Vec::new();
        let entries = match fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(names),
            Err(e) => return Err(failed("list", &self.root)(e)),
        };
        for entry in entries {
            let entry = entry.map_err(failed("list", &self.root))?;
            if entry.path().is_dir()
                && let Some(name) = entry.file_name().to_str().and_then(|n| n.parse().ok())
            {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }
}
