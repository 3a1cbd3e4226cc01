//! Several files, and several directories of them, that appear together.
//!
//! A staging directory `.new-*` is filled and synced, then renamed to `.commit-*`: from that instant the change
//! is promised, and each file is moved to its place. A killed command leaves either a `.new-*`, which the next
//! writer removes, or a `.commit-*`, which it finishes.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt, chown},
    path::{Path, PathBuf},
};

use super::{
    Lock, OutDir, StateError, failed, files,
    written::{self, Writing},
};
use crate::{config::NodeFacts, secret::SecretBytes};

pub const NEW: &str = ".new-";
pub const COMMIT: &str = ".commit-";

/// Up to so many files are synced one by one; beyond, the whole file system is.
const SYNC_SINGLY: usize = 32;

/// A file to be written: name, contents, mode.
#[derive(Debug, Clone)]
pub struct FileSpec {
    /// Name inside its directory.
    pub name: String,
    /// Contents, wiped from memory afterwards.
    pub bytes: SecretBytes,
    /// Whether others may read it, once inside the directory.
    pub secret: bool,
    /// The digest of what it was made from, where its bytes differ at each encoding.
    pub made_from: Option<String>,
    /// What it commits a broker to.
    pub node: Option<NodeFacts>,
}

impl FileSpec {
    /// A file with a key or password in it: 0600.
    pub fn secret(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.into(),
            bytes: bytes.into().into(),
            secret: true,
            made_from: None,
            node: None,
        }
    }

    /// A file without secrets: 0644.
    pub fn public(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.into(),
            bytes: bytes.into().into(),
            secret: false,
            made_from: None,
            node: None,
        }
    }
}

/// Directories being filled, out of everyone's sight.
#[derive(Debug)]
pub struct Staging<'a> {
    out: &'a OutDir,
    path: PathBuf,
    owner: Option<files::Owner>,
    written: std::sync::atomic::AtomicUsize,
    /// What the record will say of it.
    writings: std::sync::Mutex<Vec<Writing>>,
}

impl<'a> Staging<'a> {
    /// Begins one, after finishing or removing what a killed command left.
    ///
    /// # Errors
    /// When the output directory cannot be written.
    pub fn begin(
        out: &'a OutDir,
        _lock: &Lock,
        owner: Option<files::Owner>,
    ) -> Result<Self, StateError> {
        let path = tempfile::Builder::new()
            .prefix(NEW)
            .tempdir_in(out.root())
            .map_err(failed("create a directory in", out.root()))?
            .keep();
        Ok(Self {
            out,
            path,
            owner,
            written: 0.into(),
            writings: std::sync::Mutex::default(),
        })
    }

    /// Writes files that shall stand in the directory `name`, beside those already there. May be called from
    /// several threads for different directories.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn add(&self, name: &str, specs: &[FileSpec]) -> Result<(), StateError> {
        let dir = self.path.join(name);
        let owner = self
            .owner
            .or_else(|| present_owner(&self.out.root().join(name)));
        files::create_private_dir(&dir, owner)?;
        for spec in specs {
            let mode = if spec.secret {
                files::SECRET
            } else {
                files::PUBLIC
            };
            files::create(&dir.join(&spec.name), &spec.bytes, mode, owner, false)?;
        }
        if name != "ca" {
            self.writings
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .push(Writing::of(name, specs));
        }
        self.written
            .fetch_add(specs.len(), std::sync::atomic::Ordering::Relaxed);
        Ok(())
    }

    /// Makes all of it durable, records it, and then makes it visible.
    ///
    /// # Errors
    /// When syncing or renaming fails. Before the rename nothing has changed; after it the next writer finishes.
    pub fn commit(mut self) -> Result<(), StateError> {
        self.sync()?;
        let mut writings = std::mem::take(&mut self.writings)
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        writings.sort_by(|a, b| a.name().cmp(b.name()));
        written::append(self.out, &writings)?;
        let name = self
            .path
            .file_name()
            .and_then(|n| n.to_str())
            .unwrap_or(NEW);
        let commit = self.out.root().join(name.replacen(NEW, COMMIT, 1));
        fs::rename(&self.path, &commit).map_err(failed("rename", &self.path))?;
        self.path = commit;
        files::sync_dir(self.out.root())?;
        finish(self.out, &self.path)
    }

    fn sync(&self) -> Result<(), StateError> {
        #[cfg(target_os = "linux")]
        if self.written.load(std::sync::atomic::Ordering::Relaxed) > SYNC_SINGLY {
            return files::sync_file_system(&self.path);
        }
        for dir in entries(&self.path)? {
            for file in entries(&dir)? {
                fs::File::open(&file)
                    .and_then(|f| f.sync_all())
                    .map_err(failed("sync", &file))?;
            }
            files::sync_dir(&dir)?;
        }
        files::sync_dir(&self.path)
    }

    /// Finishes what a killed command promised and removes what it did not. Returns true if there was anything.
    ///
    /// # Errors
    /// When the output directory cannot be written.
    pub fn recover(out: &OutDir, _lock: &Lock) -> Result<bool, StateError> {
        let leftovers = out.leftovers()?;
        for path in &leftovers {
            let name = path
                .file_name()
                .and_then(|n| n.to_str())
                .unwrap_or_default();
            if name.starts_with(COMMIT) {
                finish(out, path)?;
            } else if name.starts_with(NEW) {
                fs::remove_dir_all(path).map_err(failed("remove", path))?;
            } else {
                fs::remove_file(path).map_err(failed("remove", path))?;
            }
        }
        Ok(!leftovers.is_empty())
    }
}

