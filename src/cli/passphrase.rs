//! Where passphrases come from: a file, the environment or the terminal, but never an argument.

mod echo;

use std::{io::IsTerminal, path::Path};

use super::{CliError, Code, Failure, Global, fail, shell::quote_path, ui::Ui};
use crate::{
    issuer::{Closed, Wanted},
    pki::KeyProtection,
    plan::count,
    secret::Secret,
    state::{self, SecretFile, reason},
};

const BACKUP_VARIABLE: &str = "KPKI_BACKUP_PASSPHRASE";
const IMPORT_VARIABLE: &str = "KPKI_IMPORT_PASSWORD";
const EXPORT_VARIABLE: &str = "KPKI_EXPORT_PASSWORD";
const FILE_VARIABLE: &str = "KPKI_CA_PASSPHRASE_FILE";
const VARIABLE: &str = "KPKI_CA_PASSPHRASE";

/// Where a person is asked, wherever input and output go.
const TERMINAL: &str = "/dev/tty";

/// The minimum length of a new passphrase that protects the CA, in characters. Argon2id makes guessing expensive, not impossible.
const SHORTEST: usize = 8;

/// The passphrase that opens a CA; `None` if it needs none.
pub fn existing(global: &Global, issuer: &Closed) -> Result<Option<Secret>, Failure> {
    match issuer.wanted() {
        None => return Ok(None),
        Some(Wanted::Passphrase) => {}
        Some(Wanted::Credential {
            what,
            file,
            setting,
            variable,
        }) => return credential(what, file.as_deref(), setting, variable).map(Some),
    }
    of_ca(global).map(Some)
}

/// The passphrase that a key of the CA is sealed under.
pub fn of_ca(global: &Global) -> Result<Secret, Failure> {
    match given(global)? {
        Some(passphrase) => Ok(passphrase),
        None => {
            let why = missing("the CA key is sealed, and no passphrase was given");
            ask("CA passphrase: ", why)
        }
    }
}

/// The password of an imported file.
pub fn import(file: Option<&Path>, of: &Path) -> Result<Secret, Failure> {
    let given = match file {
        Some(path) => from_own_file(path).map(Some),
        None => from_environment(IMPORT_VARIABLE),
    };
    if let Some(password) = given? {
        return Ok(password);
    }
    let message = format!(
        "{} is encrypted, and its password was not given",
        of.display()
    );
    let missing = CliError::new(Code::PassphraseMissing, message).hint(format!(
        "give it with --import-password-file FILE or {IMPORT_VARIABLE}, or run kpki on a terminal to be asked for it"
    ));
    ask(&format!("Password of {}: ", of.display()), missing)
}

/// The credential for an external issuer.
fn credential(
    what: &str,
    file: Option<&Path>,
    setting: &str,
    variable: &str,
) -> Result<Secret, Failure> {
    if let Some(path) = file {
        return from_own_file(path);
    }
    match std::env::var(variable) {
        Ok(text) if !text.is_empty() => return Ok(Secret::new(text)),
        _ => {}
    }
    let missing = CliError::new(
        Code::PassphraseMissing,
        format!("{what} is needed, but was not given"),
    );
    ask(
        &format!("{}: ", capital(what)),
        missing.hint(format!(
            "give it in {variable}, or in a file named by `{setting}` in the policy; or run kpki on a terminal to be asked for it"
        )),
    )
}

fn capital(text: &str) -> String {
    let (first, rest) = text.split_at(text.chars().next().map_or(0, char::len_utf8));
    format!("{}{rest}", first.to_uppercase())
}

/// The passphrase of a new CA.
pub fn new(global: &Global) -> Result<KeyProtection, Failure> {
    let why = || missing("a new CA needs a passphrase to seal its key, but none was given");
    let passphrase = match given(global)? {
        Some(passphrase) => passphrase,
        None => twice("New CA passphrase: ", why)?,
    };
    long_enough(
        passphrase,
        "a new CA",
        "use several words: anyone who gets ca.key can try passphrases offline. kpki init-ca --no-passphrase uses none",
    )
    .map(KeyProtection::Passphrase)
}

/// The passphrase of a new backup.
pub fn new_backup(file: Option<&Path>) -> Result<Secret, Failure> {
    let passphrase = match given_backup(file)? {
        Some(passphrase) => passphrase,
        None => twice("New backup passphrase: ", missing_backup)?,
    };
    long_enough(
        passphrase,
        "a backup",
        "use several words: anyone who gets the backup can try passphrases offline",
    )
}

/// The password of the CA's key in a file for other programs.
pub fn new_export(file: Option<&Path>, ui: &Ui) -> Result<Secret, Failure> {
    let password = match (file, std::env::var(EXPORT_VARIABLE)) {
        (Some(path), _) => from_file(path, ui)?,
        (None, Ok(text)) if !text.is_empty() => Secret::new(text),
        _ => twice("Password for the exported key: ", missing_export)?,
    };
    long_enough(
        password,
        "an exported CA key",
        "use several words: anyone who gets the file can try passwords offline",
    )
}

