//! Where passphrases come from: a file, the environment or the terminal; never an argument.

use std::{
    fs::{File, Metadata},
    io::{self, IsTerminal, Read},
    os::unix::fs::MetadataExt,
    path::Path,
};

use super::{CliError, Code, Failure, Global, ui::Ui};
use crate::{issuer::Closed, pki::KeyProtection, secret::Secret, shell::quote, state::reason};

const FILE_VARIABLE: &str = "KPKI_CA_PASSPHRASE_FILE";
const VARIABLE: &str = "KPKI_CA_PASSPHRASE";

/// The shortest passphrase that a new CA is sealed under, in characters. Argon2id makes each guess dear, not
/// impossible.
const SHORTEST: usize = 8;

/// The most that is read of a file with a passphrase.
const MAX_FILE: u64 = 64 * 1024;

/// The passphrase that opens a CA; `None` where it needs none.
pub fn existing(global: &Global, issuer: &Closed) -> Result<Option<Secret>, Failure> {
    if !issuer.needs_passphrase() {
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
        return long_enough(passphrase);
    }
    let why = || missing("a new CA needs a passphrase to seal its key under, and none was given");
    let first = ask("New CA passphrase: ", why())?;
    let second = ask("The same again: ", why())?;
    if first != second {
        return Err(CliError::new(
            Code::PassphraseMismatch,
            "the two passphrases are not the same",
        )
        .hint("run the command again")
        .into());
    }
    long_enough(first)
}

fn long_enough(passphrase: Secret) -> Result<KeyProtection, Failure> {
    let length = passphrase.expose().chars().count();
    if length < SHORTEST {
        return Err(CliError::new(
            Code::PassphraseShort,
            format!("the passphrase has {length} characters; a new CA needs {SHORTEST} or more"),
        )
        .hint("take several words: whoever gets hold of ca.key can try passphrases for years. kpki init-ca --no-passphrase goes without one")
        .into());
    }
    Ok(KeyProtection::Passphrase(passphrase))
}

fn missing(message: &str) -> CliError {
    CliError::new(Code::PassphraseMissing, message).hint(format!(
        "give it with --ca-passphrase-file FILE, {FILE_VARIABLE} or {VARIABLE}, or run kpki on a terminal to be asked"
    ))
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
        Err(std::env::VarError::NotUnicode(_)) => Err(CliError::new(
            Code::PassphraseUnreadable,
            format!("{VARIABLE} is not UTF-8"),
        )
        .into()),
    }
}

/// Reads the CA's passphrase from a file that nobody else may read.
fn from_own_file(path: &Path) -> Result<Secret, Failure> {
    let (secret, meta) = read(path)?;
    if is_open(&meta) && !is_read_only(path) {
        return Err(CliError::new(
            Code::PassphraseExposed,
            format!(
                "the passphrase file {} may be read by others ({:04o})",
                path.display(),
                meta.mode() & 0o777
            ),
        )
        .hint(format!(
            "chmod 600 {0}, and take another passphrase if others use this machine; a container's secret can be mounted read-only, or with mode 0400",
            quote(&path.display().to_string())
        ))
        .into());
    }
    Ok(secret)
}

/// Reads a secret from a file that others had better not read; one line end behind it is not part of it.
pub fn from_file(path: &Path, ui: &Ui) -> Result<Secret, Failure> {
    let (secret, meta) = read(path)?;
    if is_open(&meta) && !is_read_only(path) {
        ui.warn(format!(
            "{} may be read by others ({:04o}): chmod 600 {}",
            path.display(),
            meta.mode() & 0o777,
            quote(&path.display().to_string())
        ));
    }
    Ok(secret)
}

/// Whether others may read or write a file on a disk. A group may, where root alone decides who is in it and what the
/// file holds: services get their passphrases so.
fn is_open(meta: &Metadata) -> bool {
    let roots = meta.uid() == 0 && !rustix::process::geteuid().is_root();
    let closed = if roots { 0o037 } else { 0o077 };
    meta.is_file() && meta.mode() & closed != 0
}

/// Whether a file lies where nobody could give it another mode, as the secrets of containers do: who may read it there
/// is decided by whoever mounts it.
fn is_read_only(path: &Path) -> bool {
    rustix::fs::statvfs(path)
        .is_ok_and(|fs| fs.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY))
}

fn read(path: &Path) -> Result<(Secret, Metadata), Failure> {
    let fault = |e: io::Error| {
        CliError::new(
            Code::PassphraseUnreadable,
            format!(
                "cannot read the passphrase file {}: {}",
                path.display(),
                reason(&e)
            ),
        )
        .hint("the file holds the passphrase and nothing else")
    };
    let file = File::open(path).map_err(fault)?;
    let meta = file.metadata().map_err(fault)?;
    // Large enough from the start: growing leaves copies behind.
    let mut text = String::with_capacity(meta.len().clamp(1024, MAX_FILE + 2) as usize);
    let read = file.take(MAX_FILE + 1).read_to_string(&mut text);
    let text = Secret::new(text);
    read.map_err(fault)?;
    if text.expose().len() as u64 > MAX_FILE {
        return Err(fault(io::Error::other("it is larger than any passphrase")).into());
    }
    let line = text.expose().strip_suffix('\n').unwrap_or(text.expose());
    let line = line.strip_suffix('\r').unwrap_or(line);
    let secret = checked(Secret::new(line.to_owned()), &path.display().to_string())?;
    Ok((secret, meta))
}

fn checked(secret: Secret, whence: &str) -> Result<Secret, Failure> {
    if secret.expose().is_empty() {
        return Err(CliError::new(
            Code::PassphraseEmpty,
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
            Code::PassphraseUnreadable,
            format!("cannot read from the terminal: {e}"),
        )
    })?;
    checked(Secret::new(text), "the terminal")
}