impl Drop for Staging<'_> {
    /// What was not committed is removed at once; if that fails, the next writer does it.
    fn drop(&mut self) {
        if self
            .path
            .file_name()
            .and_then(|n| n.to_str())
            .is_some_and(|n| n.starts_with(NEW))
        {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Moves everything out of a promised directory. Each step can be repeated, so it may be interrupted anywhere.
fn finish(out: &OutDir, commit: &Path) -> Result<(), StateError> {
    for dir in entries(commit)? {
        let Some(name) = dir.file_name() else {
            continue;
        };
        let target = out.root().join(name);
        let obstacle = |why| StateError::Obstacle {
            path: target.clone(),
            why,
        };
        match fs::symlink_metadata(&target) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                fs::rename(&dir, &target).map_err(failed("make", &target))?;
                continue;
            }
            Err(e) => return Err(failed("look at", &target)(e)),
            Ok(meta) if !meta.is_dir() => {
                return Err(obstacle("stands where a directory has to be put"));
            }
            // A CA is staged only where there was none. Whatever came to stand there since is not overwritten.
            Ok(_) if name == "ca" && !entries(&target)?.is_empty() => {
                return Err(obstacle(
                    "appeared while an interrupted command was making a CA, which waits beside it in a directory named .commit-*",
                ));
            }
            Ok(meta) => {
                let staged = fs::symlink_metadata(&dir).map_err(failed("look at", &dir))?;
                if (meta.uid(), meta.gid()) != (staged.uid(), staged.gid()) {
                    chown(&target, Some(staged.uid()), Some(staged.gid()))
                        .map_err(failed("give away", &target))?;
                }
            }
        }
        for file in entries(&dir)? {
            if let Some(name) = file.file_name() {
                let place = target.join(name);
                fs::rename(&file, &place).map_err(failed("replace", &place))?;
            }
        }
        files::sync_dir(&target)?;
        fs::remove_dir(&dir).map_err(failed("remove", &dir))?;
    }
    files::sync_dir(out.root())?;
    fs::remove_dir(commit).map_err(failed("remove", commit))
}

/// Whose a directory is, where that is not the caller: files that are added to it shall be theirs as well.
fn present_owner(dir: &Path) -> Option<files::Owner> {
    let meta = fs::symlink_metadata(dir).ok().filter(|m| m.is_dir())?;
    (meta.uid() != rustix::process::geteuid().as_raw()).then_some((meta.uid(), meta.gid()))
}

fn entries(path: &Path) -> Result<Vec<PathBuf>, StateError> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(path).map_err(failed("list", path))? {
        paths.push(entry.map_err(failed("list", path))?.path());
    }
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn out() -> (tempfile::TempDir, OutDir, Lock) {
        let dir = tempfile::tempdir().unwrap();
        let out = OutDir::new(dir.path().join("out"));
        out.create().unwrap();
        let lock = Lock::acquire(&out, || ()).unwrap();
        (dir, out, lock)
    }

    #[test]
    fn files_appear_together_with_their_modes() {
        let (_dir, out, lock) = out();
        let staging = Staging::begin(&out, &lock, None).unwrap();
        staging
            .add(
                "kafka1",
                &[FileSpec::secret("a", "1"), FileSpec::public("b", "2")],
            )
            .unwrap();
        assert!(!out.root().join("kafka1").exists());
        staging.commit().unwrap();
        let mode = |p: &str| {
            fs::metadata(out.root().join(p))
                .unwrap()
                .permissions()
                .mode()
                & 0o777
        };
        assert_eq!(
            (mode(""), mode("kafka1"), mode("kafka1/a")),
            (0o700, 0o700, 0o600)
        );
        let names = fs::read_dir(out.root()).unwrap();
        let mut names: Vec<_> = names.map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["kafka1", "written.jsonl"]);
        assert_eq!(mode("written.jsonl"), 0o600);
    }

    #[test]
    fn an_existing_directory_keeps_what_is_not_replaced() {
        let (_dir, out, lock) = out();
        for files in [vec![("a", "1"), ("b", "1")], vec![("b", "2")]] {
            let staging = Staging::begin(&out, &lock, None).unwrap();
            let files: Vec<_> = files
                .into_iter()
                .map(|(n, b)| FileSpec::secret(n, b))
                .collect();
            staging.add("x", &files).unwrap();
            staging.commit().unwrap();
        }
        assert_eq!(fs::read(out.root().join("x/a")).unwrap(), b"1");
        assert_eq!(fs::read(out.root().join("x/b")).unwrap(), b"2");
    }

    #[test]
    fn a_promise_is_kept_and_a_torso_removed_by_the_next_writer() {
        let (_dir, out, lock) = out();
        let abandoned = Staging::begin(&out, &lock, None).unwrap();
        abandoned.add("x", &[FileSpec::secret("a", "new")]).unwrap();
        std::mem::forget(abandoned);
        fs::create_dir_all(out.root().join(".commit-1/y")).unwrap();
        fs::write(out.root().join(".commit-1/y/a"), "promised").unwrap();
        assert!(Staging::recover(&out, &lock).unwrap());
        assert!(!out.root().join("x").exists());
        assert_eq!(fs::read(out.root().join("y/a")).unwrap(), b"promised");
        assert!(!Staging::recover(&out, &lock).unwrap());
    }
}
