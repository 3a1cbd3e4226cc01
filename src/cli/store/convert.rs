//! `kpki store convert`

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::super::{
    CliError, Done,
    new_store::{self, Format, NewStore},
    store_file::{self, StorePasswords},
    ui::{GREEN, Ui},
};
use crate::{
    keystore::{StoreContents, StoreProfile, adopt},
    plan::count,
    printable::Printable,
};

/// Convert a store to another format, with the same entries
///
/// Aliases, keys, chains and trusted certificates are kept, and so is the password unless another one is given. Keys in
/// PEM are not encrypted. Existing files are never overwritten.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki store convert kafka.keystore.jks --to pkcs12 --out-file kafka.keystore.p12
  kpki store convert kafka.truststore.jks --to pem --out-file ca.pem
  kpki store convert kafka1.pem --to jks --out-file kafka1.jks --alias kafka1")]
pub struct Convert {
    /// The store
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The format of the new store
    #[arg(long, value_name = "FORMAT")]
    to: Format,
    /// The new store
    #[arg(long, value_name = "FILE", value_parser = super::super::new_path)]
    out_file: PathBuf,
    #[command(flatten)]
    passwords: StorePasswords,
    /// File with the new store's password [default: that of the old one]
    #[arg(long, value_name = "FILE")]
    out_password_file: Option<PathBuf>,
    /// A new alias for the store's only entry
    #[arg(long, value_name = "ALIAS")]
    alias: Option<String>,
    /// The encryption of PKCS12: `legacy` for Java 8 before 8u301 [default: default]
    #[arg(long, value_name = "PROFILE")]
    store_profile: Option<StoreProfile>,
}

impl Convert {
    pub(in super::super) fn run(self, ui: &Ui) -> Done {
        new_store::check_place(&self.out_file)?;
        let store = store_file::read(&self.file, &self.passwords, ui)?;
        store.whole(&self.file)?;
        let mut contents = store.opened.contents;
        for alias in &contents.secrets {
            ui.warn(format!(
                "the secret key `{}` is left out: kpki does not convert secret keys",
                Printable(alias)
            ));
        }
        let keyless = contents.keys.is_empty();
        match (contents.ignored.len(), keyless) {
            (0, _) => {}
            (_, true) => adopt(&mut contents),
            (left, false) => ui.warn(format!(
                "left out, because neither trusted nor in a key's chain: {}",
                count(left, "certificate")
            )),
        }
        if let Some(alias) = self.alias {
            rename(&mut contents, alias)?;
        }
        let made = NewStore {
            contents: &contents,
            format: self.to,
            profile: self.store_profile.unwrap_or_default(),
            password: new_store::password(
                self.to,
                self.out_password_file.as_deref(),
                store.password,
                ui,
            )?,
        };
        new_store::write(&self.out_file, made)?;
        let entries = contents.keys.len() + contents.trusted.len();
        ui.say(format!(
            "{GREEN}wrote{GREEN:#} {}, {}: {}",
            self.out_file.display(),
            self.to,
            count(entries, "entry")
        ));
        let keys = contents.keys.iter().map(|key| &key.alias);
        let trusted = contents.trusted.iter().map(|entry| &entry.alias);
        let aliases: Vec<&String> = keys.chain(trusted).collect();
        ui.document(&json!({
            "file": self.out_file,
            "type": self.to.to_string(),
            "aliases": aliases,
        }));
        Ok(())
    }
}

fn rename(contents: &mut StoreContents, alias: String) -> Done {
    match (&mut contents.keys[..], &mut contents.trusted[..]) {
        ([key], []) => key.alias = alias,
        ([], [entry]) => entry.alias = alias,
        _ => {
            return Err(CliError::misuse(
                "--alias is for a store with one entry",
                "leave it out: every entry keeps its own alias",
            )
            .into());
        }
    }
    Ok(())
}
