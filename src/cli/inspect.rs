//! `kpki inspect`

use std::{path::Path, time::Duration};

use clap::Args;
use serde_json::json;
use time::OffsetDateTime;

use super::{
    CliError, Code, Done, Failure, Global, shell,
    ui::{BOLD, DIM, Ui, YELLOW},
    verify::is_address,
};
use crate::{
    keystore::{self, Passwords, pem},
    pki::{Inspected, Unusual},
    printable::Printable,
    probe::{self, ProbeError},
    state::{read_stdin, read_text},
};

/// Show a certificate, chain, request or CRL, and what is unusual about it
///
/// From a file (PEM or DER), or the chain that a TLS server sends. Nothing is checked against a CA: kpki verify does
/// that.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki inspect out/kafka1/kafka1.crt
  kpki inspect broker.example.org:9093
  kpki inspect out/ca/crl.pem --json")]
pub struct Inspect {
    /// A file, `-` for standard input, or an address
    #[arg(value_name = "FILE|HOST:PORT")]
    what: String,
    /// The host name to send to a server (SNI) [default: HOST]
    #[arg(long, value_name = "N")]
    server_name: Option<String>,
    /// Seconds to wait for a server
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = super::whole_number::<1, 600>)]
    timeout: u32,
}

impl Inspect {
    pub(super) fn run(self, global: &Global, ui: &Ui) -> Done {
        let path = Path::new(&self.what);
        let objects = match is_address(&self.what) && !path.exists() {
            true => self.served(global)?,
            false => of_file(path)?,
        };
        let now = OffsetDateTime::now_utc();
        let mut documents = Vec::new();
        let mut texts = Vec::new();
        for object in &objects {
            let unusual = object.unusual(now);
            let mut document = json!(object);
            document["unusual"] = json!(unusual);
            documents.push(document);
            texts.push(text(object, &unusual, now));
        }
        ui.document(&json!({"objects": documents}));
        ui.answer(texts.join("\n"));
        Ok(())
    }

    fn served(&self, global: &Global) -> Result<Vec<Inspected>, Failure> {
        let host = self.what.rsplit_once(':').map_or("", |(host, _)| host);
        let name = self.server_name.as_deref().unwrap_or(host);
        let timeout = Duration::from_secs(self.timeout.into());
        let served = probe::served(&self.what, name, None, timeout).map_err(|error| {
            let code = match error {
                ProbeError::UnknownHost(_) | ProbeError::Address => Code::UnknownHost,
                ProbeError::Refused | ProbeError::Unreachable(_) => Code::Unreachable,
                ProbeError::NoConnection | ProbeError::Silent | ProbeError::Slow => Code::TimedOut,
                _ => Code::Tls,
            };
            let kpki = shell::kpki(&global.out);
            CliError::new(
                code,
                format!("{}: {}", self.what, Printable(&error.to_string())),
            )
            .hint(format!(
                "run {kpki} verify {} for details",
                shell::quote(&self.what)
            ))
        })?;
        let read = served.chain.iter().map(|der| {
            Inspected::of(der)
                .ok_or_else(|| nothing(&self.what, "sends no certificate that can be read"))
        });
        Ok(read.collect::<Result<_, _>>()?)
    }
}

/// Every object of a file, in its order.
fn of_file(path: &Path) -> Result<Vec<Inspected>, Failure> {
    let (name, bytes) = match path == Path::new("-") {
        true => ("standard input".to_owned(), read_stdin()?),
        false => (path.display().to_string(), read_text(path)?),
    };
    if let Some(object) = Inspected::of(&bytes) {
        return Ok(vec![object]);
    }
    let ders = pem::objects(&bytes).map_err(|e| nothing(&name, &format!("cannot be read: {e}")))?;
    let mut objects = Vec::new();
    for (at, der) in ders.iter().enumerate() {
        let object = Inspected::of(der);
        let damaged = || {
            nothing(
                &name,
                &format!("is damaged: object {} cannot be read", at + 1),
            )
        };
        objects.push(object.ok_or_else(damaged)?);
    }
    if !objects.is_empty() {
        return Ok(objects);
    }
    let error = match keystore::open(&bytes, Passwords::default()) {
        Ok(store) => nothing(&name, &format!("is a {} store", store.kind))
            .hint("kpki store inspect FILE shows what is in a store"),
        Err(_) => nothing(&name, "contains no certificate, request or CRL"),
    };
    Err(error.into())
}

