//! Whether the output directory is consistent: inventory, files, stores, modes and, if there is one, the policy.
//!
//! What can be made again from verified data gets a repair: an identity's key and certificate must match and be the
//! recorded ones.

mod identity;
mod inventory;
mod rotation;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use rayon::prelude::*;
use time::OffsetDateTime;

use super::{
    BootstrapError, backup,
    ca::{Ca, CaError, TRUSTSTORE_PASSWORD},
    context::Context,
    lists::{self, Trouble},
    member::Member,
    plan::plan,
    restore,
    trust::{Trust, truststore_name},
};
use crate::{
    code::codes,
    deeds::did,
    issuer::{IssuerError, local},
    keystore::StoreProfile,
    pki::{IdentityName, Kind, SealError},
    plan::Action,
    secret::Secret,
    shell::quote,
    state::{
        Event, FileSpec, Inventory, Lock, OutDir, Owners, Staging, StateError, Written,
        read_journal, read_record,
    },
};

codes! {
/// What kind of fault it is. Codes do not change.
pub enum FaultCode {
    Ca = "ca", "the CA, or a record that kpki relies on, cannot be used";
    CaKey = "ca-key", "the CA's key cannot be opened, or does not match its certificate";
    Crl = "crl", "the CRL is missing, expired or damaged, or lacks a revoked certificate";
    Certificate = "certificate", "an identity's certificate is missing, or is not the last one that was signed";
    Edited = "edited", "a file is not as kpki wrote it";
    Key = "key", "an identity's key is missing, or does not match its certificate";
    Leftover = "leftover", "an interrupted command left something behind";
    Missing = "missing", "a file that kpki wrote is missing";
    Mode = "mode", "other users can read or change something";
    Owner = "owner", "a directory has the wrong owner";
    Password = "password", "the password of an identity's stores is missing, or is not the one that kpki wrote";
    Inventory = "inventory", "the inventory lacks what other files prove was in it, or contains what kpki does not write";
    Journal = "journal", "the journal cannot be read";
    Policy = "policy", "the files do not match the policy";
    Rotation = "rotation", "the CA rotation does not match its record, or a certificate was signed by a CA that does not sign now";
    Store = "store", "a keystore, or its PEM equivalent, does not contain the key and its certificates";
    Truststore = "truststore", "a truststore or `ca.crt` does not contain exactly the trusted CAs";
}
}

/// An inconsistency.
#[derive(Debug)]
pub struct Fault {
    /// What kind of fault it is.
    pub code: FaultCode,
    /// The identity; `None`: the CA, or the whole directory.
    pub name: Option<String>,
    /// What is affected, and what is wrong with it.
    pub message: String,
    /// What repairs it.
    pub command: String,
    /// What repairs it if no policy describes the identity, where that is unknown.
    pub without_policy: Option<String>,
    /// The files as they should be, if that is known.
    files: Vec<FileSpec>,
    /// A line that the inventory lacks.
    event: Option<Event>,
}

/// The command for everything that can be repaired without the CA's key.
const FIX: &str = "kpki doctor --fix";
/// The command for a CA that cannot be repaired.
const RESTORE: &str = "kpki restore FILE";

/// The command for one file of a CA whose inventory is right, and perhaps newer than the backup.
fn from_backup(file: &Path) -> String {
    let [restore, copy] = backup::one_file(file);
    format!("{restore} && {copy}")
}

/// The command for a CA that cannot be read.
fn cure(out: &OutDir, error: &BootstrapError) -> String {
    match error {
        BootstrapError::Ca(CaError::Waiting(_)) => "kpki init-ca --install-cert FILE".to_owned(),
        BootstrapError::Ca(CaError::Incomplete { file, .. }) if *file != Inventory::FILE => {
            from_backup(&out.ca_file(file))
        }
        BootstrapError::Ca(CaError::Damaged { file, .. }) => from_backup(Path::new(file)),
        BootstrapError::Issuer(IssuerError::Sealed { path, .. }) => from_backup(path),
        _ => RESTORE.to_owned(),
    }
}

impl Fault {
    fn new(
        code: FaultCode,
        name: Option<&str>,
        message: impl Into<String>,
        command: impl Into<String>,
    ) -> Self {
        Self {
            code,
            name: name.map(str::to_owned),
            message: message.into(),
            command: command.into(),
            without_policy: None,
            files: Vec::new(),
            event: None,
        }
    }

    fn repaired_by(self, files: Vec<FileSpec>) -> Self {
        Self { files, ..self }
    }

    fn recorded_by(self, event: Event) -> Self {
        let event = Some(event);
        Self { event, ..self }
    }

