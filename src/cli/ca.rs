//! `kpki ca export-key`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use pkcs8::{EncryptedPrivateKeyInfoOwned, PrivateKeyInfoRef, der::pem::LineEnding, pkcs5::pbes2};

use super::{
    CliError, Code, Done, Global, passphrase,
    ui::{GREEN, Ui},
};
use crate::{
    bootstrap::ca::Ca as CaState,
    issuer::local,
    random,
    state::{OutDir, write_atomic},
};

/// Work with the CA itself
#[derive(Debug, Args)]
pub struct Ca {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    ExportKey(ExportKey),
}

/// Give the CA key back as password-protected PKCS#8, for use with other tools
///
/// The result is a PEM file that OpenSSL and every other CA reads (PBES2, PBKDF2 with 600,000 rounds, AES-256).
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki ca export-key --out-file ca-key.pem
  kpki ca export-key --out-file ca-key.pem --password-file password.txt
  openssl pkey -in ca-key.pem -noout -text")]
struct ExportKey {
    /// The file to write, 0600; it must not exist yet
    #[arg(long, value_name = "FILE", value_parser = super::utf8_path)]
    out_file: PathBuf,
    /// The root's key, where an intermediate signs
    #[arg(long)]
    root: bool,
    /// File with the password of the exported key [else: KPKI_EXPORT_PASSWORD, or asked]
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// OWASP's recommendation of 2023 for PBKDF2-HMAC-SHA256.
const ROUNDS: u32 = 600_000;

impl Ca {
    pub(super) fn run(self, global: &Global, ui: &Ui) -> Done {
        match self.verb {
            Verb::ExportKey(verb) => verb.run(global, ui),
        }
    }
}

impl ExportKey {
    fn run(self, global: &Global, ui: &Ui) -> Done {
        if self.out_file.exists() {
            return Err(CliError::new(
                Code::FileExists,
                format!("{} exists already", self.out_file.display()),
            )
            .hint("choose another --out-file, or move the file away")
            .into());
        }
        let ca = CaState::open(&OutDir::new(&global.out))?;
        let (path, sealed) = ca.sealed(match self.root {
            true => local::ROOT_KEY,
            false => local::KEY,
        })?;
        let passphrase = passphrase::existing(global, &ca.issuer)?;
        let key = local::unseal(&path, &sealed, passphrase.as_ref())?;
        let password = match (&self.password_file, std::env::var("KPKI_EXPORT_PASSWORD")) {
            (Some(path), _) => passphrase::from_file(path, ui)?,
            (None, Ok(text)) if !text.is_empty() => crate::secret::Secret::new(text),
            _ => passphrase::ask(
                "Password for the exported key: ",
                CliError::new(Code::PassphraseMissing, "the exported key needs a password, and none was given")
                    .hint("give it with --password-file FILE or KPKI_EXPORT_PASSWORD, or run kpki on a terminal to be asked"),
            )?,
        };
        let failed =
            |e: String| CliError::new(Code::Export, format!("the key cannot be exported: {e}"));
        let salt = random::octets::<16>()?;
        let params =
            pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(ROUNDS, &salt, random::octets()?)
                .map_err(|e| failed(e.to_string()))?;
        let pem = PrivateKeyInfoRef::try_from(&*key)
            .map_err(|e| failed(e.to_string()))?
            .encrypt_with_params(params, password.expose())
            .and_then(|der| {
                EncryptedPrivateKeyInfoOwned::try_from(der.as_bytes())?;
                Ok(der.to_pem("ENCRYPTED PRIVATE KEY", LineEnding::LF)?)
            })
            .map_err(|e| failed(e.to_string()))?;
        write_atomic(&self.out_file, pem.as_bytes(), 0o600, None)?;
        ui.say(format!("{GREEN}wrote{GREEN:#} {}", self.out_file.display()));
        ui.document(&serde_json::json!({"key": self.out_file}));
        Ok(())
    }
}
