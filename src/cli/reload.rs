//! `kpki reload`

use std::{collections::BTreeMap, time::Duration};

use clap::Args;
use serde_json::{Value, json};

use super::{
    CliError, Code, Done, Failure, Global,
    cluster::{Connection, connect},
    error::{completed, several},
    shell,
    ui::{BOLD, DIM, GREEN, RED, Ui},
};
use crate::{
    admin::{Admin, AdminError},
    apply::reload::{ReloadError, RunningBroker, Wanted, look},
    bootstrap::{
        revoke,
        running::{self, RunningNode},
    },
    config::NodeFacts,
    pki::{IdentityName, Kind},
    probe::Identity,
    state::{Inventory, OutDir},
};

/// Make running brokers load their renewed keystores, without a restart
///
/// Each broker's directory must already have been copied to its machine. Changes that a broker would refuse (another
/// subject, a missing host) are detected before anything is changed, and a reload succeeds only when a TLS handshake
/// shows the new certificate. kpki connects as the client in the output directory that is a super user of the brokers,
/// unless --command-config names another. Dedicated controllers and clients load new stores only when they are
/// restarted.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki reload kafka1
  kpki reload --brokers
  kpki reload kafka1 kafka2 --command-config admin.properties")]
pub struct Reload {
    /// The brokers
    #[arg(
        required_unless_present = "brokers",
        conflicts_with = "brokers",
        value_name = "NAME"
    )]
    names: Vec<IdentityName>,
    /// All brokers in the output directory, one after the other
    #[arg(long)]
    brokers: bool,
    /// Seconds to wait until a broker serves its new certificate
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = super::whole_number::<1, 3600>)]
    timeout: u32,
    #[command(flatten)]
    connection: Connection,
}

/// The outcome for one broker.
enum Outcome {
    Unchanged,
    Reloaded,
    Failed(CliError),
    NotAttempted,
}

/// A broker with its outcome.
struct Row<'a> {
    node: &'a RunningNode,
    /// The listeners that could be reached.
    listeners: Vec<String>,
    outcome: Outcome,
}

impl Outcome {
    fn word(&self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Reloaded => "reloaded",
            Self::Failed(_) => "failed",
            Self::NotAttempted => "not-attempted",
        }
    }
}

impl Reload {
    pub(super) fn run(self, global: &Global, ui: &Ui) -> Done {
        let out = OutDir::new(&global.out);
        out.check()?;
        let nodes = self.nodes(&out, ui)?;
        let Some(first) = nodes.first() else {
            return Err(CliError::new(
                Code::IdentityUnknown,
                format!("there is no broker in {}", out.root().display()),
            )
            .hint("kpki up POLICY creates them; --out DIR selects another output directory")
            .into());
        };
        let connection = &self.connection;
        let properties = connection.properties_of_super_user(ui, &first.super_users, out.root())?;
        let mut admin = connect(ui, &properties)?;
        let shown = properties
            .tls
            .as_ref()
            .and_then(|tls| tls.identity.as_ref());
        let identity = shown.map(|shown| Identity {
            key_pkcs8: &shown.key_pkcs8,
            chain: &shown.chain,
        });
        let examined = examine(&mut admin, &nodes, identity, ui)?;
        let limit = Duration::from_secs(self.timeout.into());
        let mut rows = Vec::new();
        let mut stopped = false;
        for (node, examined) in nodes.iter().zip(examined) {
            let (listeners, outcome) = match examined {
                Err(error) => (Vec::new(), Outcome::Failed(error)),
                Ok(running) => {
                    let outcome = match stopped {
                        true => Outcome::NotAttempted,
                        false => attend(&mut admin, node, &running, identity, limit),
                    };
                    stopped |= matches!(outcome, Outcome::Failed(_));
                    let seen = running.listeners.into_iter().filter(|l| l.shown.is_ok());
                    (seen.map(|l| l.name).collect(), outcome)
                }
            };
            let row = Row {
                node,
                listeners,
                outcome,
            };
            row.say(ui);
            rows.push(row);
        }
        finish(ui, &rows)
    }

