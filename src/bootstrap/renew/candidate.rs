//! An identity that is about to be renewed: its attributes from the inventory, its password and key from its directory.

use time::Duration;

use super::Renewal;
use crate::{
    bootstrap::{
        BootstrapError,
        changes::{self, Needs},
        files,
        identity::{Applicant, Credentials, OnDisk},
        revoke,
    },
    keystore::StoreProfile,
    pki::{Certificate, Host, IdentityName, Kind, LEAF_DAYS, LeafSpec},
    policy::{FileNames, LAYOUTS},
    printable::Name,
    random,
    secret::{Secret, SecretBytes},
    state::{FileSpec, Inventory, OutDir, Owners, Record, read_plain},
};

/// One identity that is about to be renewed.
#[derive(Debug)]
pub struct Candidate {
    leaf: LeafSpec,
    /// The file names in every layout that the identity has files of, with the profile of its store.
    layouts: Vec<(FileNames, StoreProfile)>,
    /// The password of its stores.
    password: Option<Secret>,
    /// The key that it keeps.
    key: Option<SecretBytes>,
    /// Why it gets a new key although none was requested.
    distrust: Option<String>,
    /// For a broker: hosts in the existing certificate that the new one will lack.
    lost_hosts: Vec<Host>,
    /// For a broker: the subject of the existing certificate, if the new one has another.
    old_subject: Option<Name>,
    /// What its reader must do.
    pub needs: Needs,
}

