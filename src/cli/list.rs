//! `kpki list`

use std::fmt::Write;

use clap::Args;
use serde::Serialize;
use time::{Duration, OffsetDateTime};

use super::{
    Done, Global,
    ui::{BOLD, DIM, GREEN, RED, Ui, YELLOW},
    verdict,
};
use crate::{
    bootstrap::ca::Ca,
    pki::Kind,
    printable::Printable,
    state::{Inventory, OutDir, Record, Status},
};

/// List every certificate that the CA has signed
///
/// A certificate is revoked, expired, replaced by a later one of its name, or valid. With --expiring the exit code is 3
/// where there is one that ends too soon.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki list
  kpki list --expiring 30 || kpki renew --due
  kpki list --revoked --json")]
pub struct List {
    /// Only those that end within so many days, or have ended, and that nobody has replaced; exit code 3 where there are any
    #[arg(long, value_name = "DAYS", conflicts_with = "revoked", value_parser = super::whole_number::<0, 36_500>)]
    expiring: Option<u32>,
    /// Only those that were revoked
    #[arg(long)]
    revoked: bool,
}

/// What `--json` says of a certificate.
#[derive(Serialize)]
struct Listed<'a> {
    name: &'a str,
    kind: Kind,
    serial: &'a str,
    subject: &'a str,
    sans: &'a [String],
    #[serde(with = "time::serde::rfc3339")]
    not_before: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    not_after: OffsetDateTime,
    status: Status,
    issuer: &'a str,
}

impl List {
    pub(super) fn run(self, global: &Global, ui: &Ui) -> Done {
        let out = OutDir::new(&global.out);
        Ca::require(&out)?;
        let inventory = Inventory::read(&out)?;
        let now = OffsetDateTime::now_utc();
        let all = inventory.records().iter();
        let all = all.map(|record| (record, inventory.status(record, now)));
        let mut listed: Vec<(&Record, Status)> = match self.expiring {
            None if self.revoked => all.filter(|(_, s)| *s == Status::Revoked).collect(),
            None => all.collect(),
            Some(days) => {
                let end = now + Duration::days(days.into());
                let ending = |(record, status): &(&Record, Status)| {
                    *status != Status::Revoked
                        && record.not_after <= end
                        && inventory.is_current(record)
                };
                all.filter(ending).collect()
            }
        };
        if self.expiring.is_some() {
            listed.sort_by_key(|(record, _)| record.not_after);
        }
        if ui.json {
            let documents: Vec<Listed<'_>> = listed.iter().map(Listed::of).collect();
            ui.document(&documents);
        } else {
            ui.answer(self.table(&listed, &inventory));
        }
        verdict(self.expiring.is_none() || listed.is_empty())
    }

    fn table(&self, listed: &[(&Record, Status)], inventory: &Inventory) -> String {
        if listed.is_empty() {
            return match self.expiring {
                Some(days) => format!("no certificate ends within {days} days"),
                None if self.revoked => "no certificate is revoked".to_owned(),
                None => "the CA has signed nothing".to_owned(),
            };
        }
        let name = listed.iter().map(|(record, _)| record.name.len()).max();
        let name = name.unwrap_or_default().max(4);
        // Indented, as lines of a table stay whole on a narrow terminal.
        let mut table = format!(
            "  {BOLD}{:name$}  {:12}  {:8}  {:10}  {:40}  SAN{BOLD:#}",
            "NAME", "KIND", "STATUS", "UNTIL", "SERIAL"
        );
        for (record, status) in listed {
            let colour = match status {
                Status::Valid => GREEN,
                Status::Revoked => RED,
                Status::Expired => YELLOW,
                Status::Replaced => DIM,
            };
            let more = match inventory.revocation(&record.serial) {
                Some(revoked) => format!("{} on {}", revoked.reason, revoked.at.date()),
                None => record.sans.join(" "),
            };
            // Writing to a string cannot fail.
            let _ = write!(
                table,
                "\n  {:name$}  {:12}  {colour}{:8}{colour:#}  {}  {:40}  {}",
                record.name,
                record.kind.name(),
                status.name(),
                record.not_after.date(),
                record.serial,
                Printable(&more),
            );
        }
        table
    }
}

impl<'a> Listed<'a> {
    fn of((record, status): &(&'a Record, Status)) -> Self {
        Self {
            name: &record.name,
            kind: record.kind,
            serial: &record.serial,
            subject: &record.subject,
            sans: &record.sans,
            not_before: record.not_before,
            not_after: record.not_after,
            status: *status,
            issuer: &record.issuer,
        }
    }
}
