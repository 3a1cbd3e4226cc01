//! `kpki acl explain`

use std::{
    io::{BufRead, BufReader, BufWriter, Write},
    path::Path,
    str::FromStr,
};

use clap::Args;
use rayon::prelude::*;
use time::OffsetDateTime;

use super::{
    super::{
        CliError, Code, Done, Failure, Global, cluster::Connection, policy::check_stdin, verdict,
    },
    bindings::{self, Bindings, Brokers},
    count,
    decider::{ANY_NAME, Decider, Question},
    export, suggest, test,
    ui::{BOLD, DIM, GREEN, RED, Ui, json_line},
};
use crate::{
    acl::{CLUSTER_NAME, Operation, Reason, Request, ResourceType, UnknownWord},
    bootstrap::cut_off::cut_off,
    document::MARK,
    policy::ValidatedPolicy,
    state::{self, OutDir},
};

/// How many requests are decided at a time.
const BATCH: usize = 16_384;

/// Show whether a client may do something, and which ACL decides
///
/// Decides as Kafka's own authorizer does: from a policy or from ACLs exported as JSON lines, without a cluster; or,
/// with --live or a connection, from the ACLs that the cluster has now. If it is denied, the exit code is 3, and the
/// policy lines that would allow it are shown. With --requests, the exit code does not depend on the decisions.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki acl explain cluster.yaml --principal User:analytics --operation Read --topic orders
  kpki acl explain cluster.yaml --live --principal User:analytics --operation Read --topic orders
  kpki acl explain --command-config a.properties --principal User:a --operation Write --any topic
  kpki acl explain acls.jsonl --principal User:a --operation Alter --cluster --allow-everyone
  kpki acl explain acls.jsonl --requests requests.jsonl > decisions.jsonl

A line of requests.jsonl:
  {\"principal\":\"User:a\",\"host\":\"10.0.0.1\",\"operation\":\"READ\",\"resource_type\":\"TOPIC\",\"name\":\"orders\"}")]
pub struct Explain {
    /// A policy file, or ACL bindings as JSON lines; `-` is standard input
    #[arg(value_name = "POLICY|ACLS.jsonl",
          required_unless_present_any = ["live", "bootstrap_server", "command_config"])]
    bindings: Option<String>,
    /// Ask the cluster for its current ACLs; a policy says which cluster, and who its super users are
    #[arg(long)]
    live: bool,
    /// The principal, such as `User:alice`
    #[arg(long, value_name = "PRINCIPAL", required_unless_present = "requests")]
    principal: Option<String>,
    /// The operation: Read, Write, Create, Delete, Alter, Describe, …
    #[arg(long, required_unless_present = "requests", value_parser = word::<Operation>)]
    operation: Option<Operation>,
    /// The client's address [default: one that no ACL names]
    #[arg(long, value_name = "ADDRESS")]
    host: Option<String>,
    #[command(flatten)]
    resource: Resource,
    /// Decide many requests, as JSON lines; `-` is standard input. Prints one decision per line, in the same order
    #[arg(long, value_name = "REQUESTS.jsonl",
          conflicts_with_all = ["principal", "operation", "host", "topic", "group", "transactional_id", "delegation_token", "user", "cluster", "any"])]
    requests: Option<String>,
    #[command(flatten)]
    brokers: Brokers,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Args)]
#[group(multiple = false)]
struct Resource {
    /// On this topic
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
    /// On this consumer group
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// On this transactional id
    #[arg(long, value_name = "ID")]
    transactional_id: Option<String>,
    /// On this delegation token
    #[arg(long, value_name = "ID")]
    delegation_token: Option<String>,
    /// On the delegation tokens of this user: `User:bob`
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// On the cluster itself
    #[arg(long, value_name = CLUSTER_NAME, num_args = 0..=1, default_missing_value = CLUSTER_NAME,
          value_parser = [CLUSTER_NAME], hide_possible_values = true)]
    cluster: Option<String>,
    /// On at least one resource of this type, which is what brokers check for idempotent producers: topic, group, …
    #[arg(long, value_name = "TYPE", value_parser = word::<ResourceType>)]
    any: Option<ResourceType>,
}

/// A resource type or operation in the spelling of any of Kafka's tools.
fn word<T: FromStr<Err = UnknownWord>>(text: &str) -> Result<T, String> {
    text.replace('-', "_")
        .parse()
        .map_err(|e: UnknownWord| format!("{e}; expected one of {}", e.known.join(", ")))
}

