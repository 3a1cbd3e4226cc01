//! `kpki sign`

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use time::OffsetDateTime;

use super::{
    CliError, Code, Done, Failure, Global,
    error::{fail, several},
    init_ca::{take_lock, tidy},
    passphrase,
    ui::{GREEN, Ui},
    up::loses_hosts,
};
use crate::{
    bootstrap::{
        ca::Ca,
        forgotten,
        sign::{self, Said, Signed, Unsaid, cas, same_key, sign},
    },
    keystore::pem,
    pki::{
        Approved, Asked, Certificate, Csr, CsrProblem, Host, IdentityName, Kind, LEAF_DAYS,
        PkiError,
    },
    state::{Inventory, OutDir, check_writable, read_optional, read_request, write_atomic},
};

/// Sign a certificate request (PKCS#10), for a key that never leaves its machine
///
/// Prints the certificate and the intermediates. kpki takes from the request only the key, the CN as the name, and for
/// a broker the DNS names and IP addresses of its subjectAltName. Names and host names of other identities, and hosts that
/// the last certificate of the same name does not have, must be given with these options.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki sign kafka1.csr > kafka1.crt
  kpki sign kafka1.csr --host kafka1.example.com --host 10.0.0.11
  kpki sign orders-service.csr --client --out-file orders-service.crt
  ssh kafka1 cat kafka1.csr | kpki sign -")]
pub struct Sign {
    /// The request, PEM or DER; `-` is standard input
    #[arg(value_name = "REQUEST.csr")]
    request: PathBuf,
    /// Sign for a client
    #[arg(long, conflicts_with = "broker")]
    client: bool,
    /// Sign for a broker [default: as the last certificate of that name, else a broker]
    #[arg(long)]
    broker: bool,
    /// Sign even if the last certificate of that name was revoked; the key must be a new one
    #[arg(long)]
    new_key: bool,
    /// The identity's name [default: the CN of the request, which must not be a different one]
    #[arg(long, value_name = "NAME")]
    name: Option<IdentityName>,
    /// A DNS name or IP address for the certificate, instead of all those in the request (may be repeated)
    #[arg(long = "host", value_name = "H")]
    hosts: Vec<Host>,
    /// Validity of the certificate in days; it never outlives the CA
    #[arg(long, default_value_t = LEAF_DAYS, value_name = "N", value_parser = super::whole_number::<1, 36_500>)]
    days: u32,
    /// Write the chain to this file; only an earlier certificate of the same name is overwritten
    #[arg(long, value_name = "FILE", value_parser = super::new_path)]
    out_file: Option<PathBuf>,
}

impl Sign {
    pub(super) fn run(self, global: &Global, ui: &Ui) -> Done {
        let out = OutDir::new(&global.out);
        let bytes = read_request(&self.request)?;
        let unreadable =
            |error: String| CliError::new(Code::BadRequest, format!("{}: {error}", self.shown()));
        let der = match bytes.first() {
            // A SEQUENCE, as every DER request begins with.
            Some(0x30) => bytes,
            _ => pem::parse_request(&bytes)
                .map_err(|error| {
                    let otherwise = "give a request as PEM or DER: kpki issue NAME --csr-only, openssl req -new and keytool -certreq make one";
                    unreadable(error.to_string()).hint(error.hint().unwrap_or(otherwise))
                })?,
        };
        let csr = Csr::from_der(&der).map_err(|problem| {
            unreadable(problem.to_string())
                .hint("kpki issue NAME --csr-only, openssl req -new and keytool -certreq make one")
        })?;
        tidy(&out, ui)?;
        let ca = Ca::open(&out)?;
        // Errors are reported before a passphrase is asked for.
        let approved = self.approve(&csr, &out, &Inventory::read(&out)?, &ca)?;
        if let Some(file) = &self.out_file {
            check_place(file, &approved.leaf.name)?;
        }
        let issuer = ca.open_issuer(passphrase::existing(global, &ca.issuer)?.as_ref())?;
        let lock = take_lock(&out, ui)?;
        ca.check_unchanged(&out, &lock)?;
        let mut inventory = Inventory::read(&out)?;
        let approved = self.approve(&csr, &out, &inventory, &ca)?;
        remark(&approved, &inventory, ui);
        let now = OffsetDateTime::now_utc();
        let signed = sign(&approved, &*issuer, &mut inventory, &lock, now)?;
        self.hand_out(signed, ui)
    }

