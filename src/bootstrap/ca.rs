//! The CA on disk: created once, opened with its passphrase.

use std::path::PathBuf;

use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::{
    BootstrapError, Cause,
    slot::{CERTIFICATE, INTERMEDIATE, Names, Slot},
    trust::{Lineage, Trust, truststore_name},
};
use crate::{
    issuer::{
        Closed, Issuer, IssuerError, Opened,
        local::{self, CaSpec, NewCa},
        pkcs11,
    },
    keystore::{StoreProfile, pem},
    pki::{Certificate, KeyProtection},
    policy::IssuerSettings,
    secret::{Secret, SecretBytes},
    state::{
        CA_REQUEST_KEY, FileSpec, Inventory, Lock, OutDir, Phase, Record, Rotation, Staging,
        StateError, read_record, write_atomic,
    },
};

/// The password of the truststore, shared by all identities like the store itself.
pub(super) const TRUSTSTORE_PASSWORD: &str = "truststore.password";

/// What is wrong with a CA on disk.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// There already is one.
    #[error("a CA already exists in {0}")]
    Exists(String),
    /// There is none.
    #[error("there is no CA in {0}")]
    Missing(String),
    /// There is only its key, and a pending certificate request.
    #[error("the CA in {0} has no certificate yet: its request is pending")]
    Waiting(String),
    /// No certificate was requested.
    #[error("there is no pending certificate request in {0}")]
    NoRequest(String),
    /// There is one, but a part of it is missing.
    #[error("the CA in {dir} is incomplete: {file} is missing")]
    Incomplete {
        /// The CA's directory.
        dir: String,
        /// What is missing.
        file: &'static str,
    },
    /// One of its certificates that cannot be read.
    #[error("{file} is damaged: {source}")]
    Damaged {
        /// The file.
        file: String,
        /// What is wrong with it.
        source: Cause,
    },
    /// A password of the truststores that was changed.
    #[error("{0} is not the password of the truststores")]
    ForeignPassword(String),
    /// The policy names a different issuer from the CA's.
    #[error("the issuer of the CA in {dir} is {is}, but the policy names {wanted}")]
    OtherIssuer {
        /// The CA's directory.
        dir: String,
        /// The current issuer.
        is: &'static str,
        /// The issuer in the policy.
        wanted: &'static str,
    },
    /// The signing key is not on this machine.
    #[error("the key of the CA in {0} is not on this machine: it is kept by {1}")]
    KeyElsewhere(String, &'static str),
    /// There is no intermediate, so the root key is the CA key.
    #[error("the CA in {0} has no intermediate, so there is no separate root key")]
    NoRootKey(String),
    /// The root key was taken off this machine.
    #[error("the root key is not on this machine: there is no {0}")]
    RootKeyAway(String),
}

/// Writes a new CA. It appears whole, with its inventory, or not at all. Returns its key opened, because key derivation
/// takes longer than everything else.
pub fn write(
    out: &OutDir,
    lock: &Lock,
    new: NewCa,
    trust: &Trust,
    protection: &KeyProtection,
) -> Result<Box<dyn Issuer>, BootstrapError> {
    if Ca::exists(out)? {
        return Err(CaError::Exists(out.ca().display().to_string()).into());
    }
    commit(
        out,
        lock,
        trust,
        &new.records(Rotation::FIRST),
        new.seal(protection)?,
    )?;
    Ok(new.into_issuer()?)
}

/// Writes what clients trust, the inventory of the new CA, and the files of its issuer.
pub(super) fn commit(
    out: &OutDir,
    lock: &Lock,
    trust: &Trust,
    records: &[Record],
    signs: Vec<FileSpec>,
) -> Result<(), BootstrapError> {
    let lines: String = records.iter().map(Record::to_line).collect();
    let pem = |all: &[Certificate]| {
        let ders: Vec<_> = all.iter().map(|c| c.der.clone()).collect();
        pem::certificates(&ders)
    };
    // First, so that not even an abandoned directory contains a key without its record.
    let mut files = vec![FileSpec::secret(Inventory::FILE, lines)];
    files.push(FileSpec::public(
        CERTIFICATE,
        pem(std::slice::from_ref(&trust.root)),
    ));
    if !trust.intermediates.is_empty() {
        files.push(FileSpec::public(INTERMEDIATE, pem(&trust.intermediates)));
    }
    files.extend(signs);
    let password = &trust.truststore_password;
    files.push(FileSpec::password(TRUSTSTORE_PASSWORD, password));
    let store = trust.encode_truststore(StoreProfile::Jdk)?;
    files.push(FileSpec::secret(truststore_name(StoreProfile::Jdk), store));
    let staging = Staging::begin(out, lock, None)?;
    staging.add("ca", &files)?;
    Ok(staging.commit()?)
}

/// The password in a file of one line.
pub(super) fn password_in(line: Vec<u8>) -> Secret {
    let line = Zeroizing::new(line);
    Secret::new(String::from_utf8_lossy(&line).trim_end().to_owned())
}

