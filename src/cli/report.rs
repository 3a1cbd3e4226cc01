//! `kpki report`

mod facts;
mod html;
mod page;
mod style;

use std::{mem::ManuallyDrop, path::PathBuf};

use clap::Args;
use time::OffsetDateTime;

use self::facts::{Facts, key, limits};
use super::{
    Done, Global, journal, status,
    table::{Column::*, table},
    ui::{BOLD, DIM, GREEN, RED, Ui, YELLOW},
};
use crate::{
    bootstrap::ca::Ca,
    printable::Printable,
    state::{Inventory, OutDir, Status, check_writable, write_atomic},
};

/// Others read it as well, and it contains no secrets.
const MODE: u32 = 0o644;
/// How many lines each list for people has. More cannot be read, and `--json` has them all.
const SHOWN: usize = 1000;
/// What a reader must not infer.
const UNSEEN: &str = "From the output directory alone: what brokers serve, and the ACLs and SCRAM users of the cluster, were not checked; kpki status POLICY does that.";

/// Describe the security of the cluster in one document: CAs, identities, revocations, what is due
///
/// From the output directory alone: no broker is asked, no passphrase is needed and nothing is changed. It also lists
/// the CRLs and the last commands of the journal. Long lists end after 1000 lines, with the number of those left out;
/// --json has them all. The exit code is 0 even if something is due; kpki status exits with 3.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki report
  kpki report --html report.html
  kpki report --json")]
pub struct Report {
    /// Write it to this file, as one HTML page that loads nothing from elsewhere
    #[arg(long, value_name = "FILE", value_parser = super::utf8_path)]
    html: Option<PathBuf>,
}

impl Report {
    pub(super) fn run(self, global: &Global, ui: &Ui) -> Done {
        if let Some(file) = &self.html {
            check_writable(file)?;
        }
        let out = OutDir::new(&global.out);
        Ca::require(&out)?;
        // Freeing a million strings one by one takes longer than exiting.
        let inventory = ManuallyDrop::new(Inventory::read(&out)?);
        let facts = Facts::read(&out, &inventory, OffsetDateTime::now_utc())?;
        if ui.json {
            ui.document(&facts.document());
        }
        match &self.html {
            Some(file) => {
                write_atomic(file, page::page(&facts).as_bytes(), MODE, None)?;
                ui.say(format!("{GREEN}wrote{GREEN:#} {}", file.display()));
            }
            None => ui.answer(text(&facts, ui)),
        }
        Ok(())
    }
}

/// "3 identities: 2 valid, 1 revoked"
fn summary(facts: &Facts<'_>) -> String {
    let counts = [Status::Valid, Status::Expired, Status::Revoked];
    let counts = counts.map(|status| (facts.count(status), status.name()));
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts.map(|(n, name)| format!("{n} {name}")).collect();
    match facts.identities.len() {
        0 => "no identities".to_owned(),
        1 => format!("1 identity: {}", counts.join(", ")),
        many => format!("{many} identities: {}", counts.join(", ")),
    }
}

/// "2 things are due"
fn urgency(facts: &Facts<'_>) -> String {
    match facts.due.len() {
        0 => "nothing is due".to_owned(),
        1 => "1 thing is due".to_owned(),
        many => format!("{many} things are due"),
    }
}

/// The line below a list that was cut; empty if it was not.
fn more(all: usize, shown: usize) -> String {
    match all.saturating_sub(shown) {
        0 => String::new(),
        more => format!("and {more} more; kpki report --json lists all of them"),
    }
}

/// The line below the commands; empty if all of them are shown.
fn earlier(facts: &Facts<'_>) -> String {
    match facts.all_commands - facts.commands.len() {
        0 => String::new(),
        more => format!("and {more} earlier ones; kpki log shows all of them"),
    }
}

/// The cell of the days that are left.
fn days(left: i64) -> String {
    match left {
        ..0 => "expired".to_owned(),
        left => left.to_string(),
    }
}

/// The step of a rotation in progress.
fn rotation(facts: &Facts<'_>) -> Option<String> {
    let rotation = facts.rotation?;
    Some(format!(
        "generation {} is being replaced by generation {}: step `{}` since {}",
        rotation.from,
        rotation.generation,
        rotation.phase.word(),
        rotation.since.date()
    ))
}