    /// The request's name in messages.
    fn shown(&self) -> String {
        match self.request.to_str() {
            Some("-") => "standard input".to_owned(),
            _ => self.request.display().to_string(),
        }
    }

    /// What may be signed, or every error.
    fn approve(
        &self,
        csr: &Csr<'_>,
        out: &OutDir,
        inventory: &Inventory,
        ca: &Ca,
    ) -> Result<Approved, Failure> {
        forgotten::check(out, &ca.trust, inventory, OffsetDateTime::now_utc())?;
        let name = self.name.clone().or_else(|| csr.name().ok());
        let last = name
            .as_ref()
            .and_then(|name| inventory.latest(name.as_str()));
        let mut errors = Vec::new();
        let kind = match (self.client, self.broker, last, &name) {
            (true, ..) => Kind::Client,
            (false, false, Some(record), _) => record.kind,
            (false, false, None, Some(name)) => {
                let kind = sign::first_kind(out, name)?;
                if kind.is_none() {
                    errors.push(self.uncertified(name));
                }
                kind.unwrap_or(Kind::Broker)
            }
            _ => Kind::Broker,
        };
        let asked = Asked {
            name: self.name.as_ref(),
            kind,
            hosts: Some(&self.hosts[..]).filter(|hosts| !hosts.is_empty()),
            days: self.days,
        };
        if let Some(name) = &name {
            let wrong = sign::check(out, inventory, name, kind, self.new_key)?;
            errors.extend(wrong.into_iter().map(CliError::from));
        }
        match csr.approve(asked, ca.trust.signer(), &cas(&ca.trust)) {
            Ok(approved) => {
                let said = Said {
                    name: self.name.is_some(),
                    hosts: !self.hosts.is_empty(),
                };
                let unsaid = sign::unsaid(out, inventory, &approved.leaf, said)?;
                errors.extend(unsaid.iter().map(|why| self.unsaid(why, &approved)));
                several(errors)?;
                sign::revoked_key(inventory, &approved)?;
                Ok(approved)
            }
            Err(problems) => {
                let refused = problems.iter().map(|problem| self.refused(problem));
                Err(Failure::Errors(refused.chain(errors).collect()))
            }
        }
    }

    /// A name that is known, but not from a certificate.
    fn uncertified(&self, name: &IdentityName) -> CliError {
        let message = format!(
            "the request {} is refused: `{name}` is an identity without a certificate, and whoever gets one has its principal",
            self.shown()
        );
        CliError::new(Code::RequestRefused, message).hint(format!(
            "if {name} is to have one, add --client or --broker"
        ))
    }

    fn unsaid(&self, why: &Unsaid, approved: &Approved) -> CliError {
        let message = format!("the request {} is refused: {why}", self.shown());
        let hosts = approved.leaf.hosts.iter();
        let hosts: String = hosts.map(|host| format!(" --host {host}")).collect();
        let name = &approved.leaf.name;
        let is_name = |host: &Host| host.to_string() == name.as_str();
        let hint = match why {
            Unsaid::SuperUser { .. } | Unsaid::SamePrincipal { .. } => {
                format!("if that is meant, add --name {name}{hosts}")
            }
            Unsaid::OfOthers(of) if of.keys().any(is_name) => format!(
                "programs accept the name for a host: if that is meant, add --name {name}{hosts}"
            ),
            _ => format!("if {name} is to have them, add{hosts}"),
        };
        CliError::new(Code::RequestRefused, message).hint(hint)
    }

