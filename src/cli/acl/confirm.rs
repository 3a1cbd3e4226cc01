//! Asking before something is done that cannot simply be undone.

use std::io::{BufRead, IsTerminal};

use super::{
    CliError, Code, Failure,
    ui::{BOLD, Ui},
};

/// Asks on a terminal; elsewhere, and with `-q`, which shows nothing of what is asked about, `--yes` has to say it.
///
/// # Errors
/// The answer is no, or nobody can be asked.
pub fn confirm(ui: &Ui, yes: bool, question: &str) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    let terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if ui.quiet || !terminal {
        let why = match terminal {
            true => "-q does not ask",
            false => "nobody can be asked here",
        };
        return Err(CliError::new(
            Code::ConfirmationNeeded,
            format!("{question} needs to be confirmed, and {why}; nothing was changed"),
        )
        .hint("look at the plan, then say --yes")
        .into());
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
