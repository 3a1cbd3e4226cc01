//! The one place that turns what went wrong into a text, a hint, an exit code and JSON.

mod mapping;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::error::ErrorKind;
use serde_json::json;

use super::{
    Code, tip,
    ui::{BOLD, RED, Ui},
};
use crate::{
    bootstrap::Errors,
    document::{self, Diagnostic},
};

pub use mapping::of_cluster;

/// Failed; nothing was changed, or what was is named.
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
    code: Code,
    message: String,
    hint: Option<String>,
    exit: u8,
}

impl CliError {
    /// An error with its stable code.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: None,
            exit: FAILED,
        }
    }

    /// An error in how the command was called, and how to call it.
    pub fn misuse(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(Code::Usage, message).hint(hint).usage()
    }

    /// What to do next.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What to do next, where that is known.
    pub fn maybe_hint(mut self, hint: Option<&str>) -> Self {
        self.hint = hint.map(str::to_owned);
        self
    }

    /// Its stable code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// What happened.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do next, where that is known.
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The error as `--json` prints it, without the braces around.
    pub fn as_json(&self) -> serde_json::Value {
        json!({"code": self.code.name(), "message": self.message, "hint": self.hint})
    }

    /// An error in how the command was called.
    pub fn usage(mut self) -> Self {
        self.exit = USAGE;
        self
    }
}

/// How a verb fails.
#[derive(Debug)]
pub enum Failure {
    /// One error.
    Error(Box<CliError>),
    /// Several errors of one kind, each on its own.
    Several(Vec<CliError>),
    /// An invalid policy, with everything that is wrong with it.
    Policy(Vec<Diagnostic>),
    /// The answer is no, and was printed.
    No,
    /// What failed was printed where it happened.
    AlreadyReported,
    /// Partly applied; what failed was printed where it happened.
    Partly,
}

impl<E> From<E> for Failure
where
    CliError: From<E>,
{
    fn from(error: E) -> Self {
        Self::Error(Box::new(error.into()))
    }
}

impl Failure {
    /// What went wrong, where that is told beside something else.
    pub fn messages(&self) -> Vec<&str> {
        match self {
            Self::Error(error) => vec![error.message()],
            Self::Several(errors) => errors.iter().map(CliError::message).collect(),
            Self::Policy(_) | Self::No | Self::AlreadyReported | Self::Partly => Vec::new(),
        }
    }

    /// Prints it and gives the exit code.
    pub fn report(self, ui: &Ui) -> ExitCode {
        match self {
            Self::Error(error) => report(ui, &[*error]),
            Self::Several(errors) => report(ui, &errors),
            Self::No => ExitCode::from(NO),
            Self::AlreadyReported => ExitCode::from(FAILED),
            Self::Partly => ExitCode::from(PARTLY),
            Self::Policy(diagnostics) => {
                let count = diagnostics.len();
                let message = format!(
                    "the policy is invalid: {count} {}",
                    if count == 1 { "error" } else { "errors" }
                );
                if ui.json {
                    ui.document(&json!({"error": {
                        "code": Code::InvalidPolicy.name(),
                        "message": message,
                        "hint": "mend each of the diagnostics; nothing was changed",
                        "diagnostics": diagnostics,
                    }}));
                } else {
                    ui.excerpt(document::render(&diagnostics, ui.colours()).trim_end());
                    ui.complain(format!(
                        "\n{RED}error:{RED:#} {message}; nothing was changed"
                    ));
                }
                ExitCode::from(USAGE)
            }
        }
    }
}

fn report(ui: &Ui, errors: &[CliError]) -> ExitCode {
    let mut exit = FAILED;
    for error in errors {
        exit = error.exit;
        ui.complain(format!("{RED}error:{RED:#} {}", error.message));
        if let Some(hint) = &error.hint {
            ui.complain(format!("{BOLD}hint:{BOLD:#} {hint}"));
        }
    }
    match errors {
        [only] => ui.document(&json!({"error": only.as_json()})),
        [first, ..] => {
            let mut error = first.as_json();
            error["all"] = errors.iter().map(CliError::as_json).collect();
            ui.document(&json!({"error": error}));
        }
        [] => {}
    }
    ExitCode::from(exit)
}

/// A command that did its work, but could not say so.
pub fn unwritable(error: &io::Error) -> ExitCode {
    let _ = writeln!(
        anstream::stderr(),
        "{RED}error:{RED:#} standard output cannot be written: {error}\n{BOLD}hint:{BOLD:#} make room, or write it elsewhere; the command did its work, but what it printed is not complete"
    );
    ExitCode::from(FAILED)
}

/// A command line that clap refused, or one that asks for help.
pub fn usage(error: clap::Error, command: &clap::Command) -> ExitCode {
    let (error, tip) = tip::instead(error, command);
    let asked = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    if !asked && std::env::args_os().any(|a| a == "--json") {
        let text = error.render().to_string();
        // Up to the first empty line: what is missing stands below what says so.
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let first = lines.split(|line| line.is_empty()).next();
        let message = first.unwrap_or_default().join(" ");
        let message = message.trim_start_matches("error: ");
        println_json(
            &json!({"error": {"code": Code::Usage.name(), "message": message, "hint": tip.as_deref().unwrap_or("see kpki --help")}}),
        );
    } else {
        // Nothing can be done about an unwritable terminal.
        let _ = error.print();
    }
    if asked {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(USAGE)
    }
}

fn println_json(value: &serde_json::Value) {
    let _ = writeln!(io::stdout(), "{value:#}");
}

impl From<Errors> for Failure {
    fn from(Errors(errors): Errors) -> Self {
        Self::Several(errors.into_iter().map(Into::into).collect())
    }
}
