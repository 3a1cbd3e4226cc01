//! The places in the output directory.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{StateError, failed, files};
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

    /// Creates the directory 0700 with its own `.gitignore`; one that exists keeps its mode.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn create(&self) -> Result<(), StateError> {
        files::create_private_dir(&self.root, None)?;
        let ignore = self.root.join(".gitignore");
        if !ignore.exists() {
            files::write_atomic(&ignore, GITIGNORE, files::PUBLIC, None)?;
        }
        Ok(())
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