    fn refused(&self, problem: &CsrProblem) -> CliError {
        let message = format!("the request {} is refused: {problem}", self.shown());
        let hint = match problem {
            CsrProblem::UnknownKey(_) | CsrProblem::WeakKey(_) => {
                "make a new key: openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout NAME.key -out NAME.csr -subj /CN=NAME"
            }
            CsrProblem::Pki(PkiError::NoHost(_)) => {
                "give the hosts with --host H; if this is a client, --client instead"
            }
            CsrProblem::KeyOfCa(_) => "every identity needs a key of its own",
            CsrProblem::NoName => "give the name with --name",
            CsrProblem::BadHost(..)
            | CsrProblem::NotAHost(_)
            | CsrProblem::ManyHosts
            | CsrProblem::Pki(_) => "give the hosts with --host H, instead of those in the request",
            CsrProblem::OtherName { .. } => "leave out --name, or make a request for that name",
            CsrProblem::WantsCa(_) => {
                "kpki init-ca --intermediate makes an intermediate CA; make a request that does not ask for one"
            }
            CsrProblem::ManyNames
            | CsrProblem::BadName(_)
            | CsrProblem::BadExtension(..)
            | CsrProblem::WrongSignature
            | CsrProblem::SignatureAlgorithm(_)
            | CsrProblem::Malformed => {
                "make a new request: kpki issue NAME --csr-only, openssl req -new or keytool -certreq"
            }
        };
        CliError::new(Code::RequestRefused, message).hint(hint)
    }

    fn hand_out(&self, signed: Signed, ui: &Ui) -> Done {
        let Signed { record, chain } = signed;
        let text = pem::certificates(&chain);
        if let Some(file) = &self.out_file {
            write_atomic(file, text.as_bytes(), 0o644, None).map_err(|error| {
                // Nothing else has it.
                ui.raw(&text);
                let mut error = CliError::from(error);
                let signed = format!("; {} was signed, and is on standard output", record.name);
                error.message.push_str(&signed);
                error
            })?;
        } else if !ui.json {
            ui.raw(&text);
        }
        let sans = match record.sans.is_empty() {
            true => "no host names".to_owned(),
            false => record.sans.join(" "),
        };
        ui.note(format!(
            "{GREEN}signed{GREEN:#}  {} {} ({sans}), until {}",
            record.kind.name(),
            record.name,
            record.not_after.date()
        ));
        ui.document(&json!({"certificate": record, "chain": text, "file": self.out_file}));
        Ok(())
    }
}

/// Warnings about a request that is signed.
fn remark(approved: &Approved, inventory: &Inventory, ui: &Ui) {
    let name = &approved.leaf.name;
    let lost = sign::lost_hosts(inventory, &approved.leaf);
    match approved.leaf.kind {
        _ if lost.is_empty() => {}
        Kind::Broker => ui.warn(loses_hosts(name, &lost)),
        kind => ui.warn(format!(
            "the certificate of the {} {name} will no longer name {}; --host keeps a host",
            kind.name(),
            lost.iter()
                .map(Host::to_string)
                .collect::<Vec<_>>()
                .join(" and ")
        )),
    }
    if sign::is_new_key(inventory, approved) {
        ui.note(format!(
            "this is a new key for {name}: its last certificate is for another one"
        ));
    }
    if let Some(other) = same_key(inventory, approved) {
        ui.warn(format!(
            "{name} has the same key as {}: anyone who has that key can impersonate both",
            other.name
        ));
    }
    if !approved.left_out.is_empty() {
        ui.note(format!(
            "the certificate is for CN={name}; not taken from the request: {}",
            approved.left_out.join(", ")
        ));
    }
}

/// Refuses to overwrite anything but an earlier certificate of the same name.
fn check_place(file: &Path, name: &IdentityName) -> Done {
    check_writable(file)?;
    let Some(text) = read_optional(file)? else {
        return Ok(());
    };
    let chain = pem::parse_certificates(&text).unwrap_or_default();
    let leaf = chain
        .first()
        .and_then(|der| Certificate::from_der(der).ok());
    let has_key = text.windows(11).any(|part| part == b"PRIVATE KEY");
    match leaf {
        Some(leaf) if leaf.subject == format!("CN={name}") && !has_key => Ok(()),
        _ => fail(
            Code::FileExists,
            format!(
                "{} already exists, and is not an earlier certificate of {name}",
                file.display()
            ),
            "choose another --out-file, or move the file away",
        ),
    }
}
