//! Where passphrases come from: a file, the environment or the terminal; never an argument.

use std::{
    fs::{self, File},
    io::IsTerminal,
    path::Path,
};

use super::{CliError, Failure, Global};
use crate::{bootstrap::ca::Ca, secret::Secret, state::KeyProtection};

const FILE_VARIABLE: &str = "KPKI_CA_PASSPHRASE_FILE";
const VARIABLE: &str = "KPKI_CA_PASSPHRASE";

/// The passphrase of an existing CA; `None` where its key is not sealed under one.
pub fn existing(global: &Global, ca: &Ca) -> Result<Option<Secret>, Failure> {
    if !ca.needs_passphrase() {
        return Ok(None);
    }
    match given(global)? {
        Some(passphrase) => Ok(Some(passphrase)),
        None => ask(
            "CA passphrase: ",
            missing("the CA key is sealed, and no passphrase was given"),
        )
        .map(Some),
    }
}

/// The passphrase of a CA that is about to be made.
pub fn new(global: &Global) -> Result<KeyProtection, Failure> {
    if let Some(passphrase) = given(global)? {
        return Ok(KeyProtection::Passphrase(passphrase));
    }
    let why = || missing("a new CA needs a passphrase to seal its key under, and none was given");
    let first = ask("New CA passphrase: ", why())?;
    let second = ask("The same again: ", why())?;
    if first != second {
        return Err(CliError::new(
            "passphrase-mismatch",
            "the two passphrases are not the same",
        )
        .hint("run the command again")
        .into());
    }
    Ok(KeyProtection::Passphrase(first))
}

fn missing(message: &str) -> CliError {
    CliError::new("passphrase-missing", message).hint(format!(
        "give it with --ca-passphrase-file FILE, {FILE_VARIABLE} or {VARIABLE}, or run kpki on a terminal to be asked"
    ))
}

fn given(global: &Global) -> Result<Option<Secret>, Failure> {
    if let Some(path) = &global.ca_passphrase_file {
        return from_file(path).map(Some);
    }
    // Compose files set variables that have no value to nothing.
    if let Some(path) = std::env::var_os(FILE_VARIABLE).filter(|path| !path.is_empty()) {
        return from_file(Path::new(&path)).map(Some);
    }
    match std::env::var(VARIABLE) {
        Ok(text) => checked(Secret::new(text), VARIABLE).map(Some),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => {
            Err(CliError::new("passphrase-unreadable", format!("{VARIABLE} is not UTF-8")).into())
        }
    }
}

/// Reads a secret from a file; one line end behind it is not part of it.
pub fn from_file(path: &Path) -> Result<Secret, Failure> {
    let text = fs::read_to_string(path).map(Secret::new).map_err(|e| {
        CliError::new(
            "passphrase-unreadable",
            format!("cannot read the passphrase file {}: {e}", path.display()),
        )
        .hint("the file holds the passphrase and nothing else")
    })?;
    let line = text.expose().strip_suffix('\n').unwrap_or(text.expose());
    let line = line.strip_suffix('\r').unwrap_or(line);
    checked(Secret::new(line.to_owned()), &path.display().to_string())
}

fn checked(secret: Secret, whence: &str) -> Result<Secret, Failure> {
    if secret.expose().is_empty() {
        return Err(CliError::new(
            "passphrase-empty",
            format!("the passphrase from {whence} is empty"),
        )
        .hint("give a passphrase of several words")
        .into());
    }
    Ok(secret)
}

/// Asks on the terminal without echo; where there is none, fails with `otherwise`.
pub fn ask(prompt: &str, otherwise: CliError) -> Result<Secret, Failure> {
    if !std::io::stderr().is_terminal() || File::open("/dev/tty").is_err() {
        return Err(otherwise.into());
    }
    let text = rpassword::prompt_password(prompt).map_err(|e| {
        CliError::new(
            "passphrase-unreadable",
            format!("cannot read from the terminal: {e}"),
        )
    })?;
    checked(Secret::new(text), "the terminal")
}
