//! `kpki verify`

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use serde_json::json;
use time::OffsetDateTime;

use super::{
    CliError, Done, Failure, Global, passphrase,
    policy::read_policy,
    shell,
    store_file::KNOWN,
    table::{
        Column::{Prose, Spare, Whole},
        table as draw,
    },
    ui::{BOLD, DIM, GREEN, RED, Ui},
    utf8_path, verdict,
};
use crate::{
    bootstrap::{
        revoke::revoked_identities,
        verify::{Answer, Judge, Trusted, Visitor, readable},
    },
    pki::IdentityName,
    plan::count,
    printable::Printable,
    probe::{Check, Verdict},
    secret::Secret,
    state::{Inventory, OutDir},
};

/// Check a listener, or all listeners of a policy, and say what is wrong
///
/// Checks chain, host name, expiry, keys, TLS version, client certificate, SASL mechanisms and login, and whether the
/// newest certificate is served. Each fault comes with the next step. Exit code 3 if there is a fault.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki verify kafka1.example.com:9093
  kpki verify kafka1.example.com:9094 --identity orders-service
  kpki verify broker.example.org:9093 --truststore their-ca.pem
  kpki verify policies/quickstart.yaml")]
pub struct Verify {
    /// An address, or a policy to check all listeners of its brokers and controllers
    #[arg(value_name = "HOST:PORT|POLICY")]
    what: String,
    /// Connect as this identity, with the certificate and password in its directory [default for a policy: its admin]
    #[arg(long, value_name = "NAME")]
    identity: Option<IdentityName>,
    /// The CAs to trust: PEM, DER or PKCS12 [default: the CA in the output directory]
    #[arg(long, value_name = "FILE", value_parser = utf8_path)]
    truststore: Option<PathBuf>,
    /// File with the truststore's password
    #[arg(long, value_name = "FILE", requires = "truststore")]
    truststore_password_file: Option<PathBuf>,
    /// The host name that the certificate must be valid for, also sent as SNI [default: HOST]
    #[arg(long, value_name = "N")]
    server_name: Option<String>,
    /// Also check that this user could read the identity's files, or the brokers' of a policy
    #[arg(long = "as", value_name = "UID:GID", value_parser = user)]
    user: Option<(u32, u32)>,
    /// Seconds to wait for each listener
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = super::whole_number::<1, 600>)]
    timeout: u32,
}

impl Verify {
    pub(super) fn run(self, global: &Global, ui: &Ui) -> Done {
        self.check_form()?;
        let out = OutDir::new(&global.out);
        let visitor = self.identity.as_ref().map(|name| Visitor::read(&out, name));
        let visitor = visitor.transpose()?;
        let trusted = self.trusted(&out, ui)?;
        let inventory = out.ca_file(Inventory::FILE).exists();
        let inventory = inventory.then(|| Inventory::read(&out)).transpose()?;
        let kpki = shell::kpki(out.root());
        let judge = Judge {
            trusted: &trusted,
            inventory: inventory.as_ref(),
            kpki: &kpki,
            timeout: Duration::from_secs(self.timeout.into()),
            now: OffsetDateTime::now_utc(),
        };
        match is_address(&self.what) {
            true => self.address(&judge, &out, visitor.as_ref(), ui),
            false => self.policy(&judge, &out, visitor, ui),
        }
    }

    /// Refuses what is neither an address nor looks like the path of a policy.
    fn check_form(&self) -> Done {
        let path = Path::new(&self.what);
        let extension = path.extension().and_then(|extension| extension.to_str());
        let is_path = self.what == "-"
            || self.what.contains('/')
            || matches!(extension, Some("yaml" | "yml" | "json"))
            || path.exists();
        match is_address(&self.what) || is_path {
            true => Ok(()),
            false => Err(CliError::misuse(
                format!("{} is no address, and there is no such file", self.what),
                "give an address as HOST:PORT, with a port from 1 to 65535, or the path of a policy",
            )
            .into()),
        }
    }

    fn trusted(&self, out: &OutDir, ui: &Ui) -> Result<Trusted, Failure> {
        let own = Trusted::of_ca(out)?;
        let Some(path) = &self.truststore else {
            return Ok(own);
        };
        let file = self.truststore_password_file.as_deref();
        let password = file
            .map(|file| passphrase::from_file(file, ui))
            .transpose()?;
        let read = match Trusted::read(path, password.as_ref()) {
            Err(wrong) if password.is_none() => {
                let known = KNOWN.map(|known| Secret::new(known.to_owned()));
                let mut read = known.iter().map(|known| Trusted::read(path, Some(known)));
                read.find_map(Result::ok).ok_or(wrong)
            }
            read => read,
        };
        Ok(read.map_err(CliError::from)?.knowing(own.known))
    }

