//! `ca/owners.json`: whom kpki has given which directory to, because `owner:` or `--owner` said so.
//!
//! A directory of another user is believed only where this says so: whoever made it first has no right to a key.

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
    /// What this run's policy or command line says, for every identity.
    said: Option<Owner>,
    given: BTreeMap<String, Owner>,
}

impl Owners {
    /// What was given before, and what is said now.
    pub fn read(out: &OutDir, said: Option<Owner>) -> Result<Self, StateError> {
        let path = out.ca_file(FILE);
        let Some(bytes) = files::read_optional(&path)? else {
            return Ok(Self {
                said,
                ..Self::default()
            });
        };
        let damaged = |why: &str| StateError::obstacle(&path, why);
        let stored: Stored = serde_json::from_slice(&bytes)
            .map_err(|_| damaged("does not say whom directories were given to"))?;
        if stored.v != VERSION {
            return Err(damaged("was written by a later kpki"));
        }
        Ok(Self {
            said,
            given: stored.owners,
        })
    }

    /// True where this user may own the directory of that name.
    pub fn may_own(&self, name: &str, uid: u32) -> bool {
        let given = self.given.get(name);
        uid == rustix::process::geteuid().as_raw()
            || self.said.iter().chain(given).any(|owner| owner.0 == uid)
    }

    /// Whom the directory of that name was given to.
    pub fn given(&self, name: &str) -> Option<Owner> {
        self.given.get(name).copied()
    }

    /// What is said for every identity.
    pub fn said(&self) -> Option<Owner> {
        self.said
    }

    /// Writes down that these directories are given to whom it is said, before any is.
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
