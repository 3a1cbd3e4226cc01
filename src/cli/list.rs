//! `kpki list`

use std::{fmt::Write, mem::ManuallyDrop};

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
/// A certificate is valid, expired, revoked, or replaced by a newer one of the same name. With --expiring, the exit
/// code is 3 if there are any.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki list
  kpki list --expiring 30 || kpki renew --due
  kpki list --revoked --json")]
pub struct List {
    /// Only those that expire within this many days, or have expired, and have not been replaced; exit code 3 if there
    /// are any
    #[arg(long, value_name = "DAYS", conflicts_with = "revoked", value_parser = super::whole_number::<0, 36_500>)]
    expiring: Option<u32>,
    /// Only those that were revoked
    #[arg(long)]
    revoked: bool,
}

/// A certificate in the `--json` output.
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
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    external: bool,
}

impl List {
    pub(super) fn run(self, global: &Global, ui: &Ui) -> Done {
        let out = OutDir::new(&global.out);
        Ca::require(&out)?;
        // Freeing a million strings one by one takes longer than exiting.
        let inventory = ManuallyDrop::new(Inventory::read(&out)?);
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
                Some(days) => format!("no certificate expires within {days} days"),
                None if self.revoked => "no certificate is revoked".to_owned(),
                None => "the CA has not signed any certificate".to_owned(),
            };
        }
        let name = listed.iter().map(|(record, _)| record.name.len()).max();
        let name = name.unwrap_or_default().max(4);
        // Indented, so that the lines of the table are not wrapped on a narrow terminal.
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
                None if record.external => format!("{} (key elsewhere)", record.sans.join(" ")),
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
            external: record.external,
        }
    }
}
