//! `kpki init-ca`

mod brought;

use clap::Args;
use serde_json::json;
use time::OffsetDateTime;

use super::{
    Done, Global,
    brought::Bringing,
    guard, passphrase,
    shell::kpki,
    token::in_token,
    ui::{BOLD, GREEN, Ui},
};
use crate::{
    bootstrap::{
        ca::{self, Ca, CaError},
        restore,
        trust::Trust,
    },
    issuer::{
        IssuerError,
        local::{CaSpec, NewCa},
    },
    pki::{Dn, KeyAlgorithm, KeyProtection, KeyUri, MIN_CA_LIFE, NameConstraint},
    policy::{IssuerSettings, Pkcs11Settings},
    state::{Lock, OutDir, Staging},
};

/// Create the private CA
///
/// Its key is sealed with a passphrase (Argon2id, 64 MiB); its certificate is what every client and broker will trust.
/// This is done once; `kpki up` does it too if the CA is missing. Instead, an existing CA can be imported with its key,
/// or an intermediate CA can be requested from a company's CA.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki init-ca
  kpki init-ca --subject 'CN=Kafka CA,O=Example' --key ecdsa-p384 --days 3650
  KPKI_CA_PASSPHRASE_FILE=/run/secrets/ca kpki init-ca --intermediate
  kpki init-ca --key-uri 'pkcs11:token=kpki;object=ca?module-path=/usr/lib/libsofthsm2.so'
  kpki init-ca --import-cert chain.pem --import-key ca-key.pem
  kpki init-ca --import-key ca.p12 --import-password-file password.txt
  kpki init-ca --request --subject 'CN=Kafka CA,O=Example' --out-file kafka-ca.csr
  kpki init-ca --install-cert answer.pem")]
pub struct InitCa {
    /// Subject in RFC 2253 form; a generation number is appended to its CN
    #[arg(long, default_value = SUBJECT, value_name = "DN")]
    subject: String,
    /// Key algorithm: ecdsa-p256, ecdsa-p384, rsa-2048, rsa-3072 or rsa-4096 [default: ecdsa-p256]
    #[arg(long, value_name = "ALG")]
    key: Option<KeyAlgorithm>,
    /// Validity of the CA in days
    #[arg(long, default_value_t = 3650, value_name = "N", value_parser = super::whole_number::<MIN_CA_LIFE, { u32::MAX }>)]
    days: u32,
    /// Write the CA key without a passphrase: anyone who reads the file can impersonate everyone
    #[arg(long, conflicts_with_all = ["ca_passphrase_file", "install_cert"])]
    no_passphrase: bool,
    /// Create an intermediate CA that signs, and seal the root key in a file of its own that can be kept offline
    #[arg(long, conflicts_with_all = ["import_key", "request", "install_cert"])]
    intermediate: bool,
    /// Sign with a key in a PKCS#11 token (an RFC 7512 URI); it is created there if it does not exist
    #[arg(long, value_name = "URI", conflicts_with_all = [
        "no_passphrase", "intermediate", "ca_passphrase_file", "import_key", "request", "install_cert",
    ])]
    key_uri: Option<KeyUri>,
    /// Restrict the CA to DNS names in this domain (may be repeated); IP addresses stay allowed
    #[arg(long = "name-constraint", value_name = "DNS", conflicts_with_all = ["import_key", "request", "install_cert"])]
    name_constraints: Vec<NameConstraint>,
    #[command(flatten)]
    bringing: Bringing,
}

/// The default subject.
const SUBJECT: &str = "CN=Kafka CA";

impl InitCa {
    pub(super) fn run(self, global: &Global, ui: &Ui) -> Done {
        let out = OutDir::new(&global.out);
        tidy(&out, ui)?;
        if self.bringing.is_asked_for() {
            return brought::run(&self, global, &out, ui);
        }
        refuse_existing(&out)?;
        let spec = CaSpec {
            subject: self.subject.parse::<Dn>().map_err(IssuerError::from)?,
            generation: 1,
            key: self.key.unwrap_or_default(),
            days: self.days,
            intermediate: self.intermediate,
            name_constraints: self.name_constraints,
        };
        if let Some(uri) = &self.key_uri {
            return make_in_token(global, &out, uri, &spec, ui);
        }
        let new = NewCa::make(&spec, OffsetDateTime::now_utc())?;
        let protection = protection(self.no_passphrase, global, ui)?;
        let lock = begin(&out, ui)?;
        let trust = Trust::new(&new)?;
        ca::write(&out, &lock, new, &trust, &protection)?;
        let (root, signer) = (&trust.root, trust.signer());
        let path = |file: &str| out.ca_file(file).display().to_string();
        ui.say(format!(
            "{GREEN}made{GREEN:#} {} (until {})",
            root.subject,
            root.not_after.date()
        ));
        let mut files = vec![
            ("ca.crt", "the certificate that clients and brokers trust"),
            (
                "ca.key",
                match protection {
                    KeyProtection::None => "the signing key: keep a backup, and let nobody read it",
                    KeyProtection::Passphrase(_) => {
                        "the signing key: keep a backup, and store the passphrase separately"
                    }
                },
            ),
        ];
        if self.intermediate {
            files.push((
                "root.key",
                "the root key: rarely needed, keep it off this machine",
            ));
        }
        for (file, what) in files {
            ui.say(format!("  {}  {what}", path(file)));
        }
        ui.say(format!(
            "\n{BOLD}next:{BOLD:#} {} issue kafka1",
            kpki(out.root())
        ));
        ui.document(&json!({
            "subject": root.subject,
            "issuer": signer.subject,
            "serial": root.serial,
            "not_after": crate::bootstrap::rfc3339(root.not_after),
            "certificate": path("ca.crt"),
            "key": path("ca.key"),
        }));
        Ok(())
    }
}