impl Explain {
    pub(super) fn run(self, global: &Global, ui: &Ui) -> Done {
        let inputs = [self.bindings.as_deref(), self.requests.as_deref()];
        check_stdin("bindings and requests", inputs)?;
        let live = self.live || self.connection.is_named();
        let written = self.bindings.as_deref().map(bindings::read).transpose()?;
        if !live && let Some(bindings) = &written {
            if let Bindings::Policy(read) = bindings {
                self.look_for_revoked(&read.policy, &global.out, ui)?;
            }
            let decider = Decider::written(bindings, &self.brokers)?;
            return self.answer(&decider, ui);
        }
        let policy = match &written {
            None => None,
            Some(Bindings::Policy(read)) => Some(&**read),
            Some(Bindings::Export(export)) => {
                let name = &export.name;
                let message = format!(
                    "{name} is an export, but the command is to ask a cluster for its ACLs"
                );
                let hint = "leave out one of the two: the export, or --live and the connection";
                return Err(CliError::misuse(message, hint).into());
            }
        };
        let mut admin =
            self.connection
                .connect(ui, policy.map(|read| &read.policy), &global.out)?;
        let found = export::describe(&mut admin, &[])?;
        if let Some(text) = found.missing.text() {
            ui.warn(format!("not everything is considered: {text}"));
        }
        if policy.is_none() && self.brokers.super_users.is_none() && !self.brokers.allow_everyone {
            ui.note("brokers do not show their super.users and allow.everyone.if.no.acl.found: if these matter, give the policy, or --super-users and --allow-everyone");
        }
        let decider = Decider::live(&found, policy, &self.brokers)?;
        self.answer(&decider, ui)
    }

    /// A policy does not say who is revoked; what is applied to the cluster does.
    fn look_for_revoked(&self, policy: &ValidatedPolicy, out: &Path, ui: &Ui) -> Done {
        let cut_off = cut_off(policy, &OutDir::new(out), OffsetDateTime::now_utc())?;
        let is_revoked = |asked: &&String| cut_off.principals.iter().any(|p| p.as_str() == *asked);
        for principal in self.principal.iter().filter(is_revoked) {
            ui.warn(format!(
                "{principal} is revoked: kpki acl apply denies it everything, whatever the policy says"
            ));
        }
        Ok(())
    }

    fn answer(self, decider: &Decider<'_>, ui: &Ui) -> Done {
        match self.requests {
            Some(path) => many(decider, &path, ui),
            None => one(decider, &self.question()?, ui),
        }
    }

    fn question(self) -> Result<Question, Failure> {
        let Resource {
            topic,
            group,
            transactional_id,
            delegation_token,
            user,
            cluster,
            any,
        } = self.resource;
        let named = [
            (ResourceType::Topic, topic),
            (ResourceType::Group, group),
            (ResourceType::TransactionalId, transactional_id),
            (ResourceType::DelegationToken, delegation_token),
            (ResourceType::User, user),
            (ResourceType::Cluster, cluster),
        ];
        let resource = named
            .into_iter()
            .find_map(|(kind, name)| Some((kind, name?)))
            .or(any.map(|kind| (kind, ANY_NAME.to_owned())));
        let (Some(principal), Some(operation), Some((resource_type, name))) =
            (self.principal, self.operation, resource)
        else {
            return Err(CliError::misuse(
                "no resource was given",
                "give one of --topic, --group, --transactional-id, --delegation-token, --user, --cluster, --any TYPE",
            )
            .into());
        };
        Ok(Question {
            request: Request {
                principal,
                host: self.host.unwrap_or_else(|| Request::ELSEWHERE.to_owned()),
                operation,
                resource_type,
                name,
            },
            any: any.is_some(),
        })
    }
}

