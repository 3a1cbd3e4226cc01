//! CAs that kpki does not create by itself: reading one with its key, and requesting one from the CA above it.

use std::path::{Path, PathBuf};

use clap::Args;
use rustls_pki_types::CertificateDer;
use serde_json::json;

use super::{
    CliError, Code, Done, Failure, fail, passphrase,
    shell::{kpki, quote_path},
    ui::{BOLD, GREEN, Ui},
};
use crate::{
    bootstrap::brought::{Brought, Request},
    keystore::{self, ForeignKey, OpenedKey, Passwords, StoreError, pem},
    pki::{Certificate, KeyAlgorithm},
    printable::Name,
    secret::Secret,
    state::{self, CA_REQUEST_KEY, OutDir, read_foreign, write_new},
};

/// Options for a CA that kpki does not create by itself.
#[derive(Debug, Args)]
pub struct Bringing {
    /// The CA certificate and its issuers up to the root: PEM in any order, PKCS12, JKS, or a single DER certificate
    #[arg(long, value_name = "FILE", requires = "import_key")]
    import_cert: Option<PathBuf>,
    /// Import an existing CA: its key as PEM or DER (PKCS8, plain or encrypted, PKCS1, SEC1), PKCS12 or JKS
    #[arg(long, value_name = "FILE", conflicts_with_all = ["subject", "key", "days", "request", "install_cert"])]
    pub import_key: Option<PathBuf>,
    /// File with the password of the imported file [else: KPKI_IMPORT_PASSWORD, or asked for]
    #[arg(long, value_name = "FILE", requires = "import_key")]
    import_password_file: Option<PathBuf>,
    /// Create the key of an intermediate CA and print its certificate request (PKCS#10), or print a pending one
    #[arg(long, conflicts_with_all = ["days", "install_cert"])]
    pub request: bool,
    /// Write the request to this file
    #[arg(long, value_name = "FILE", requires = "request", value_parser = super::new_path)]
    pub out_file: Option<PathBuf>,
    /// Install the answer to the request: the CA certificate and its issuers up to the root, PEM in any order
    #[arg(long, value_name = "FILE", conflicts_with_all = ["subject", "key", "days"])]
    pub install_cert: Option<PathBuf>,
}

impl Bringing {
    pub fn is_asked_for(&self) -> bool {
        self.request || self.import_key.is_some() || self.install_cert.is_some()
    }

    /// Reads the key of an existing CA, with all certificates that were given.
    pub fn read_key(&self, file: &Path, ui: &Ui) -> Result<OpenedKey, Failure> {
        let of_key = |error: StoreError| unread(file, &error);
        let bytes = read_foreign(file)?;
        let key = ForeignKey::read(&bytes.bytes).map_err(of_key)?;
        if let Some(mode) = bytes.exposed {
            ui.warn(format!(
                "{} can be read by other users ({mode:04o}): anyone who reads it can sign as this CA",
                file.display()
            ));
        }
        let mut password = Password {
            file: self.import_password_file.as_deref(),
            known: None,
        };
        if key.is_sealed() {
            password.get(file)?;
        }
        let mut opened = key.open(password.known.as_ref()).map_err(of_key)?;
        if let Some(file) = &self.import_cert {
            opened
                .certificates
                .extend(read_certificates(file, &mut password)?);
        }
        match opened.certificates.is_empty() {
            false => Ok(opened),
            true => fail(
                Code::CaRefused,
                format!("{} contains a key but no certificate", file.display()),
                "give the CA certificate and its issuers up to the root with --import-cert FILE",
            ),
        }
    }
}

/// Reads the answer to a request.
pub fn read_answer(file: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let mut password = Password {
        file: None,
        known: None,
    };
    read_certificates(file, &mut password)
}

/// What to do with the file that was imported.
pub fn put_away(key_file: &Path, ui: &Ui) {
    let key_file = quote_path(key_file);
    ui.say(format!(
        "  {key_file} is unchanged; kpki uses its own sealed copy. Move the file off this machine, to where backups of the CA are kept"
    ));
}

/// The password of the imported files, asked for once.
struct Password<'a> {
    file: Option<&'a Path>,
    known: Option<Secret>,
}

impl Password<'_> {
    fn get(&mut self, of: &Path) -> Result<&Secret, Failure> {
        let known = match self.known.take() {
            Some(known) => known,
            None => passphrase::import(self.file, of)?,
        };
        Ok(self.known.insert(known))
    }
}

