//! Compares one identity's files with the records and with each other.

use super::{FIX, Fault, FaultCode, RESTORE, barred};
use crate::{
    bootstrap::{
        BootstrapError,
        compare::holds,
        files::{holds_key, used_layouts},
        identity::{Credentials, OnDisk},
        member::FILES,
        trust::Trust,
    },
    config::STORAGE_ARGS,
    keystore::{StoreProfile, pem},
    pki::{Host, IdentityName, Kind},
    policy::{FileNames, LAYOUTS, Layout},
    shell::quote,
    state::{FileSpec, OutDir, Owners, Record, StateError, WrittenEntry, read_plain},
};

/// What is known about the identity.
pub(super) struct Examined<'a> {
    pub out: &'a OutDir,
    pub trust: &'a Trust,
    pub owners: &'a Owners,
    pub name: &'a IdentityName,
    pub record: Option<&'a Record>,
    pub entry: Option<&'a WrittenEntry>,
    /// The command that writes what the policy says.
    pub up: &'a str,
    /// Whether the policy describes it; `None` without a policy.
    pub is_member: Option<bool>,
    /// False if the password of the truststores is unknown.
    pub knows_password: bool,
}

impl Examined<'_> {
    pub fn faults(&self) -> Result<Vec<Fault>, BootstrapError> {
        let is_unrecorded = self.record.is_none() && holds_key(self.out, self.name);
        // A directory that only looks like one of kpki's: brokers' data directories are beside them.
        if self.record.is_none() && self.entry.is_none() && !is_unrecorded {
            return Ok(Vec::new());
        }
        if let Err(error) = self.out.check_identity(self.name, self.owners) {
            return Ok(vec![barred(Some(self.name.as_str()), &error)]);
        }
        let mut faults = Vec::new();
        let dir = self.out.identity(self.name);
        if is_unrecorded {
            let name = self.name.as_str();
            let (why, command) = match self.entry {
                Some(_) => ("so lines of the inventory were lost", RESTORE.to_owned()),
                None => ("and kpki did not write it", self.move_away()),
            };
            let from = dir.display();
            let message =
                format!("{from} contains a key, but the inventory has no record of {name}, {why}");
            return Ok(vec![self.fault(FaultCode::Inventory, message, command)]);
        }
        if let Some((uid, gid)) = self.owners.given(self.name.as_str())
            && !OutDir::is_owned(&dir, (uid, gid))
        {
            let command = format!("chown -R {uid}:{gid} {}", quote(&dir.display().to_string()));
            let message = format!(
                "{} should belong to {uid}:{gid}, but does not",
                dir.display()
            );
            faults.push(self.fault(FaultCode::Owner, message, command));
        }
        match self.examine(&mut faults) {
            // Something else in a file's place, put there by its owner.
            Err(BootstrapError::State(error @ StateError::Obstacle { .. })) => {
                faults.push(barred(Some(self.name.as_str()), &error));
            }
            examined => examined?,
        }
        Ok(faults)
    }

    fn examine(&self, faults: &mut Vec<Fault>) -> Result<(), BootstrapError> {
        let is_there = |file: &str| Ok::<_, BootstrapError>(self.file(file)?.is_some());
        for names in &used_layouts(self.name, is_there, |file| self.is_recorded(file))? {
            // If its key is elsewhere, its certificate may be as well.
            let here = |record: &&Record| !record.external;
            let has_store = self.file(&names.keystore)?.is_some();
            if let Some(record) = self.record.filter(|r| has_store || here(r)) {
                self.certificate(names, record, faults)?;
            }
            self.trusted(names, faults)?;
            for file in names.all() {
                if self.is_recorded(file)
                    && self.file(file)?.is_none()
                    && !faults.iter().any(|fault| fault.message.contains(file))
                {
                    faults.push(self.missing(names, file));
                }
            }
        }
        self.edited(faults)
    }

    /// Its certificate, key, password, and the stores that contain them.
    fn certificate(
        &self,
        names: &FileNames,
        record: &Record,
        faults: &mut Vec<Fault>,
    ) -> Result<(), BootstrapError> {
        let disk = match OnDisk::read(self.out, self.name, names) {
            Ok(disk) => disk,
            Err(error) => {
                faults.push(self.unreadable(names, error)?);
                return Ok(());
            }
        };
        if let Err(error) = disk.check_password(self.out, self.name, names) {
            faults.push(self.new_password(names, error.to_string())?);
            return Ok(());
        }
        let before = faults.len();
        if !disk.is_recorded(record, self.trust.signer()) {
            let what = format!(
                "is not the last certificate that was signed for {}",
                self.name
            );
            let message = self.wrong(&names.certificate, &what)?;
            faults.push(self.renewed(FaultCode::Certificate, names, message, "")?);
        } else if !disk.belongs_together() {
            // A key that never leaves its machine is not here, and neither is a keystore.
            if self.file(&names.keystore)?.is_none() && self.file(&names.key)?.is_none() {
                return Ok(());
            }
            let message = self.wrong(&names.key, "is not the certificate's key")?;
            faults.push(self.renewed(FaultCode::Key, names, message, "")?);
        }
        let password = self.file(&names.password)?;
        let foreign = |bytes: &[u8]| {
            self.entry
                .is_some_and(|entry| entry.is_foreign(&names.password, bytes))
        };
        if disk.password.is_none() || password.is_some_and(|bytes| foreign(&bytes)) {
            let message = self.wrong(&names.password, "is not the password that kpki wrote")?;
            let command = match self.has_keystore()? {
                true => format!("kpki renew {} && {}", self.name, self.up),
                false => self.up.to_owned(),
            };
            faults.push(self.made_again(FaultCode::Password, names, message, command));
        }
        match disk.credentials() {
            Some(credentials) if faults.len() == before => self.stores(names, credentials, faults),
            _ => Ok(()),
        }
    }

    /// A file that contains something else than its name says, and has to be moved away to be made again.
    fn unreadable(
        &self,
        names: &FileNames,
        error: BootstrapError,
    ) -> Result<Fault, BootstrapError> {
        let BootstrapError::Damaged { file, .. } = &error else {
            return Err(error);
        };
        let is = |name: &String| *file == self.path(name);
        if is(&names.password) {
            return self.new_password(names, error.to_string());
        }
        let code = match is(&names.key) {
            true => FaultCode::Key,
            false => FaultCode::Certificate,
        };
        let shown = quote(file);
        let before = format!("mv {shown} {shown}.old && ");
        self.renewed(code, names, error.to_string(), &before)
    }

    /// Repaired by a new password for its stores. The empty file still shows which layout it has.
    fn new_password(&self, names: &FileNames, message: String) -> Result<Fault, BootstrapError> {
        let path = self.path(&names.password);
        let renew = match self.has_keystore()? {
            true => format!("kpki renew {} && ", self.name),
            false => String::new(),
        };
        let command = format!(": > {} && {renew}{}", quote(&path), self.up);
        Ok(self.made_again(FaultCode::Password, names, message, command))
    }

    /// Repaired by a new certificate, after `before`.
    fn renewed(
        &self,
        code: FaultCode,
        names: &FileNames,
        message: String,
        before: &str,
    ) -> Result<Fault, BootstrapError> {
        if self.has_keystore()? {
            let command = format!("{before}kpki renew {}", self.name);
            return Ok(self.fault(code, message, command));
        }
        Ok(self.made_again(code, names, message, format!("{before}{}", self.up)))
    }

    /// Repaired by a command that needs the policy, if one describes the identity.
    fn made_again(
        &self,
        code: FaultCode,
        names: &FileNames,
        message: String,
        command: String,
    ) -> Fault {
        match (self.is_member, self.issue(names)) {
            (Some(true), _) | (_, None) => self.fault(code, message, command),
            (Some(false), Some(issue)) => self.fault(code, message, issue),
            (None, issue) => Fault {
                without_policy: issue,
                ..self.fault(code, message, command)
            },
        }
    }

    /// Issues it again with a new key, as far as it is on record with which options; `None` if its key is elsewhere.
    fn issue(&self, names: &FileNames) -> Option<String> {
        let record = self.record.filter(|record| !record.external)?;
        let mut command = format!("{} && kpki issue {}", self.move_away(), self.name);
        if record.kind == Kind::Client {
            command.push_str(" --client");
        }
        let hosts = record.sans.iter().filter_map(|san| Host::from_tagged(san));
        for host in hosts.map(|host| host.to_string()) {
            if host != self.name.as_str() {
                command.push_str(&format!(" --host {}", quote(&host)));
            }
        }
        let is = |layout: &&Layout| layout.files(self.name.as_str()).all().eq(names.all());
        let layout = LAYOUTS.iter().find(is);
        if let Some(layout) = layout.filter(|layout| **layout != Layout::DEFAULT) {
            command.push_str(&format!(" --layout {}", layout.name));
        }
        Some(command)
    }

    /// Moves its directory away. A hidden name is no identity's.
    fn move_away(&self) -> String {
        let aside = self.out.root().join(format!(".{}.old", self.name));
        let [from, to] =
            [&self.out.identity(self.name), &aside].map(|path| path.display().to_string());
        format!("mv {} {}", quote(&from), quote(&to))
    }

    /// Whether it can be renewed: that needs a keystore, in whatever layout.
    fn has_keystore(&self) -> Result<bool, BootstrapError> {
        for names in LAYOUTS.iter().map(|l| l.files(self.name.as_str())) {
            if self.file(&names.keystore)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The files made from key, certificate and password, which are right.
    fn stores(
        &self,
        names: &FileNames,
        mut credentials: Credentials,
        faults: &mut Vec<Fault>,
    ) -> Result<(), BootstrapError> {
        let trust = self.trust;
        if credentials.certificate.is_signed_by(trust.signer()) {
            let chain = trust.chain(&credentials.certificate);
            if chain != credentials.chain {
                let file = FileSpec::public(&names.certificate, pem::certificates(&chain));
                faults.push(self.repaired(
                    FaultCode::Store,
                    file,
                    "does not contain the CA's intermediates",
                )?);
                credentials.chain = chain;
            }
        }
        let store = self.file(&names.keystore)?;
        let profile = self.profile([&names.keystore, &names.truststore])?;
        let is_good = store.is_some_and(|store| {
            let made = self
                .entry
                .and_then(|entry| entry.made_from(&names.keystore, &store));
            made == Some(credentials.made_from(profile).as_str())
                || holds(&store, &credentials, profile)
        });
        if !is_good {
            let file = credentials.keystore(self.name, names, profile)?;
            let what = "cannot be opened with its password, or does not contain the key and its certificates";
            faults.push(self.repaired(FaultCode::Store, file, what)?);
        }
        let both = self.file(&names.pem)?;
        let same = both.is_some_and(|both| {
            pem::parse_certificates(&both).is_ok_and(|chain| chain == credentials.chain)
                && pem::parse_key(&both).is_ok_and(|key| **key == *credentials.key)
        });
        if !same {
            let [_, _, file, _] = credentials.texts(names)?;
            let what = "does not contain the key and its certificates";
            faults.push(self.repaired(FaultCode::Store, file, what)?);
        }
        if let Some(file) = &names.key_password {
            let file = FileSpec::password(file, &credentials.password);
            self.same(
                FaultCode::Password,
                file,
                "is not the key's password",
                faults,
            )?;
        }
        Ok(())
    }

    /// Its truststores.
    fn trusted(&self, names: &FileNames, faults: &mut Vec<Fault>) -> Result<(), BootstrapError> {
        let store = self.file(&names.truststore)?;
        if self.knows_password && (store.is_some() || self.is_recorded(&names.truststore)) {
            let profile = self.profile([&names.truststore, &names.keystore])?;
            if !store.is_some_and(|store| self.trust.is_in(&store)) {
                // The same bytes for every identity, if the CA has a copy.
                let store = match self.trust.kept_truststore(self.out, profile)? {
                    Some(kept) => kept,
                    None => self.trust.encode_truststore(profile)?,
                };
                let file = FileSpec::secret(&names.truststore, store);
                let what = "does not contain exactly the trusted CAs";
                faults.push(self.repaired(FaultCode::Truststore, file, what)?);
            }
        }
        let ca = self.file(&names.ca)?;
        if (ca.is_some() || self.is_recorded(&names.ca))
            && !ca.is_some_and(|ca| self.trust.is_pem_of(&ca))
        {
            let file = FileSpec::public(&names.ca, self.trust.trusted_pem());
            let what = "does not contain exactly the trusted CAs";
            faults.push(self.repaired(FaultCode::Truststore, file, what)?);
        }
        if let Some(file) = &names.truststore_password
            && self.knows_password
        {
            let file = FileSpec::password(file, &self.trust.truststore_password);
            let what = "is not the truststore's password";
            self.same(FaultCode::Truststore, file, what, faults)?;
        }
        Ok(())
    }

    /// Other files written by kpki that were changed.
    fn edited(&self, faults: &mut Vec<Fault>) -> Result<(), BootstrapError> {
        let Some(entry) = self.entry else {
            return Ok(());
        };
        let mut files = self.out.files(self.name);
        files.sort();
        for file in files {
            let is_text = [".properties", ".conf", ".yaml", ".json"]
                .iter()
                .any(|end| file.ends_with(end));
            let concerned = is_text || file == STORAGE_ARGS || FILES.contains(&file.as_str());
            if concerned
                && entry.is_recorded(&file)
                && let Some(bytes) = self.file(&file)?
                && entry.is_foreign(&file, &bytes)
            {
                let message = format!("{} is not as kpki wrote it", self.path(&file));
                // Passwords, and what was derived from them, are kept or made again without being asked.
                let overwrite = match FILES.contains(&file.as_str()) {
                    true => String::new(),
                    false => format!(" --overwrite {}", quote(&format!("{}/{file}", self.name))),
                };
                let command = format!("{}{overwrite}", self.up);
                faults.push(self.fault(FaultCode::Edited, message, command));
            }
        }
        Ok(())
    }

    /// A file that must have exactly these bytes, if it exists or was written.
    fn same(
        &self,
        code: FaultCode,
        file: FileSpec,
        what: &str,
        faults: &mut Vec<Fault>,
    ) -> Result<(), BootstrapError> {
        let there = self.file(&file.name)?;
        let wanted = there.is_some() || self.is_recorded(&file.name);
        if wanted && there.as_deref() != Some(&*file.bytes) {
            faults.push(self.repaired(code, file, what)?);
        }
        Ok(())
    }

    /// How its stores are encoded, according to the first of these that is a store.
    fn profile(&self, stores: [&str; 2]) -> Result<StoreProfile, BootstrapError> {
        const SEQUENCE: u8 = 0x30;
        for store in stores {
            if let Some(bytes) = self.file(store)?
                && bytes.first() == Some(&SEQUENCE)
            {
                return Ok(StoreProfile::of(&bytes));
            }
        }
        Ok(StoreProfile::default())
    }

    fn missing(&self, names: &FileNames, file: &str) -> Fault {
        let message = format!("{} is missing", self.path(file));
        self.made_again(FaultCode::Missing, names, message, self.up.to_owned())
    }

    fn repaired(
        &self,
        code: FaultCode,
        file: FileSpec,
        what: &str,
    ) -> Result<Fault, BootstrapError> {
        let message = self.wrong(&file.name, what)?;
        let fault = self.fault(code, message, FIX.to_owned());
        Ok(fault.repaired_by(vec![file]))
    }

    /// What is wrong with a file, which may also just not be there.
    fn wrong(&self, file: &str, what: &str) -> Result<String, BootstrapError> {
        let is_there = self.file(file)?.is_some();
        let what = if is_there { what } else { "is missing" };
        Ok(format!("{} {what}", self.path(file)))
    }

    fn fault(&self, code: FaultCode, message: String, command: String) -> Fault {
        Fault::new(code, Some(self.name.as_str()), message, command)
    }

    fn path(&self, file: &str) -> String {
        let path = self.out.identity(self.name).join(file);
        path.display().to_string()
    }

    fn file(&self, file: &str) -> Result<Option<Vec<u8>>, BootstrapError> {
        Ok(read_plain(&self.out.identity(self.name).join(file))?)
    }

    fn is_recorded(&self, file: &str) -> bool {
        self.entry.is_some_and(|entry| entry.is_recorded(file))
    }
}
