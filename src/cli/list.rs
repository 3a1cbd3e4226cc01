//! `kpki list`

use std::mem::ManuallyDrop;

use clap::Args;
use rayon::prelude::*;
use serde::Serialize;
use time::{Duration, OffsetDateTime};

use super::{
    Done, Global,
    table::{Column::*, table},
    ui::{DIM, GREEN, RED, Ui, YELLOW},
    verdict,
};
use crate::{
    bootstrap::ca::Ca,
    pki::Kind,
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

/// On a terminal with fewer columns, serial numbers are shortened to so many digits, which `kpki revoke` accepts.
const WIDE: usize = 120;
const SHORT: usize = 12;

/// A certificate in the `--json` output.
#[derive(Serialize)]
pub struct Listed<'a> {
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
        let all = inventory.records().par_iter();
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
            let documents: Vec<Listed<'_>> = listed
                .iter()
                .map(|(record, status)| Listed::of(record, *status))
                .collect();
            ui.documents(&documents);
        } else {
            ui.answer(self.show(&listed, &inventory, ui));
        }
        verdict(self.expiring.is_none() || listed.is_empty())
    }

    fn show(&self, listed: &[(&Record, Status)], inventory: &Inventory, ui: &Ui) -> String {
        let is_narrow = ui.columns().is_some_and(|columns| columns < WIDE);
        if listed.is_empty() {
            return match self.expiring {
                Some(days) => format!("no certificate expires within {days} days"),
                None if self.revoked => "no certificate is revoked".to_owned(),
                None => "the CA has not signed any certificate".to_owned(),
            };
        }
        let rows = listed.par_iter().map(|(record, status)| {
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
            [
                record.name.clone(),
                format!("{colour}{}{colour:#}", status.name()),
                record.not_after.date().to_string(),
                match is_narrow {
                    true => record.serial.chars().take(SHORT).collect(),
                    false => record.serial.clone(),
                },
                record.kind.name().to_owned(),
                more,
            ]
        });
        let columns = [
            Whole("NAME"),
            Whole("STATUS"),
            Whole("UNTIL"),
            Spare("SERIAL"),
            Spare("KIND"),
            Prose("SAN"),
        ];
        table(ui, columns, rows.collect())
    }
}

impl<'a> Listed<'a> {
    /// A record with its status.
    pub fn of(record: &'a Record, status: Status) -> Self {
        Self {
            name: &record.name,
            kind: record.kind,
            serial: &record.serial,
            subject: &record.subject,
            sans: &record.sans,
            not_before: record.not_before,
            not_after: record.not_after,
            status,
            issuer: &record.issuer,
            external: record.external,
        }
    }
}
