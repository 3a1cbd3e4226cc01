//! Several files, in several directories, that appear together.
//!
//! A staging directory `.new-*` is filled and synced, then renamed to `.commit-*`: from that instant the change is
//! committed, and each file is moved into place. A killed command leaves either a `.new-*`, which the next writer
//! removes, or a `.commit-*`, which it completes. What cannot be moved into place is detected before the commit.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use super::{
    FileSpec, Lock, OutDir, Owners, StateError, failed, files, place,
    written::{self, Writing},
};

use crate::deeds::did;

pub const NEW: &str = ".new-";
pub const COMMIT: &str = ".commit-";

/// Up to this many files, or directories, are synced one by one; beyond that, the whole file system is.
const SYNC_SINGLY: usize = 32;

/// Directories being filled, not yet visible.
#[derive(Debug)]
pub struct Staging<'a> {
    out: &'a OutDir,
    path: PathBuf,
    owners: Owners,
    written: std::sync::atomic::AtomicUsize,
    /// Its entries in the record.
    writings: std::sync::Mutex<Vec<Writing>>,
}

impl<'a> Staging<'a> {
    /// Starts one. New directories belong to `owner`, existing ones to whom they were given.
    pub fn begin(
        out: &'a OutDir,
        _lock: &Lock,
        owner: Option<files::Owner>,
    ) -> Result<Self, StateError> {
        let owners = Owners::read(out, owner)?;
        let path = tempfile::Builder::new()
            .prefix(NEW)
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(out.root())
            // The library's own message contains the temporary name.
            .map_err(|e| failed("create a directory in", out.root())(e.kind().into()))?
            .keep();
        Ok(Self {
            out,
            path,
            owners,
            written: 0.into(),
            writings: std::sync::Mutex::default(),
        })
    }