fn missing_export() -> CliError {
    let message = "the exported key needs a password, but none was given";
    CliError::new(Code::PassphraseMissing, message).hint(format!(
        "give it with --password-file FILE or {EXPORT_VARIABLE}, or run kpki on a terminal to be asked for it"
    ))
}

/// The passphrase that opens a backup.
pub fn backup(file: Option<&Path>) -> Result<Secret, Failure> {
    match given_backup(file)? {
        Some(passphrase) => Ok(passphrase),
        None => ask("Backup passphrase: ", missing_backup()),
    }
}

fn given_backup(file: Option<&Path>) -> Result<Option<Secret>, Failure> {
    match file {
        Some(path) => from_own_file(path).map(Some),
        None => from_environment(BACKUP_VARIABLE),
    }
}

fn missing_backup() -> CliError {
    let message = "a backup is sealed with a passphrase of its own, but none was given";
    CliError::new(Code::PassphraseMissing, message).hint(format!(
        "give it with --backup-passphrase-file FILE or {BACKUP_VARIABLE}, or run kpki on a terminal to be asked for it"
    ))
}

/// Asks for a new passphrase twice, to catch typing errors.
pub fn twice(prompt: &str, otherwise: impl Fn() -> CliError) -> Result<Secret, Failure> {
    let first = ask(prompt, otherwise())?;
    let second = ask("Repeat: ", otherwise())?;
    match first == second {
        true => Ok(first),
        false => fail(
            Code::PassphraseMismatch,
            "the two passphrases differ",
            "run the command again",
        ),
    }
}

/// Refuses a passphrase that is soon guessed. `what` needs a longer one.
fn long_enough(passphrase: Secret, what: &str, hint: &str) -> Result<Secret, Failure> {
    let length = passphrase.expose().chars().count();
    match length < SHORTEST {
        false => Ok(passphrase),
        true => {
            let length = count(length, "character");
            let message = format!("the passphrase has {length}; {what} needs {SHORTEST} or more");
            fail(Code::PassphraseShort, message, hint)
        }
    }
}

fn missing(message: &str) -> CliError {
    CliError::new(Code::PassphraseMissing, message).hint(format!(
        "give it with --ca-passphrase-file FILE, {FILE_VARIABLE} or {VARIABLE}, or run kpki on a terminal to be asked for it"
    ))
}

fn unreadable(message: String) -> CliError {
    CliError::new(Code::PassphraseUnreadable, message)
}

/// The CA passphrase, if one was given; it is not asked for.
pub fn given(global: &Global) -> Result<Option<Secret>, Failure> {
    if let Some(path) = &global.ca_passphrase_file {
        return from_own_file(path).map(Some);
    }
    // Compose files set variables without a value to an empty string.
    if let Some(path) = std::env::var_os(FILE_VARIABLE).filter(|path| !path.is_empty()) {
        return from_own_file(Path::new(&path)).map(Some);
    }
    from_environment(VARIABLE)
}

fn from_environment(variable: &str) -> Result<Option<Secret>, Failure> {
    match std::env::var(variable) {
        Ok(text) => checked(Secret::new(text), variable).map(Some),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => {
            Err(unreadable(format!("{variable} is not UTF-8")).into())
        }
    }
}

/// Reads the CA passphrase from a file, which other users must not be able to read.
fn from_own_file(path: &Path) -> Result<Secret, Failure> {
    let SecretFile { text, exposed } = read(path)?;
    let (path, quoted) = (path.display(), quote_path(path));
    match exposed {
        None => Ok(text),
        Some(mode) => fail(
            Code::PassphraseExposed,
            format!("the passphrase file {path} can be read by other users ({mode:04o})"),
            format!(
                "chmod 600 {quoted}, and choose another passphrase if others use this machine; a container's secret can be mounted read-only, or with mode 0400"
            ),
        ),
    }
}

/// Reads a secret from a file, without the line ending; warns if other users can read it.
pub fn from_file(path: &Path, ui: &Ui) -> Result<Secret, Failure> {
    let SecretFile { text, exposed } = read(path)?;
    if let Some(mode) = exposed {
        let (path, quoted) = (path.display(), quote_path(path));
        ui.warn(format!(
            "{path} can be read by other users ({mode:04o}): chmod 600 {quoted}"
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

/// Whether there is a terminal to ask on.
pub fn can_ask() -> bool {
    std::io::stderr().is_terminal() && state::open(Path::new(TERMINAL)).is_ok()
}

/// Asks on the terminal without echo; fails with `otherwise` if there is none.
pub fn ask(prompt: &str, otherwise: CliError) -> Result<Secret, Failure> {
    if !can_ask() {
        return Err(otherwise.into());
    }
    let text = echo::without(|| rpassword::prompt_password(prompt))
        .map_err(|e| unreadable(format!("cannot read from the terminal: {e}")))?;
    checked(Secret::new(text), "the terminal")
}
