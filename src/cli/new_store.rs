//! Writes a store to a new file, which has its final mode from the start.

use std::{fmt, path::Path};

use clap::ValueEnum;
use time::OffsetDateTime;

use super::{CliError, Code, Done, Failure, fail, passphrase, store_file};
use crate::{
    keystore::{StoreContents, StoreError, StoreProfile, check_size, jks, pkcs12, write_pem},
    random,
    secret::{Secret, SecretBytes},
    state::write_new,
};

use super::ui::Ui;

/// The formats in which stores can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// PKCS12, for Java, OpenSSL and librdkafka
    Pkcs12,
    /// PEM, for librdkafka, Kafka 2.7 and later, and other programs without Java
    Pem,
    /// JKS, for programs that read nothing else
    Jks,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pkcs12 => "PKCS12",
            Self::Pem => "PEM",
            Self::Jks => "JKS",
        })
    }
}

/// A store to write.
pub struct NewStore<'a> {
    pub contents: &'a StoreContents,
    pub format: Format,
    pub profile: StoreProfile,
    /// Not needed for PEM.
    pub password: Option<Secret>,
}

/// Refuses an existing file.
pub fn check_place(file: &Path) -> Done {
    match file.symlink_metadata() {
        Ok(_) => fail(
            Code::FileExists,
            format!("{} already exists", file.display()),
            "choose another --out-file, or move the file away",
        ),
        Err(_) => Ok(()),
    }
}

/// The password of a new store: the given one, else that of the store that it is made from.
pub fn password(
    format: Format,
    file: Option<&Path>,
    old: Option<Secret>,
    ui: &Ui,
) -> Result<Option<Secret>, Failure> {
    if format == Format::Pem {
        return Ok(None);
    }
    if let Some(file) = file {
        return passphrase::from_file(file, ui).map(Some);
    }
    let kept = old.filter(|old| !old.expose().is_empty());
    if let Some(password) = kept.or_else(store_file::from_environment) {
        return Ok(Some(password));
    }
    let missing = || {
        CliError::new(Code::PasswordMissing, "the new store needs a password").hint(
            "give it with --out-password-file FILE or KPKI_STORE_PASSWORD, or run kpki on a terminal, which asks for it",
        )
    };
    passphrase::twice("Password of the new store: ", missing).map(Some)
}

/// The bytes of a store.
fn encode(file: &Path, store: &NewStore<'_>) -> Result<SecretBytes, Failure> {
    let fault = |error: StoreError| {
        let message = format!("cannot write {}: {error}", file.display());
        CliError::new(Code::Store, message).maybe_hint(error.hint())
    };
    let NewStore {
        contents, profile, ..
    } = store;
    let password = || {
        let missing = CliError::new(Code::PasswordMissing, "the new store needs a password");
        store.password.as_ref().ok_or(missing)
    };
    let bytes: SecretBytes = match store.format {
        Format::Pkcs12 => pkcs12::store(contents, password()?, *profile)
            .map_err(fault)?
            .into(),
        Format::Pem => {
            let text = write_pem(contents).map_err(fault)?;
            text.expose().as_bytes().to_vec().into()
        }
        Format::Jks => {
            let now = OffsetDateTime::now_utc();
            let seed = random::octets()?;
            let store = jks::write(contents, password()?, &seed, now);
            store.map_err(fault)?.into()
        }
    };
    check_size(contents, &bytes).map_err(fault)?;
    Ok(bytes)
}

/// Writes a new store; one with keys is only readable by its owner.
pub fn write(file: &Path, store: NewStore<'_>) -> Done {
    let bytes = encode(file, &store)?;
    let mode = match store.contents.keys.is_empty() {
        true => 0o644,
        false => 0o600,
    };
    write_new(file, &bytes, mode)?;
    Ok(())
}