/// Refuses if there is a CA or a pending request for one, before a passphrase is asked for.
fn refuse_existing(out: &OutDir) -> Done {
    let dir = || out.ca().display().to_string();
    match Ca::exists(out)? {
        false => Ok(()),
        true if Ca::waits(out) => Err(CaError::Waiting(dir()).into()),
        true => Err(CaError::Exists(dir()).into()),
    }
}

/// How a new key is protected.
fn protection(none: bool, global: &Global, ui: &Ui) -> Result<KeyProtection, super::Failure> {
    if !none {
        return passphrase::new(global);
    }
    ui.warn("the CA key will be written without a passphrase: anyone who reads the file can impersonate every broker and client");
    Ok(KeyProtection::None)
}

/// Creates a CA whose key is in a token.
fn make_in_token(global: &Global, out: &OutDir, uri: &KeyUri, spec: &CaSpec, ui: &Ui) -> Done {
    let settings = IssuerSettings::Pkcs11(Pkcs11Settings {
        uri: uri.to_string(),
    });
    let (ca, _) = in_token(
        global,
        out,
        &settings,
        spec,
        None,
        OffsetDateTime::now_utc(),
    )?;
    let lock = begin(out, ui)?;
    ca.write(out, &lock)?;
    let root = &ca.trust.root;
    let path = |file: &str| out.ca_file(file).display().to_string();
    ui.say(format!(
        "{GREEN}made{GREEN:#} {} (until {}), signed by the key in the token",
        root.subject,
        root.not_after.date()
    ));
    ui.say(format!(
        "  {}  the certificate that clients and brokers trust",
        path("ca.crt")
    ));
    ui.say(format!(
        "\n{BOLD}next:{BOLD:#} {} issue kafka1",
        kpki(out.root())
    ));
    ui.document(&json!({
        "subject": root.subject,
        "issuer": root.subject,
        "serial": root.serial,
        "not_after": crate::bootstrap::rfc3339(root.not_after),
        "certificate": path("ca.crt"),
        "key": uri.to_string(),
    }));
    Ok(())
}

/// Creates the output directory, takes the lock, and warns if keys could get into version control.
pub fn begin(out: &OutDir, ui: &Ui) -> Result<Lock, super::Failure> {
    out.create()?;
    let lock = take_lock(out, ui)?;
    if !out.ignore(&lock)? {
        ui.warn(format!(
            "{} was not created by kpki, and its .gitignore does not exclude everything: keep its keys out of version control",
            out.root().display()
        ));
    }
    Ok(lock)
}

/// Refuses a directory that other users could have written to, and completes what a killed command left, before
/// anything is read from it.
pub fn tidy(out: &OutDir, ui: &Ui) -> Result<(), super::Failure> {
    // Closes access of other users to the CA.
    guard::tell(&out.mend()?, ui);
    let leftovers = out.leftovers()?;
    for (path, what) in &leftovers.foreign {
        ui.warn(format!(
            "{} {what}, so it is left alone; remove it",
            path.display()
        ));
    }
    if !leftovers.ours.is_empty() || restore::is_needed(out) {
        take_lock(out, ui)?;
    }
    Ok(())
}

/// Takes the writers' lock, reports waiting for it, and completes what a killed command left.
pub fn take_lock(out: &OutDir, ui: &Ui) -> Result<Lock, super::Failure> {
    let limit = guard::lock_limit()?;
    let lock = Lock::acquire(out.root(), limit, |holder| {
        ui.note(format!(
            "waiting for {}, which is writing to {}, for up to {} seconds",
            holder.unwrap_or("another kpki"),
            out.root().display(),
            limit.as_secs()
        ));
    })?;
    if Staging::recover(out, &lock)? {
        ui.note("the work of an interrupted command was completed or cleaned up");
    }
    for restore::Restored { file, fate, from } in restore::restore(out, &lock)? {
        ui.warn(format!(
            "{} {fate}; it was restored from {}",
            file.display(),
            from.display()
        ));
    }
    Ok(lock)
}
