//! The owners of directories and files, and who else may read or change them.
//!
//! What other users could have changed is refused, with a hint. What they could only read is closed to them again, and
//! reported.

use std::{
    fs::{self, File, Permissions},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use super::{
    OutDir, Owners, StateError, failed,
    files::{self, look, mode_of, pinned},
    out_dir::leaves_out_everything,
};
use crate::deeds::did;
use crate::pki::IdentityName;

/// Mode of directories.
const PRIVATE: u32 = 0o700;
/// Readable, writable or searchable by anybody but the owner.
const OPEN: u32 = 0o077;
/// Writable by anybody but the owner.
const WRITABLE: u32 = 0o022;
/// Searchable by anybody but the owner.
const ENTERABLE: u32 = 0o011;
/// The files beside the identities that record what was done and what is to be done.
const RECORDS: [&str; 3] = ["cluster.id", "pruning.jsonl", "written.jsonl"];

/// Something that other users could read or change, but no longer can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mended {
    /// The file or directory.
    pub path: PathBuf,
    /// The mode that it had.
    pub was: u32,
    /// The mode that it has now.
    pub is: u32,
}

fn me() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// True if a file or directory belongs to this process's user.
pub fn is_own(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.uid() == me())
}

fn refuse_link(path: &Path) -> Result<(), StateError> {
    match look(path)?.is_some_and(|meta| meta.is_symlink()) {
        true => Err(StateError::obstacle(path, files::LINK)),
        false => Ok(()),
    }
}

pub(super) fn foreign(path: &Path, uid: u32) -> StateError {
    StateError::Foreign {
        path: path.to_owned(),
        uid,
    }
}

/// Refuses a directory or file that anybody but its owner may write to.
pub fn refuse_writable(
    path: &Path,
    meta: &fs::Metadata,
    who: &'static str,
    harm: &'static str,
) -> Result<(), StateError> {
    if meta.mode() & WRITABLE == 0 {
        return Ok(());
    }
    Err(StateError::Writable {
        path: path.to_owned(),
        mode: meta.mode() & 0o777,
        who,
        harm,
    })
}

impl OutDir {
    /// Refuses an output directory, or a `ca/` in it, that another user owns or could have written to, and links in the
    /// place of its records. A missing one is fine.
    pub fn check(&self) -> Result<(), StateError> {
        self.root_to_mend()?;
        self.ca_to_mend()?;
        self.check_records()
    }

    /// Refuses links in `ca/`, none of which is followed.
    pub fn check_ca_links(&self) -> Result<(), StateError> {
        let mut entries = files::entries(&self.ca())?.into_iter();
        entries.try_for_each(|path| refuse_link(&path))
    }

    /// As [`OutDir::check`]; then removes other users' read access to the directory itself and to the CA.
    pub fn mend(&self) -> Result<Vec<Mended>, StateError> {
        self.closed(tighten)
    }

    /// What [`OutDir::mend`] would change.
    pub fn loose(&self) -> Result<Vec<PathBuf>, StateError> {
        let loose = self.closed(foresee)?;
        Ok(loose.into_iter().map(|loose| loose.path).collect())
    }

    fn closed(&self, tighten: Tighten) -> Result<Vec<Mended>, StateError> {
        let mut mended = Vec::new();
        let (root, ca) = (self.root_to_mend()?, self.ca_to_mend()?);
        // While it still shows who had access to them.
        self.check_records()?;
        if root {
            mended.extend(tighten(self.root(), PRIVATE, true)?);
        }
        if ca {
            mended.extend(tighten(&self.ca(), PRIVATE, true)?);
        }
        mended.extend(self.mend_files(&self.ca(), |_| true, tighten)?);
        Ok(mended)
    }

