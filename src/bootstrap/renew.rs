//! A new certificate for an existing identity, based on the inventory's record of the last one.
//!
//! The files in the identity's directory may have been changed by its owner: nothing from there is signed, except a key
//! that was signed before.

use std::collections::{BTreeSet, HashSet};

use rayon::prelude::*;
use time::{Duration, OffsetDateTime};

use super::{
    BATCH, BootstrapError,
    changes::{self, Needs},
    files,
    identity::{Applicant, Credentials, OnDisk, enrol},
    revoke,
};
use crate::{
    issuer::{Issuer, IssuerError},
    keystore::StoreProfile,
    pki::{Certificate, Host, IdentityName, Kind, LEAF_DAYS, LeafSpec},
    policy::{FileNames, LAYOUTS, ValidatedPolicy},
    printable::Name,
    random,
    secret::{Secret, SecretBytes},
    state::{FileSpec, Inventory, Lock, OutDir, Owners, Record, Staging, Written, read_plain},
};

/// The first certificate of a name is due this long before it expires, however short its validity is. If it replaced
/// another one, the short validity is intended, and the next one would be due from its first day as well.
const SOON: Duration = Duration::days(30);

/// When a certificate is due, unless a policy says otherwise: in the last third of its validity, or tenth if it belongs
/// to a CA.
pub fn due(record: &Record, is_first: bool) -> OffsetDateTime {
    let part = match record.kind {
        Kind::Broker | Kind::Client => 3,
        Kind::Ca | Kind::Intermediate => 10,
    };
    let last: OffsetDateTime = record.not_after - (record.not_after - record.not_before) / part;
    match is_first {
        true => last.min(record.not_after - SOON),
        false => last,
    }
}

/// When the certificate of a policy's member is due. An external issuer may have granted less than requested, so that it
/// would be due from its first day.
pub fn due_by(
    policy: &ValidatedPolicy,
    not_before: OffsetDateTime,
    not_after: OffsetDateTime,
) -> OffsetDateTime {
    let early = Duration::days(policy.ca.renew_before_days.into());
    let life = not_after - not_before;
    match policy.ca.issuer {
        Some(_) if early >= life => not_after - life / 3,
        _ => not_after - early,
    }
}

/// The names with more than one certificate.
pub fn with_successors(inventory: &Inventory) -> HashSet<&str> {
    let mut seen = HashSet::new();
    let records = inventory.records().iter();
    let names = records.map(|record| record.name.as_str());
    names.filter(|name| !seen.insert(*name)).collect()
}

/// Identities that are renewed without being named.
#[derive(Debug, Default)]
pub struct Chosen {
    /// Those that are renewed.
    pub names: Vec<IdentityName>,
    /// Those that are due, but whose next certificates would expire at the same time: with the CA.
    pub bounded: Vec<IdentityName>,
    /// Those that need a new request, because their keys are elsewhere.
    pub external: Vec<IdentityName>,
    /// Those whose last certificates were revoked, which must be named explicitly.
    pub revoked: Vec<IdentityName>,
    /// Those that have no directory here.
    pub absent: Vec<IdentityName>,
    /// If nothing is due: the first that will be, and when.
    pub next: Option<(IdentityName, OffsetDateTime)>,
}

impl Chosen {
    /// All identities that have a directory and a certificate that is not revoked; if `now` is given, those that are
    /// due then.
    pub fn find(
        out: &OutDir,
        inventory: &Inventory,
        signer: &Certificate,
        now: Option<OffsetDateTime>,
    ) -> Result<Self, BootstrapError> {
        let mut chosen = Self::default();
        let there: BTreeSet<IdentityName> = out.identities()?.into_iter().collect();
        let followed = with_successors(inventory);
        for record in inventory.current() {
            let Ok(name) = record.name.parse::<IdentityName>() else {
                continue;
            };
            let is_revoked = inventory.revocation(&record.serial).is_some();
            let due = due(record, !followed.contains(name.as_str()));
            if !record.external && !there.contains(&name) {
                let is_wanted = now.is_none_or(|now| (due..record.not_after).contains(&now));
                if is_wanted && !is_revoked {
                    chosen.absent.push(name);
                }
                continue;
            }
            if is_revoked {
                chosen.revoked.push(name);
                continue;
            }
            if now.is_some_and(|now| due > now) {
                if chosen.next.as_ref().is_none_or(|(_, next)| due < *next) {
                    chosen.next = Some((name, due));
                }
            } else if now.is_some() && signer.not_after - record.not_after < Duration::DAY {
                chosen.bounded.push(name);
            } else if record.external {
                chosen.external.push(name);
            } else {
                chosen.names.push(name);
            }
        }
        chosen.names.sort();
        Ok(chosen)
    }
}

/// How identities are renewed.
#[derive(Debug, Clone)]
pub struct Renewal {
    /// Whether they get new keys.
    pub new_key: bool,
    /// Hosts for the new certificates besides those of the old ones.
    pub hosts: Vec<Host>,
    /// Validity of the new certificates in days; `None`: as before.
    pub days: Option<u32>,
    /// How stores are encoded; `None`: as before.
    pub profile: Option<StoreProfile>,
    /// The time.
    pub now: OffsetDateTime,
}

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
}

/// The outcome of a renewal.
#[derive(Debug, Default)]
pub struct Renewed {
    /// The new certificates' records.
    pub records: Vec<Record>,
    /// Those that the issuer refused: they keep what they have.
    pub refused: Vec<(IdentityName, IssuerError)>,
}

/// Has a new certificate signed for each candidate and replaces the keystore, PEM files and, if it is new, the key.
/// Passwords and paths stay. `progress` is called with the number of identities that are done; after a failure, those
/// remain done.
pub fn renew(
    out: &OutDir,
    lock: &Lock,
    inventory: &mut Inventory,
    issuer: &dyn Issuer,
    candidates: &[Candidate],
    now: OffsetDateTime,
    progress: &dyn Fn(usize),
) -> Result<Renewed, BootstrapError> {
    let mut renewed = Renewed::default();
    for batch in candidates.chunks(BATCH) {
        let staging = Staging::begin(out, lock, None)?;
        let mut applicants = Vec::new();
        for candidate in batch {
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
        let (mut made, mut refused) = (Vec::new(), Vec::new());
        for (candidate, answer) in batch.iter().zip(answers) {
            match answer {
                Ok(credentials) => made.push((candidate, credentials)),
                Err(error) => refused.push((candidate.leaf.name.clone(), error)),
            }
        }
        let staged = made.par_iter().map(|(candidate, credentials)| {
            let name = &candidate.leaf.name;
            staging.add(name.as_str(), &candidate.files(credentials)?)?;
            Ok(())
        });
        staged.collect::<Result<(), BootstrapError>>()?;
        staging.commit()?;
        let names = made.iter().map(|(candidate, _)| candidate.name().as_str());
        let records = names.filter_map(|name| inventory.latest(name).cloned());
        renewed.records.extend(records);
        renewed.refused.extend(refused);
        progress(batch.len());
    }
    if Written::read(out).is_ok_and(|written| written.is_wasteful()) {
        Written::compact(out, lock)?;
    }
    Ok(renewed)
}

impl Candidate {
    /// The files of a new certificate, in each layout that the identity has files of.
    fn files(&self, credentials: &Credentials) -> Result<Vec<FileSpec>, BootstrapError> {
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
