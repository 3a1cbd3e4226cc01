//! `kpki acl test`

use clap::Args;
use serde_json::json;

use super::{
    super::{
        CliError, Code, Done, Failure, Global,
        cluster::{Connection, compare_id},
        policy::{read_policy_file, shown},
        verdict,
    },
    ReadPolicy, count, export,
    ui::{BOLD, DIM, GREEN, RED, Ui},
};
use crate::{
    acl::{NotAPrincipal, Principal, RawBinding, Reason, Request, RequestError, Settings},
    apply::{brokers, observed},
    policy::{TestOutcome, ValidatedPolicy},
};

/// Run the policy's own tests, which state who can do what
///
/// Runs every entry under `tests` against the policy's bindings, by the rules of Kafka's authorizer and without a
/// cluster. A cluster may have other ACLs than the policy: with --live or a connection, the tests run against the
/// cluster's current ACLs. The exit code is 3 if a test fails.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki acl test policies/quickstart.yaml
  kpki acl test policies/quickstart.yaml --live
  kpki acl test policies/quickstart.yaml --command-config admin.properties --json")]
pub struct Test {
    /// The policy file; `-` is standard input
    #[arg(value_name = "POLICY")]
    policy: String,
    /// Run the tests against the ACLs that the cluster has now
    #[arg(long)]
    live: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Test {
    pub(super) fn run(self, global: &Global, ui: &Ui) -> Done {
        let read = read_policy_file(&self.policy)?;
        let policy = &read.policy;
        let live = self.live || self.connection.is_named();
        let bindings;
        let outcomes = match live {
            false => outcomes(policy)?,
            true => {
                let settings;
                (bindings, settings) = self.held(&read, global, ui)?;
                let outcomes = policy.run_tests_against(&bindings, settings);
                outcomes.map_err(|e| impossible(&e))?
            }
        };
        let whose = if live { ", by the cluster's ACLs" } else { "" };
        let failed: Vec<_> = outcomes.iter().filter(|o| !o.passed()).collect();
        let passed = outcomes.len() - failed.len();
        for outcome in &failed {
            ui.answer(failure(outcome, live));
        }
        match (outcomes.len(), failed.len()) {
            (0, _) => ui.say(format!(
                "{} has no tests: write some, such as `tests: [{{principal: User:a, can: Read, topic: orders}}]`",
                shown(&self.policy)
            )),
            (all, 0) => ui.say(format!(
                "{GREEN}passed{GREEN:#}  {} of the policy's tests{whose}",
                count(all, "request")
            )),
            (all, failed) => ui.say(format!(
                "\n{RED}failed{RED:#}  {failed} of {} of the policy's tests{whose}",
                count(all, "request")
            )),
        }
        let mut document = json!({
            "ok": failed.is_empty(),
            "passed": passed,
            "failed": failed.iter().map(|o| as_json(o)).collect::<Vec<_>>(),
        });
        if live {
            document["live"] = true.into();
        }
        ui.document(&document);
        verdict(failed.is_empty())
    }

    /// The cluster's bindings, and the broker settings that decisions depend on.
    fn held(
        &self,
        read: &ReadPolicy,
        global: &Global,
        ui: &Ui,
    ) -> Result<(Vec<RawBinding>, Settings), Failure> {
        let policy = Some(&read.policy);
        let mut admin = self.connection.connect(ui, policy, &global.out)?;
        compare_id(ui, &read.policy, &global.out, &admin)?;
        let (settings, _) = brokers::settings(&mut admin, &read.policy, &|n| ui.tell(n));
        // All of them, or an error: a test must not pass because a binding was not seen.
        let found = export::describe(&mut admin, &[])?;
        if let Some(text) = found.missing.text() {
            ui.warn(format!("not everything is considered: {text}"));
        }
        let mut bindings: Vec<RawBinding> = found.bindings.into_iter().collect();
        bindings.extend(observed::held_unnamed(&mut admin, &read.policy)?);
        Ok((bindings, settings))
    }
}

/// The outcome of every test.
pub fn outcomes(policy: &ValidatedPolicy) -> Result<Vec<TestOutcome<'_>>, Failure> {
    policy.run_tests().map_err(|e| impossible(&e).into())
}

/// A request that no client can make.
pub fn impossible(error: &RequestError) -> CliError {
    let mapped = CliError::new(Code::RequestImpossible, error.to_string()).usage();
    match error {
        RequestError::NotAPrincipal(NotAPrincipal(name)) => {
            mapped.hint(format!("write `{}`", Principal::user(name)))
        }
        RequestError::WildcardPrincipal => mapped.hint("name one user, such as User:alice"),
        RequestError::NotAnAddress(_) => mapped
            .hint("write the address that the broker sees the client come from, such as 10.0.0.7"),
    }
}

fn failure(outcome: &TestOutcome<'_>, live: bool) -> String {
    let TestOutcome { test, request, .. } = outcome;
    let is = if test.allowed { "denied" } else { "allowed" };
    format!(
        "{RED}failed{RED:#}  {DIM}{}{DIM:#}\n        {BOLD}{}{BOLD:#} {} and is {is}: {}",
        test.source,
        asked(request),
        wanted(outcome),
        why(outcome, live),
    )
}

/// ``User:a Read on Topic `orders` ``
pub fn asked(request: &Request) -> String {
    let from = match request.host.as_str() {
        Request::ELSEWHERE => String::new(),
        host => format!(" from {host}"),
    };
    format!(
        "{} {} on {} `{}`{from}",
        request.principal, request.operation, request.resource_type, request.name
    )
}

/// A failed test, for a list of them.
pub fn in_one_line(outcome: &TestOutcome<'_>) -> String {
    let TestOutcome { test, request, .. } = outcome;
    format!("{}: {} {}", test.source, asked(request), wanted(outcome))
}

fn wanted(outcome: &TestOutcome<'_>) -> &'static str {
    match outcome.test.allowed {
        true => "should be allowed",
        false => "should be denied",
    }
}

fn why(outcome: &TestOutcome<'_>, live: bool) -> String {
    match (outcome.by, outcome.source) {
        (Some(by), Some(source)) => format!("by {by} ({source})"),
        (Some(by), None) if live => {
            format!("by {by}, which is in the cluster and not in the policy")
        }
        (Some(by), None) => format!("by {by}"),
        (None, _) => reason(outcome.decision.reason, outcome.decision.allowed).to_owned(),
    }
}

/// The reason in words, where no binding decided.
pub fn reason(reason: Reason, allowed: bool) -> &'static str {
    match (reason, allowed) {
        (Reason::SuperUser, _) => "it is a super user, to whom ACLs do not apply",
        (Reason::NoMatch, _) => "there are ACLs on this resource, but none of them allows it",
        (Reason::NoAcl, true) => {
            "no ACL applies to this resource, so everyone is allowed (allow_everyone_if_no_acl_found)"
        }
        (Reason::NoAcl, false) => "no ACL applies to this resource",
        (Reason::Deny, _) => "an ACL denies it",
        (Reason::Allow, _) => "an ACL allows it",
    }
}

/// A decision, for people and machines.
pub fn word(allowed: bool) -> &'static str {
    if allowed { "ALLOWED" } else { "DENIED" }
}

fn as_json(outcome: &TestOutcome<'_>) -> serde_json::Value {
    json!({
        "source": outcome.test.source.to_string(),
        "request": outcome.request,
        "expected": word(outcome.test.allowed),
        "decision": word(outcome.decision.allowed),
        "reason": outcome.decision.reason,
        "acl": outcome.by,
        "acl_source": outcome.source.map(ToString::to_string),
    })
}
