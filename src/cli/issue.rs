//! `kpki issue`

mod elsewhere;

use std::path::PathBuf;

use clap::{Args, builder::TypedValueParser};
use serde_json::json;
use time::OffsetDateTime;

use super::{
    CliError, Code, Done, Failure, Global,
    error::several,
    init_ca::{take_lock, tidy},
    passphrase,
    shell::kpki,
    ui::{BOLD, GREEN, Ui, YELLOW},
    up::{FileOptions, execute},
};
use crate::{
    bootstrap::{
        BootstrapError,
        ca::Ca,
        context::{Asked, Danger},
        files::{holds_key, is_controller_alone, names},
        folded::Folded,
        plan::plan,
        revoke,
        sign::command_again,
    },
    config::client_file_name,
    pki::{Certificate, Host, IdentityName, KeyAlgorithm, Kind, LEAF_DAYS},
    policy::{ClientFormat, Identities, IdentityRole, TLS_PORT, ValidatedPolicy},
    state::{Inventory, OutDir},
};

/// Issue certificates, stores and configuration for brokers or clients
///
/// Each NAME gets a directory with a PKCS12 keystore and truststore, the same in PEM, and its configuration. Brokers
/// issued together form one cluster in their server.properties; for more than that, write a policy and use kpki up.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki issue kafka1
  kpki issue kafka1 --host kafka1.example.com --host 10.0.0.11
  kpki issue --client orders-service --format java,librdkafka
  kpki issue kafka1 kafka2 kafka3 --install-dir /opt/ssl --layout script-sh
  kpki issue kafka1 --host kafka1.example.com --csr-only
  kpki issue kafka1 --install-cert kafka1.crt")]
pub struct Issue {
    /// Names: letters, digits, `.`, `_`, `-`
    #[arg(required = true, value_name = "NAME")]
    names: Vec<IdentityName>,
    /// The names are clients, not brokers
    #[arg(long)]
    client: bool,
    /// A further DNS name or IP address of the broker or client (may be repeated)
    #[arg(long = "host", value_name = "H")]
    hosts: Vec<Host>,
    /// Key algorithm: ecdsa-p256, ecdsa-p384, rsa-2048, rsa-3072 or rsa-4096
    #[arg(long, default_value_t, value_name = "ALG")]
    key: KeyAlgorithm,
    /// Issue even if the last certificate of that name was revoked
    #[arg(long)]
    new_key: bool,
    /// Validity of the certificate in days; it never outlives the CA
    #[arg(long, default_value_t = LEAF_DAYS, value_name = "N", value_parser = super::whole_number::<1, 36_500>)]
    days: u32,
    /// Client configuration to write (comma-separated, or repeated)
    #[arg(long = "format", value_name = "F", default_value = ClientFormat::ALL[0].name(), value_delimiter = ',', value_parser = super::one_of(ClientFormat::ALL, |f| f.name(), |f| f.about()).map(|f| *f))]
    formats: Vec<ClientFormat>,
    /// Where the directory will be on its machine [default: where it is written]
    #[arg(long, value_name = "DIR", value_parser = absolute)]
    install_dir: Option<String>,
    /// Make a key, which stays here, and a request for kpki sign; no CA is needed
    #[arg(long, conflicts_with_all = ["days", "formats", "install_dir", "new_key"])]
    csr_only: bool,
    /// Make the stores from the key in NAME's directory and the chain that kpki sign returned
    #[arg(long, value_name = "FILE", conflicts_with_all = ["csr_only", "client", "hosts", "key", "days", "formats", "install_dir", "new_key"])]
    install_cert: Option<PathBuf>,
    #[command(flatten)]
    shape: FileOptions,
}

/// Like the policy's `install_dir`: a path on another machine, so it cannot be completed here.
fn absolute(text: &str) -> Result<String, String> {
    match text.starts_with('/') && !text.chars().any(char::is_control) {
        true => Ok(text.to_owned()),
        false => Err("it must be an absolute path that starts with `/`".to_owned()),
    }
}

