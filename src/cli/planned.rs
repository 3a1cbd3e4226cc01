//! What `acl` and `scram` have in common when they plan and apply.

use std::io::{BufRead, IsTerminal};

use clap::Args;

use super::{
    CliError, Code, Done, fail,
    ui::{BOLD, DIM, GREEN, RED, Ui},
    whole_number,
};
use crate::plan::{Deletion, Remark, count};

/// What may be deleted.
#[derive(Debug, Clone, Copy, Args)]
pub struct DeletionOptions {
    /// Also delete what is managed but not in the policy
    #[arg(long)]
    pub prune: bool,
    /// The maximum number of deletions [default: a fifth of what is managed, at least 10]
    #[arg(long, value_name = "N", value_parser = whole_number::<0, { u32::MAX }>)]
    pub max_deletes: Option<u32>,
}

impl From<DeletionOptions> for Deletion {
    fn from(options: DeletionOptions) -> Self {
        Self {
            prune: options.prune,
            max_deletes: options.max_deletes.map(|n| n as usize),
        }
    }
}

/// Prints the last line of a plan: its changes, if any, and the number of unchanged entries.
pub fn totals(ui: &Ui, changes: Option<String>, unchanged: usize, left_alone: usize, noun: &str) {
    let changes = changes.unwrap_or_else(|| format!("{GREEN}nothing to change{GREEN:#}"));
    let mut line = format!("{changes}, {unchanged} unchanged");
    if left_alone > 0 {
        line.push_str(&format!(
            "{DIM}; {} in the cluster that {} not in the policy: left alone{DIM:#}",
            count(left_alone, noun),
            if left_alone == 1 { "is" } else { "are" }
        ));
    }
    ui.say(line);
}

/// Prints why a plan must not be applied.
pub fn show_refusals(ui: &Ui, refusals: &[Remark]) {
    for Remark { message, .. } in refusals {
        ui.complain(format!(
            "{RED}must not be applied as it is:{RED:#} {message}"
        ));
    }
}

/// Asks on a terminal; requires `--yes` elsewhere, and with `-q`, which does not show what the question is about.
pub fn confirm(ui: &Ui, yes: bool, question: &str) -> Done {
    if yes {
        return Ok(());
    }
    let terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if ui.quiet || !terminal {
        let why = match terminal {
            true => "-q does not ask",
            false => "there is no terminal to ask on",
        };
        let message = format!("{question} needs confirmation, but {why}; nothing was changed");
        return fail(
            Code::ConfirmationNeeded,
            message,
            "review the plan, then give --yes",
        );
    }
    let question = question.trim_end_matches(',');
    ui.ask(format!("{BOLD}{question}: go ahead?{BOLD:#} [y/N] "));
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    match (read, answer.trim().to_ascii_lowercase().as_str()) {
        (Ok(_), "y" | "yes") => Ok(()),
        _ => Err(CliError::new(Code::NotConfirmed, "not confirmed; nothing was changed").into()),
    }
}