fn text(facts: &Facts<'_>, ui: &Ui) -> String {
    let mut lines = vec![
        format!(
            "{BOLD}security report{BOLD:#}  {}  {DIM}{}{DIM:#}",
            Printable(&facts.out.root().display().to_string()),
            facts.now.date()
        ),
        format!("{}; {}", summary(facts), urgency(facts)),
    ];
    let mut part = |name: &str, none: &str, body: String, more: String| {
        lines.push(format!("\n{BOLD}{name}{BOLD:#}"));
        lines.push(match body.is_empty() {
            true => format!("  {DIM}{none}{DIM:#}"),
            false => body,
        });
        if !more.is_empty() {
            lines.push(format!("  {DIM}{more}{DIM:#}"));
        }
    };
    let due = facts.due.iter().take(SHOWN).map(|due| {
        let line = status::line(due, facts.now);
        format!("  {line}\n      {}", due.command)
    });
    let due: Vec<String> = due.collect();
    part(
        "due now",
        "nothing",
        due.join("\n"),
        more(facts.due.len(), SHOWN),
    );
    part("CAs", "none", authorities(facts), String::new());
    part("CRLs", "none was written", crls(facts, ui), String::new());
    let left = more(facts.identities.len(), SHOWN);
    part("identities", "none", identities(facts, ui), left);
    let left = more(facts.revocations.len(), SHOWN);
    part("revocations", "none", revocations(facts, ui), left);
    let commands: Vec<_> = facts.command_cells().map(|c| c.map(shown)).collect();
    let commands = match commands.is_empty() {
        true => String::new(),
        false => table(ui, journal::COLUMNS, commands),
    };
    part("last changes", "none is recorded", commands, earlier(facts));
    lines.push(format!("\n{UNSEEN}"));
    lines.join("\n")
}

fn shown(text: String) -> String {
    Printable(&text).to_string()
}

fn authorities(facts: &Facts<'_>) -> String {
    let each = facts.authorities.iter().map(|own| {
        let certificate = &own.certificate;
        let mut rows = vec![
            ("role", own.role.words().to_owned()),
            (
                "issuer",
                match certificate.subject == certificate.issuer {
                    true => "itself".to_owned(),
                    false => certificate.issuer.to_string(),
                },
            ),
            ("key", key(own)),
            (
                "valid",
                format!(
                    "{} to {}",
                    certificate.not_before.date(),
                    certificate.not_after.date()
                ),
            ),
            ("SHA-256", certificate.fingerprint()),
        ];
        rows.extend(limits(own).into_iter().map(|limits| ("only for", limits)));
        let rows = rows
            .iter()
            .map(|(name, value)| format!("    {DIM}{name:9}{DIM:#}  {value}"));
        let rows: Vec<String> = rows.collect();
        format!(
            "  {BOLD}{}{BOLD:#}\n{}",
            certificate.subject,
            rows.join("\n")
        )
    });
    let rotation = rotation(facts).map(|text| format!("  {YELLOW}rotation{YELLOW:#}  {text}"));
    each.chain(rotation).collect::<Vec<_>>().join("\n")
}

fn crls(facts: &Facts<'_>, ui: &Ui) -> String {
    let rows = facts.crls.iter().map(|crl| {
        [
            crl.issuer.to_string(),
            crl.number.map(|n| n.to_string()).unwrap_or_default(),
            crl.serials().count().to_string(),
            crl.this_update.date().to_string(),
            crl.next_update.date().to_string(),
        ]
    });
    let rows: Vec<_> = rows.collect();
    let columns = [
        Prose("ISSUER"),
        Whole("NUMBER"),
        Whole("REVOKED"),
        Spare("WRITTEN"),
        Whole("NEXT UPDATE"),
    ];
    match rows.is_empty() {
        true => String::new(),
        false => table(ui, columns, rows),
    }
}

fn identities(facts: &Facts<'_>, ui: &Ui) -> String {
    let rows = facts.identities.iter().take(SHOWN).map(|own| {
        let record = own.record;
        let colour = match own.status {
            Status::Valid => GREEN,
            Status::Revoked => RED,
            Status::Expired => YELLOW,
            Status::Replaced => DIM,
        };
        [
            shown(record.name.clone()),
            format!("{colour}{}{colour:#}", own.status.name()),
            record.not_after.date().to_string(),
            days(own.days_left),
            record.kind.name().to_owned(),
            own.key.words().to_owned(),
            record.key.map(|key| key.to_string()).unwrap_or_default(),
            shown(record.sans.join(" ")),
        ]
    });
    let rows: Vec<_> = rows.collect();
    let columns = [
        Whole("NAME"),
        Whole("STATUS"),
        Whole("UNTIL"),
        Whole("DAYS LEFT"),
        Spare("KIND"),
        Spare("KEY"),
        Spare("ALGORITHM"),
        Prose("SAN"),
    ];
    match rows.is_empty() {
        true => String::new(),
        false => table(ui, columns, rows),
    }
}

fn revocations(facts: &Facts<'_>, ui: &Ui) -> String {
    let rows = facts.revocations.iter().take(SHOWN).map(|own| {
        [
            shown(own.name.clone()),
            own.at.date().to_string(),
            own.reason.name().to_owned(),
            shown(own.serial.clone()),
        ]
    });
    let rows: Vec<_> = rows.collect();
    let columns = [Whole("NAME"), Whole("WHEN"), Whole("WHY"), Spare("SERIAL")];
    match rows.is_empty() {
        true => String::new(),
        false => table(ui, columns, rows),
    }
}
