//! `kpki acl test`

use clap::Args;
use serde_json::json;

use super::{
    super::{CliError, Done, Failure, policy::read_policy},
    count,
    ui::{BOLD, DIM, GREEN, RED, Ui},
};
use crate::{
    acl::{Reason, Request, RequestError},
    policy::{TestOutcome, ValidatedPolicy},
};

/// Ask the policy's own questions: may this client do that?
///
/// Runs every entry under `tests` against the bindings that the policy means, by the rules of Kafka's authorizer and
/// without a cluster. Exit code 3 when an answer is another than the one that is asked for.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki acl test policies/quickstart.yaml
  kpki acl test policies/quickstart.yaml --json")]
pub struct Test {
    /// The policy file; `-` is standard input
    #[arg(value_name = "POLICY")]
    policy: String,
}

impl Test {
    pub(super) fn run(self, ui: &Ui) -> Done {
        let policy = read_policy(&self.policy)?;
        let outcomes = outcomes(&policy)?;
        let failed: Vec<_> = outcomes.iter().filter(|o| !o.passed()).collect();
        let passed = outcomes.len() - failed.len();
        for outcome in &failed {
            ui.answer(failure(outcome));
        }
        match (outcomes.len(), failed.len()) {
            (0, _) => ui.say(format!(
                "{} has no tests: write some, such as `tests: [{{principal: User:a, can: Read, topic: orders}}]`",
                self.policy
            )),
            (all, 0) => ui.say(format!(
                "{GREEN}passed{GREEN:#}  {} of the policy's tests",
                count(all, "request")
            )),
            (all, failed) => ui.say(format!(
                "\n{RED}failed{RED:#}  {failed} of {} of the policy's tests",
                count(all, "request")
            )),
        }
        ui.document(&json!({
            "ok": failed.is_empty(),
            "passed": passed,
            "failed": failed.iter().map(|o| as_json(o)).collect::<Vec<_>>(),
        }));
        match failed.is_empty() {
            true => Ok(()),
            false => Err(Failure::No),
        }
    }
}

/// What every test comes to.
pub fn outcomes(policy: &ValidatedPolicy) -> Result<Vec<TestOutcome<'_>>, Failure> {
    policy.run_tests().map_err(|e| impossible(&e).into())
}

/// A request that no client can make.
pub fn impossible(error: &RequestError) -> CliError {
    let mapped = CliError::new("request-impossible", error.to_string()).usage();
    match error {
        RequestError::PrincipalWithoutType(name) => mapped.hint(format!("write `User:{name}`")),
        RequestError::WildcardPrincipal => mapped.hint("name one user, such as User:alice"),
        RequestError::NotAnAddress(_) => mapped
            .hint("write the address that the broker sees the client come from, such as 10.0.0.7"),
    }
}

fn failure(outcome: &TestOutcome<'_>) -> String {
    let TestOutcome { test, request, .. } = outcome;
    let (wanted, is) = match test.allowed {
        true => ("should be allowed", "is denied"),
        false => ("should be denied", "is allowed"),
    };
    format!(
        "{RED}failed{RED:#}  {DIM}{}{DIM:#}\n        {BOLD}{}{BOLD:#} {wanted} and {is}: {}",
        test.source,
        asked(request),
        why(outcome),
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
    let should = match outcome.test.allowed {
        true => "should be allowed",
        false => "should be denied",
    };
    let TestOutcome { test, request, .. } = outcome;
    format!("{}: {} {should}", test.source, asked(request))
}

fn why(outcome: &TestOutcome<'_>) -> String {
    match outcome.by {
        Some(said) => format!("by {} ({})", said.binding, said.source),
        None => reason(outcome.decision.reason, outcome.decision.allowed).to_owned(),
    }
}

/// The reason in words, where no binding decided.
pub fn reason(reason: Reason, allowed: bool) -> &'static str {
    match (reason, allowed) {
        (Reason::SuperUser, _) => "it is a super user, whom no ACL concerns",
        (Reason::NoMatch, _) => "there are ACLs on this resource, and none that lets it do this",
        (Reason::NoAcl, true) => {
            "no ACL is about this resource, and so everyone may (allow_everyone_if_no_acl_found)"
        }
        (Reason::NoAcl, false) => "no ACL is about this resource",
        (Reason::Deny, _) => "an ACL denies it",
        (Reason::Allow, _) => "an ACL allows it",
    }
}

fn as_json(outcome: &TestOutcome<'_>) -> serde_json::Value {
    let word = |allowed| if allowed { "ALLOWED" } else { "DENIED" };
    json!({
        "source": outcome.test.source.to_string(),
        "request": outcome.request,
        "expected": word(outcome.test.allowed),
        "decision": word(outcome.decision.allowed),
        "reason": outcome.decision.reason,
        "acl": outcome.by.map(|said| &said.binding),
        "acl_source": outcome.by.map(|said| said.source.to_string()),
    })
}