    fn address(&self, judge: &Judge<'_>, out: &OutDir, visitor: Option<&Visitor>, ui: &Ui) -> Done {
        let host = self.what.rsplit_once(':').map_or("", |(host, _)| host);
        let name = self.server_name.as_deref().unwrap_or(host);
        let files = match (self.user, visitor) {
            (Some(user), Some(visitor)) => Some(readable(out, &visitor.name, user)?),
            (Some(_), None) => {
                let why = "--as checks the files of an identity";
                return Err(CliError::misuse(why, "add --identity NAME").into());
            }
            (None, _) => None,
        };
        let revoked = judge.inventory.map_or(Vec::new(), revoked_identities);
        if let Some(visitor) = visitor.filter(|v| revoked.iter().any(|r| r.name == v.name.as_str()))
        {
            ui.warn(format!(
                "the certificate of {} is revoked: a listener that accepts it does not check the CRL",
                visitor.name
            ));
        }
        let mut found = judge.address(&self.what, name, visitor)?;
        files.into_iter().for_each(|check| found.add(check));
        ui.document(&found);
        ui.answer(table(&found));
        verdict(found.ok)
    }

    fn policy(&self, judge: &Judge<'_>, out: &OutDir, visitor: Option<Visitor>, ui: &Ui) -> Done {
        if self.server_name.is_some() {
            let why = "--server-name is for a single address; a policy names its brokers' hosts";
            return Err(CliError::misuse(why, "remove --server-name").into());
        }
        let policy = read_policy(&self.what)?;
        if policy.brokers.is_empty() {
            let why = format!(
                "{} has no brokers, so there is no listener to check",
                self.what
            );
            let hint = "add them to its brokers section, or check a single listener: kpki verify HOST:PORT";
            return Err(CliError::misuse(why, hint).into());
        }
        let mut answers = judge.policy(&policy, out, visitor)?;
        if let Some(user) = self.user {
            let mut seen = BTreeSet::new();
            for answer in &mut answers {
                if seen.insert(answer.node.clone()) {
                    answer.verdict.add(readable(out, &answer.node, user)?);
                }
            }
        }
        let ok = answers.iter().all(|answer| answer.verdict.ok);
        let listeners: Vec<_> = answers.iter().map(document).collect();
        ui.document(&json!({"ok": ok, "listeners": listeners}));
        ui.answer(overview(ui, &answers));
        for answer in &answers {
            let place = format!("{} {}", answer.node, answer.at.listener);
            for fault in answer.verdict.faults() {
                ui.answer(format!(
                    "{RED}{}{RED:#}  {place}: {}",
                    code(fault),
                    fault.message
                ));
                ui.answer(format!("    {}", fault.hint.as_deref().unwrap_or_default()));
            }
        }
        verdict(ok)
    }
}

/// Whether this is `HOST:PORT`.
pub fn is_address(text: &str) -> bool {
    let port = text
        .rsplit_once(':')
        .map(|(host, port)| (host, port.parse::<u16>()));
    matches!(port, Some((host, Ok(1..))) if !host.is_empty() && !host.contains('/'))
}

fn document(answer: &Answer) -> serde_json::Value {
    let mut document = json!(answer.verdict);
    if let Some(map) = document.as_object_mut() {
        map.insert("node".to_owned(), json!(answer.node.as_str()));
        map.insert("listener".to_owned(), json!(answer.at.listener));
        map.insert("address".to_owned(), json!(answer.at.address));
    }
    document
}

fn code(check: &Check) -> &'static str {
    check.code.map_or("", |code| code.name())
}

/// One line per check; a fault is followed by its hint.
fn table(found: &Verdict) -> String {
    let lines = found.checks.iter().map(|check| {
        let (colour, word) = match check.ok {
            true => (GREEN, "ok"),
            false => (RED, "no"),
        };
        let Check {
            check: name,
            message,
            hint,
            ..
        } = check;
        let hint = hint
            .as_ref()
            .map(|hint| format!("\n      {BOLD}{}{BOLD:#}: {hint}", code(check)));
        format!(
            "  {colour}{word}{colour:#}  {name:11}  {}{}",
            Printable(message),
            hint.unwrap_or_default()
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A line for each listener.
fn overview(ui: &Ui, answers: &[Answer]) -> String {
    let rows = answers.iter().map(|answer| {
        let Answer { node, at, verdict } = answer;
        let faults: Vec<&str> = verdict.faults().map(code).collect();
        let result = match faults.is_empty() {
            true => format!("{GREEN}ok{GREEN:#}"),
            false => format!("{RED}{}{RED:#}", faults.join(", ")),
        };
        let protocol = verdict.protocol.as_deref().unwrap_or("-");
        [
            node.to_string(),
            at.listener.clone(),
            at.address.clone(),
            protocol.to_owned(),
            result,
        ]
    });
    let columns = [
        Whole("NODE"),
        Whole("LISTENER"),
        Spare("ADDRESS"),
        Spare("PROTOCOL"),
        Prose("RESULT"),
    ];
    let listeners = draw(ui, columns, rows.collect());
    let bad = answers.iter().filter(|answer| !answer.verdict.ok).count();
    let all = count(answers.len(), "listener");
    let sum = match bad {
        0 => format!("{GREEN}all good{GREEN:#}  {all}"),
        bad => format!("{DIM}{bad} of {all} with faults{DIM:#}"),
    };
    format!("{listeners}\n{sum}")
}

fn user(text: &str) -> Result<(u32, u32), String> {
    let parts = text.split_once(':');
    let parts = parts.and_then(|(uid, gid)| Some((uid.parse().ok()?, gid.parse().ok()?)));
    parts.ok_or_else(|| "must be two numbers, such as 1000:1000".to_owned())
}
