//! `kpki report`

mod facts;
mod html;
mod page;
mod style;
mod text;

use std::{mem::ManuallyDrop, path::PathBuf};

use clap::Args;
use time::OffsetDateTime;

use self::facts::{Facts, Identity};
use super::{
    Done, Global, place,
    ui::{GREEN, Ui},
};
use crate::{
    bootstrap::ca::Ca,
    state::{Inventory, OutDir, Status, write_atomic},
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
    /// Write it to this file, which may be an earlier report, as one HTML page that loads nothing from elsewhere
    #[arg(long, value_name = "FILE", value_parser = super::new_path)]
    html: Option<PathBuf>,
}

impl Report {
    pub(super) fn run(self, global: &Global, ui: &Ui) -> Done {
        if let Some(file) = &self.html {
            place::check(file, "a report", "--html", page::is_one)?;
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
            None => ui.answer(text::text(&facts, ui)),
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

/// The cell of the days that are left; nothing waits for the end of what is revoked.
fn days(own: &Identity<'_>) -> String {
    match (own.status, own.days_left) {
        (Status::Revoked, _) => String::new(),
        (_, ..0) => "expired".to_owned(),
        (_, left) => left.to_string(),
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