    /// Refuses if these files cannot be put into the directory `name`, so that nothing is signed in vain.
    pub fn check<'n>(
        &self,
        name: &str,
        files: impl Iterator<Item = &'n str>,
    ) -> Result<(), StateError> {
        let me = rustix::process::geteuid().as_raw();
        let uid = self.owner(name)?.map_or(me, |(uid, _)| uid);
        place::fits(self.out, name, uid, files, &self.owners)
    }

    /// What is staged so far, as an output directory of its own.
    pub fn preview(&self) -> OutDir {
        OutDir::new(&self.path)
    }

    /// Writes files for the directory `name`, beside those already there. May be called from several threads for
    /// different directories.
    pub fn add(&self, name: &str, specs: &[FileSpec]) -> Result<(), StateError> {
        let dir = self.path.join(name);
        let place = self.out.root().join(name);
        let owner = self.owner(name)?;
        files::create_private_dir(&dir, owner).map_err(|e| e.of_place(&place))?;
        for spec in specs {
            let mode = if spec.secret {
                files::SECRET
            } else {
                files::PUBLIC
            };
            files::create(&dir.join(&spec.name), &spec.bytes, mode, owner, false)
                .map_err(|e| e.of_place(&place.join(&spec.name)))?;
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

    /// The owner of a directory's files, if not the caller: as told for this run, else as given before.
    fn owner(&self, name: &str) -> Result<Option<files::Owner>, StateError> {
        if let Some(owner) = self.owners.said() {
            return Ok(Some(owner));
        }
        let place = self.out.root().join(name);
        let there = files::look(&place)?.filter(|meta| meta.is_dir());
        let Some((uid, gid)) = there.map(|meta| (meta.uid(), meta.gid())) else {
            return Ok(None);
        };
        if uid == rustix::process::geteuid().as_raw() {
            return Ok(None);
        }
        // Creating the directory first gives no right to the files.
        if !self.owners.may_own(name, uid) {
            return Err(StateError::Foreign { path: place, uid });
        }
        Ok(Some((uid, gid)))
    }

    /// Makes everything durable, records it, and then makes it visible. A failure before the rename changes nothing;
    /// after it, the next writer completes the change.
    pub fn commit(mut self) -> Result<(), StateError> {
        for dir in files::entries(&self.path)? {
            place::check(self.out, &dir, &self.owners)?;
        }
        self.sync()?;
        let mut writings = std::mem::take(&mut self.writings)
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        writings.sort_by(|a, b| a.name().cmp(b.name()));
        written::append(self.out, &writings)?;
        let name = place::name_of(&self.path).replacen(NEW, COMMIT, 1);
        let commit = self.out.root().join(name);
        fs::rename(&self.path, &commit).map_err(failed("rename", &self.path))?;
        self.path = commit;
        for dir in files::entries(&self.path)? {
            did("wrote", place::name_of(&dir));
        }
        files::sync_dir(self.out.root())?;
        finish(self.out, &self.path, &self.owners)
    }

    fn sync(&self) -> Result<(), StateError> {
        #[cfg(target_os = "linux")]
        if self.written.load(std::sync::atomic::Ordering::Relaxed) > SYNC_SINGLY {
            return files::sync_file_system(&self.path);
        }
        for dir in files::entries(&self.path)? {
            for file in files::entries(&dir)? {
                fs::File::open(&file)
                    .and_then(|f| f.sync_all())
                    .map_err(failed("sync", &file))?;
            }
            files::sync_dir(&dir)?;
        }
        files::sync_dir(&self.path)
    }

    /// Completes what a killed command committed and removes what it did not. Returns true if there was anything.
    pub fn recover(out: &OutDir, _lock: &Lock) -> Result<bool, StateError> {
        let leftovers = out.leftovers()?.ours;
        let mut blocked = None;
        for path in &leftovers {
            let name = place::name_of(path);
            if name.starts_with(COMMIT) {
                if let Err(error) = finish(out, path, &Owners::read(out, None)?) {
                    blocked.get_or_insert(error);
                }
            } else if name.starts_with(NEW) {
                fs::remove_dir_all(path).map_err(failed("remove", path))?;
            } else {
                fs::remove_file(path).map_err(failed("remove", path))?;
            }
        }
        match blocked {
            Some(error) => Err(error),
            None if leftovers.is_empty() => Ok(false),
            None => {
                did("finished", "the work of an interrupted command");
                Ok(true)
            }
        }
    }
}

impl Drop for Staging<'_> {
    /// What was not committed is removed at once; if that fails, the next writer does it.
    fn drop(&mut self) {
        if place::name_of(&self.path).starts_with(NEW) {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Moves everything out of a committed directory. Each step can be repeated, so it may be interrupted anywhere. What is
/// blocked is left for the next writer; the rest is moved into place.
fn finish(out: &OutDir, commit: &Path, owners: &Owners) -> Result<(), StateError> {
    let (mut filled, mut blocked) = (Vec::new(), None);
    for dir in files::entries(commit)? {
        match place::put(out, &dir, owners) {
            Ok(target) => filled.extend(target.map(|target| (dir, target))),
            Err(error) => {
                blocked.get_or_insert(error);
            }
        }
    }
    let mut singly = true;
    #[cfg(target_os = "linux")]
    if filled.len() > SYNC_SINGLY {
        files::sync_file_system(out.root())?;
        singly = false;
    }
    for (dir, target) in filled {
        let synced = match singly {
            true => files::sync_dir(&target),
            false => Ok(()),
        };
        let removed = synced.and_then(|()| fs::remove_dir(&dir).map_err(failed("remove", &dir)));
        if let Err(error) = removed {
            blocked.get_or_insert(error);
        }
    }
    files::sync_dir(out.root())?;
    match blocked {
        None => fs::remove_dir(commit).map_err(failed("remove", commit)),
        Some(error) => Err(StateError::Unfinished {
            cause: Box::new(error),
            waiting: commit.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::fixture::out;

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