    /// The selected brokers, with the certificates that they should serve.
    fn nodes(&self, out: &OutDir, ui: &Ui) -> Result<Vec<RunningNode>, Failure> {
        let inventory = Inventory::read(out)?;
        let known = running::nodes(out)?;
        let mut names = match self.brokers {
            true => known.keys().cloned().collect(),
            false => self.names.clone(),
        };
        names.sort();
        names.dedup();
        let (mut nodes, mut errors, mut revoked) = (Vec::new(), Vec::new(), Vec::new());
        for name in &names {
            match self.node(out, &inventory, &known, name, ui) {
                Ok(node) => nodes.extend(node),
                // One that was put out of service and still has its directory keeps no other from its certificate.
                Err(error) if self.brokers && error.code == Code::Revoked => revoked.push(error),
                Err(error) => errors.push(error),
            }
        }
        several(errors)?;
        if nodes.is_empty() {
            several(revoked)?;
            return Ok(nodes);
        }
        for error in revoked {
            let hint = error.hint.unwrap_or_default();
            ui.warn(format!("not reloaded: {}; {hint}", error.message));
        }
        Ok(nodes)
    }

    /// One of them; `None` if only a restart would do, and it was not named.
    fn node(
        &self,
        out: &OutDir,
        inventory: &Inventory,
        known: &BTreeMap<IdentityName, NodeFacts>,
        name: &IdentityName,
        ui: &Ui,
    ) -> Result<Option<RunningNode>, CliError> {
        let Some(facts) = known.get(name) else {
            return Err(match inventory.latest(name.as_str()) {
                Some(record) if record.kind == Kind::Client => CliError::new(
                    Code::RestartNeeded,
                    format!("{name} is a client, and clients cannot be reloaded"),
                )
                .hint("copy its directory to its machine and restart the client"),
                _ => CliError::new(
                    Code::IdentityUnknown,
                    format!("there is no broker {name} in {}", out.root().display()),
                )
                .hint(match known.is_empty() {
                    true => "--out DIR (or KPKI_OUT) selects another output directory".to_owned(),
                    false => {
                        let known: Vec<&str> = known.keys().map(IdentityName::as_str).collect();
                        format!("the brokers there are {}", known.join(", "))
                    }
                }),
            });
        };
        if running::is_controller_alone(facts) {
            let text = format!("{name} is a dedicated controller, which cannot be reloaded");
            let hint = "copy its directory to its machine and restart it, one controller at a time";
            if self.brokers {
                ui.note(format!("{text}: {hint}"));
                return Ok(None);
            }
            return Err(CliError::new(Code::RestartNeeded, text).hint(hint));
        }
        revoke::check(inventory, name.as_str(), false)?;
        let node = RunningNode::read(out, inventory, name, facts.clone())?;
        if !node.is_latest {
            return Err(CliError::new(
                Code::IdentityDamaged,
                format!(
                    "the certificate in {} is not the one that was last signed for {name}",
                    out.identity(name).display()
                ),
            )
            .hint(format!(
                "{} renew {name} signs another one; then copy the directory to its machine",
                shell::kpki(out.root())
            )));
        }
        Ok(Some(node))
    }
}

fn wanted(node: &RunningNode) -> Wanted<'_> {
    Wanted {
        name: node.name.as_str(),
        id: node.facts.id,
        certificate: &node.certificate,
        root: &node.root,
        trusted: &node.trusted,
    }
}

/// Makes a broker that answered serve its certificate, if it does not.
fn attend(
    admin: &mut Admin,
    node: &RunningNode,
    running: &RunningBroker,
    identity: Option<Identity<'_>>,
    limit: Duration,
) -> Outcome {
    let wanted = wanted(node);
    let (done, outcome) = match running.is_done(&wanted) {
        true => {
            let left = |left| ReloadError::SettingLeft {
                name: node.name.as_str().to_owned(),
                left,
            };
            let tidied = running.tidy(admin, &wanted, false).map_err(left);
            (tidied, Outcome::Unchanged)
        }
        false => (
            running.reload(admin, &wanted, identity, limit),
            Outcome::Reloaded,
        ),
    };
    match done {
        Ok(()) => outcome,
        Err(error) => Outcome::Failed(error.into()),
    }
}

/// Checks all of them first, so that nothing is changed if one would refuse, or if none answers. One that does not
/// answer keeps no other from its new certificate.
fn examine(
    admin: &mut Admin,
    nodes: &[RunningNode],
    identity: Option<Identity<'_>>,
    ui: &Ui,
) -> Result<Vec<Result<RunningBroker, CliError>>, Failure> {
    let (mut examined, mut refused) = (Vec::new(), false);
    for node in nodes {
        let wanted = wanted(node);
        let looked = look(admin, &wanted, identity);
        let checked = looked.and_then(|running| running.check(&wanted).map(|()| running));
        refused |= checked.as_ref().is_err_and(|error| !error.is_no_answer());
        examined.push(checked.map_err(CliError::from));
    }
    if refused || examined.iter().all(Result::is_err) {
        several(examined.into_iter().filter_map(Result::err).collect())?;
        return Ok(Vec::new());
    }
    let answered = nodes.iter().zip(&examined);
    for (node, running) in answered.filter_map(|(n, e)| Some((n, e.as_ref().ok()?))) {
        for (listener, why) in running.unseen() {
            ui.warn(format!(
                "{}: cannot see from here what the listener {} at {} serves: {why}",
                node.name, listener.name, listener.address
            ));
        }
        let paths: Vec<&str> = running.paths().collect();
        if let Some(path) = &node.keystore
            && !paths.contains(&path.as_str())
        {
            ui.warn(format!(
                "{} is running with the keystore {}, but its server.properties here says {path}: a changed path takes effect only after a restart",
                node.name,
                paths.join(", ")
            ));
        }
    }
    Ok(examined)
}