/// A CA as it is on disk, not yet opened for signing.
#[derive(Debug)]
pub struct Ca {
    dir: PathBuf,
    /// Its public part.
    pub trust: Trust,
    /// Its issuer.
    pub issuer: Closed,
}

impl Ca {
    /// True if there is a CA or any part of one, over which no new one is created.
    pub fn exists(out: &OutDir) -> Result<bool, StateError> {
        Ok(!out.is_ca_empty()?)
    }

    /// True where a certificate was asked for, and is not there yet.
    pub fn waits(out: &OutDir) -> bool {
        let there = |file| out.ca_file(file).exists();
        there(CA_REQUEST_KEY) && !there(Inventory::FILE)
    }

    /// Refuses an output directory that is unsafe, or does not contain a CA with its inventory.
    pub fn require(out: &OutDir) -> Result<(), BootstrapError> {
        let dir = out.ca().display().to_string();
        out.check()?;
        let file = Inventory::FILE;
        match Self::exists(out)? {
            false => Err(CaError::Missing(dir).into()),
            true if Self::waits(out) => Err(CaError::Waiting(dir).into()),
            true if !out.ca_file(file).exists() => Err(CaError::Incomplete { dir, file }.into()),
            true => Ok(()),
        }
    }

    /// Reads the CA without opening its issuer.
    pub fn open(out: &OutDir) -> Result<Self, BootstrapError> {
        let trust = Self::trust(out)?;
        let dir = out.ca();
        let issuer = Closed::read(out)?.ok_or_else(|| CaError::Incomplete {
            dir: dir.display().to_string(),
            file: local::KEY,
        })?;
        Ok(Self { dir, trust, issuer })
    }

    /// Reads the CA's public part, whether or not its key is here.
    pub fn trust(out: &OutDir) -> Result<Trust, BootstrapError> {
        let shown = out.ca().display().to_string();
        out.check()?;
        if !Self::exists(out)? {
            return Err(CaError::Missing(shown).into());
        }
        if Self::waits(out) {
            return Err(CaError::Waiting(shown).into());
        }
        let incomplete = |file| CaError::Incomplete {
            dir: shown.clone(),
            file,
        };
        let need = |file| -> Result<_, BootstrapError> {
            Ok(read_record(&out.ca_file(file))?.ok_or_else(|| incomplete(file))?)
        };
        let mut trusted = certificates(out, CERTIFICATE, &need(CERTIFICATE)?)?.into_iter();
        let root = trusted.next().ok_or_else(|| incomplete(CERTIFICATE))?;
        if !out.ca_file(Inventory::FILE).exists() {
            return Err(incomplete(Inventory::FILE).into());
        }
        let intermediates = match read_record(&out.ca_file(INTERMEDIATE))? {
            Some(bytes) => certificates(out, INTERMEDIATE, &bytes)?,
            None if out.ca_file(local::ROOT_KEY).exists() => {
                return Err(incomplete(INTERMEDIATE).into());
            }
            None => Vec::new(),
        };
        let standby = lineage(out, Slot::Standby)?;
        let Lineage {
            root,
            intermediates,
        } = Lineage::new(root, intermediates);
        let password = password_in(need(TRUSTSTORE_PASSWORD)?);
        if password.expose().is_empty() {
            return Err(incomplete(TRUSTSTORE_PASSWORD).into());
        }
        Ok(Trust {
            root,
            others: trusted.collect(),
            intermediates,
            standby,
            truststore_password: password,
        })
    }

    /// Fails if another process has changed the issuer or the trusted CAs since they were read.
    pub fn check_unchanged(&self, out: &OutDir, lock: &Lock) -> Result<(), BootstrapError> {
        self.issuer.check_unchanged(lock)?;
        match Self::trust(out)?.is_same(&self.trust) {
            true => Ok(()),
            false => Err(IssuerError::Changed(self.dir.clone()).into()),
        }
    }

    /// A part of it is missing.
    pub(super) fn incomplete(&self, file: &'static str) -> CaError {
        let dir = self.dir.display().to_string();
        CaError::Incomplete { dir, file }
    }

    /// The CA of an external issuer, of which nothing is on disk yet: the issuer is asked for its certificates.
    ///
    /// # Errors
    /// If it does not answer, or its chain does not lead to a root.
    pub fn elsewhere(out: &OutDir, settings: &IssuerSettings) -> Result<Self, BootstrapError> {
        let issuer = Closed::of(out, settings)?;
        let mut chain = issuer.authorities()?;
        let root = chain.pop();
        let root = root.ok_or_else(|| CaError::Missing(out.ca().display().to_string()))?;
        Ok(Self {
            dir: out.ca(),
            trust: Trust::of(root, chain)?,
            issuer,
        })
    }

    /// A new CA whose key is in a token, of which nothing is on disk yet.
    ///
    /// # Errors
    /// If the token cannot be used, or the CA's certificate cannot be made.
    pub fn in_token(
        out: &OutDir,
        issuer: Closed,
        spec: &CaSpec,
        pin: &Secret,
        now: OffsetDateTime,
    ) -> Result<Self, BootstrapError> {
        let root = pkcs11::make(&issuer, spec, pin, now)?;
        Ok(Self {
            dir: out.ca(),
            trust: Trust::of(root, Vec::new())?,
            issuer,
        })
    }