    /// The same fault, wherever it was found.
    pub fn is(&self, other: &Self) -> bool {
        (self.code.name(), &self.name, &self.message)
            == (other.code.name(), &other.name, &other.message)
    }
}

/// What is checked, and against what.
#[derive(Debug, Clone, Copy)]
pub struct Doctor<'a> {
    /// The output directory.
    pub out: &'a OutDir,
    /// The policy, with the rest of the context of a `kpki up` run.
    pub context: Option<Context<'a>>,
    /// The policy's path, for the commands; without one, the word that stands for it.
    pub policy: &'a str,
    /// The time.
    pub now: OffsetDateTime,
    /// The CA passphrase, if it was given.
    pub passphrase: Option<&'a Secret>,
}

impl Doctor<'_> {
    /// All faults, those of the CA first. Nothing is written.
    ///
    /// # Errors
    /// If the directory cannot be read.
    pub fn examine(&self) -> Result<Vec<Fault>, BootstrapError> {
        let mut faults = Vec::new();
        match self.look(&mut faults) {
            // Something else in the place of a file of the CA.
            Err(BootstrapError::State(error @ StateError::Obstacle { .. })) => {
                faults.push(barred(None, &error));
            }
            looked => looked?,
        }
        Ok(faults)
    }

    fn look(&self, faults: &mut Vec<Fault>) -> Result<(), BootstrapError> {
        if !self.surroundings(faults)? {
            return Ok(());
        }
        let Some((mut ca, inventory, written, owners)) = self.records(faults) else {
            return Ok(());
        };
        let knows_password = self.truststore_password(&mut ca.trust, &inventory, faults)?;
        let before = faults.len();
        self.rotation(&ca, &inventory, faults)?;
        if faults.len() > before {
            // Everything else depends on which CAs are trusted.
            return Ok(());
        }
        self.inventory(&ca, &inventory, faults)?;
        if faults.len() > before {
            // So does everything else on what was signed and revoked.
            return Ok(());
        }
        self.authority(&ca, &inventory, faults)?;
        if knows_password {
            self.truststores(&ca.trust, faults)?;
        }
        self.leaves(&ca, &inventory, faults)?;
        let names = self.names(&inventory)?;
        let members = self.context.map(|context| Member::all(context.policy));
        let members = members.map(|all| all.into_iter().map(Member::name));
        let members: Option<BTreeSet<&IdentityName>> = members.map(Iterator::collect);
        let examined: Vec<Vec<Fault>> = names
            .par_iter()
            .map(|name| {
                let mut found = self.modes_of(name)?;
                let file = identity::Examined {
                    out: self.out,
                    trust: &ca.trust,
                    owners: &owners,
                    name,
                    record: inventory.latest(name.as_str()),
                    entry: written.of(name.as_str()),
                    up: &self.up(),
                    is_member: members.as_ref().map(|all| all.contains(name)),
                    knows_password,
                };
                found.extend(file.faults()?);
                Ok(found)
            })
            .collect::<Result<_, BootstrapError>>()?;
        faults.extend(examined.into_iter().flatten());
        if faults.is_empty() {
            // A policy cannot be compared with files that are not as they were written.
            faults.extend(self.wanted(&ca.trust));
        }
        Ok(())
    }

    /// False if the truststores cannot be opened because their password was changed, and nothing else here has it. If
    /// an identity's configuration has it, everything else is compared with that.
    fn truststore_password(
        &self,
        trust: &mut Trust,
        inventory: &Inventory,
        faults: &mut Vec<Fault>,
    ) -> Result<bool, BootstrapError> {
        if !restore::is_foreign(self.out)? {
            return Ok(true);
        }
        let file = self.out.ca_file(TRUSTSTORE_PASSWORD);
        let known = restore::known_password(self.out, inventory)?;
        let message = CaError::ForeignPassword(file.display().to_string()).to_string();
        let command = match &known {
            Some(_) => FIX.to_owned(),
            None => from_backup(&file),
        };
        faults.push(Fault::new(FaultCode::Ca, None, message, command));
        Ok(match known {
            Some(password) => {
                trust.truststore_password = password;
                true
            }
            None => false,
        })
    }

    /// Unfinished work, and access of other users to what is here. False if nothing else can be relied on.
    fn surroundings(&self, faults: &mut Vec<Fault>) -> Result<bool, BootstrapError> {
        let leftovers = self.out.leftovers()?;
        for path in leftovers.ours {
            let message = format!("{} was left by an interrupted command", path.display());
            faults.push(Fault::new(FaultCode::Leftover, None, message, FIX));
        }
        for (path, what) in leftovers.foreign {
            let command = format!("rm -r {}", quote(&path.display().to_string()));
            let message = format!("{} {what}", path.display());
            faults.push(Fault::new(FaultCode::Leftover, None, message, command));
        }
        let sound = self.out.check().and_then(|()| self.out.check_ca_links());
        match sound.and_then(|()| self.out.loose()) {
            Ok(loose) => faults.extend(loose.iter().map(|path| open(None, path))),
            Err(error) => {
                faults.push(barred(None, &error));
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn modes_of(&self, name: &IdentityName) -> Result<Vec<Fault>, BootstrapError> {
        let loose = self.out.loose_identity(name, |file| {
            super::files::known_names(name).contains(file) || file.ends_with(".next")
        })?;
        Ok(loose
            .iter()
            .map(|path| open(Some(name.as_str()), path))
            .collect())
    }

    /// What everything else is compared with; `None` if a part of it cannot be used.
    fn records(&self, faults: &mut Vec<Fault>) -> Option<(Ca, Inventory, Written, Owners)> {
        let away = |path: &Path| {
            let path = path.display().to_string();
            format!("mv {0} {0}.old", quote(&path))
        };
        if let Err(error) = read_journal(self.out) {
            let command = away(&self.out.ca_file("journal.jsonl"));
            faults.push(Fault::new(
                FaultCode::Journal,
                None,
                error.to_string(),
                command,
            ));
        }
        let mut lost = |error: BootstrapError, command: &str| {
            faults.push(match &error {
                BootstrapError::State(error @ StateError::Obstacle { .. }) => barred(None, error),
                _ => Fault::new(FaultCode::Ca, None, error.to_string(), command),
            });
        };
        let written_away = away(&self.out.root().join("written.jsonl"));
        let ca = Ca::open(self.out).map_err(|e| {
            let command = cure(self.out, &e);
            lost(e, &command);
        });
        let ca = ca.ok();
        let inventory = Inventory::read(self.out);
        let inventory = inventory.map_err(|e| lost(e.into(), RESTORE)).ok();
        let owners = Owners::read(self.out, None);
        let owners = owners.map_err(|e| lost(e.into(), RESTORE)).ok();
        let written = Written::read(self.out);
        let written = written.map_err(|e| lost(e.into(), &written_away)).ok();
        Some((ca?, inventory?, written?, owners?))
    }

    fn authority(
        &self,
        ca: &Ca,
        inventory: &Inventory,
        faults: &mut Vec<Fault>,
    ) -> Result<(), BootstrapError> {
        let (root, signer) = (&ca.trust.root, ca.trust.signer());
        let own = inventory.records().iter();
        let mut own = own.filter(|r| r.kind == Kind::Ca).peekable();
        // An external CA has its own records.
        if own.peek().is_some() && !own.any(|r| r.is_of(root, root) || r.is_of(signer, root)) {
            let message = format!(
                "{} is not the CA certificate on record",
                self.out.ca_file("ca.crt").display()
            );
            let command = from_backup(&self.out.ca_file("ca.crt"));
            faults.push(Fault::new(FaultCode::Ca, None, message, command));
        }
        // The passphrase is not asked for: without it, only the format is checked, which has been done.
        if self.out.ca_file(local::KEY).exists()
            && (self.passphrase.is_some() || ca.issuer.wanted().is_none())
            && let Err(error) = ca.open_issuer(self.passphrase)
        {
            faults.push(locked(&error));
        }
        let lists = lists::examine(self.out, &ca.trust, inventory, self.now)?;
        if let Some(Trouble::Fault(message, _)) = lists {
            faults.push(Fault::new(FaultCode::Crl, None, message, "kpki crl"));
        }
        Ok(())
    }

    /// The CA's own copies of the truststores.
    fn truststores(&self, trust: &Trust, faults: &mut Vec<Fault>) -> Result<(), BootstrapError> {
        for profile in [StoreProfile::Jdk, StoreProfile::Legacy] {
            let path = self.out.ca_file(truststore_name(profile));
            let Some(store) = read_record(&path)? else {
                continue;
            };
            if !trust.is_in(&store) {
                let message = format!(
                    "{} does not contain exactly the trusted CAs",
                    path.display()
                );
                let store = trust.encode_truststore(profile)?;
                let file = FileSpec::secret(truststore_name(profile), store);
                let fault = Fault::new(FaultCode::Truststore, None, message, FIX);
                faults.push(fault.repaired_by(vec![file]));
            }
        }
        Ok(())
    }

    /// The command that writes what the policy says.
    fn up(&self) -> String {
        format!("kpki up {}", quote(self.policy))
    }

    /// What `kpki up` would do.
    fn wanted(&self, trust: &Trust) -> Vec<Fault> {
        let Some(context) = self.context else {
            return Vec::new();
        };
        let command = self.up();
        let planned = match plan(context, trust) {
            Ok(planned) => planned,
            Err(errors) => {
                let errors = errors.0.into_iter();
                let fault = |error: BootstrapError| {
                    Fault::new(FaultCode::Policy, None, error.to_string(), command.clone())
                };
                return errors.map(fault).collect();
            }
        };
        let steps = planned.steps.iter();
        let steps = steps.filter(|step| step.action != Action::Keep);
        let fault = |step: &super::step::Step<'_>| {
            let name = step.member.name().as_str();
            let files: Vec<&str> = step.changes.iter().map(|c| c.file.as_str()).collect();
            let message = format!(
                "{} does not match the policy: {}",
                self.out.identity(step.member.name()).display(),
                match (&step.reason, files.is_empty()) {
                    (Some(reason), _) => reason.clone(),
                    (None, false) => files.join(", "),
                    (None, true) => "it is missing".to_owned(),
                }
            );
            Fault::new(FaultCode::Policy, Some(name), message, command.clone())
        };
        steps.map(fault).collect()
    }

    /// Repairs what it can of these faults, under the lock, after interrupted work was completed.
    pub fn repair(&self, lock: &Lock, faults: &[Fault]) -> Result<(), BootstrapError> {
        let names: Vec<IdentityName> = self.out.identities()?;
        // If that is refused, the fault remains and says what to do.
        let _ = self.out.mend();
        for name in &names {
            self.out.mend_identity(name, |file| {
                super::files::known_names(name).contains(file) || file.ends_with(".next")
            })?;
        }
        let events: Vec<Event> = faults.iter().filter_map(|f| f.event.clone()).collect();
        if !events.is_empty() {
            Inventory::read(self.out)?.append_events(lock, events)?;
        }
        let mut files: BTreeMap<String, Vec<FileSpec>> = BTreeMap::new();
        for fault in faults {
            for file in &fault.files {
                let name = fault.name.clone().unwrap_or_else(|| "ca".to_owned());
                let files = files.entry(name).or_default();
                // Some names are the same in several layouts.
                if files.iter().all(|known| known.name != file.name) {
                    files.push(file.clone());
                }
            }
        }
        if files.is_empty() {
            return Ok(());
        }
        let staging = Staging::begin(self.out, lock, None)?;
        for (name, files) in &files {
            staging.add(name, files)?;
            did("repaired", name);
        }
        Ok(staging.commit()?)
    }
}

/// A key that cannot be opened.
fn locked(error: &IssuerError) -> Fault {
    let message = error.to_string();
    match error {
        IssuerError::Sealed {
            source: SealError::WrongPassphrase,
            ..
        } => {
            let message = format!(
                "{message}: try again; only if it is the right one, the file was changed, and a backup is needed"
            );
            Fault::new(FaultCode::CaKey, None, message, "kpki doctor")
        }
        IssuerError::Sealed { path, .. } => {
            Fault::new(FaultCode::CaKey, None, message, from_backup(path))
        }
        _ => Fault::new(FaultCode::CaKey, None, message, RESTORE),
    }
}

fn open(name: Option<&str>, path: &Path) -> Fault {
    let message = format!("{} can be read or changed by other users", path.display());
    Fault::new(FaultCode::Mode, name, message, FIX)
}

/// What cannot be checked because another user could have put it there.
fn barred(name: Option<&str>, error: &StateError) -> Fault {
    let (code, command) = match error {
        StateError::Foreign { path, .. } => (
            FaultCode::Owner,
            format!(
                "chown -R \"$(id -u)\" {}",
                quote(&path.display().to_string())
            ),
        ),
        StateError::Writable { path, .. } => (
            FaultCode::Mode,
            format!("chmod go-w {}", quote(&path.display().to_string())),
        ),
        StateError::Obstacle { path, .. } => {
            let shown = path.display().to_string();
            let shown = quote(&shown);
            let command = match path.is_symlink() {
                // Only the link: what it leads to stays.
                true => format!("rm {shown}"),
                false => format!("mv {shown} {shown}.old"),
            };
            (FaultCode::Owner, command)
        }
        _ => (FaultCode::Owner, "ls -l".to_owned()),
    };
    Fault::new(code, name, error.to_string(), command)
}
