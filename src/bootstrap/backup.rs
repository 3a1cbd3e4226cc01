//! The whole CA in one sealed file, and back.

use std::io;

use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::{
    BootstrapError,
    archive::{self, Entry},
    ca::Ca,
};
use crate::{
    deeds::did,
    pki::{SealError, SealedBackup},
    plan::count,
    random,
    secret::{Secret, SecretBytes},
    state::{
        FileSpec, History, Inventory, Lock, OutDir, Staging, is_ca_file, mode_of, read_journal,
    },
};

/// The journal's file: it is about this directory, and goes on whatever is restored.
const JOURNAL: &str = "journal.jsonl";

/// Why there is no backup, or why it is not restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// It cannot be opened.
    #[error("{}", sealed(.0))]
    Sealed(#[from] SealError),
    /// It opens, and is not what kpki packs.
    #[error("the backup does not hold a CA: {0}")]
    Contents(String),
    /// What is there knows more.
    #[error(
        "{dir} is newer than the backup: its inventory has {}, which would be lost", count(*.lines, "more line")
    )]
    Newer {
        /// The CA's directory.
        dir: String,
        /// The lines that the backup lacks.
        lines: usize,
    },
    /// What is there is something else.
    #[error(
        "{0} has another history than the backup: it is of another CA, or of another copy of this one"
    )]
    Other(String),
    /// A file that would go on to stand beside what is restored.
    #[error("{0} is not in the backup, and may not belong to what it holds")]
    Beside(String),
    /// The archive cannot be made.
    #[error("the backup cannot be packed: {0}")]
    Packing(io::Error),
}

fn sealed(error: &SealError) -> String {
    match error {
        SealError::NotASealedKey => "it is not a backup of kpki's".to_owned(),
        SealError::LaterVersion(version) => format!("it was made by a later kpki (`{version}`)"),
        SealError::Damaged(why) => format!("the backup is truncated or was altered: {why}"),
        other => other.to_string(),
    }
}

/// The files of the CA as one archive.
///
/// # Errors
/// When the CA is not sound, or something lies in its directory that is none of its files.
pub fn pack(out: &OutDir, lock: &Lock) -> Result<SecretBytes, BootstrapError> {
    // What would not be restored is not packed either.
    Ca::open(out)?;
    Inventory::read(out)?;
    let files = out.ca_files(lock)?.into_iter();
    let entries: Vec<Entry> = files
        .map(|(name, bytes)| Entry {
            mode: mode_of(&name),
            name,
            bytes,
        })
        .collect();
    let packed = archive::tar(&entries, (0, 0), OffsetDateTime::UNIX_EPOCH);
    Ok(packed.map_err(BackupError::Packing)?)
}

/// Seals an archive.
pub fn seal(archive: &[u8], passphrase: Secret) -> Result<Zeroizing<String>, BootstrapError> {
    let (salt, nonce) = (random::octets()?, random::octets()?);
    let text = SealedBackup::seal(archive, passphrase, salt, nonce);
    Ok(text.map_err(BackupError::from)?)
}

/// A backup that was opened.
#[derive(Debug)]
pub struct Backup {
    files: Vec<Entry>,
}

impl Backup {
    /// Opens one.
    pub fn open(sealed: &SealedBackup, passphrase: &Secret) -> Result<Self, BackupError> {
        let contents = |why: &str| BackupError::Contents(why.to_owned());
        let files = archive::untar(&sealed.open(passphrase)?).map_err(contents)?;
        match files.iter().all(|file| is_ca_file(&file.name)) {
            true => Ok(Self { files }),
            false => Err(contents("a file in it has a name that kpki gives to none")),
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

    /// Puts it in the place of a CA that it contains, or where there is none. Returns how many certificates are on record
    /// then.
    ///
    /// # Errors
    /// [`BackupError`], before anything is written.
    pub fn restore(&self, out: &OutDir, lock: &Lock) -> Result<usize, BootstrapError> {
        let staging = Staging::begin(out, lock, None)?;
        staging.add("ca", &self.specs(|_| true))?;
        let records = sound(&staging.preview()).map_err(BackupError::Contents)?;
        if out.is_ca_empty()? {
            staging.commit()?;
        } else {
            drop(staging);
            self.replace(out, lock)?;
        }
        did("restored", "the CA");
        Ok(records)
    }

    fn replace(&self, out: &OutDir, lock: &Lock) -> Result<(), BootstrapError> {
        let dir = out.ca().display().to_string();
        let file = |name: &str| self.files.iter().find(|file| file.name == name);
        let theirs = file(Inventory::FILE).map(|file| &*file.bytes);
        let theirs = theirs.unwrap_or_default();
        match out.inventory_bytes()? {
            // Nothing says whose the rest is.
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
        // No certificate is there without its record at any time.
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
