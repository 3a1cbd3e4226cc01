//! `kpki log`, and the journal line of every other command that changed something.

use clap::{ArgAction, ArgMatches, Args, Command};
use serde_json::json;
use time::{OffsetDateTime, UtcOffset, macros::format_description};

use super::{
    Code, Done, Global, Ui, fail,
    shell::quote,
    table::{
        Column::{self, *},
        table,
    },
};
use crate::{
    deeds,
    state::{Ending, Entry, OutDir, read_journal},
};

/// Show who changed what, and when
///
/// One line for each command that changed something, oldest first, from ca/journal.jsonl. Commands that only read are
/// not recorded.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki log
  kpki log --json")]
pub struct Log;

impl Log {
    pub(super) fn run(self, global: &Global, ui: &Ui) -> Done {
        let out = OutDir::new(&global.out);
        if !out.root().exists() {
            let message = format!("there is no directory {}", out.root().display());
            return fail(
                Code::Io,
                message,
                "--out DIR or KPKI_OUT names the output directory",
            );
        }
        out.check()?;
        let entries = read_journal(&out)?;
        if entries.is_empty() {
            ui.note("the journal is empty");
        } else {
            show(&entries, ui);
        }
        ui.document(&json!(entries));
        Ok(())
    }
}

fn show(entries: &[Entry], ui: &Ui) {
    ui.answer(table(ui, COLUMNS, entries.iter().map(cells).collect()));
}

/// The columns of [`cells`].
pub const COLUMNS: [Column; 5] = [
    Whole("when"),
    Spare("who"),
    Prose("command"),
    Whole("result"),
    Prose("what"),
];

/// When, who, the command, its result, and what was changed.
pub fn cells(entry: &Entry) -> [String; 5] {
    const TIME: &[time::format_description::BorrowedFormatItem<'_>] =
        format_description!("[year]-[month]-[day] [hour]:[minute]:[second]Z");
    let at = entry.at.to_offset(UtcOffset::UTC).format(TIME);
    let user = match &entry.who.user {
        Some(user) => user.clone(),
        None => entry.who.uid.to_string(),
    };
    let who = match &entry.who.sudo_user {
        Some(sudo) => format!("{sudo} as {user}@{}", entry.host),
        None => format!("{user}@{}", entry.host),
    };
    let result = match (entry.result, &entry.error) {
        (Ending::Done, _) => "done".to_owned(),
        (Ending::No, _) => "no".to_owned(),
        (Ending::Partly, _) => "partly".to_owned(),
        (Ending::Failed, None) => "failed".to_owned(),
        (Ending::Failed, Some(error)) => format!("failed: {error}"),
    };
    [
        at.unwrap_or_default(),
        who,
        entry.command.clone(),
        result,
        entry.what.clone(),
    ]
}

/// The command as recorded in the journal: its verb, flags and names, but no values of other options.
pub fn words(command: &Command, matches: &ArgMatches) -> String {
    let (mut command, mut matches) = (command, matches);
    let mut words = Vec::new();
    while let Some((name, below)) = matches.subcommand() {
        words.push(name.to_owned());
        matches = below;
        let Some(next) = command.find_subcommand(name) else {
            break;
        };
        command = next;
    }
    let given = |id: &clap::Id| {
        matches.value_source(id.as_str()) == Some(clap::parser::ValueSource::CommandLine)
    };
    for argument in command.get_arguments().filter(|a| given(a.get_id())) {
        match argument.get_long() {
            Some(long) if matches!(argument.get_action(), ArgAction::SetTrue) => {
                words.push(format!("--{long}"));
            }
            Some(_) => {}
            None => {
                let names = matches.get_raw(argument.get_id().as_str());
                let names = names
                    .into_iter()
                    .flatten()
                    .map(|name| name.to_string_lossy());
                words.extend(names.map(|name| quote(&name).into_owned()));
            }
        }
    }
    words.join(" ")
}

/// Writes the journal line of a command that changed something. The work is already done, so if the journal cannot be
/// written, there is only a warning.
pub fn keep(global: &Global, command: String, done: &Done, ui: &Ui) {
    let Some(what) = deeds::summary() else {
        return;
    };
    let (ending, error) = match done {
        Ok(()) => (Ending::Done, None),
        Err(failure) => failure.ending(),
    };
    let entry = Entry::new(OffsetDateTime::now_utc(), command, what, ending, error);
    if let Err(error) = entry.append(&OutDir::new(&global.out)) {
        ui.warn(format!(
            "this command made changes, but they could not be recorded in the journal: {error}"
        ));
    }
}