impl Issue {
    pub(super) fn run(self, global: &Global, ui: &Ui) -> Done {
        let out = OutDir::new(&global.out);
        if self.csr_only {
            return self.request(&out, ui);
        }
        if let Some(file) = &self.install_cert {
            return self.install(&out, file, ui);
        }
        tidy(&out, ui)?;
        let ca = Ca::open(&out)?;
        self.check(&out)?;
        let (policy, in_cn_only) = self.policy(&out, ca.trust.signer())?;
        // Key derivation takes long, so it is done before taking the lock.
        let issuer = ca.open_issuer(passphrase::existing(global, &ca.issuer)?.as_ref())?;
        let lock = take_lock(&out, ui)?;
        ca.check_unchanged(&out, &lock)?;
        self.check(&out)?;
        // None of these names exists, so nothing that is running is changed.
        let asked = Asked {
            dangers: &[Danger::NodeId, Danger::Voters, Danger::Listeners],
            ..Asked::default()
        };
        let context = self.shape.context(&policy, &out, asked);
        let planned = plan(context, &ca.trust)?;
        execute(ui, context, &planned, &ca.trust, Some(&*issuer), &lock)?;
        self.report(&policy, &out, &in_cn_only, ui)
    }

    /// Refuses names that are taken, ignoring case, and hosts that would be shared.
    fn check(&self, out: &OutDir) -> Done {
        let mut errors = Vec::new();
        let there = out.identities()?;
        let inventory = Inventory::read(out)?;
        let taken = Folded::new(&there);
        let elsewhere = |name: &IdentityName| {
            let last = inventory.latest(name.as_str());
            last.filter(|record| record.external && record.not_after > OffsetDateTime::now_utc())
        };
        let has_key = |name: &IdentityName| {
            let key = self.layout().files(name.as_str()).key;
            out.identity(name).join(key).exists()
        };
        for (at, name) in self.names.iter().enumerate() {
            let folded = name.folded();
            if self.names[..at].iter().any(|n| n.folded() == folded) {
                let message = format!("the name `{name}` is given twice");
                let hint = "give it once; names that only differ in case count as one";
                errors.push(CliError::new(Code::NameTwice, message).hint(hint).usage());
            } else if !self.csr_only && out.identity(name).exists() {
                let record = inventory.latest(name.as_str());
                errors.push(match record.is_none() && holds_key(out, name) {
                    true => BootstrapError::no_record(out, name).into(),
                    false => BootstrapError::Exists(name.to_string()).into(),
                });
            } else if let Some(clash) = taken.clash(name) {
                errors.push(clash.into());
            } else if let Some(record) = elsewhere(name)
                && !self.new_key
                && !(self.csr_only && has_key(name))
            {
                let message = format!("the certificate of `{name}` is for a key that is elsewhere");
                let hint = format!(
                    "with a request from its machine, kpki {} renews it; --new-key makes a key and a certificate here instead",
                    command_again(record)
                );
                errors.push(CliError::new(Code::IdentityExists, message).hint(hint));
            } else if let Err(revoked) = revoke::check(&inventory, name.as_str(), self.new_key) {
                errors.push(revoked.into());
            }
        }
        if self.names.len() > 1 && !self.hosts.is_empty() {
            let message = "--host can only be used with one NAME: brokers cannot share a host name";
            let error = CliError::new(Code::HostsShared, message);
            errors.push(
                error
                    .hint("issue them one by one, or write a policy")
                    .usage(),
            );
        }
        several(errors)
    }

    /// The policy that these arguments amount to, and the names that are in the CN only.
    fn policy(
        &self,
        out: &OutDir,
        signer: &Certificate,
    ) -> Result<(ValidatedPolicy, Vec<&IdentityName>), Failure> {
        let mut in_cn_only = Vec::new();
        let mut names = Vec::new();
        for name in &self.names {
            let mut hosts = Vec::new();
            match name.as_str().parse::<Host>() {
                Ok(host) if signer.permits(&host) => hosts.push(host),
                _ => in_cn_only.push(name),
            }
            for host in &self.hosts {
                if !hosts.contains(host) {
                    hosts.push(host.clone());
                }
            }
            if hosts.is_empty() && !self.client {
                return Err(crate::pki::PkiError::NoHost(name.to_string()).into());
            }
            names.push((name.clone(), hosts));
        }
        let mut formats = self.formats.clone();
        formats.sort();
        formats.dedup();
        let identities = Identities {
            names,
            role: match self.client {
                true => IdentityRole::Clients {
                    formats,
                    bootstrap_servers: bootstrap_servers(out)?,
                },
                false => IdentityRole::Brokers,
            },
            key: self.key,
            valid_days: self.days,
            install_dir: self.install_dir.clone(),
        };
        let policy = identities.policy().map_err(Failure::Policy)?;
        Ok((self.shape.apply(policy), in_cn_only))
    }

