//! `kpki init-ca --import-key`, `--request` and `--install-cert`: an existing CA, or an intermediate below one.

use std::path::{Path, PathBuf};

use clap::Args;
use rustls_pki_types::CertificateDer;
use serde_json::json;
use time::OffsetDateTime;

use super::{
    super::{
        CliError, Code, Done, Failure, Global, fail, passphrase,
        shell::{kpki, quote_path},
        ui::{BOLD, GREEN, Ui},
    },
    InitCa, SUBJECT, begin, protection, refuse_existing,
};
use crate::{
    bootstrap::{
        brought::{self, AwaitedKey, Brought, Request},
        ca::{self, Ca, CaError},
        rfc3339,
    },
    issuer::IssuerError,
    keystore::{self, ForeignKey, OpenedKey, Passwords, StoreError, pem},
    pki::{Certificate, Dn},
    printable::Name,
    secret::Secret,
    state::{self, OutDir, read_foreign, write_new},
};

/// Options for a CA that kpki does not create by itself.
#[derive(Debug, Args)]
pub struct Bringing {
    /// The CA certificate and its issuers up to the root: PEM in any order, PKCS12, JKS, or a single DER certificate
    #[arg(long, value_name = "FILE", requires = "import_key")]
    import_cert: Option<PathBuf>,
    /// Import an existing CA: its key as PEM or DER (PKCS8, plain or encrypted, PKCS1, SEC1), PKCS12 or JKS
    #[arg(long, value_name = "FILE", conflicts_with_all = [
        "subject", "key", "days", "intermediate", "key_uri", "name_constraints", "request", "install_cert",
    ])]
    import_key: Option<PathBuf>,
    /// File with the password of the imported file [else: KPKI_IMPORT_PASSWORD, or asked for]
    #[arg(long, value_name = "FILE", requires = "import_key")]
    import_password_file: Option<PathBuf>,
    /// Create the key of an intermediate CA and print its certificate request (PKCS#10), or print a pending one
    #[arg(long, conflicts_with_all = ["days", "intermediate", "key_uri", "name_constraints", "install_cert"])]
    request: bool,
    /// Write the request to this file
    #[arg(long, value_name = "FILE", requires = "request", value_parser = super::super::utf8_path)]
    out_file: Option<PathBuf>,
    /// Install the answer to the request: the CA certificate and its issuers up to the root, PEM in any order
    #[arg(long, value_name = "FILE", conflicts_with_all = [
        "subject", "key", "days", "no_passphrase", "intermediate", "key_uri", "name_constraints",
    ])]
    install_cert: Option<PathBuf>,
}

impl Bringing {
    pub(super) fn is_asked_for(&self) -> bool {
        self.request || self.import_key.is_some() || self.install_cert.is_some()
    }
}

pub(super) fn run(verb: &InitCa, global: &Global, out: &OutDir, ui: &Ui) -> Done {
    let Bringing {
        import_key,
        install_cert,
        ..
    } = &verb.bringing;
    match (import_key, install_cert) {
        (Some(key), _) => import(verb, key, global, out, ui),
        (_, Some(answer)) => install(answer, global, out, ui),
        _ => request(verb, global, out, ui),
    }
}

/// Refuses where there is a CA: another one does not take its place in one step.
fn refuse_second(out: &OutDir) -> Done {
    if Ca::exists(out)? && !Ca::waits(out) {
        let exists = CaError::Exists(out.ca().display().to_string());
        return fail(
            Code::CaExists,
            exists.to_string(),
            "kpki rotate-ca start replaces it with a new one made by kpki; to use another CA from the beginning, choose another --out",
        );
    }
    Ok(())
}

fn import(verb: &InitCa, key_file: &Path, global: &Global, out: &OutDir, ui: &Ui) -> Done {
    refuse_second(out)?;
    refuse_existing(out)?;
    let of_key = |error: StoreError| unread(key_file, &error);
    let bytes = read_foreign(key_file)?;
    let key = ForeignKey::read(&bytes.bytes).map_err(of_key)?;
    if let Some(mode) = bytes.exposed {
        ui.warn(format!(
            "{} can be read by other users ({mode:04o}): anyone who reads it can sign as this CA",
            key_file.display()
        ));
    }
    let mut password = Password {
        file: verb.bringing.import_password_file.as_deref(),
        known: None,
    };
    if key.is_sealed() {
        password.get(key_file)?;
    }
    let OpenedKey {
        pkcs8,
        mut certificates,
    } = key.open(password.known.as_ref()).map_err(of_key)?;
    if let Some(file) = &verb.bringing.import_cert {
        certificates.extend(read_certificates(file, &mut password)?);
    }
    if certificates.is_empty() {
        return fail(
            Code::CaRefused,
            format!("{} contains a key but no certificate", key_file.display()),
            "give the CA certificate and its issuers up to the root with --import-cert FILE",
        );
    }
    let brought = brought::read(&pkcs8, &certificates, OffsetDateTime::now_utc())?;
    remark(&brought, ui);
    let protection = protection(verb.no_passphrase, global, ui)?;
    let lock = begin(out, ui)?;
    let Brought { ca, trust, .. } = brought;
    ca::write(out, &lock, ca, &trust, &protection)?;
    show(out, &trust, "imported", ui);
    let key_file = quote_path(key_file);
    ui.say(format!(
        "  {key_file} is unchanged; kpki uses its own sealed copy. Move the file off this machine, to where backups of the CA are kept"
    ));
    ui.say(format!(
        "\n{BOLD}next:{BOLD:#} {0} up POLICY, or {0} issue kafka1",
        kpki(out.root())
    ));
    Ok(())
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
    CliError::new(code, format!("{}: {error}", file.display())).maybe_hint(error.hint())
}

