//! Whether what is staged can be moved into place: checked before the commit, and again when it is done.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::{
    Inventory, OutDir, Owners, StateError, failed,
    files::{entries, is_absent, look, pinned},
    guard,
};
use crate::pki::IdentityName;

/// The directory of the CA.
const CA: &str = "ca";
/// The request for the certificate of a CA that is to be, PEM.
pub const CA_REQUEST: &str = "request.csr";
/// The sealed key that it is for. It is the last of the two that is removed once the answer is there, after the inventory
/// has come.
pub const CA_REQUEST_KEY: &str = "request.key";

/// Refuses a staged directory that contains what kpki does not make, or that cannot be moved into place.
pub fn check(out: &OutDir, staged: &Path, owners: &Owners) -> Result<(), StateError> {
    let strange = |path: &Path| obstacle(path, "was not put there by kpki");
    let name = name_of(staged);
    let meta = look(staged)?;
    let Some(meta) = meta.filter(|meta| meta.is_dir() && is_place(name)) else {
        return strange(staged);
    };
    let files = entries(staged)?;
    for file in &files {
        if !look(file)?.is_some_and(|meta| meta.is_file()) {
            return strange(file);
        }
    }
    let files = files.iter().map(|file| name_of(file));
    fits(out, name, meta.uid(), files, owners)
}

/// Refuses if these files, to be owned by this user, cannot be put into the directory `name`.
pub fn fits<'a>(
    out: &OutDir,
    name: &str,
    uid: u32,
    files: impl Iterator<Item = &'a str>,
    owners: &Owners,
) -> Result<(), StateError> {
    let target = out.root().join(name);
    let files: Vec<&str> = files.collect();
    let there = look(&target)?;
    if there.as_ref().is_some_and(|there| !there.is_dir()) {
        return obstacle(
            &target,
            "is in the place of a directory that is to be created",
        );
    }
    if name == CA {
        let held = match there {
            Some(_) => entries(&target)?,
            None => Vec::new(),
        };
        let held: Vec<&str> = held.iter().map(|path| name_of(path)).collect();
        fits_ca(&target, &files, &held)?;
    }
    let Some(there) = there else {
        return Ok(());
    };
    if name != CA && there.uid() != uid && !owners.may_own(name, there.uid()) {
        return Err(guard::foreign(&target, there.uid()));
    }
    let root = fs::metadata(out.root()).map_err(failed("examine", out.root()))?;
    if there.dev() != root.dev() {
        return obstacle(
            &target,
            "is on another file system than the output directory, so files cannot be moved into it in one step",
        );
    }
    guard::refuse_writable(&target, &there, "others", "a key would not be safe in it")?;
    if there.mode() & 0o300 != 0o300 && !rustix::process::geteuid().is_root() {
        return obstacle(&target, "is not writable by its own owner");
    }
    if let Some(why) = pinned(&target) {
        return obstacle(&target, why);
    }
    for place in files.iter().map(|file| target.join(file)) {
        match look(&place)? {
            None => {}
            Some(there) if there.is_dir() => {
                return obstacle(
                    &place,
                    "is a directory in the place of a file that is to be written",
                );
            }
            Some(_) => {
                if let Some(why) = pinned(&place) {
                    return obstacle(&place, why);
                }
            }
        }
    }
    Ok(())
}

/// What is staged for a CA with an inventory is a new one, and without one a change of the one that is there, or the
/// request for the certificate of one. Whatever came to stand in its place since is not overwritten.
fn fits_ca(target: &Path, files: &[&str], held: &[&str]) -> Result<(), StateError> {
    let is_new = files.contains(&Inventory::FILE);
    let answers = [files, held]
        .iter()
        .all(|names| names.contains(&CA_REQUEST_KEY));
    let asks = files
        .iter()
        .chain(held)
        .all(|file| [CA_REQUEST, CA_REQUEST_KEY].contains(file));
    match is_new {
        true if !held.is_empty() && !answers => obstacle(
            target,
            "appeared while an interrupted command was creating a CA, which is still beside it in a directory named .commit-*",
        ),
        false if !held.contains(&Inventory::FILE) && !asks => {
            obstacle(target, "is not the CA that was to be changed")
        }
        _ => Ok(()),
    }
}

fn obstacle(path: &Path, why: &str) -> Result<(), StateError> {
    Err(StateError::obstacle(path, why))
}

/// Moves everything in a staged directory into place. Each step can be repeated, so it may be interrupted anywhere.
/// Returns the directory that is to be synced before the staged one, now empty, is removed; `None` if the staged one
/// itself was moved.
pub fn put(out: &OutDir, staged: &Path, owners: &Owners) -> Result<Option<PathBuf>, StateError> {
    check(out, staged, owners)?;
    let target = out.root().join(name_of(staged));
    let Some(there) = look(&target)? else {
        fs::rename(staged, &target).map_err(failed("make", &target))?;
        return Ok(None);
    };
    let meta = fs::symlink_metadata(staged).map_err(failed("examine", staged))?;
    if (there.uid(), there.gid()) != (meta.uid(), meta.gid()) {
        std::os::unix::fs::lchown(&target, Some(meta.uid()), Some(meta.gid()))
            .map_err(failed("change the owner of", &target))?;
    }
    for file in entries(staged)? {
        let place = target.join(name_of(&file));
        let gone = name_of(staged) == CA && look(&file)?.is_some_and(|meta| meta.len() == 0);
        if gone
            && let Err(e) = fs::remove_file(&place)
            && !is_absent(&e)
        {
            return Err(failed("remove", &place)(e));
        }
        match gone {
            true => fs::remove_file(&file).map_err(failed("remove", &file))?,
            false => fs::rename(&file, &place).map_err(failed("replace", &place))?,
        }
    }
    Ok(Some(target))
}

/// The directories that kpki fills: `ca` and identities.
fn is_place(name: &str) -> bool {
    name == CA || name.parse::<IdentityName>().is_ok()
}

pub(super) fn name_of(path: &Path) -> &str {
    // What kpki stages has ASCII names; anything else is refused.
    path.file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default()
}
