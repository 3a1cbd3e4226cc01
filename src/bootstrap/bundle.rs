//! The files of an identity for its machine.

use std::{collections::BTreeSet, convert::Infallible, path::PathBuf};

use time::{OffsetDateTime, macros::datetime};

use super::{
    BootstrapError, archive::Entry, edits::Edit, elsewhere::request_file, files, member::NEXT, sign,
};
use crate::{
    pki::IdentityName,
    policy::FileNames,
    state::{
        Inventory, Lock, OutDir, Owner, Owners, StateError, Written, WrittenEntry, is_own, mode_of,
        read_plain,
    },
};

/// The time of files that belong to no certificate: the first that a zip archive can represent.
const NO_TIME: OffsetDateTime = datetime!(1980-01-01 0:00 UTC);
/// The owner of the files if none was given: the only user that has the same number on every machine.
const ROOT: Owner = (0, 0);

/// An identity's files, and remarks about its directory.
#[derive(Debug)]
pub struct Bundle {
    /// The files, by name.
    pub files: Vec<Entry>,
    /// Their owner.
    pub owner: Owner,
    /// The start of its certificate's validity.
    pub time: OffsetDateTime,
    /// Remarks: a path in its directory, and what about it.
    pub remarks: Vec<(PathBuf, String)>,
}

impl Bundle {
    /// Reads the files that kpki wrote. The lock prevents a concurrent renewal from being seen half-way.
    ///
    /// # Errors
    /// If there is no such identity, it has no files, or the owner of its directory changed one.
    pub fn read(out: &OutDir, _lock: &Lock, name: &IdentityName) -> Result<Self, BootstrapError> {
        let owners = Owners::read(out, None)?;
        out.check_identity(name, &owners)?;
        let dir = out.identity(name);
        let unknown = || BootstrapError::Unknown {
            name: name.to_string(),
            out: out.root().display().to_string(),
        };
        if !dir.exists() {
            return Err(unknown());
        }
        let inventory = Inventory::read(out)?;
        let record = inventory.latest(name.as_str());
        let written = Written::read(out)?;
        let entry = written.of(name.as_str());
        let known = files::known_names(name);
        let here = out.absolute()?.join(name.as_str());
        let here = format!("{}/", here.display());
        let mut bundle = Self {
            files: Vec::new(),
            owner: owners.given(name.as_str()).unwrap_or(ROOT),
            time: record.map_or(NO_TIME, |record| record.not_before),
            remarks: Vec::new(),
        };
        let mut bound = false;
        let mut there = out.files(name);
        there.sort();
        let missing = missing(name, &there, entry);
        for file in there {
            let path = dir.join(&file);
            // Files for the machine contain nothing that the cluster does not know yet, and no request: that went to
            // the CA.
            if file == NEXT || file == request_file(name) {
                continue;
            }
            if !known.contains(&file) || entry.is_some_and(|entry| !entry.is_recorded(&file)) {
                bundle.remark(path, "was not put there by kpki, and is left out");
                continue;
            }
            let bytes = match read_plain(&path) {
                Ok(Some(bytes)) => bytes,
                Ok(None) => continue,
                Err(StateError::Obstacle { path, why }) => {
                    bundle.remark(path, format!("{why}; it is left out"));
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            if entry.is_some_and(|entry| entry.is_foreign(&file, &bytes)) {
                // The directory's owner must not decide what goes to another machine.
                if !is_own(&dir) {
                    return Err(BootstrapError::Edited {
                        path: format!("{name}/{file}"),
                        shown: path.display().to_string(),
                        edit: Edit::ByHand {
                            diff: String::new(),
                            added: Vec::new(),
                        },
                    });
                }
                bundle.remark(path, "was edited by hand, and is packed as it is");
            }
            bound |= bytes
                .windows(here.len())
                .any(|text| text == here.as_bytes());
            bundle.files.push(Entry {
                mode: mode_of(&file),
                name: file,
                bytes: bytes.into(),
            });
        }
        if bundle.files.is_empty() {
            return Err(match bundle.remarks.is_empty() {
                true => unknown(),
                false => BootstrapError::damaged(&dir, "it contains no file written by kpki"),
            });
        }
        if !missing.is_empty() {
            let what = format!(
                "lacks {}, which kpki wrote there: kpki up POLICY writes what is missing again",
                missing.join(", ")
            );
            bundle.remark(dir.clone(), what);
        }
        if let Some(record) = record
            && let Some(revocation) = inventory.revocation(&record.serial)
        {
            let what = format!(
                "has a certificate that was revoked on {} ({}); for a good one: kpki {}",
                revocation.at.date(),
                revocation.reason,
                sign::undone_by(record, revocation)
            );
            bundle.remark(dir.clone(), what);
        }
        if bound {
            bundle.remark(dir, "is where its configuration expects the other files: for another machine, set install_dir in the policy, or --install-dir");
        }
        Ok(bundle)
    }

    fn remark(&mut self, path: PathBuf, what: impl Into<String>) {
        self.remarks.push((path, what.into()));
    }
}

/// The files that kpki wrote and that are no longer there, of the layouts that the identity has files of.
fn missing(name: &IdentityName, there: &[String], entry: Option<&WrittenEntry>) -> Vec<String> {
    let is_there = |file: &str| there.iter().any(|name| name == file);
    let is_recorded = |file: &str| entry.is_some_and(|entry| entry.is_recorded(file));
    let Ok(used) = files::used_layouts::<Infallible>(name, |file| Ok(is_there(file)), is_recorded);
    let all = used.iter().flat_map(FileNames::all);
    let missing: BTreeSet<&str> = all
        .filter(|file| is_recorded(file) && !is_there(file))
        .collect();
    missing.into_iter().map(str::to_owned).collect()
}
