//! Backup of the whole CA to one sealed file, and restoring it.

use std::{io, path::Path};

use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::{
    BootstrapError,
    archive::{self, Entry},
    ca::Ca,
    nodes::{CLUSTER_ID, keep_cluster_id, kept_cluster_id},
};
use crate::{
    config::is_cluster_id,
    deeds::did,
    pki::{SealError, SealedBackup},
    plan::count,
    random,
    secret::{Secret, SecretBytes},
    shell::quote,
    state::{
        FileSpec, History, Inventory, Lock, OutDir, Staging, is_ca_file, mode_of, read_journal,
    },
};

/// The journal's file: it is about this directory, and continues whatever is restored.
const JOURNAL: &str = "journal.jsonl";

/// Why a backup cannot be made or restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// It cannot be opened.
    #[error("{}", sealed(.0))]
    Sealed(#[from] SealError),
    /// It opens, but is not what kpki packs.
    #[error("the backup does not contain a CA: {0}")]
    Contents(String),
    /// The existing CA is newer.
    #[error(
        "{dir} is newer than the backup: its inventory has {}, which would be lost", count(*.lines, "more line")
    )]
    Newer {
        /// The CA's directory.
        dir: String,
        /// The number of lines that the backup lacks.
        lines: usize,
    },
    /// The existing CA is a different one.
    #[error(
        "{0} has a different history from the backup: it is of another CA, or of another copy of this one"
    )]
    Other(String),
    /// The brokers beside the CA are formatted with another id.
    #[error(
        "{file} is {there}, but in the backup it is {backup}: the backup is of another cluster"
    )]
    OtherCluster {
        /// Where the id is recorded.
        file: String,
        /// The id there.
        there: String,
        /// The id in the backup.
        backup: String,
    },
    /// An existing file that would remain beside what is restored.
    #[error("{0} is not in the backup, and may not belong to the CA in it")]
    Beside(String),
    /// The archive cannot be made.
    #[error("the backup cannot be packed: {0}")]
    Packing(io::Error),
}

fn sealed(error: &SealError) -> String {
    match error {
        SealError::NotASealedKey => "it is not a kpki backup".to_owned(),
        SealError::LaterVersion(version) => {
            format!("it was made by a newer version of kpki (`{version}`)")
        }
        SealError::Damaged(why) => format!("the backup is truncated or was altered: {why}"),
        other => other.to_string(),
    }
}

/// The commands that take one file of the CA from a backup, which may be older than the rest.
pub fn one_file(file: &Path) -> [String; 2] {
    let name = file.file_name().unwrap_or_default().display();
    let copy = format!(
        "cp -p elsewhere/ca/{name} {}",
        quote(&file.display().to_string())
    );
    ["kpki restore FILE --out elsewhere".to_owned(), copy]
}

/// The files of the CA as one archive, with the id of its cluster: brokers that are formatted with it may be all that is
/// left.
///
/// # Errors
/// If the CA is damaged, or its directory contains a file that does not belong to it.
pub fn pack(out: &OutDir, lock: &Lock) -> Result<SecretBytes, BootstrapError> {
    // What would not be restored is not packed either.
    Ca::open(out)?;
    Inventory::read(out)?;
    let files = out.ca_files(lock)?.into_iter();
    let mut entries: Vec<Entry> = files
        .map(|(name, bytes)| Entry {
            mode: mode_of(&name),
            name,
            bytes,
        })
        .collect();
    if let Some(id) = kept_cluster_id(out)? {
        entries.push(Entry {
            mode: 0o644,
            name: CLUSTER_ID.to_owned(),
            bytes: id.into_bytes().into(),
        });
    }
    let packed = archive::tar(&entries, (0, 0), OffsetDateTime::UNIX_EPOCH);
    Ok(packed.map_err(BackupError::Packing)?)
}

/// Seals an archive.
pub fn seal(archive: &[u8], passphrase: Secret) -> Result<Zeroizing<String>, BootstrapError> {
    let (salt, nonce) = (random::octets()?, random::octets()?);
    let text = SealedBackup::seal(archive, passphrase, salt, nonce);
    Ok(text.map_err(BackupError::from)?)
}

/// An opened backup.
#[derive(Debug)]
pub struct Backup {
    /// The CA's.
    files: Vec<Entry>,
    cluster_id: Option<String>,
}

