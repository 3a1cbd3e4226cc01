//! A new certificate for an identity that is there, from what the inventory says of the last one.
//!
//! What lies in the identity's directory may have been put there by whoever owns it: nothing of it is signed but a key
//! that was signed before.

use time::OffsetDateTime;

use super::{
    BootstrapError, changes,
    identity::{Applicant, OnDisk, enrol},
};
use crate::{
    issuer::Issuer,
    keystore::StoreProfile,
    pki::{Certificate, Host, IdentityName, Kind, LeafSpec},
    policy::{FileNames, LAYOUTS},
    random,
    secret::{Secret, SecretBytes},
    state::{Inventory, Lock, OutDir, Owners, Record, Staging, read_plain},
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
    leaf: LeafSpec,
    /// The names under every layout that the identity has files of, with the profile of its store.
    layouts: Vec<(FileNames, StoreProfile)>,
    /// The password of its stores.
    password: Option<Secret>,
    /// The key that it keeps.
    key: Option<SecretBytes>,
    /// Why it gets a new key although nobody asked for one.
    distrust: Option<String>,
    /// What the certificate that lies there names, of a broker, and the new one will not.
    lost_hosts: Vec<Host>,
}

impl Candidate {
    /// Reads an identity: what it is from the inventory; from its directory its password and, where it is the one that
    /// was signed for, its key.
    pub fn read(
        out: &OutDir,
        inventory: &Inventory,
        owners: &Owners,
        signer: &Certificate,
        name: &IdentityName,
        renewal: Renewal,
    ) -> Result<Self, BootstrapError> {
        let unknown = || BootstrapError::Unknown {
            name: name.to_string(),
            out: out.root().display().to_string(),
        };
        let record = inventory.latest(name.as_str()).ok_or_else(unknown)?;
        out.check_identity(name, owners)?;
        let damaged = |why: &str| BootstrapError::damaged(&out.identity(name), why);
        let mut layouts = Vec::new();
        for names in LAYOUTS.iter().map(|layout| layout.files(name.as_str())) {
            if let Some(store) = read_plain(&out.identity(name).join(&names.keystore))? {
                let profile = renewal.profile;
                layouts.push((names, profile.unwrap_or_else(|| StoreProfile::of(&store))));
            }
        }
        // Some layouts call their key stores the same, and its password tells them apart.
        let has_password = |names: &FileNames| {
            let file = read_plain(&out.identity(name).join(&names.password));
            file.ok().flatten().is_some()
        };
        if layouts.iter().any(|(names, _)| has_password(names)) {
            layouts.retain(|(names, _)| has_password(names));
        }
        let Some((names, _)) = layouts.first() else {
            return Err(if out.identity(name).exists() {
                damaged("it holds no key store")
            } else {
                unknown()
            });
        };
        let disk = OnDisk::read(out, name, names)?;
        let recorded = disk.is_recorded(record, signer);
        let hosts = record.sans.iter().map(|san| {
            Host::from_tagged(san)
                .ok_or_else(|| damaged(&format!("the inventory has `{san}` as a host of it")))
        });
        let life = (record.not_after - record.not_before).whole_days();
        // Lines of the first kpki do not say what kind of key it was.
        let theirs = disk.certificate.as_ref().filter(|_| recorded);
        let key = record.key.or(theirs.and_then(|c| c.key));
        let days = renewal.days.or(u32::try_from(life).ok());
        let leaf = LeafSpec {
            name: name.clone(),
            kind: record.kind,
            hosts: hosts.collect::<Result<_, _>>()?,
            key: key.unwrap_or_default(),
            days: days.unwrap_or(1).max(1),
        };
        let key = disk
            .kept_key(record, signer, leaf.key)
            .filter(|_| !renewal.new_key);
        let distrust = match (&key, recorded) {
            _ if renewal.new_key => None,
            (Some(_), true) => None,
            (Some(_), false) => Some(format!(
                "the certificate in {} is not the one that was signed last: hosts and lifetime are those of the inventory",
                out.identity(name).display()
            )),
            (None, _) => Some(format!(
                "the key in {} is not the one that was signed last: {name} gets a new key",
                out.identity(name).display()
            )),
        };
        let lost_hosts = match leaf.kind {
            Kind::Broker => changes::lost_hosts(&disk, &leaf.hosts),
            _ => Vec::new(),
        };
        Ok(Self {
            leaf,
            layouts,
            lost_hosts,
            password: disk.password,
            key,
            distrust,
        })
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        self.leaf.kind
    }

    /// Its name, and the hosts that a broker's new certificate no longer names: one that runs refuses such a one.
    pub fn lost_hosts(&self) -> Option<(&IdentityName, &[Host])> {
        let lost = !self.lost_hosts.is_empty();
        lost.then_some((&self.leaf.name, &self.lost_hosts[..]))
    }

    /// What was found in its directory that is not believed.
    pub fn distrust(&self) -> Option<&str> {
        self.distrust.as_deref()
    }
}

/// Has a new certificate signed for each candidate and replaces key store, PEM files and, with a new key, the key.
/// Passwords and paths stay. Returns the new certificates' records.
/// An identity that the issuer refuses keeps what it has.
pub fn renew(
    out: &OutDir,
    lock: &Lock,
    inventory: &mut Inventory,
    issuer: &dyn Issuer,
    candidates: &[Candidate],
    now: OffsetDateTime,
) -> Result<Vec<Record>, BootstrapError> {
    let staging = Staging::begin(out, lock, None)?;
    let mut applicants = Vec::new();
    for candidate in candidates {
        let files = candidate.layouts.iter();
        let files = files.flat_map(|(names, _)| names.of_certificate());
        staging.check(candidate.leaf.name.as_str(), files)?;
        applicants.push(Applicant {
            leaf: &candidate.leaf,
            key: candidate.key.clone(),
            password: match &candidate.password {
                Some(password) => password.clone(),
                None => random::password()?,
            },
        });
    }
    let answers = enrol(applicants, issuer, inventory, lock, now)?;
    let (mut records, mut refused) = (Vec::new(), None);
    for (Candidate { leaf, layouts, .. }, answer) in candidates.iter().zip(answers) {
        let made = match answer {
            Ok(made) => made,
            Err(error) => {
                refused.get_or_insert(error);
                continue;
            }
        };
        let mut files = Vec::new();
        for (names, profile) in layouts {
            files.push(made.keystore(&leaf.name, names, *profile)?);
            files.extend(made.texts(names)?);
        }
        // Layouts share some of their names.
        files.sort_by(|a, b| a.name.cmp(&b.name));
        files.dedup_by(|a, b| a.name == b.name);
        staging.add(leaf.name.as_str(), &files)?;
        records.extend(inventory.latest(leaf.name.as_str()).cloned());
    }
    staging.commit()?;
    match refused {
        Some(error) => Err(error.into()),
        None => Ok(records),
    }
}