fn one(decider: &Decider<'_>, question: &Question, ui: &Ui) -> Done {
    let decision = question.ask(&decider.authorizer);
    let decision = decision.map_err(|e| test::impossible(&e))?;
    let answer = decider.answer(&decision);
    if ui.json {
        ui.json_line(&answer);
        return verdict(decision.allowed);
    }
    let word = test::word(decision.allowed);
    let colour = if decision.allowed { GREEN } else { RED };
    ui.answer(format!(
        "{colour}{word}{colour:#}  {BOLD}{}{BOLD:#}",
        question.text()
    ));
    match (answer.acl, &answer.source) {
        (Some(acl), Some(source)) => ui.answer(format!("  by {acl}\n  {DIM}{source}{DIM:#}")),
        (Some(acl), None) => ui.answer(format!(
            "  by {acl}\n  {DIM}in the cluster{}{DIM:#}",
            decider.policy.map_or("", |_| ", and not in the policy")
        )),
        _ => ui.answer(format!("  {}", question.reason(&decision))),
    }
    // What the policy decides, which may differ from what the cluster does.
    let meant = decider.policy.filter(|_| decider.is_live());
    let meant = meant.and_then(|policy| question.ask(&policy.authorizer()).ok());
    match (decision.reason, meant) {
        (_, Some(meant)) if meant.allowed != decision.allowed => ui.note(format!(
            "{BOLD}hint:{BOLD:#} the policy {} it: kpki acl plan shows where the cluster differs from the policy",
            if meant.allowed { "allows" } else { "does not allow" }
        )),
        (Reason::Deny, _) => ui.note(format!(
            "{BOLD}hint:{BOLD:#} a Deny wins over every Allow: remove it, or let it deny less"
        )),
        (Reason::NoAcl | Reason::NoMatch, _) if !decision.allowed => {
            let mut wanted = question.request.clone();
            if question.any {
                wanted.name = "NAME".to_owned();
            }
            ui.note(match suggest::senseless(&wanted, decider.version) {
                Some(problem) => format!("{BOLD}hint:{BOLD:#} {problem}: {}", problem.hint),
                None => format!(
                    "{BOLD}hint:{BOLD:#} to allow it, add to the policy, {}",
                    suggest::policy_lines(&wanted, decider.policy)
                ),
            });
        }
        _ => {}
    }
    verdict(decision.allowed)
}

/// Decides a stream of requests, a batch at a time on all cores, and writes the answers in their order.
fn many(decider: &Decider<'_>, path: &str, ui: &Ui) -> Done {
    let unreadable = |e: std::io::Error| {
        CliError::new(
            Code::RequestsUnreadable,
            format!("cannot read the requests {path}: {e}"),
        )
        .hint("the argument is the path of a file of JSON lines, or - for standard input")
    };
    let mut input: Box<dyn BufRead> = match path {
        "-" => Box::new(std::io::stdin().lock()),
        path => Box::new(BufReader::with_capacity(
            1 << 20,
            state::open(path.as_ref()).map_err(unreadable)?,
        )),
    };
    let mut out = BufWriter::with_capacity(1 << 20, std::io::stdout().lock());
    let (mut number, mut undecided, mut written) = (0, 0, Ok(()));
    loop {
        let mut batch = Vec::with_capacity(BATCH);
        let mut line = Vec::new();
        while batch.len() < BATCH && input.read_until(b'\n', &mut line).map_err(unreadable)? > 0 {
            number += 1;
            if number == 1 && line.starts_with(MARK.as_bytes()) {
                line.drain(..MARK.len());
            }
            if !line.trim_ascii().is_empty() {
                batch.push((number, std::mem::take(&mut line)));
            }
            line.clear();
        }
        if batch.is_empty() {
            break;
        }
        let answers: Vec<(String, bool)> = batch
            .par_iter()
            .map(|(number, line)| answer_line(decider, path, *number, line))
            .collect();
        for (answer, decided) in answers {
            undecided += usize::from(!decided);
            written = written.and_then(|()| writeln!(out, "{answer}"));
        }
        written = written.and_then(|()| out.flush());
        if written.is_err() {
            ui.written(written);
            return Ok(());
        }
    }
    if undecided == 0 {
        return Ok(());
    }
    ui.complain(format!(
        "{RED}error:{RED:#} {} could not be decided; each has an error instead of a decision",
        count(undecided, "request")
    ));
    Err(Failure::AlreadyReported)
}

/// The decision about a line, or else its error and false.
fn answer_line(decider: &Decider<'_>, path: &str, number: usize, line: &[u8]) -> (String, bool) {
    let answer = serde_json::from_slice::<Request>(line)
        .map_err(|e| bindings::plain(&e))
        .and_then(|request| {
            decider
                .authorizer
                .decide(&request)
                .map_err(|e| e.to_string())
        })
        .map(|decision| json_line(&decider.answer(&decision)));
    match answer {
        Ok(line) => (line, true),
        Err(what) => {
            let error = CliError::new(Code::RequestMalformed, format!("{path}:{number}: {what}"))
                .hint(r#"a line is like {"principal":"User:a","host":"10.0.0.1","operation":"READ","resource_type":"TOPIC","name":"orders"}"#);
            (
                serde_json::json!({"error": error.as_json()}).to_string(),
                false,
            )
        }
    }
}
