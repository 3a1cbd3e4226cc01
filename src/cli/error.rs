//! The one place that turns errors into a text, a hint, an exit code and JSON.

mod mapping;

pub use mapping::until_finished;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{CommandFactory, error::ErrorKind};
use serde_json::{Value, json};

use super::{
    Cli, Code, Done, shell, tip,
    ui::{BOLD, RED, Ui},
};
use crate::{
    bootstrap::Errors,
    document::{self, Diagnostic},
    plan::count,
    state::Ending,
};

/// Failed; nothing was changed, or the message names what was.
const FAILED: u8 = 1;
/// A usage error, or an invalid policy.
const USAGE: u8 = 2;
/// The answer is no.
const NO: u8 = 3;
/// Partly applied: running the command again finishes the work.
const PARTLY: u8 = 4;

/// One error: what happened, to which thing, and what to do next.
#[derive(Debug)]
pub struct CliError {
    pub code: Code,
    pub message: String,
    pub hint: Option<String>,
    exit: u8,
}

impl CliError {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: None,
            exit: FAILED,
        }
    }

    /// A usage error, and the correct usage.
    pub fn misuse(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(Code::Usage, message).hint(hint).usage()
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub fn maybe_hint(mut self, hint: Option<&str>) -> Self {
        self.hint = hint.map(str::to_owned);
        self
    }

    /// The value of `error` in the `--json` document.
    pub fn as_json(&self) -> Value {
        json!({"code": self.code.name(), "message": self.message, "hint": self.hint})
    }

    /// A usage error.
    pub fn usage(mut self) -> Self {
        self.exit = USAGE;
        self
    }
}

/// How a verb fails.
#[derive(Debug)]
pub enum Failure {
    /// One or more errors.
    Errors(Vec<CliError>),
    /// An invalid policy, with all of its diagnostics.
    Policy(Vec<Diagnostic>),
    /// The answer is no and has been printed.
    No,
    /// The failure has already been printed.
    AlreadyReported,
    /// Partly applied; the failures have already been printed.
    Partly,
}

impl<E> From<E> for Failure
where
    CliError: From<E>,
{
    fn from(error: E) -> Self {
        Self::Errors(vec![error.into()])
    }
}

/// Fails with one error, and what to do next.
pub fn fail<T>(
    code: Code,
    message: impl Into<String>,
    hint: impl Into<String>,
) -> Result<T, Failure> {
    Err(CliError::new(code, message).hint(hint).into())
}

/// Fails with these errors, if there are any.
pub fn several(errors: Vec<CliError>) -> Done {
    match errors.is_empty() {
        true => Ok(()),
        false => Err(Failure::Errors(errors)),
    }
}

/// The result of a command that has already printed a yes or no.
pub fn verdict(yes: bool) -> Done {
    yes.then_some(()).ok_or(Failure::No)
}

/// The result of a command that made all or some of its changes and has printed the failures.
pub fn completed(all: bool, some: bool) -> Done {
    match (all, some) {
        (true, _) => Ok(()),
        (false, true) => Err(Failure::Partly),
        (false, false) => Err(Failure::AlreadyReported),
    }
}

impl Failure {
    /// What the journal records about it.
    pub fn ending(&self) -> (Ending, Option<&'static str>) {
        match self {
            Self::Errors(errors) => (
                Ending::Failed,
                errors.first().map(|error| error.code.name()),
            ),
            Self::Policy(_) => (Ending::Failed, Some(Code::InvalidPolicy.name())),
            Self::AlreadyReported => (Ending::Failed, None),
            Self::No => (Ending::No, None),
            Self::Partly => (Ending::Partly, None),
        }
    }

    /// The first error, if it has one.
    pub fn only(&self) -> Option<&CliError> {
        match self {
            Self::Errors(errors) => errors.first(),
            _ => None,
        }
    }