impl Candidate {
    /// Reads an identity: its attributes from the inventory; from its directory its password and, if it is the one that
    /// was signed, its key.
    pub fn read(
        out: &OutDir,
        inventory: &Inventory,
        owners: &Owners,
        signer: &Certificate,
        name: &IdentityName,
        renewal: &Renewal,
    ) -> Result<Self, BootstrapError> {
        let unknown =
            || match inventory.latest(name.as_str()).is_none() && files::holds_key(out, name) {
                true => BootstrapError::no_record(out, name),
                false => BootstrapError::Unknown {
                    name: name.to_string(),
                    out: out.root().display().to_string(),
                },
            };
        let record = inventory.latest(name.as_str()).ok_or_else(unknown)?;
        revoke::check(inventory, name.as_str(), renewal.new_key)?;
        if record.external {
            return Err(BootstrapError::KeyElsewhere(record.clone().into()));
        }
        out.check_identity(name, owners)?;
        let damaged = |why: &str| BootstrapError::damaged(&out.identity(name), why);
        let mut layouts = Vec::new();
        for names in LAYOUTS.iter().map(|layout| layout.files(name.as_str())) {
            if let Some(store) = read_plain(&out.identity(name).join(&names.keystore))? {
                let profile = renewal.profile;
                layouts.push((names, profile.unwrap_or_else(|| StoreProfile::of(&store))));
            }
        }
        // Some layouts share the keystore's name; they are distinguished by the password file.
        let has_password = |names: &FileNames| {
            let file = read_plain(&out.identity(name).join(&names.password));
            file.ok().flatten().is_some()
        };
        if layouts.iter().any(|(names, _)| has_password(names)) {
            layouts.retain(|(names, _)| has_password(names));
        }
        let Some((names, _)) = layouts.first() else {
            return Err(if out.identity(name).exists() {
                damaged("it does not contain a keystore")
            } else {
                unknown()
            });
        };
        let disk = OnDisk::read(out, name, names)?;
        disk.check_password(out, name, names)?;
        let recorded = disk.is_recorded(record, signer);
        let hosts = record.sans.iter().map(|san| {
            Host::from_tagged(san)
                .ok_or_else(|| damaged(&format!("the inventory has the host `{san}` for it")))
        });
        let mut hosts = hosts.collect::<Result<Vec<_>, _>>()?;
        for host in &renewal.hosts {
            signer.check_permitted(host, record.kind)?;
            if !hosts.contains(host) {
                hosts.push(host.clone());
            }
        }
        // The end of its CA is no wish for a short life: the next CA may live longer.
        let is_cut = |ca: &Record| {
            ca.subject == record.issuer && ca.not_after - record.not_after < Duration::DAY
        };
        let life = match inventory.authorities().any(is_cut) {
            true => LEAF_DAYS.into(),
            false => (record.not_after - record.not_before).whole_days(),
        };
        // Lines of the first kpki do not contain the key algorithm.
        let theirs = disk.certificate.as_ref().filter(|_| recorded);
        let key = record.key.or(theirs.and_then(|c| c.key));
        let days = renewal.days.or(u32::try_from(life).ok());
        let leaf = LeafSpec {
            name: name.clone(),
            kind: record.kind,
            hosts,
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
                "the certificate in {} is not the last one that was signed: hosts and validity are taken from the inventory",
                out.identity(name).display()
            )),
            (None, _) => Some(format!(
                "the key in {} is not the last one that was signed: {name} gets a new key",
                out.identity(name).display()
            )),
        };
        let runs_on = disk
            .certificate
            .as_ref()
            .filter(|_| leaf.kind == Kind::Broker);
        let old_subject = runs_on.map(|old| old.subject.clone());
        let old_subject = old_subject.filter(|old| *old != format!("CN={name}"));
        // Nobody can connect to a broker with an expired certificate to make it reload.
        let stays = runs_on
            .is_some_and(|old| old.is_issued_by(signer) && old.not_after > renewal.now)
            && old_subject.is_none();
        let needs = match leaf.kind {
            Kind::Broker if !files::is_controller_alone(out, name)? => {
                changes::certificate_needs(&disk, &leaf.hosts, stays)
            }
            _ => Needs::Restart,
        };
        Ok(Self {
            lost_hosts: match runs_on {
                Some(_) => changes::lost_hosts(&disk, &leaf.hosts),
                None => Vec::new(),
            },
            old_subject,
            needs,
            leaf,
            layouts,
            password: disk.password,
            key,
            distrust,
        })
    }

    /// Who it is.
    pub fn name(&self) -> &IdentityName {
        &self.leaf.name
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        self.leaf.kind
    }

    /// The hosts that a broker's new certificate no longer names: a running broker refuses such a certificate.
    pub fn lost_hosts(&self) -> &[Host] {
        &self.lost_hosts
    }

    /// The subject of a broker's existing certificate, if it changes: a running broker refuses such a certificate.
    pub fn old_subject(&self) -> Option<&Name> {
        self.old_subject.as_ref()
    }

    /// What was found in its directory and is not trusted.
    pub fn distrust(&self) -> Option<&str> {
        self.distrust.as_deref()
    }

    /// Its request to the issuer.
    pub(super) fn applicant(&self) -> Result<Applicant<'_>, BootstrapError> {
        Ok(Applicant {
            leaf: &self.leaf,
            key: self.key.clone(),
            password: match &self.password {
                Some(password) => password.clone(),
                None => random::password()?,
            },
        })
    }

    /// The names of the files that a new certificate changes.
    pub(super) fn file_names(&self) -> impl Iterator<Item = &str> {
        let layouts = self.layouts.iter();
        layouts.flat_map(|(names, _)| names.of_certificate())
    }

    /// The files of a new certificate, in each layout that the identity has files of.
    pub(super) fn files(&self, credentials: &Credentials) -> Result<Vec<FileSpec>, BootstrapError> {
        let mut files = Vec::new();
        for (names, profile) in &self.layouts {
            files.push(credentials.keystore(&self.leaf.name, names, *profile)?);
            files.extend(credentials.texts(names)?);
        }
        // Some names are the same in several layouts.
        files.sort_by(|a, b| a.name.cmp(&b.name));
        files.dedup_by(|a, b| a.name == b.name);
        Ok(files)
    }
}
