//! Reads a store given on the command line, and its password.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{CliError, Code, Done, Failure, fail, passphrase, ui::Ui};
use crate::{
    keystore::{self, Integrity, Opened, Passwords, StoreError},
    printable::Printable,
    secret::Secret,
    state::read_text,
};

const VARIABLE: &str = "KPKI_STORE_PASSWORD";

/// Well-known passwords, tried if none is given; the first is that of the JDK's `cacerts`.
pub const KNOWN: [&str; 2] = ["changeit", ""];

/// The passwords of a store.
#[derive(Debug, Args)]
pub struct StorePasswords {
    /// File with the store's password [else: KPKI_STORE_PASSWORD, or asked for if one is needed]
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// File with the password of the keys, if it is a different one (ssl.key.password)
    #[arg(long, value_name = "FILE")]
    key_password_file: Option<PathBuf>,
}

impl StorePasswords {
    /// The password of a new store.
    pub fn given(&self, ui: &Ui) -> Result<Option<Secret>, Failure> {
        match &self.password_file {
            Some(file) => passphrase::from_file(file, ui).map(Some),
            None => Ok(from_environment()),
        }
    }
}

/// A store, and the password that opened it.
pub struct StoreFile {
    pub opened: Opened,
    pub password: Option<Secret>,
}

/// Reads a store. Without a password, reads what is not encrypted.
pub fn read(path: &Path, passwords: &StorePasswords, ui: &Ui) -> Result<StoreFile, Failure> {
    let bytes = zeroize::Zeroizing::new(read_text(path)?);
    let from_file = |path: &PathBuf| passphrase::from_file(path, ui);
    let key = passwords
        .key_password_file
        .as_ref()
        .map(from_file)
        .transpose()?;
    let open = |store: Option<&Secret>| {
        let key = key.as_ref();
        keystore::open(&bytes, Passwords { store, key })
    };
    let with = |password: Secret| match open(Some(&password)) {
        Ok(opened) => Ok(StoreFile {
            opened,
            password: Some(password),
        }),
        Err(error) => Err(of(path, error)),
    };
    if let Some(password) = passwords.given(ui)? {
        return with(password);
    }
    let bare = open(None).map_err(|error| of(path, error))?;
    if !wants_password(&bare) {
        return Ok(StoreFile {
            opened: bare,
            password: None,
        });
    }
    for known in KNOWN {
        let password = Secret::new(known.to_owned());
        match open(Some(&password)) {
            Ok(opened) if opened.contents.locked.len() < bare.contents.locked.len().max(1) => {
                ui.note(format!(
                    "{} has a well-known password: `{known}`",
                    path.display()
                ));
                return Ok(StoreFile {
                    opened,
                    password: Some(password),
                });
            }
            _ => {}
        }
    }
    if passphrase::can_ask() {
        let prompt = format!("Password of {}: ", path.display());
        return with(passphrase::ask(&prompt, missing(path))?);
    }
    Ok(StoreFile {
        opened: bare,
        password: None,
    })
}

/// The password from the environment, if there is one.
pub fn from_environment() -> Option<Secret> {
    let text = std::env::var(VARIABLE).ok()?;
    (!text.is_empty()).then(|| Secret::new(text))
}

fn wants_password(opened: &Opened) -> bool {
    let key_form = |why: &StoreError| *why == StoreError::WrongPassword;
    opened.protection.hidden
        || opened.protection.integrity != Integrity::None
        || opened.contents.locked.iter().any(|key| key_form(&key.why))
}

/// An error of a store, with its file.
pub fn of(path: &Path, error: StoreError) -> Failure {
    let message = format!("{}: {error}", path.display());
    let otherwise =
        "check that it is the file that you mean; if it is, take another copy: this one is damaged";
    CliError::new(Code::Store, message)
        .hint(error.hint().unwrap_or(otherwise))
        .into()
}

fn missing(path: &Path) -> CliError {
    let message = format!("{} needs a password, and none was given", path.display());
    CliError::new(Code::PasswordMissing, message).hint(format!(
        "give it with --password-file FILE or {VARIABLE}, or run kpki on a terminal, which asks for it"
    ))
}

impl StoreFile {
    /// Refuses a store whose certificates could not be read: it would look empty.
    pub fn legible(&self, path: &Path) -> Done {
        match self.password.is_none() && self.opened.protection.hidden {
            true => Err(missing(path).into()),
            false => Ok(()),
        }
    }

    /// Refuses a store that was not opened completely, because the result would be incomplete.
    pub fn whole(&self, path: &Path) -> Done {
        if self.password.is_none() && wants_password(&self.opened) {
            return Err(missing(path).into());
        }
        if let Some(key) = self.opened.contents.locked.first() {
            let hint = match &key.why {
                StoreError::WrongPassword => {
                    "give the key's own password with --key-password-file FILE"
                }
                other => other
                    .hint()
                    .unwrap_or("remove the entry from the store first"),
            };
            let (path, alias, why) = (path.display(), Printable(&key.alias), &key.why);
            let message = format!("{path}: cannot read the key `{alias}`: {why}");
            return fail(Code::Store, message, hint);
        }
        Ok(())
    }
}