    /// Writes a CA of which nothing is on disk yet. It appears whole, with its inventory, or not at all.
    ///
    /// # Errors
    /// If there already is a CA, or it cannot be written.
    pub fn write(&self, out: &OutDir, lock: &Lock) -> Result<(), BootstrapError> {
        let Self { dir, trust, issuer } = self;
        if Self::exists(out)? {
            return Err(CaError::Exists(dir.display().to_string()).into());
        }
        let records = local::authorities(&trust.root, &trust.intermediates, Rotation::FIRST);
        commit(out, lock, trust, &records, issuer.files())
    }

    /// Applies the policy's current settings of the issuer: its address and kpki's credentials. The CA itself is
    /// unchanged.
    ///
    /// # Errors
    /// If the policy names another issuer.
    pub fn follow(
        &mut self,
        out: &OutDir,
        settings: &IssuerSettings,
    ) -> Result<(), BootstrapError> {
        let wanted = Closed::of(out, settings)?;
        if wanted.engine() != self.issuer.engine() {
            return Err(CaError::OtherIssuer {
                dir: self.dir.display().to_string(),
                is: self.issuer.engine(),
                wanted: wanted.engine(),
            }
            .into());
        }
        self.issuer = wanted;
        Ok(())
    }

    /// Writes the changed settings, if they are not on disk yet.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep_issuer(&self, out: &OutDir, lock: &Lock) -> Result<(), BootstrapError> {
        if self.issuer.check_unchanged(lock).is_ok() {
            return Ok(());
        }
        let FileSpec { name, bytes, .. } = self.issuer.file();
        Ok(write_atomic(&out.ca_file(&name), &bytes, 0o600, None)?)
    }

    /// Opens it for signing.
    pub fn open_issuer(&self, passphrase: Option<&Secret>) -> Opened {
        let Self { trust, issuer, .. } = self;
        issuer.open(trust.signer(), &trust.intermediates, passphrase)
    }

    /// A file with a sealed key: [`local::KEY`], or [`local::ROOT_KEY`], which is rarely needed if there is an
    /// intermediate.
    pub fn sealed(&self, file: &'static str) -> Result<(PathBuf, SecretBytes), BootstrapError> {
        let (dir, path) = (self.dir.display().to_string(), self.dir.join(file));
        match read_record(&path)? {
            Some(text) => Ok((path, text.into())),
            None if self.issuer.engine() != local::NAME => {
                Err(CaError::KeyElsewhere(dir, self.issuer.engine()).into())
            }
            None if file != local::ROOT_KEY => Err(CaError::Incomplete { dir, file }.into()),
            None if self.trust.intermediates.is_empty() => Err(CaError::NoRootKey(dir).into()),
            None => Err(CaError::RootKeyAway(path.display().to_string()).into()),
        }
    }
}

/// The certificates in a file of the CA.
fn certificates(out: &OutDir, file: &str, bytes: &[u8]) -> Result<Vec<Certificate>, CaError> {
    let damaged = |source: Cause| CaError::Damaged {
        file: out.ca_file(file).display().to_string(),
        source,
    };
    pem::parse_certificates(bytes)
        .map_err(|e| damaged(e.into()))?
        .iter()
        .map(|der| Certificate::from_der(der).map_err(|e| damaged(e.into())))
        .collect()
}

/// The certificates in the slot of a CA that does not sign, if there is one.
pub(super) fn lineage(out: &OutDir, slot: Slot) -> Result<Option<Lineage>, BootstrapError> {
    let Names {
        root: file,
        intermediate,
        ..
    } = slot.names();
    let read = |file: &str| match read_record(&out.ca_file(file))? {
        Some(bytes) => Ok::<_, BootstrapError>(certificates(out, file, &bytes)?),
        None => Ok(Vec::new()),
    };
    // A file of certificates has at least one.
    let root = read(&file)?.into_iter().next();
    let lineage = |root| Ok(Lineage::new(root, read(&intermediate)?));
    root.map(lineage).transpose()
}

/// The CA that a rotation has retired and not yet forgotten, if it was below the root that is still trusted: what it has
/// signed is trusted as well.
pub(super) fn retired(
    out: &OutDir,
    trust: &Trust,
) -> Result<Option<(Slot, Lineage)>, BootstrapError> {
    let rotation = Rotation::read(out)?.filter(|r| r.phase == Phase::Retiring);
    let slot = rotation.map(|rotation| Slot::Retired(rotation.from));
    let retired = slot.map(|slot| Ok::<_, BootstrapError>((slot, lineage(out, slot)?)));
    Ok(retired.transpose()?.and_then(|(slot, lineage)| {
        let lineage = lineage.filter(|lineage| lineage.root.der == trust.root.der)?;
        Some((slot, lineage))
    }))
}
