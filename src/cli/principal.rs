//! `kpki principal`

use std::path::Path;

use clap::Args;
use rustls_pki_types::CertificateDer;
use serde_json::json;

use super::{
    CliError, Code, Done, Failure, Global, fail,
    ui::{BOLD, DIM, RED, Ui},
    verdict,
};
use crate::{
    acl,
    bootstrap::member::has_password,
    keystore::pem,
    pki::{
        Certificate, IdentityName, never_printed,
        principal::{MapError, MappingRules},
    },
    policy::{DEFAULT_MAPPING_RULES, LAYOUTS},
    printable::Printable,
    state::{Inventory, OutDir, Written, read_plain, read_text},
};

/// Show the principal that Kafka derives from a certificate, and the rule that produces it
///
/// ACLs name principals; Kafka derives a certificate's principal from its subject with ssl.principal.mapping.rules. The
/// exit code is 3 if no rule matches: brokers then refuse the certificate.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki principal orders-service
  kpki principal client.pem --rules 'RULE:^CN=([^,]+),OU=apps.*$/$1/L,DEFAULT'
  kpki principal 'CN=alice,OU=apps,O=Example'")]
pub struct Principal {
    /// An identity in the output directory, a certificate or chain (PEM or DER), or a distinguished name (RFC 2253)
    #[arg(value_name = "NAME|CERT.pem|DN")]
    of: String,
    /// The brokers' ssl.principal.mapping.rules [default: a policy's default rules, which take the CN]
    #[arg(long, value_name = "RULES")]
    rules: Option<String>,
}

impl Principal {
    pub(super) fn run(self, global: &Global, ui: &Ui) -> Done {
        let rules = match &self.rules {
            Some(text) => MappingRules::from_property(text),
            None => Ok(DEFAULT_MAPPING_RULES.clone()),
        };
        let rules = rules.map_err(|e| {
            CliError::new(Code::BadRules, e.to_string())
                .hint(e.hint())
                .usage()
        })?;
        let subject = match who(&self.of, global, ui)? {
            Who::Certified(subject) => subject,
            Who::User(name) => {
                tell_user(&name, ui);
                return Ok(());
            }
        };
        let mapped = match rules.apply(&subject) {
            Ok(mapped) => Some(mapped),
            Err(MapError::NoRule { .. }) => None,
            Err(unsure @ MapError::Unsure { .. }) => {
                let hint = "ask a broker, or write a simpler rule, anchored with ^ and $";
                return fail(Code::MappingUnsure, unsure.to_string(), hint);
            }
        };
        ui.document(&json!({
            "subject": subject,
            "principal": mapped.as_ref().map(|m| acl::Principal::user(&m.name).to_string()),
            "rule": mapped.as_ref().map(|m| &m.rule),
        }));
        if ui.json {
            return verdict(mapped.is_some());
        }
        let shown = Printable(&subject);
        let Some(mapped) = mapped else {
            ui.complain(format!(
                "{RED}no principal{RED:#}  no rule matches {shown}; brokers refuse its owner"
            ));
            ui.complain(format!(
                "{BOLD}hint:{BOLD:#} a rule must match the whole name; DEFAULT as the last rule keeps every other name unchanged"
            ));
            return Err(Failure::No);
        };
        ui.answer(format!(
            "{BOLD}{}{BOLD:#}\n  {DIM}subject{DIM:#} {shown}\n  {DIM}rule   {DIM:#} {}",
            Printable(&acl::Principal::user(mapped.name).to_string()),
            Printable(&mapped.rule)
        ));
        Ok(())
    }
}

/// How Kafka identifies somebody.
enum Who {
    /// By a certificate, whose name this is, as Java prints it.
    Certified(String),
    /// By a password.
    User(IdentityName),
}

