//! What an interrupted command left behind, distinguished from what someone else put there under such a name.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::{
    OutDir, StateError, failed,
    files::{self, is_absent, look},
    staging,
};

/// What exists under names that kpki gives to unfinished work.
#[derive(Debug, Default)]
pub struct Leftovers {
    /// Made by kpki, as this user.
    pub ours: Vec<PathBuf>,
    /// Something else, which is never touched: a description of it.
    pub foreign: Vec<(PathBuf, &'static str)>,
}

impl OutDir {
    /// What an interrupted command left behind.
    pub fn leftovers(&self) -> Result<Leftovers, StateError> {
        let mut found = Leftovers::default();
        for dir in [self.root(), &self.ca()] {
            let entries = match fs::read_dir(dir) {
                Ok(entries) => entries,
                Err(e) if is_absent(&e) => continue,
                Err(e) => return Err(failed("list", dir)(e)),
            };
            for entry in entries {
                let path = entry.map_err(failed("list", dir))?.path();
                match judge(&path)? {
                    None => {}
                    Some(Ok(())) => found.ours.push(path),
                    Some(Err(what)) => found.foreign.push((path, what)),
                }
            }
        }
        found.ours.sort();
        found.foreign.sort();
        Ok(found)
    }
}

/// `None`: it is not such a name.
fn judge(path: &Path) -> Result<Option<Result<(), &'static str>>, StateError> {
    let name = path.file_name().and_then(|n| n.to_str());
    let prefix = |prefix: &'static str| name.and_then(|n| n.strip_prefix(prefix));
    let (suffix, directory) = match (
        prefix(staging::NEW).or(prefix(staging::COMMIT)),
        prefix(files::TEMPORARY),
    ) {
        (Some(suffix), _) => (suffix, true),
        (None, Some(suffix)) => (suffix, false),
        (None, None) => return Ok(None),
    };
    // It has disappeared: another kpki process is working.
    let Some(meta) = look(path)? else {
        return Ok(None);
    };
    let what = if suffix.is_empty() || !suffix.bytes().all(|b| b.is_ascii_alphanumeric()) {
        "has a name that kpki does not generate"
    } else if meta.is_symlink() {
        "is a link, which kpki does not create"
    } else if meta.uid() != rustix::process::geteuid().as_raw() {
        "belongs to another user"
    } else if directory != meta.is_dir() || !directory && !meta.is_file() {
        "is not of the kind that its name means"
    } else if directory && meta.mode() & 0o022 != 0 {
        "can be written by other users"
    } else {
        return Ok(Some(Ok(())));
    };
    Ok(Some(Err(what)))
}