    /// Prints it and gives the exit code.
    pub fn report(self, ui: &Ui) -> ExitCode {
        match self {
            Self::Errors(errors) => report(ui, errors),
            Self::No => ExitCode::from(NO),
            Self::AlreadyReported => ExitCode::from(FAILED),
            Self::Partly => ExitCode::from(PARTLY),
            Self::Policy(diagnostics) => {
                let errors = count(diagnostics.len(), "error");
                let errors = match diagnostics.len() < document::MAX_DIAGNOSTICS {
                    true => errors,
                    false => format!("at least {errors}"),
                };
                let error = CliError::new(
                    Code::InvalidPolicy,
                    format!("the policy is invalid: {errors}"),
                )
                .hint("fix every diagnostic; nothing was changed");
                if ui.json {
                    let mut error = error.as_json();
                    error["diagnostics"] = json!(diagnostics);
                    ui.document(&json!({"error": error}));
                } else {
                    ui.excerpt(document::render(&diagnostics, ui.colours()).trim_end());
                    ui.complain(format!(
                        "\n{RED}error:{RED:#} {}; nothing was changed",
                        error.message
                    ));
                }
                ExitCode::from(USAGE)
            }
        }
    }
}

/// The verbs that do not look into the output directory.
const WITHOUT_OUT: [&str; 5] = ["completions", "man", "policy", "store", "trust"];

/// The errors with the output directory in the commands of their hints, which come from rooms that do not know how it was
/// given.
fn with_out(errors: Vec<CliError>, ui: &Ui) -> Vec<CliError> {
    let command = Cli::command();
    let verbs = command.get_subcommands().map(clap::Command::get_name);
    let verbs: Vec<&str> = verbs.filter(|verb| !WITHOUT_OUT.contains(verb)).collect();
    let errors = errors.into_iter().map(|error| CliError {
        hint: error
            .hint
            .map(|hint| shell::with_out(&hint, &ui.out, &verbs)),
        ..error
    });
    errors.collect()
}

fn report(ui: &Ui, errors: Vec<CliError>) -> ExitCode {
    let exit = errors.last().map_or(FAILED, |error| error.exit);
    if let Some(document) = complain(ui, errors) {
        ui.document(&document);
    }
    ExitCode::from(exit)
}

/// Prints errors for people, and answers with the document for machines.
pub fn complain(ui: &Ui, errors: Vec<CliError>) -> Option<Value> {
    let errors = with_out(errors, ui);
    for error in &errors {
        ui.complain(format!("{RED}error:{RED:#} {}", error.message));
        if let Some(hint) = &error.hint {
            ui.complain(format!("{BOLD}hint:{BOLD:#} {hint}"));
        }
    }
    let mut error = errors.first()?.as_json();
    if errors.len() > 1 {
        error["all"] = errors.iter().map(CliError::as_json).collect();
    }
    Some(json!({"error": error}))
}

/// A command that did its work, but could not print its output.
pub fn unwritable(error: &io::Error) -> ExitCode {
    let _ = writeln!(
        anstream::stderr(),
        "{RED}error:{RED:#} standard output cannot be written: {error}\n{BOLD}hint:{BOLD:#} free some space, or redirect the output; the command did its work, but its output is incomplete"
    );
    ExitCode::from(FAILED)
}

/// The error of a command line that is answered with help, which says no more than what the command is for.
fn what_is_missing(command: &clap::Command) -> Option<clap::Error> {
    let without_help = |command: clap::Command| command.arg_required_else_help(false);
    let command = command.clone().mut_subcommands(without_help);
    command.try_get_matches().err()
}

/// A command line that clap rejected, or a request for help.
pub fn usage(error: clap::Error, command: &clap::Command) -> ExitCode {
    let json = std::env::args_os().any(|a| a == "--json");
    let error = match error.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand if json => {
            what_is_missing(command).unwrap_or(error)
        }
        _ => error,
    };
    let (error, tip) = tip::instead(error, command);
    let asked = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    if !asked && json {
        let text = error.render().to_string();
        // Up to the first empty line: missing arguments are listed below the message.
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let first = lines.split(|line| line.is_empty()).next();
        let message = first.unwrap_or_default().join(" ");
        let message = message.trim_start_matches("error: ");
        let error = CliError::misuse(message, tip.as_deref().unwrap_or("see kpki --help"));
        let _ = writeln!(io::stdout(), "{:#}", json!({"error": error.as_json()}));
    } else {
        // Nothing can be done about an unwritable terminal.
        let _ = error.print();
    }
    ExitCode::from(if asked { 0 } else { USAGE })
}

impl From<Errors> for Failure {
    fn from(Errors(errors): Errors) -> Self {
        Self::Errors(errors.into_iter().map(Into::into).collect())
    }
}
