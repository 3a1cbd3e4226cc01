//! `kpki trust list`

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use time::OffsetDateTime;

use super::{
    super::{
        Done,
        store_file::{self, StorePasswords},
        ui::{BOLD, Ui},
    },
    add, colons,
};
use crate::{
    keystore::{EntryKind, EntryReport, Link, StoreReport, inspect},
    printable::Name,
    state::read_text,
};

/// List the certificates that a truststore trusts, with fingerprints
///
/// Reads PKCS12, JKS, JCEKS, PEM, or a single DER certificate.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki trust list truststore.p12 --password-file truststore_creds
  kpki trust list /etc/ssl/certs/java/cacerts
  kpki trust list ca.pem --json")]
pub struct List {
    /// The truststore
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    passwords: StorePasswords,
}

impl List {
    pub(in super::super) fn run(self, ui: &Ui) -> Done {
        let (kind, entries, notes) = self.read(ui)?;
        for entry in &entries {
            let Some(link) = &entry.certificate else {
                continue;
            };
            let alias = entry.alias.as_ref().map(Name::to_string);
            let alias = alias.as_deref().unwrap_or("-");
            let until = link.not_after.date();
            ui.answer(format!(
                "{BOLD}{alias}{BOLD:#}  {}, until {until}",
                link.subject
            ));
            ui.answer(format!("    SHA-256 {}", colons(&link.fingerprint)));
        }
        if entries.is_empty() {
            ui.answer("no trusted certificates");
        }
        for note in &notes {
            ui.note(format!("note: {note}"));
        }
        ui.document(&json!({"type": kind, "entries": entries, "notes": notes}));
        Ok(())
    }

    fn read(&self, ui: &Ui) -> Result<(String, Vec<EntryReport>, Vec<String>), super::Failure> {
        let bytes = read_text(&self.file)?;
        // A certificate begins as PKCS#12 does.
        let single = match bytes.first() {
            Some(0x30) => add::certificates(&self.file).ok(),
            _ => None,
        };
        if let Some([cert]) = single.as_deref() {
            let entry = EntryReport::alone(None, EntryKind::Trusted, Link::of(&cert.der));
            return Ok(("DER".to_owned(), vec![entry], Vec::new()));
        }
        let store = store_file::read(&self.file, &self.passwords, ui)?;
        store.legible(&self.file)?;
        let now = OffsetDateTime::now_utc();
        let StoreReport {
            kind,
            entries,
            notes,
            ..
        } = inspect(&store.opened, store.password.as_ref(), now);
        let trusts =
            |entry: &EntryReport| matches!(entry.kind, EntryKind::Trusted | EntryKind::Certificate);
        Ok((kind, entries.into_iter().filter(trusts).collect(), notes))
    }
}