    /// True if the root is ours and safe, but has a more open mode than kpki gives it.
    fn root_to_mend(&self) -> Result<bool, StateError> {
        let root = self.root();
        let Some(meta) = self.real(root)? else {
            return Ok(false);
        };
        if meta.mode() & 0o002 != 0 {
            refuse_writable(root, &meta, "everyone", "keys would not be safe in it")?;
        }
        if meta.mode() & OPEN == 0 {
            return Ok(false);
        }
        let mut empty = true;
        let mut given_away = false;
        for entry in fs::read_dir(root).map_err(failed("list", root))? {
            let entry = entry.map_err(failed("list", root))?;
            let theirs = look(&entry.path())?.is_some_and(|meta| meta.uid() != me());
            empty &= entry.file_name() == ".gitignore" && !theirs;
            given_away |= theirs;
        }
        if !empty {
            refuse_writable(root, &meta, "its group", "what is in it cannot be trusted")?;
        }
        // The owner of a directory that was given away may have to pass through here, and the mode of the user's own
        // directory, such as `--out .`, is the user's choice.
        let own = match files::read_plain(&root.join(".gitignore")) {
            Ok(Some(text)) => leaves_out_everything(&text),
            _ => empty,
        };
        Ok(meta.mode() & WRITABLE != 0 || own && !given_away)
    }

    fn ca_to_mend(&self) -> Result<bool, StateError> {
        let Some(meta) = self.real(&self.ca())? else {
            return Ok(false);
        };
        refuse_writable(&self.ca(), &meta, "others", "nothing in it can be trusted")?;
        Ok(meta.mode() & OPEN != 0)
    }

    /// Refuses the records that kpki relies on, above all the inventory, if other users could have written them:
    /// writing a file in a directory needs no write permission for the directory.
    fn check_records(&self) -> Result<(), StateError> {
        let records = || RECORDS.iter().map(|name| self.root().join(name));
        for path in records().chain([self.ca_file("inventory.jsonl")]) {
            refuse_link(&path)?;
        }
        let open = |dir: &Path| fs::metadata(dir).is_ok_and(|meta| meta.mode() & ENTERABLE != 0);
        if !open(self.root()) {
            return Ok(());
        }
        let mut files: Vec<PathBuf> = records().collect();
        if open(&self.ca()) {
            files.extend(files::entries(&self.ca())?);
        }
        for path in files {
            if let Some(meta) = look(&path)?.filter(fs::Metadata::is_file) {
                refuse_writable(&path, &meta, "others", "nothing in it can be trusted")?;
            }
        }
        Ok(())
    }

    /// A directory of ours; `None` if there is nothing, or our link to nothing. Our own links are followed.
    fn real(&self, path: &Path) -> Result<Option<fs::Metadata>, StateError> {
        let Some(mut meta) = look(path)? else {
            return Ok(None);
        };
        if meta.is_symlink() {
            if ![me(), 0].contains(&meta.uid()) {
                return Err(foreign(path, meta.uid()));
            }
            meta = match fs::metadata(path) {
                Ok(meta) => meta,
                Err(_) => return Ok(None),
            };
        }
        if !meta.is_dir() {
            return Err(StateError::obstacle(path, "is not a directory"));
        }
        if meta.uid() != me() {
            return Err(foreign(path, meta.uid()));
        }
        Ok(Some(meta))
    }

    /// Refuses an identity's directory that files cannot safely be written to.
    ///
    /// # Errors
    /// If it is a link or a file, on another file system, writable by other users, or belongs to a user it was not
    /// given to.
    pub fn check_identity(&self, name: &IdentityName, owners: &Owners) -> Result<(), StateError> {
        let path = self.identity(name);
        let Some(meta) = look(&path)? else {
            return Ok(());
        };
        let why = if !meta.is_dir() {
            "is in the place of an identity's directory"
        } else if !owners.may_own(name.as_str(), meta.uid()) {
            return Err(foreign(&path, meta.uid()));
        } else if fs::metadata(self.root()).is_ok_and(|root| root.dev() != meta.dev()) {
            "is on another file system than the output directory, so files cannot be moved into it in one step"
        } else {
            refuse_writable(&path, &meta, "others", "a key would not be safe in it")?;
            return match pinned(&path) {
                Some(why) => Err(StateError::obstacle(&path, why)),
                None => Ok(()),
            };
        };
        Err(StateError::obstacle(&path, why))
    }

