//! `ca/owners.json`: which directories kpki gave to whom, as told by `owner:` or `--owner`.
//!
//! Another user's directory is only trusted if it is listed here: creating it first gives no right to a key.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Lock, OutDir, Owner, StateError, files};

const FILE: &str = "owners.json";
const VERSION: u8 = 1;

#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    v: u8,
    owners: BTreeMap<String, Owner>,
}

/// Who may own an identity's directory besides the caller.
#[derive(Debug, Default)]
pub struct Owners {
    /// The owner in this run's policy or command line, for every identity.
    said: Option<Owner>,
    given: BTreeMap<String, Owner>,
}

impl Owners {
    /// What was given before, and the owner for this run.
    pub fn read(out: &OutDir, said: Option<Owner>) -> Result<Self, StateError> {
        let path = out.ca_file(FILE);
        let Some(bytes) = files::read_record(&path)? else {
            return Ok(Self {
                said,
                ..Self::default()
            });
        };
        let damaged = |why: &str| StateError::obstacle(&path, why);
        let stored: Stored =
            serde_json::from_slice(&bytes).map_err(|_| damaged("is not a valid list of owners"))?;
        if stored.v != VERSION {
            return Err(damaged("was written by a newer version of kpki"));
        }
        Ok(Self {
            said,
            given: stored.owners,
        })
    }

    /// True if this user may own the directory of that name.
    pub fn may_own(&self, name: &str, uid: u32) -> bool {
        let given = self.given.get(name);
        uid == rustix::process::geteuid().as_raw()
            || self.said.iter().chain(given).any(|owner| owner.0 == uid)
    }

    /// The user that the directory of that name was given to.
    pub fn given(&self, name: &str) -> Option<Owner> {
        self.given.get(name).copied()
    }

    /// The owner for every identity in this run.
    pub fn said(&self) -> Option<Owner> {
        self.said
    }

    /// Records the new owner of these directories, before any is given away.
    pub fn record<'a>(
        &mut self,
        out: &OutDir,
        _lock: &Lock,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), StateError> {
        let Some(owner) = self.said else {
            return Ok(());
        };
        let mut changed = false;
        for name in names {
            changed |= self.given.insert(name.to_owned(), owner) != Some(owner);
        }
        if !changed {
            return Ok(());
        }
        let stored = Stored {
            v: VERSION,
            owners: std::mem::take(&mut self.given),
        };
        // Names and numbers always serialize.
        let text = serde_json::to_vec(&stored).unwrap_or_default();
        self.given = stored.owners;
        files::write_atomic(&out.ca_file(FILE), &text, files::SECRET, None)
    }
}