fn who(of: &str, global: &Global, ui: &Ui) -> Result<Who, Failure> {
    let path = Path::new(of);
    if path.is_file() {
        let text = read_text(path).map_err(|e| bad(e.to_string()))?;
        return of_text(path, &text).map(Who::Certified);
    }
    if of.contains('=') {
        let name = tight(of);
        warn_of_foreign(&name, ui);
        return Ok(Who::Certified(name));
    }
    let unknown = || {
        let out = global.out.display();
        let message = format!(
            "`{of}` is unknown: {out} has no identity of that name, and there is no such file"
        );
        CliError::new(Code::IdentityUnknown, message)
        .hint("give an identity, a certificate file, or a complete distinguished name: 'CN=alice,O=Example'")
    };
    let name: IdentityName = of.parse().map_err(|_| unknown())?;
    let out = OutDir::new(&global.out);
    out.check()?;
    let dir = out.identity(&name);
    let mut files = LAYOUTS
        .iter()
        .map(|layout| dir.join(layout.files(name.as_str()).certificate));
    if let Some(file) = files.find(|file| file.is_file()) {
        let text = read_plain(&file)?.ok_or_else(unknown)?;
        return of_text(&file, &text).map(Who::Certified);
    }
    // Its key, and so its certificate, may be elsewhere.
    match Inventory::read(&out)?.latest(name.as_str()) {
        Some(record) => Ok(Who::Certified(record.subject.clone())),
        None if has_password(&out, &name) => Ok(Who::User(name)),
        // Every certificate has this subject; its request is awaited.
        None if dir.is_dir() && Written::read(&out)?.of(name.as_str()).is_some() => {
            Ok(Who::Certified(format!("CN={name}")))
        }
        None => Err(unknown().into()),
    }
}

/// The principal of somebody who has no certificate, which no rule changes.
fn tell_user(name: &IdentityName, ui: &Ui) {
    let principal = acl::Principal::user(name).to_string();
    ui.document(&json!({"subject": null, "principal": principal, "rule": null}));
    if !ui.json {
        ui.answer(format!(
            "{BOLD}{principal}{BOLD:#}\n  it has no certificate, but a SCRAM password, and no rule applies to its user name"
        ));
    }
}

fn bad(message: String) -> CliError {
    CliError::new(Code::BadCertificate, message).hint("give a certificate or a chain, PEM or DER")
}

fn of_text(path: &Path, text: &[u8]) -> Result<String, Failure> {
    let fault = |what: &str| bad(format!("{}: {what}", path.display()));
    let der = CertificateDer::from(text);
    let ders = match Certificate::from_der(&der) {
        Ok(_) => vec![der.into_owned()],
        Err(_) => pem::parse_certificates(text).map_err(|e| fault(&e.to_string()))?,
    };
    let read = ders.iter().map(Certificate::from_der);
    let read: Vec<Certificate> = read
        .collect::<Result<_, _>>()
        .map_err(|e| fault(&e.to_string()))?;
    // A chain in any order: the leaf has issued none of the others.
    let is_issuer = |ca: &Certificate| {
        let mut others = read.iter().filter(|c| c.der != ca.der);
        others.any(|c| c.issuer == ca.subject)
    };
    let leaf = read.iter().find(|c| !is_issuer(c)).or(read.first());
    let leaf = leaf.ok_or_else(|| fault("no certificate"))?;
    Ok(leaf.subject.exact().to_owned())
}

/// Warns of a name as other programs print it: rules and ACLs meant for it would not match what Kafka makes of the same
/// certificate.
fn warn_of_foreign(name: &str, ui: &Ui) {
    if let Some(keyword) = never_printed(name) {
        let keyword = Printable(keyword);
        ui.warn(format!(
            "Kafka never prints `{keyword}` in a name, but only CN=, C=, L=, ST=, STREET=, O=, OU=, DC= and UID=, and other types by number, with a value in hexadecimal after `#`: give the certificate itself to see its principal (kpki principal FILE)"
        ));
    }
}

/// A name without spaces after commas, as Java prints it.
fn tight(name: &str) -> String {
    let mut tight = String::with_capacity(name.len());
    let mut escaped = false;
    let mut after_comma = false;
    for c in name.trim().chars() {
        if after_comma && c == ' ' {
            continue;
        }
        tight.push(c);
        after_comma = c == ',' && !escaped;
        escaped = c == '\\' && !escaped;
    }
    tight
}