    /// Removes other users' access to an identity's directory and to those files in it that kpki knows.
    pub fn mend_identity(
        &self,
        name: &IdentityName,
        known: impl Fn(&str) -> bool,
    ) -> Result<Vec<Mended>, StateError> {
        self.identity_closed(name, known, tighten)
    }

    /// What [`OutDir::mend_identity`] would change.
    pub fn loose_identity(
        &self,
        name: &IdentityName,
        known: impl Fn(&str) -> bool,
    ) -> Result<Vec<PathBuf>, StateError> {
        let loose = self.identity_closed(name, known, foresee)?;
        Ok(loose.into_iter().map(|loose| loose.path).collect())
    }

    fn identity_closed(
        &self,
        name: &IdentityName,
        known: impl Fn(&str) -> bool,
        tighten: Tighten,
    ) -> Result<Vec<Mended>, StateError> {
        let path = self.identity(name);
        // The mode of what was given away is its owner's choice; what other users could have written to is refused
        // elsewhere.
        let ours = |meta: &fs::Metadata| {
            meta.is_dir() && meta.uid() == me() && meta.mode() & WRITABLE == 0
        };
        let Some(meta) = look(&path)?.filter(ours) else {
            return Ok(Vec::new());
        };
        let mut mended = Vec::new();
        if meta.mode() & OPEN != 0 {
            mended.extend(tighten(&path, PRIVATE, true)?);
        }
        mended.extend(self.mend_files(&path, known, tighten)?);
        Ok(mended)
    }

    fn mend_files(
        &self,
        dir: &Path,
        known: impl Fn(&str) -> bool,
        tighten: Tighten,
    ) -> Result<Vec<Mended>, StateError> {
        let mut mended = Vec::new();
        let entries = match fs::read_dir(dir) {
            Ok(entries) => entries,
            // Reported by the code that needs it.
            Err(_) => return Ok(mended),
        };
        for entry in entries {
            let entry = entry.map_err(failed("list", dir))?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            let mode = mode_of(name);
            let Some(meta) = look(&entry.path())?.filter(fs::Metadata::is_file) else {
                continue;
            };
            if meta.uid() != me() {
                if dir == self.ca() {
                    return Err(foreign(&entry.path(), meta.uid()));
                }
            } else if meta.mode() & !mode & OPEN != 0 && known(name) {
                mended.extend(tighten(&entry.path(), mode, false)?);
            }
        }
        mended.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(mended)
    }
}

/// [`tighten`], or [`foresee`] what it would do.
type Tighten = fn(&Path, u32, bool) -> Result<Option<Mended>, StateError>;

/// Gives a file or directory this mode, if it is still the same: not a link, and not a second name of a file elsewhere.
fn tighten(path: &Path, mode: u32, directory: bool) -> Result<Option<Mended>, StateError> {
    let Some((file, meta)) = opened(path, directory)? else {
        return Ok(None);
    };
    file.set_permissions(Permissions::from_mode(mode))
        .map_err(failed("change the mode of", path))?;
    did("closed", path.display().to_string());
    Ok(Some(mended(path, &meta, mode)))
}

fn foresee(path: &Path, mode: u32, directory: bool) -> Result<Option<Mended>, StateError> {
    Ok(opened(path, directory)?.map(|(_, meta)| mended(path, &meta, mode)))
}

fn mended(path: &Path, meta: &fs::Metadata, mode: u32) -> Mended {
    Mended {
        path: path.to_owned(),
        was: meta.mode() & 0o777,
        is: mode,
    }
}

fn opened(path: &Path, directory: bool) -> Result<Option<(File, fs::Metadata)>, StateError> {
    let file = if directory {
        File::open(path)
    } else {
        files::no_link().read(true).open(path)
    };
    let file = file.map_err(failed("open", path))?;
    let meta = file.metadata().map_err(failed("examine", path))?;
    let strange =
        meta.is_dir() != directory || !directory && (!meta.is_file() || meta.nlink() != 1);
    Ok((!strange).then_some((file, meta)))
}
