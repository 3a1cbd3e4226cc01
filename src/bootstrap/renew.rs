//! A new certificate for an identity that is there, from what is there.

use rcgen::SigningKey;
use time::OffsetDateTime;

use super::{
    BootstrapError,
    ca::Ca,
    identity::{OnDisk, Wanted, enrol},
    random,
};
use crate::{
    config::{FileNames, LAYOUTS},
    keystore::StoreProfile,
    pki::{Authority, IdentityName, Kind},
    state::{Inventory, Lock, OutDir, Record, Staging, read_plain},
};

/// How identities are renewed.
#[derive(Debug, Clone, Copy)]
pub struct Renewal {
    /// Whether they get new keys.
    pub new_key: bool,
    /// Days that the new certificates are valid; `None`: as many as the old ones.
    pub days: Option<u32>,
    /// How stores are encoded; `None`: as they were.
    pub profile: Option<StoreProfile>,
    /// The time.
    pub now: OffsetDateTime,
}

/// One identity that is about to be renewed.
#[derive(Debug)]
pub struct Candidate {
    wanted: Wanted,
    /// The names under every layout that the identity has files of, with the profile of its store.
    layouts: Vec<(FileNames, StoreProfile)>,
    disk: OnDisk,
}

impl Candidate {
    /// Reads an identity: its hosts and kind of key from its certificate, what it is from the inventory.
    ///
    /// # Errors
    /// When there is none of that name, or it cannot be read.
    pub fn read(
        out: &OutDir,
        inventory: &Inventory,
        name: &IdentityName,
        renewal: Renewal,
    ) -> Result<Self, BootstrapError> {
        let unknown = || BootstrapError::Unknown {
            name: name.to_string(),
            out: out.root().display().to_string(),
        };
        let record = inventory
            .records()
            .iter()
            .rfind(|r| r.name == name.as_str())
            .ok_or_else(unknown)?;
        out.check_identity(name)?;
        let damaged = |reason: &str| BootstrapError::Damaged {
            file: out.identity(name).display().to_string(),
            reason: reason.to_owned(),
        };
        let mut layouts = Vec::new();
        for names in LAYOUTS.iter().map(|layout| layout.files(name.as_str())) {
            if let Some(store) = read_plain(&out.identity(name).join(&names.keystore))? {
                layouts.push((
                    names,
                    renewal.profile.unwrap_or_else(|| StoreProfile::of(&store)),
                ));
            }
        }
        let Some((names, _)) = layouts.first() else {
            return Err(if out.identity(name).exists() {
                damaged("it holds no key store")
            } else {
                unknown()
            });
        };
        let disk = OnDisk::read(out, name, names)?;
        let leaf = disk
            .certificate
            .as_ref()
            .ok_or_else(|| damaged("it holds no certificate"))?;
        let life = (leaf.not_after - leaf.not_before).whole_days();
        let wanted = Wanted {
            name: name.clone(),
            kind: record.kind,
            hosts: leaf.hosts.clone(),
            key: leaf.key.unwrap_or_default(),
            days: renewal
                .days
                .or(u32::try_from(life).ok())
                .unwrap_or(1)
                .max(1),
        };
        Ok(Self {
            wanted,
            layouts,
            disk,
        })
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        self.wanted.kind
    }
}

/// Signs anew for each candidate and replaces key store, PEM files and, with a new key, the key. Passwords and
/// paths stay. Returns the new certificates' records.
///
/// # Errors
/// When something cannot be signed or written; then nothing is replaced.
pub fn renew(
    out: &OutDir,
    lock: &Lock,
    inventory: &mut Inventory,
    ca: &Ca,
    authority: &Authority<impl SigningKey>,
    candidates: Vec<Candidate>,
    renewal: Renewal,
) -> Result<Vec<Record>, BootstrapError> {
    let mut records = Vec::new();
    let mut directories = Vec::new();
    for Candidate {
        wanted,
        layouts,
        disk,
    } in candidates
    {
        let kept = if renewal.new_key || !disk.belongs_together() {
            None
        } else {
            disk.key
        };
        let serial = random::serial(inventory)?;
        let made = enrol(
            &wanted,
            kept,
            disk.password,
            ca,
            authority,
            serial,
            renewal.now,
        )?;
        let mut files = Vec::new();
        for (names, profile) in &layouts {
            files.push(made.keystore(&wanted.name, names, *profile)?);
            files.extend(made.texts(names)?);
        }
        // Layouts share some of their names.
        files.sort_by(|a, b| a.name.cmp(&b.name));
        files.dedup_by(|a, b| a.name == b.name);
        directories.push((wanted.name.clone(), files));
        records.push(made.record(&wanted));
    }
    inventory.append(lock, records.clone())?;
    let staging = Staging::begin(out, lock, None)?;
    for (name, files) in &directories {
        staging.add(name.as_str(), files)?;
    }
    staging.commit()?;
    Ok(records)
}