fn request(verb: &InitCa, global: &Global, out: &OutDir, ui: &Ui) -> Done {
    if let Some(file) = &verb.bringing.out_file {
        state::check_writable(file)?;
    }
    if let Some(request) = brought::waiting(out)? {
        let wanted = verb.subject.parse::<Dn>().map_err(IssuerError::from)?;
        if verb.subject != SUBJECT && wanted.to_string() != request.subject {
            return fail(
                Code::CaWaits,
                format!(
                    "there is already a pending request, for {} instead of {wanted}",
                    request.subject
                ),
                format!(
                    "kpki init-ca --request prints it; to make a different one, first: mv {0} {0}.old",
                    quote_path(&out.ca())
                ),
            );
        }
        return hand_out(verb, out, &request, ui);
    }
    refuse_second(out)?;
    let subject = verb.subject.parse::<Dn>().map_err(IssuerError::from)?;
    let protection = protection(verb.no_passphrase, global, ui)?;
    let lock = begin(out, ui)?;
    let request = brought::request(out, &lock, &subject, verb.key, &protection)?;
    drop(lock);
    hand_out(verb, out, &request, ui)
}

fn hand_out(verb: &InitCa, out: &OutDir, request: &Request, ui: &Ui) -> Done {
    let file = verb.bringing.out_file.as_deref();
    match file {
        Some(file) => match state::read_optional(file)? {
            Some(there) if there == request.pem.as_bytes() => {}
            Some(_) => {
                return fail(
                    Code::FileExists,
                    format!("{} already exists, with different content", file.display()),
                    "choose another --out-file, or move the file away",
                );
            }
            None => write_new(file, request.pem.as_bytes(), 0o600)?,
        },
        None if !ui.json => ui.raw(&request.pem),
        None => {}
    }
    let key = out.ca_file("request.key").display().to_string();
    ui.note(format!(
        "{GREEN}pending{GREEN:#}  {} has no certificate yet; its key is in {key}",
        request.subject
    ));
    ui.note(format!(
        "\n{BOLD}next:{BOLD:#} have the request signed as a CA certificate (CA:TRUE with a path length of 0, keyCertSign, cRLSign), then {} init-ca --install-cert FILE",
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

fn install(answer: &Path, global: &Global, out: &OutDir, ui: &Ui) -> Done {
    refuse_second(out)?;
    let key = AwaitedKey::read(out)?;
    let certificates = read_certificates(
        answer,
        &mut Password {
            file: None,
            known: None,
        },
    )?;
    let passphrase = match key.is_sealed(out)? {
        true => Some(passphrase::of_ca(global)?),
        false => None,
    };
    let opened = key.open(out, passphrase.as_ref())?;
    let brought = brought::read(&opened, &certificates, OffsetDateTime::now_utc())?;
    drop(opened);
    remark(&brought, ui);
    let lock = begin(out, ui)?;
    key.install(out, &lock, &brought)?;
    show(out, &brought.trust, "installed", ui);
    ui.say(format!(
        "\n{BOLD}next:{BOLD:#} {0} backup FILE, then {0} up POLICY, or {0} issue kafka1",
        kpki(out.root())
    ));
    Ok(())
}

/// Prints what users should know about a CA before they use it.
fn remark(brought: &Brought, ui: &Ui) {
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

fn show(out: &OutDir, trust: &crate::bootstrap::trust::Trust, done: &str, ui: &Ui) {
    let (root, signer) = (&trust.root, trust.signer());
    let path = |file: &str| out.ca_file(file).display().to_string();
    ui.say(format!(
        "{GREEN}{done}{GREEN:#} {} (until {})",
        signer.subject,
        signer.not_after.date()
    ));
    let above = trust.intermediates().iter().skip(1).chain([root]);
    for ca in above.filter(|ca| ca.der != signer.der) {
        ui.say(format!("  below {}", ca.subject));
    }
    ui.say(format!(
        "  {}  the certificate that clients and brokers trust",
        path("ca.crt")
    ));
    ui.say(format!(
        "  {}  the signing key: keep a backup, and store the passphrase separately",
        path("ca.key")
    ));
    let chain = trust.intermediates().iter().chain([root]);
    let chain: Vec<_> = chain.map(|ca| &ca.subject).collect();
    ui.document(&json!({
        "state": done,
        "subject": signer.subject,
        "issuer": signer.issuer,
        "serial": signer.serial,
        "not_after": rfc3339(signer.not_after),
        "chain": chain,
        "root": root.subject,
        "certificate": path("ca.crt"),
        "key": path("ca.key"),
    }));
}