impl Backup {
    /// Opens one.
    pub fn open(sealed: &SealedBackup, passphrase: &Secret) -> Result<Self, BackupError> {
        let contents = |why: &str| BackupError::Contents(why.to_owned());
        let mut files = archive::untar(&sealed.open(passphrase)?).map_err(contents)?;
        let id = files.iter().position(|file| file.name == CLUSTER_ID);
        let id = id.map(|at| String::from_utf8_lossy(&files.remove(at).bytes).into_owned());
        if id.as_ref().is_some_and(|id| !is_cluster_id(id)) {
            return Err(contents("the cluster id in it is not one"));
        }
        match files.iter().all(|file| is_ca_file(&file.name)) {
            true => Ok(Self {
                files,
                cluster_id: id,
            }),
            false => Err(contents("a file in it has a name that kpki does not use")),
        }
    }

    fn specs(&self, wanted: impl Fn(&str) -> bool) -> Vec<FileSpec> {
        let files = self.files.iter().filter(|file| wanted(&file.name));
        let specs = files.map(|file| FileSpec {
            secret: mode_of(&file.name) & 0o077 == 0,
            ..FileSpec::secret(&file.name, &*file.bytes)
        });
        specs.collect()
    }

    /// Restores it, if there is no CA, or an earlier state of the same one. Returns the number of certificates on
    /// record afterwards.
    ///
    /// # Errors
    /// [`BackupError`], before anything is written.
    pub fn restore(&self, out: &OutDir, lock: &Lock) -> Result<usize, BootstrapError> {
        let staging = Staging::begin(out, lock, None)?;
        staging.add("ca", &self.specs(|_| true))?;
        let records = sound(&staging.preview()).map_err(BackupError::Contents)?;
        self.check_cluster(out)?;
        if out.is_ca_empty()? {
            self.restore_cluster_id(out)?;
            staging.commit()?;
        } else {
            drop(staging);
            self.replace(out, lock)?;
            self.restore_cluster_id(out)?;
        }
        did("restored", "the CA");
        Ok(records)
    }

    /// Refuses if brokers beside the CA are formatted with the id of another cluster.
    fn check_cluster(&self, out: &OutDir) -> Result<(), BootstrapError> {
        match (&self.cluster_id, kept_cluster_id(out)?) {
            (Some(backup), Some(there)) if *backup != there => Err(BackupError::OtherCluster {
                file: out.root().join(CLUSTER_ID).display().to_string(),
                there,
                backup: backup.clone(),
            }
            .into()),
            _ => Ok(()),
        }
    }

    fn restore_cluster_id(&self, out: &OutDir) -> Result<(), BootstrapError> {
        self.cluster_id
            .iter()
            .try_for_each(|id| keep_cluster_id(out, id))
    }

    fn replace(&self, out: &OutDir, lock: &Lock) -> Result<(), BootstrapError> {
        let dir = out.ca().display().to_string();
        let file = |name: &str| self.files.iter().find(|file| file.name == name);
        let theirs = file(Inventory::FILE).map(|file| &*file.bytes);
        let theirs = theirs.unwrap_or_default();
        match out.inventory_bytes()? {
            // It is unknown whose the other files are.
            None => return Err(BackupError::Other(dir).into()),
            Some(there) => match History::of(&there, theirs) {
                History::Contained if there.is_empty() => {
                    return Err(BackupError::Other(dir).into());
                }
                History::Contained => {}
                History::Newer(lines) => return Err(BackupError::Newer { dir, lines }.into()),
                History::Other => return Err(BackupError::Other(dir).into()),
            },
        }
        for (name, _) in out.ca_files(lock)? {
            if file(&name).is_none() && name != JOURNAL {
                return Err(BackupError::Beside(out.ca_file(&name).display().to_string()).into());
            }
        }
        let keeps_journal = read_journal(out).is_ok_and(|lines| !lines.is_empty());
        let staging = Staging::begin(out, lock, None)?;
        staging.add(
            "ca",
            &self.specs(|name| name != Inventory::FILE && !(keeps_journal && name == JOURNAL)),
        )?;
        // At no time is a certificate there without its record.
        out.extend_inventory(lock, theirs)?;
        staging.commit()?;
        Ok(())
    }
}

/// The number of certificates on record in an output directory with a CA that works.
fn sound(out: &OutDir) -> Result<usize, String> {
    Ca::open(out).map_err(|e| e.to_string())?;
    let inventory = Inventory::read(out).map_err(|e| e.to_string())?;
    Ok(inventory.records().len())
}
