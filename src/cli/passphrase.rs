//! Where passphrases come from: a file, the environment or the terminal; never an argument.

use std::{io::IsTerminal, path::Path};

use super::{CliError, Code, Failure, Global, fail, shell::quote_path, ui::Ui};
use crate::{
    issuer::Closed,
    pki::KeyProtection,
    secret::Secret,
    state::{self, SecretFile, reason},
};

const FILE_VARIABLE: &str = "KPKI_CA_PASSPHRASE_FILE";
const VARIABLE: &str = "KPKI_CA_PASSPHRASE";

/// The shortest passphrase that a new CA is sealed under, in characters. Argon2id makes guesses expensive, not
/// impossible.
const SHORTEST: usize = 8;

/// The passphrase that opens a CA; `None` where it needs none.
pub fn existing(global: &Global, issuer: &Closed) -> Result<Option<Secret>, Failure> {
    if !issuer.needs_passphrase() {
        return Ok(None);
    }
    match given(global)? {
        Some(passphrase) => Ok(Some(passphrase)),
        None => {
            let why = missing("the CA key is sealed, and no passphrase was given");
            ask("CA passphrase: ", why).map(Some)
        }
    }
}

/// The passphrase of a CA that is about to be made.
pub fn new(global: &Global) -> Result<KeyProtection, Failure> {
    if let Some(passphrase) = given(global)? {
        return long_enough(passphrase);
    }
    let why = || missing("a new CA needs a passphrase to seal its key under, and none was given");
    let first = ask("New CA passphrase: ", why())?;
    let second = ask("The same again: ", why())?;
    if first != second {
        let message = "the two passphrases are not the same";
        return fail(Code::PassphraseMismatch, message, "run the command again");
    }
    long_enough(first)
}

fn long_enough(passphrase: Secret) -> Result<KeyProtection, Failure> {
    let length = passphrase.expose().chars().count();
    if length < SHORTEST {
        return fail(
            Code::PassphraseShort,
            format!("the passphrase has {length} characters; a new CA needs {SHORTEST} or more"),
            "use several words: anyone who gets ca.key can try passphrases offline. kpki init-ca --no-passphrase uses none",
        );
    }
    Ok(KeyProtection::Passphrase(passphrase))
}

fn missing(message: &str) -> CliError {
    CliError::new(Code::PassphraseMissing, message).hint(format!(
        "give it with --ca-passphrase-file FILE, {FILE_VARIABLE} or {VARIABLE}, or run kpki on a terminal, which asks for it"
    ))
}

fn unreadable(message: String) -> CliError {
    CliError::new(Code::PassphraseUnreadable, message)
}

fn given(global: &Global) -> Result<Option<Secret>, Failure> {
    if let Some(path) = &global.ca_passphrase_file {
        return from_own_file(path).map(Some);
    }
    // Compose files set variables that have no value to nothing.
    if let Some(path) = std::env::var_os(FILE_VARIABLE).filter(|path| !path.is_empty()) {
        return from_own_file(Path::new(&path)).map(Some);
    }
    match std::env::var(VARIABLE) {
        Ok(text) => checked(Secret::new(text), VARIABLE).map(Some),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => {
            Err(unreadable(format!("{VARIABLE} is not UTF-8")).into())
        }
    }
}

/// Reads the CA's passphrase from a file that nobody else may read.
fn from_own_file(path: &Path) -> Result<Secret, Failure> {
    let SecretFile { text, exposed } = read(path)?;
    let (path, quoted) = (path.display(), quote_path(path));
    match exposed {
        None => Ok(text),
        Some(mode) => fail(
            Code::PassphraseExposed,
            format!("the passphrase file {path} can be read by others ({mode:04o})"),
            format!(
                "chmod 600 {quoted}, and choose another passphrase if others use this machine; a container's secret can be mounted read-only, or with mode 0400"
            ),
        ),
    }
}

/// Reads a secret from a file, without the end of its line; warns where others can read it.
pub fn from_file(path: &Path, ui: &Ui) -> Result<Secret, Failure> {
    let SecretFile { text, exposed } = read(path)?;
    if let Some(mode) = exposed {
        let (path, quoted) = (path.display(), quote_path(path));
        ui.warn(format!(
            "{path} can be read by others ({mode:04o}): chmod 600 {quoted}"
        ));
    }
    Ok(text)
}

fn read(path: &Path) -> Result<SecretFile, Failure> {
    let SecretFile { text, exposed } = SecretFile::read(path).map_err(|e| {
        let (path, why) = (path.display(), reason(&e));
        unreadable(format!("cannot read the passphrase file {path}: {why}"))
            .hint("the file must contain the passphrase and nothing else")
    })?;
    let text = checked(text, &path.display().to_string())?;
    Ok(SecretFile { text, exposed })
}

fn checked(secret: Secret, whence: &str) -> Result<Secret, Failure> {
    match secret.expose().is_empty() {
        false => Ok(secret),
        true => fail(
            Code::PassphraseEmpty,
            format!("the passphrase from {whence} is empty"),
            "give a passphrase of several words",
        ),
    }
}

/// Asks on the terminal without echo; where there is none, fails with `otherwise`.
pub fn ask(prompt: &str, otherwise: CliError) -> Result<Secret, Failure> {
    if !std::io::stderr().is_terminal() || state::open(Path::new("/dev/tty")).is_err() {
        return Err(otherwise.into());
    }
    let text = rpassword::prompt_password(prompt)
        .map_err(|e| unreadable(format!("cannot read from the terminal: {e}")))?;
    checked(Secret::new(text), "the terminal")
}
