//! `kpki acl export`

use std::{
    collections::BTreeSet,
    io::{ErrorKind, Write},
};

use clap::{Args, ValueEnum};
use serde_json::json;

use super::{
    super::{
        Code, Done, Failure, Global,
        cluster::Connection,
        policy::{check_stdin, read_policy},
    },
    bindings, count, fail,
    ui::{Ui, json_line},
};
use crate::{
    acl::{AclBindingFilter, KafkaVersion, LeftOut, RawBinding, kafka_acls},
    admin::{Admin, AdminError, Described},
    document::FormCode,
    policy::{ValidatedPolicy, WriteOptions, write_acls},
    printable::Printable,
};

/// How many omitted bindings are shown on the terminal.
const MOST_TOLD: usize = 10;

/// Print the ACLs that a cluster has
///
/// As JSON lines, which the other `kpki acl` commands read; as a policy that plans to no changes, to turn existing ACLs
/// into a reviewed file; or as a script that uses Kafka's kafka-acls.sh.
///
/// A cluster that cannot be read is an error, never an empty export. The exit code is 4 if the cluster has further
/// bindings that cannot be read. With --json, a policy or script is printed as {"text": …, "left_out": [{"acl": …,
/// "code": …, "message": …}]}.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki acl export --bootstrap-server kafka1:9093 --command-config client.properties > acls.jsonl
  kpki acl export policies/quickstart.yaml --principal User:analytics
  kpki acl export --command-config client.properties --format policy > policies/cluster.yaml
  kpki acl export --observed acls.jsonl --format kafka-acls > restore.sh")]
pub struct Export {
    /// A policy, whose cluster is asked, as the policy's admin
    #[arg(value_name = "POLICY")]
    policy: Option<String>,
    /// What to print
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    format: Format,
    /// Only the ACLs of this principal, such as User:alice (may be repeated)
    #[arg(long, value_name = "PRINCIPAL", value_parser = principal)]
    principal: Vec<String>,
    /// Convert an earlier export in JSON lines instead of asking a cluster; `-` is standard input
    #[arg(long, value_name = "ACLS.jsonl", conflicts_with_all = ["bootstrap_server", "command_config"])]
    observed: Option<String>,
    /// The brokers' Kafka version, such as 4.3 [default: the policy's, else the newest release]
    #[arg(long, value_name = "VERSION")]
    kafka_version: Option<KafkaVersion>,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// JSON, one binding per line
    Jsonl,
    /// A whole policy, with `acls` and `manage`
    Policy,
    /// A shell script that calls kafka-acls.sh
    KafkaAcls,
}

/// A whole principal.
fn principal(text: &str) -> Result<String, String> {
    match text.split_once(':') {
        Some((kind, _)) if !kind.is_empty() => Ok(text.to_owned()),
        _ => Err(format!("a principal has a type; write User:{text}")),
    }
}

/// The bindings of a cluster, or of an export.
pub struct Found {
    pub bindings: BTreeSet<RawBinding>,
    /// Where they come from.
    pub origin: String,
    pub missing: Missing,
}

/// What the cluster has, or may have, besides the bindings: librdkafka cannot represent it.
#[derive(Default)]
pub struct Missing {
    unreadable: usize,
    /// Others may be missing.
    maybe: bool,
}

impl Export {
    pub(super) fn run(self, global: &Global, ui: &Ui) -> Done {
        let inputs = [self.policy.as_deref(), self.observed.as_deref()];
        check_stdin("policy and ACLs", inputs)?;
        let policy = self.policy.as_deref().map(read_policy).transpose()?;
        let found = self.find(policy.as_ref(), global, ui)?;
        let of_policy = policy.as_ref().map(ValidatedPolicy::version);
        let version = self.kafka_version.or(of_policy).unwrap_or_default();
        match self.format {
            Format::Jsonl => {
                let lines = found.bindings.iter().map(|b| json_line(b) + "\n");
                print(&lines.collect::<String>())?;
            }
            Format::Policy => {
                let options = WriteOptions {
                    comments: self.comments(&found),
                    ..WriteOptions::default()
                };
                let written = write_acls(&found.bindings, version, &options);
                readable(&written.text)?;
                self.text(ui, &written.text, &written.left_out)?;
            }
            Format::KafkaAcls => {
                let script = kafka_acls(&found.bindings, version, &self.comments(&found));
                self.text(ui, &script.text, &script.left_out)?;
            }
        }
        let principals: BTreeSet<&str> = found.bindings.iter().map(|b| &*b.principal).collect();
        ui.note(format!(
            "{} of {} from {}",
            count(found.bindings.len(), "binding"),
            count(principals.len(), "principal"),
            found.origin
        ));
        if let Some(text) = found.missing.text() {
            ui.warn(format!("the export is not complete: {text}"));
        }
        match found.missing.unreadable {
            0 => Ok(()),
            _ => Err(Failure::Partly),
        }
    }

