//! `kpki backup` and `kpki restore`

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{
    CliError, Code, Done, Global, fail,
    init_ca::{begin, take_lock, tidy},
    passphrase,
    shell::{kpki, quote_path},
    ui::{BOLD, GREEN, Ui},
};
use crate::{
    bootstrap::{
        backup::{self, BackupError},
        ca::{Ca, CaError},
    },
    deeds::did,
    pki::{SealError, SealedBackup},
    state::{OutDir, read_text, write_new},
};

/// Back up the CA to one sealed file
///
/// It contains the whole CA directory: sealed key, certificates, inventory, CRL, journal. It is sealed with a
/// passphrase of its own; a restored CA still needs the CA passphrase. Identities are not included.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki backup /mnt/safe/kafka-ca.backup
  KPKI_BACKUP_PASSPHRASE='choose your own' kpki backup kafka-ca.backup
  kpki backup kafka-ca.backup --backup-passphrase-file /run/secrets/backup")]
pub struct Make {
    /// The file to write, with mode 0600; it must not exist yet
    #[arg(value_name = "FILE", value_parser = super::new_path)]
    file: PathBuf,
    #[command(flatten)]
    passphrase: Passphrase,
}

/// Restore the CA from a backup
///
/// An existing CA must be an earlier state of the one in the backup, or the same: nothing that was signed or revoked
/// since is lost.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki restore kafka-ca.backup
  kpki restore kafka-ca.backup --out elsewhere")]
pub struct Restore {
    /// The backup file
    #[arg(value_name = "FILE", value_parser = super::utf8_path)]
    file: PathBuf,
    #[command(flatten)]
    passphrase: Passphrase,
}

#[derive(Debug, Args)]
struct Passphrase {
    /// File with the backup's passphrase [else: KPKI_BACKUP_PASSPHRASE, or asked]
    #[arg(long, value_name = "FILE")]
    backup_passphrase_file: Option<PathBuf>,
}

impl Make {
    pub(super) fn run(self, global: &Global, ui: &Ui) -> Done {
        let out = OutDir::new(&global.out);
        let shown = self.file.display();
        if self.file.symlink_metadata().is_ok() {
            return fail(
                Code::FileExists,
                format!("{shown} already exists"),
                "choose another name: an existing backup is never overwritten",
            );
        }
        tidy(&out, ui)?;
        if !Ca::exists(&out)? {
            return Err(CaError::Missing(out.ca().display().to_string()).into());
        }
        let passphrase = passphrase::new_backup(self.passphrase.backup_passphrase_file.as_deref())?;
        let lock = take_lock(&out, ui)?;
        let packed = backup::pack(&out, &lock)?;
        // Key derivation takes long, and what was packed does not change.
        drop(lock);
        let text = backup::seal(&packed, passphrase)?;
        write_new(&self.file, text.as_bytes(), 0o600)?;
        did("backed up the CA to", shown.to_string());
        ui.say(format!("{GREEN}wrote{GREEN:#} {shown}"));
        ui.say(format!(
            "\n{BOLD}next:{BOLD:#} keep it on another machine, and its passphrase elsewhere; kpki restore {} restores it",
            quote_path(&self.file)
        ));
        ui.document(&json!({"backup": self.file}));
        Ok(())
    }
}

impl Restore {
    pub(super) fn run(self, global: &Global, ui: &Ui) -> Done {
        let out = OutDir::new(&global.out);
        let of_file = |error: BackupError| {
            let mut error = CliError::from(error);
            error.message = format!("{}: {}", self.file.display(), error.message);
            error
        };
        let sealed = |error: SealError| of_file(error.into());
        let text = String::from_utf8(read_text(&self.file)?)
            .map_err(|_| sealed(SealError::NotASealedKey))?;
        let sealed = SealedBackup::parse(&text).map_err(sealed)?;
        drop(text);
        let passphrase = passphrase::backup(self.passphrase.backup_passphrase_file.as_deref())?;
        let backup = backup::Backup::open(&sealed, &passphrase).map_err(of_file)?;
        let lock = begin(&out, ui)?;
        let certificates = backup.restore(&out, &lock)?;
        drop(lock);
        let dir = out.ca().display().to_string();
        ui.say(format!(
            "{GREEN}restored{GREEN:#} {dir}: {certificates} certificates are on record"
        ));
        ui.say(format!("\n{BOLD}next:{BOLD:#} {} doctor", kpki(out.root())));
        ui.document(&json!({"ca": dir, "certificates": certificates}));
        Ok(())
    }
}