/// The certificates in a file of any supported format.
fn read_certificates(
    file: &Path,
    password: &mut Password<'_>,
) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let of_file = |error: StoreError| unread(file, &error);
    let bytes = read_foreign(file)?.bytes;
    // The first octet of DER, which PKCS#12 is too, of JCEKS and of JKS.
    if !matches!(bytes.first(), Some(0x30 | 0xce | 0xfe)) {
        return Ok(pem::parse_certificates(&bytes).map_err(of_file)?);
    }
    let single = CertificateDer::from(bytes.to_vec());
    if Certificate::from_der(&single).is_ok() {
        return Ok(vec![single]);
    }
    let passwords = Passwords {
        store: Some(password.get(file)?),
        key: None,
    };
    let contents = keystore::open(&bytes, passwords).map_err(of_file)?.contents;
    let chains = contents.keys.into_iter().flat_map(|key| key.chain);
    let trusted = contents.trusted.into_iter().map(|entry| entry.cert);
    Ok(chains.chain(trusted).chain(contents.ignored).collect())
}

fn unread(file: &Path, error: &StoreError) -> CliError {
    let code = match error {
        StoreError::WrongPassword => Code::WrongPassphrase,
        _ => Code::Store,
    };
    let otherwise = "check that it is the file that you mean; PEM, DER, PKCS12 and JKS are read";
    CliError::new(code, format!("{}: {error}", file.display()))
        .hint(error.hint().unwrap_or(otherwise))
}

/// Refuses a file that a new request would overwrite.
pub fn check_new(file: Option<&Path>) -> Done {
    match file {
        Some(file) if state::read_optional(file)?.is_some() => occupied(file),
        _ => Ok(()),
    }
}

fn occupied(file: &Path) -> Done {
    fail(
        Code::FileExists,
        format!("{} already exists, with different content", file.display()),
        "choose another --out-file, or move the file away",
    )
}

/// Refuses options that a pending request was not made with; `again` prints that one and says how to make another.
pub fn check_pending(
    request: &Request,
    subject: Option<String>,
    key: Option<KeyAlgorithm>,
    again: &str,
) -> Done {
    let is = |key: Option<KeyAlgorithm>| key.map_or("another key".to_owned(), |k| k.to_string());
    let (is, wanted) = match (subject, key) {
        (Some(subject), _) if subject != request.subject => (request.subject.clone(), subject),
        (_, Some(key)) if request.key != Some(key) => (is(request.key), key.to_string()),
        _ => return Ok(()),
    };
    let message = format!("there is already a pending request, for {is} instead of {wanted}");
    fail(Code::CaWaits, message, again)
}

/// Prints or writes a request; `verb` installs the answer.
pub fn hand_out(out: &OutDir, request: &Request, file: Option<&Path>, verb: &str, ui: &Ui) -> Done {
    match file {
        Some(file) => match state::read_optional(file)? {
            Some(there) if there == request.pem.as_bytes() => {}
            Some(_) => return occupied(file),
            None => write_new(file, request.pem.as_bytes(), 0o600)?,
        },
        None if !ui.json => ui.raw(&request.pem),
        None => {}
    }
    let key = out.ca_file(CA_REQUEST_KEY).display().to_string();
    ui.note(format!(
        "{GREEN}pending{GREEN:#}  {} has no certificate yet; its key is in {key}",
        request.subject
    ));
    ui.note(format!(
        "\n{BOLD}next:{BOLD:#} have the request signed as a CA certificate (CA:TRUE with a path length of 0, keyCertSign, cRLSign), then {} {verb} --install-cert FILE",
        kpki(out.root())
    ));
    ui.document(&json!({
        "state": "waiting",
        "subject": request.subject,
        "request": request.pem,
        "file": file,
        "key": key,
    }));
    Ok(())
}

/// Prints what users should know about a CA before they use it.
pub fn remark(brought: &Brought, ui: &Ui) {
    for remark in &brought.remarks {
        ui.warn(remark);
    }
    if !brought.left_out.is_empty() {
        let left_out: Vec<String> = brought.left_out.iter().map(Name::to_string).collect();
        ui.note(format!(
            "note: ignored certificates, which are not part of the chain: {}",
            left_out.join("; ")
        ));
    }
}