fn nothing(name: &str, why: &str) -> CliError {
    CliError::new(Code::BadCertificate, format!("{name} {why}"))
        .hint("give a certificate, request or CRL in PEM or DER")
}

fn text(object: &Inspected, unusual: &[Unusual], now: OffsetDateTime) -> String {
    let mut lines = match object {
        Inspected::Certificate(c) => {
            let mut lines = vec![title("certificate", &c.subject)];
            lines.push(row("names", &c.sans.join(", ")));
            lines.push(row("valid", &life(c.not_before, Some(c.not_after), now)));
            lines.push(row(
                "issuer",
                &match c.subject == c.issuer {
                    true => "itself".to_owned(),
                    false => c.issuer.clone(),
                },
            ));
            lines.push(row("key", &c.key.name));
            lines.push(row("signature", &c.signature));
            lines.push(row(
                "usage",
                &usage(c.key_usage.as_deref(), c.extended_key_usage.as_deref()),
            ));
            if c.ca {
                let yes = match c.path_length {
                    None => "yes".to_owned(),
                    Some(0) => "yes, without CAs below it".to_owned(),
                    Some(most) => format!("yes, with at most {most} CAs below it"),
                };
                lines.push(row("CA", &yes));
            }
            lines.push(row("only for", &c.permitted.join(", ")));
            lines.push(row("CRL", &c.crl_urls.join(", ")));
            lines.push(row("serial", &c.serial));
            lines.push(row("SHA-256", &c.sha256));
            lines
        }
        Inspected::Request(r) => vec![
            title("request", &r.subject),
            row("names", &r.sans.join(", ")),
            row("key", &r.key.name),
            row("signature", &r.signature),
            row(
                "usage",
                &usage(r.key_usage.as_deref(), r.extended_key_usage.as_deref()),
            ),
        ],
        Inspected::Crl(crl) => {
            let mut lines = vec![
                title("CRL", &crl.issuer),
                row("number", crl.number.as_deref().unwrap_or_default()),
                row("valid", &life(crl.this_update, crl.next_update, now)),
                row("signature", &crl.signature),
                row("revoked", &crl.count.to_string()),
            ];
            lines.extend(crl.revoked.iter().take(SHOWN).map(|entry| {
                let reason = entry.reason.as_deref().unwrap_or("no reason");
                format!("    {}  {}  {reason}", entry.serial, entry.at.date())
            }));
            if crl.count > SHOWN {
                lines.push(format!("    and {} more", crl.count - SHOWN));
            }
            lines
        }
    };
    lines.retain(|line| !line.is_empty());
    lines.extend(unusual.iter().map(|unusual| {
        format!(
            "  {YELLOW}{:9}{YELLOW:#}  {}: {}",
            "unusual",
            unusual.code.name(),
            Printable(&unusual.message)
        )
    }));
    lines.join("\n")
}

/// How many revoked certificates are shown.
const SHOWN: usize = 20;

fn title(kind: &str, name: &str) -> String {
    let name = if name.is_empty() { "(no name)" } else { name };
    format!("{BOLD}{kind}{BOLD:#}  {}", Printable(name))
}

/// A labelled line; empty if there is no value.
fn row(name: &str, value: &str) -> String {
    match value.is_empty() {
        true => String::new(),
        false => format!("  {DIM}{name:9}{DIM:#}  {}", Printable(value)),
    }
}

fn usage(key: Option<&[&str]>, extended: Option<&[String]>) -> String {
    let key = key.map(|usages| usages.join(", "));
    let extended = extended.map(|usages| usages.join(", "));
    let parts: Vec<String> = key.into_iter().chain(extended).collect();
    parts.join("; ")
}

/// `2026-11-21 to 2027-12-23, 396 days left`
fn life(begin: OffsetDateTime, end: Option<OffsetDateTime>, now: OffsetDateTime) -> String {
    let Some(end) = end else {
        return format!("from {}, without an expiry date", begin.date());
    };
    let days = |from: OffsetDateTime, to: OffsetDateTime| match (to - from).whole_days() {
        0 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    };
    let left = if now < begin {
        format!("begins in {}", days(now, begin))
    } else if end < now {
        format!("expired {} ago", days(end, now))
    } else {
        format!("{} left", days(now, end))
    };
    format!("{} to {}, {left}", begin.date(), end.date())
}
