//! `kpki trust add`

use std::path::{Path, PathBuf};

use clap::Args;
use rustls_pki_types::CertificateDer;

use super::{
    super::{CliError, Code, Done, Failure, new_store::Format, store_file::StorePasswords, ui::Ui},
    NewTrust, check_place, remark,
};
use crate::{keystore::pem, pki::Certificate, state::read_text};

/// Create a truststore from certificates, alone or in addition to those of another truststore
///
/// The certificates are PEM or DER, one or more per file. --from adds everything that another truststore trusts, such
/// as a JDK's cacerts; that file is not changed, and its aliases and password are kept. Without --out-file, all
/// certificates are printed to standard output as PEM.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki trust add ca.pem --out-file truststore.p12
  kpki trust add ca.pem old-ca.der --out-file ca-bundle.pem
  kpki trust add ca.pem --from /etc/ssl/certs/java/cacerts --out-file cacerts-and-ours.p12")]
pub struct Add {
    /// Certificates, PEM or DER
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The new truststore; PEM if its name ends with .pem or .crt
    #[arg(long, value_name = "FILE", value_parser = super::super::new_path)]
    out_file: Option<PathBuf>,
    /// An existing truststore to start from: PKCS12, JKS, JCEKS or PEM
    #[arg(long, value_name = "STORE")]
    from: Option<PathBuf>,
    /// The format of the new truststore [default: by its name, else as STORE, else pkcs12]
    #[arg(long, value_name = "FORMAT")]
    to: Option<Format>,
    #[command(flatten)]
    passwords: StorePasswords,
}

impl Add {
    pub(in super::super) fn run(self, ui: &Ui) -> Done {
        check_place(self.out_file.as_deref())?;
        let mut certs = Vec::new();
        for file in &self.files {
            certs.extend(certificates(file)?);
        }
        let (from, file) = (self.from.as_deref(), self.out_file.as_deref());
        let mut trust = NewTrust::start(from, &self.passwords, (self.to, file), ui)?;
        for cert in &certs {
            remark(cert, ui);
        }
        trust.add(certs, ui);
        trust.write(file, ui)
    }
}

/// Every certificate in a file, PEM or DER.
pub fn certificates(file: &Path) -> Result<Vec<Certificate>, Failure> {
    let bytes = read_text(file)?;
    let bad = |error: String| {
        let message = format!("{}: {error}", file.display());
        CliError::new(Code::BadCertificate, message)
            .hint("give certificates in PEM or DER; for a truststore, use --from STORE")
    };
    let ders = match bytes.first() {
        // A SEQUENCE, as every DER certificate is.
        Some(0x30) => vec![CertificateDer::from(bytes)],
        _ => pem::parse_certificates(&bytes).map_err(|error| bad(error.to_string()))?,
    };
    let read = |der| Certificate::from_der(der).map_err(|error| bad(error.to_string()).into());
    ders.iter().map(read).collect()
}
