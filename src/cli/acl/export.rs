//! `kpki acl export`

use std::{
    collections::BTreeSet,
    io::{BufWriter, ErrorKind, Write},
};

use clap::Args;

use super::{
    super::{CliError, Done, Failure, Global, policy::read_policy},
    bindings, count,
    ui::Ui,
};
use crate::{
    acl::RawBinding,
    admin::{AclFilter, Admin, Described},
    cli::cluster::Connection,
    policy::ValidatedPolicy,
};

/// Print the ACLs that a cluster has
///
/// As JSON lines, which every other `kpki acl` command reads. What cannot be read is an error and never an empty export.
/// Exit code 4 when the cluster has bindings that cannot be read beside those that are printed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki acl export --bootstrap-server kafka1:9093 --command-config client.properties > acls.jsonl
  kpki acl export policies/quickstart.yaml --principal User:analytics")]
pub struct Export {
    /// A policy whose cluster is meant, as its admin
    #[arg(value_name = "POLICY")]
    policy: Option<String>,
    /// Only what is about this principal: `User:alice`; may be given several times
    #[arg(long, value_name = "PRINCIPAL", value_parser = principal)]
    principal: Vec<String>,
    /// No cluster, but an export of one, as JSON lines; `-` is standard input
    #[arg(long, value_name = "ACLS.jsonl", conflicts_with_all = ["bootstrap_server", "command_config"])]
    observed: Option<String>,
    #[command(flatten)]
    connection: Connection,
}

/// A whole principal.
fn principal(text: &str) -> Result<String, String> {
    match text.split_once(':') {
        Some((kind, _)) if !kind.is_empty() => Ok(text.to_owned()),
        _ => Err(format!("principals have a type; write User:{text}")),
    }
}

/// What there is to export.
struct Found {
    bindings: BTreeSet<RawBinding>,
    /// What the bindings do not hold, though the cluster does or may.
    missing: Option<Missing>,
}

/// What librdkafka cannot name.
struct Missing {
    /// So many that are known of.
    unreadable: usize,
}

impl Export {
    pub(super) fn run(self, global: &Global, ui: &Ui) -> Done {
        let policy = self.policy.as_deref().map(read_policy).transpose()?;
        let found = self.find(policy.as_ref(), global, ui)?;
        let mut text = Vec::new();
        for binding in &found.bindings {
            serde_json::to_writer(&mut text, binding).map_err(|e| unwritable(&e.into()))?;
            text.push(b'\n');
        }
        print(&text)?;
        ui.note(count(found.bindings.len(), "binding"));
        match found.missing {
            None => Ok(()),
            Some(missing) => missing.say(ui),
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
                missing: None,
            });
        }
        let mut admin = self.connection.connect(ui, policy, &global.out)?;
        describe(&mut admin, &self.principal)
    }
}

/// Reads the bindings of these principals, of all where there are none.
fn describe(admin: &mut Admin, principals: &[String]) -> Result<Found, Failure> {
    let mut filters: Vec<AclFilter> = principals.iter().map(|p| AclFilter::principal(p)).collect();
    if filters.is_empty() {
        filters.push(AclFilter::default());
    }
    let mut all = Described::default();
    let mut bindings = BTreeSet::new();
    for filter in &filters {
        let described = admin.describe_acls(filter)?;
        bindings.extend(described.bindings);
        all.unreadable += described.unreadable;
        all.may_miss_unreadable |= described.may_miss_unreadable;
    }
    let missing = (all.unreadable > 0 || all.may_miss_unreadable).then_some(Missing {
        unreadable: all.unreadable,
    });
    Ok(Found { bindings, missing })
}

impl Missing {
    fn text(&self) -> String {
        let what = "on delegation tokens and users, or with the operations CreateTokens, DescribeTokens and TwoPhaseCommit, which librdkafka cannot name";
        match self.unreadable {
            0 => format!(
                "bindings may be missing here: those {what}; the cluster has too many to ask for all at once"
            ),
            1 => format!("the cluster has 1 more binding, which is missing here: {what}"),
            n => format!("the cluster has {n} more bindings, which are missing here: {what}"),
        }
    }

    /// Warns, and fails where something is missing for sure.
    fn say(&self, ui: &Ui) -> Done {
        ui.warn(self.text());
        match self.unreadable {
            0 => Ok(()),
            _ => Err(Failure::Partly),
        }
    }
}

/// Writes to standard output; an export that is cut short must not pass for a whole one.
fn print(text: &[u8]) -> Done {
    let mut out = BufWriter::new(std::io::stdout().lock());
    match out.write_all(text).and_then(|()| out.flush()) {
        // A reader that has gone away wants no more.
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(unwritable(&e).into()),
        _ => Ok(()),
    }
}

fn unwritable(error: &std::io::Error) -> CliError {
    CliError::new(
        "export-unwritable",
        format!("the export cannot be written: {error}"),
    )
    .hint("make room, or write it elsewhere; what was written is not complete")
}