impl Row<'_> {
    fn say(&self, ui: &Ui) {
        let RunningNode {
            name, certificate, ..
        } = self.node;
        let serial = &certificate.serial;
        match &self.outcome {
            Outcome::Unchanged => ui.say(format!(
                "unchanged  {name}  {DIM}already serves {serial}{DIM:#}"
            )),
            Outcome::Reloaded => ui.say(format!(
                "{GREEN}reloaded{GREEN:#}  {name}  serves {serial} on {}, until {}",
                self.listeners.join(", "),
                certificate.not_after.date()
            )),
            Outcome::Failed(error) => {
                ui.complain(format!("{RED}failed{RED:#}  {}", error.message));
                if let Some(hint) = &error.hint {
                    ui.complain(format!("{BOLD}hint:{BOLD:#} {hint}"));
                }
            }
            Outcome::NotAttempted => ui.complain(format!("not attempted  {name}")),
        }
    }

    fn as_json(&self) -> Value {
        json!({
            "name": self.node.name.as_str(),
            "action": self.outcome.word(),
            "serial": self.node.certificate.serial,
            "listeners": self.listeners,
            "error": match &self.outcome {
                Outcome::Failed(error) => error.as_json(),
                _ => Value::Null,
            },
        })
    }
}

fn finish(ui: &Ui, rows: &[Row<'_>]) -> Done {
    let brokers: Vec<Value> = rows.iter().map(Row::as_json).collect();
    ui.document(&json!({"brokers": brokers}));
    let failed = rows.iter().any(|r| matches!(r.outcome, Outcome::Failed(_)));
    let some = rows.iter().any(|r| matches!(r.outcome, Outcome::Reloaded));
    completed(!failed, some)
}

impl From<ReloadError> for CliError {
    fn from(error: ReloadError) -> Self {
        let text = error.to_string();
        let restart = |hint: &str| CliError::new(Code::RestartNeeded, text.clone()).hint(hint);
        match error {
            ReloadError::Cluster { source, .. } => {
                let hint = match *source {
                    AdminError::Expired { .. } => Some(
                        "no client can connect to a broker whose certificate has expired: copy its directory to its machine and restart it",
                    ),
                    AdminError::NotAuthorized { .. } => Some(
                        "connect as a super user, or grant AlterConfigs and DescribeConfigs on the cluster",
                    ),
                    _ => None,
                };
                let mut error = CliError::from(*source);
                error.message = text;
                match hint {
                    Some(hint) => error.hint(hint),
                    None => error,
                }
            }
            ReloadError::NoTls(_) => {
                CliError::new(Code::NotTakenUp, text).hint("only listeners SSL and SASL_SSL have a certificate")
            }
            ReloadError::NoStore { .. } => restart(
                "a certificate inside server.properties is only read at a restart; kpki up writes keystores to files",
            ),
            ReloadError::Unseen { .. } => CliError::new(Code::Unreachable, text)
                .hint("run kpki from where the brokers' listeners can be reached; nothing was changed"),
            ReloadError::LostHosts { .. } => restart(
                "nothing was changed; add the missing hosts again, or copy its directory to its machine and restart it",
            ),
            ReloadError::OtherSubject { .. } => {
                restart("nothing was changed; copy its directory to its machine and restart it")
            }
            ReloadError::Untrusted { .. } => restart(
                "nothing was changed; make all brokers trust the new CA first: kpki rotate-ca does this in steps. Or restart it, once the others trust that CA",
            ),
            ReloadError::NotTakenUp { .. } => CliError::new(Code::NotTakenUp, text).hint(
                "check that its directory was copied to its machine, to the path in its server.properties, and look for `Keystore` in its log; if the broker refused the keystore, it accepts no dynamic change until it is restarted",
            ),
            ReloadError::SettingLeft { left, .. } => CliError::new(Code::NotTakenUp, text).hint(format!(
                "run the command again; while {} is set, it overrides the path in server.properties",
                left.setting
            )),
        }
    }
}