    fn find(
        &self,
        policy: Option<&ValidatedPolicy>,
        global: &Global,
        ui: &Ui,
    ) -> Result<Found, Failure> {
        if let Some(path) = &self.observed {
            let wanted = |b: &RawBinding| {
                self.principal.is_empty() || self.principal.iter().any(|p| **p == *b.principal)
            };
            let export = bindings::read_export(path)?;
            return Ok(Found {
                bindings: export.bindings.into_iter().filter(wanted).collect(),
                origin: export.name.to_string(),
                missing: Missing::default(),
            });
        }
        let mut admin = self.connection.connect(ui, policy, &global.out)?;
        describe(&mut admin, &self.principal)
    }

    /// The comments at the top of the output.
    fn comments(&self, found: &Found) -> Vec<String> {
        let whose = match self.principal.as_slice() {
            [] => String::new(),
            some => format!(" of {}", some.join(", ")),
        };
        let mut comments = vec![format!(
            "ACLs{whose} from {}, written by kpki acl export",
            found.origin
        )];
        let missing = found.missing.text();
        comments.extend(missing.map(|text| format!("NOT COMPLETE: {text}")));
        comments
    }

    /// Prints the output, and warns about what it omits.
    fn text(&self, ui: &Ui, text: &str, left_out: &[LeftOut<'_>]) -> Done {
        if ui.json {
            let left_out: Vec<_> = left_out
                .iter()
                .map(|l| json!({"acl": l.binding, "code": l.code, "message": l.reason}))
                .collect();
            ui.document(&json!({"text": text, "left_out": left_out}));
        } else {
            print(text)?;
        }
        for left_out in left_out.iter().take(MOST_TOLD) {
            ui.warn(format!(
                "left out: {}: {}",
                Printable(&left_out.binding.to_string()),
                Printable(&left_out.reason)
            ));
        }
        if left_out.len() > MOST_TOLD {
            ui.warn(format!(
                "left out: {} more; each is a comment in the output",
                left_out.len() - MOST_TOLD
            ));
        }
        Ok(())
    }
}

/// Reads the bindings of these principals; of all, if none are given.
pub fn describe(admin: &mut Admin, principals: &[String]) -> Result<Found, Failure> {
    let mut filters: BTreeSet<Option<&str>> = principals.iter().map(|p| Some(p.as_str())).collect();
    if filters.is_empty() {
        filters.insert(None);
    }
    let mut found = Found {
        bindings: BTreeSet::new(),
        origin: admin.servers().to_owned(),
        missing: Missing::default(),
    };
    for principal in filters {
        let filter = principal
            .map(AclBindingFilter::principal)
            .unwrap_or_default();
        // Matched by name, so that a new kind of omission is not overlooked here.
        let Described {
            bindings,
            unreadable,
            may_miss_unreadable,
            of_known_principals,
            // They count as unreadable.
            cut: _,
        } = admin.describe_acls(&filter)?;
        if let Some(part) = of_known_principals.into_iter().next() {
            return Err(AdminError::TooManyBindings(part).into());
        }
        found.bindings.extend(bindings);
        found.missing.unreadable += unreadable;
        found.missing.maybe |= may_miss_unreadable;
    }
    Ok(found)
}

impl Missing {
    pub fn text(&self) -> Option<String> {
        const WHAT: &str = "on delegation tokens or users, with the operations CreateTokens, DescribeTokens or TwoPhaseCommit, or with a NUL character in a name, which librdkafka cannot represent";
        match self.unreadable {
            0 => self.maybe.then(|| {
                format!("bindings {WHAT}, would be missing here; it is unknown whether there are any, because there are too many ACLs to read at once")
            }),
            1 => Some(format!("the cluster has 1 more binding, {WHAT}")),
            n => Some(format!("the cluster has {n} more bindings, {WHAT}")),
        }
    }
}

/// A policy is printed only if kpki itself reads it.
fn readable(text: &str) -> Done {
    let Err(diagnostics) = crate::policy::parse("export", text, &|_| Ok(Vec::new())) else {
        return Ok(());
    };
    let first = diagnostics.into_iter().next();
    let (why, hint) = first.map_or_else(Default::default, |d| match d.code == FormCode::TooLarge {
        true => (d.message, None),
        false => (d.message, d.hint),
    });
    let message = format!("these ACLs do not make a policy: {why}");
    let smaller = || "export fewer of them at a time, with --principal".to_owned();
    fail(Code::ExportNoPolicy, message, hint.unwrap_or_else(smaller))
}

/// Writes to standard output; an export that is cut short must not pass for a whole one.
fn print(text: &str) -> Done {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // The reader has closed the pipe.
        Err(e) if e.kind() != ErrorKind::BrokenPipe => fail(
            Code::ExportUnwritable,
            format!("the export cannot be written: {e}"),
            "free some space, or redirect the output; what was written is incomplete",
        ),
        _ => Ok(()),
    }
}
