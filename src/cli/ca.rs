//! `kpki ca export-key`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use pkcs8::{EncryptedPrivateKeyInfoOwned, PrivateKeyInfoRef, der::pem::LineEnding, pkcs5::pbes2};

use super::{
    CliError, Code, Done, Global, fail, passphrase,
    ui::{GREEN, Ui},
};
use crate::{
    bootstrap::ca::Ca as CaState,
    deeds::did,
    issuer::local,
    random,
    state::{OutDir, write_atomic},
};

/// Work with the CA's key
#[derive(Debug, Subcommand)]
pub enum Ca {
    ExportKey(ExportKey),
}

/// Export the CA key as password-protected PKCS#8, for use with other tools
///
/// The result is a PEM file that OpenSSL and other CA software can read (PBES2, PBKDF2 with 600,000 iterations,
/// AES-256).
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki ca export-key --out-file ca-key.pem
  kpki ca export-key --out-file ca-key.pem --password-file password.txt
  openssl pkey -in ca-key.pem -noout -text")]
pub struct ExportKey {
    /// The file to write, with mode 0600; it must not exist yet
    #[arg(long, value_name = "FILE", value_parser = super::new_path)]
    out_file: PathBuf,
    /// The root key, if an intermediate signs
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
        let Self::ExportKey(verb) = self;
        verb.run(global, ui)
    }
}

impl ExportKey {
    fn run(self, global: &Global, ui: &Ui) -> Done {
        if self.out_file.exists() {
            let message = format!("{} already exists", self.out_file.display());
            let hint = "choose another --out-file, or move the file away";
            return fail(Code::FileExists, message, hint);
        }
        let ca = CaState::open(&OutDir::new(&global.out))?;
        let (path, sealed) = ca.sealed(match self.root {
            true => local::ROOT_KEY,
            false => local::KEY,
        })?;
        let passphrase = passphrase::existing(global, &ca.issuer)?;
        let key = local::unseal(&path, &sealed, passphrase.as_ref())?;
        let password = passphrase::new_export(self.password_file.as_deref(), ui)?;
        let salt = random::octets::<16>()?;
        let params =
            pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(ROUNDS, &salt, random::octets()?);
        let pem = || -> pkcs8::Result<_> {
            let key = PrivateKeyInfoRef::try_from(&*key)?;
            let der = key.encrypt_with_params(params?, password.expose())?;
            EncryptedPrivateKeyInfoOwned::try_from(der.as_bytes())?;
            Ok(der.to_pem("ENCRYPTED PRIVATE KEY", LineEnding::LF)?)
        };
        let pem = pem()
            .map_err(|e| CliError::new(Code::Export, format!("the key cannot be exported: {e}")))?;
        did("exported", "the CA key");
        write_atomic(&self.out_file, pem.as_bytes(), 0o600, None)?;
        ui.say(format!("{GREEN}wrote{GREEN:#} {}", self.out_file.display()));
        ui.document(&serde_json::json!({"key": self.out_file}));
        Ok(())
    }
}
