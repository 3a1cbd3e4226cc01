//! `kpki store inspect`

use std::path::PathBuf;

use clap::Args;
use time::OffsetDateTime;

use super::super::{
    Done,
    store_file::{StorePasswords, read},
    ui::{BOLD, DIM, GREEN, RED, Ui},
};
use crate::{
    keystore::{EntryKind, EntryReport, Link, Readable, StoreReport, inspect},
    printable::Name,
};

/// Show what is in a store, what is unusual about it, and which programs can read it
///
/// Reads PKCS12, JKS, JCEKS and PEM, whatever the file's name. Shows the entries, chains, expiry, whether each key
/// matches its certificate, the encryption, and whether Java 8, Java 17, OpenSSL 3 and librdkafka can read it, and if
/// not, why.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki store inspect kafka.server.keystore.jks --password-file keystore_creds
  kpki store inspect out/kafka1/kafka1.keystore.p12 --password-file out/kafka1/keystore_creds
  kpki store inspect /etc/ssl/certs/java/cacerts --json")]
pub struct Inspect {
    /// The store
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    passwords: StorePasswords,
}

impl Inspect {
    pub(in super::super) fn run(self, ui: &Ui) -> Done {
        let store = read(&self.file, &self.passwords, ui)?;
        let now = OffsetDateTime::now_utc();
        let report = inspect(&store.opened, store.password.as_ref(), now);
        let hidden = store.opened.protection.hidden && store.password.is_none();
        show(&report, hidden, &self.file.display().to_string(), ui);
        ui.document(&report);
        Ok(())
    }
}

fn show(report: &StoreReport, hidden: bool, file: &str, ui: &Ui) {
    ui.answer(format!("{BOLD}{}{BOLD:#}  {file}", report.kind));
    for entry in &report.entries {
        show_entry(entry, ui);
    }
    match report.entries.is_empty() {
        true if hidden => ui.answer("  its entries are encrypted; give the password to see them"),
        true => ui.answer("  no entries"),
        false => {}
    }
    ui.answer(format!("{DIM}encryption:{DIM:#} {}", report.encryption));
    let Readable {
        java8,
        java17,
        openssl3,
        librdkafka,
    } = report.readable;
    let word = |name: &str, yes: bool| match yes {
        true => format!("{name} {GREEN}yes{GREEN:#}"),
        false => format!("{name} {RED}no{RED:#}"),
    };
    let words = [
        word("Java 8", java8),
        word("Java 17", java17),
        word("OpenSSL 3", openssl3),
        word("librdkafka", librdkafka),
    ];
    ui.answer(format!("{DIM}readable:{DIM:#} {}", words.join(", ")));
    for note in &report.notes {
        ui.answer(format!("{DIM}note:{DIM:#} {note}"));
    }
}

fn show_entry(entry: &EntryReport, ui: &Ui) {
    let kind = match entry.kind {
        EntryKind::Key => "key",
        EntryKind::Trusted => "trusted",
        EntryKind::Certificate => "not shown by Java",
        EntryKind::Secret => "secret key",
    };
    let alias = entry.alias.as_ref().map(Name::to_string);
    let alias = alias.as_deref().unwrap_or("-");
    let subject = entry.certificate.as_ref().map(|link| {
        let until = link.not_after.date();
        format!("{}, until {until}, serial {}", link.subject, link.serial)
    });
    let subject = subject.unwrap_or_default();
    ui.answer(format!("  {BOLD}{alias}{BOLD:#}  {kind}  {subject}"));
    for Link {
        subject, not_after, ..
    } in entry.chain.iter().skip(1)
    {
        let until = not_after.date();
        ui.answer(format!("    signed by {subject}, until {until}"));
    }
    let last = entry
        .chain
        .last()
        .filter(|last| last.subject != last.issuer);
    if let Some(last) = last {
        let there = match entry.chain_complete {
            Some(true) => "which is trusted in this store",
            _ => "which is not in this store",
        };
        ui.answer(format!("    signed by {}, {there}", last.issuer));
    }
    match entry.key_matches {
        Some(true) => ui.answer("    the key belongs to the certificate"),
        Some(false) => ui.answer(format!(
            "    {RED}the key does not belong to the certificate{RED:#}"
        )),
        None => {}
    }
}