    fn report(
        &self,
        policy: &ValidatedPolicy,
        out: &OutDir,
        in_cn_only: &[&IdentityName],
        ui: &Ui,
    ) -> Done {
        let inventory = Inventory::read(out)?;
        let mut documents = Vec::new();
        for name in &self.names {
            let mut records = inventory.records().iter();
            let Some(record) = records.rfind(|r| r.name == name.as_str()) else {
                continue;
            };
            let sans = match record.sans.is_empty() {
                true => "no host names".to_owned(),
                false => record.sans.join(" "),
            };
            ui.say(format!(
                "{GREEN}issued{GREEN:#}  {} {name} ({sans}), until {}",
                record.kind.name(),
                record.not_after.date()
            ));
            ui.say(format!("  {}", out.identity(name).display()));
            if in_cn_only.contains(&name) {
                ui.say(format!(
                    "  {YELLOW}note:{YELLOW:#} `{name}` is not a host name that the CA may sign for, so it is in the CN but not in the SAN"
                ));
            }
            documents.push(json!({"certificate": record, "directory": out.identity(name)}));
        }
        let others = inventory.records().iter().any(|r| {
            r.kind == Kind::Broker && self.names.iter().all(|name| name.as_str() != r.name)
        });
        if others && !self.client {
            ui.say(format!(
                "{YELLOW}note:{YELLOW:#} according to their server.properties, these brokers form a separate cluster; for one cluster with those issued before, use {} up POLICY",
                kpki(out.root())
            ));
        }
        let next = next_of_client(policy, out).unwrap_or_else(|| {
            let kpki = kpki(out.root());
            format!(
                "{kpki} issue --client NAME for each client, or {kpki} up POLICY for a whole cluster"
            )
        });
        ui.say(format!("\n{BOLD}next:{BOLD:#} {next}"));
        ui.document(&json!(documents));
        Ok(())
    }
}

/// How to use the first client's configuration: with Kafka's own tools, if it is in Java's format.
fn next_of_client(policy: &ValidatedPolicy, out: &OutDir) -> Option<String> {
    let client = policy.clients.first()?;
    let java = client.formats.iter().find(|f| **f == ClientFormat::Java);
    let format = java.or(client.formats.first())?;
    let names = names(policy, &client.name);
    let path = out
        .identity(&client.name)
        .join(client_file_name(*format, &names));
    let path = path.display();
    Some(match java {
        Some(_) => format!("Kafka's tools take {path} with --command-config"),
        None => format!("{path} contains the connection settings"),
    })
}

/// Where a client finds the brokers that this CA has certified: the first host of each, at the default listener.
fn bootstrap_servers(out: &OutDir) -> Result<Vec<String>, BootstrapError> {
    let inventory = Inventory::read(out)?;
    let mut servers: Vec<String> = Vec::new();
    let brokers = inventory
        .records()
        .iter()
        .filter(|r| r.kind == Kind::Broker);
    for record in brokers {
        // External issuers may put them in another order, with a wildcard first.
        let mut hosts = record.sans.iter().filter_map(|san| Host::from_tagged(san));
        let Some(host) = hosts.find(|host| !host.is_wildcard()) else {
            continue;
        };
        let name: Option<IdentityName> = record.name.parse().ok();
        if let Some(name) = name
            && is_controller_alone(out, &name)?
        {
            continue;
        }
        let server = format!("{}:{TLS_PORT}", host.authority());
        if !servers.contains(&server) {
            servers.push(server);
        }
    }
    if servers.is_empty() {
        servers.push(format!("localhost:{TLS_PORT}"));
    }
    Ok(servers)
}
