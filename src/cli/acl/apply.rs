//! `kpki acl apply`

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use clap::Args;
use serde_json::json;
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
};
use time::OffsetDateTime;

use super::{
    super::{
        CliError, Code, Done, Failure, Global,
        cluster::{Connection, check_id, connect},
        completed,
        planned::{DeletionOptions, confirm},
        policy, shell,
    },
    ReadPolicy, count, fail, plan, pruned,
    saved::Saved,
    test,
    ui::{BOLD, DIM, GREEN, RED, Ui, YELLOW},
};
use crate::{
    acl::RawBinding,
    admin::Admin,
    apply::{
        acl::{self, AclOutcome, Effort, Execution, Undone, unsettled},
        observed,
    },
    bootstrap::cut_off::cut_off,
    plan::{AclPlan, Deletion},
    state::{OutDir, Unsettled},
};

/// More changes than these are counted for each principal.
const CHANGES_SHOWN: usize = 1_000;
/// More failures than these are counted.
const FAILURES_SHOWN: usize = 10;

/// Change the cluster's ACLs to match the policy
///
/// Missing ACLs are created without asking, because the policy has been reviewed. ACLs are deleted only with --prune,
/// only for principals that the policy manages, and only after confirmation. The policy's own tests must pass first. A
/// plan saved by `kpki acl plan --save` is applied exactly as reviewed, or not at all if the policy or the cluster has
/// changed since.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kpki acl apply policies/quickstart.yaml
  kpki acl apply policies/quickstart.yaml --prune --yes
  kpki acl apply monday.plan
  kpki acl apply policies/quickstart.yaml --command-config admin.properties

Ctrl-C stops between two requests and reports what was done.
Where one filter per deletion would take too long, broader ones are used: what they may delete is recorded in \
OUT/pruning.jsonl first, and after a lost answer the next command reports whose newer bindings may be gone.
Exit codes: 1 nothing was changed, 4 partly applied; running it again finishes the work.")]
pub struct Apply {
    /// The policy file, or a saved plan; `-` is standard input
    #[arg(value_name = "POLICY|PLAN")]
    policy: String,
    #[command(flatten)]
    deletion: DeletionOptions,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Apply {
    pub(super) fn run(self, global: &Global, ui: &Ui) -> Done {
        let text = policy::read_text(&self.policy)?;
        let (read, reviewed) = match Saved::parse(&self.policy, &global.out, &text)? {
            Some(plan) => {
                plan.check_options(self.deletion)?;
                (plan.policy()?, Some(plan))
            }
            None => (policy::parse_policy(&self.policy, &text)?, None),
        };
        run_tests(&read)?;

        let connection = match &reviewed {
            Some(reviewed) => reviewed.connection(&self.connection),
            None => self.connection.clone(),
        };
        let properties = connection.properties(ui, Some(&read.policy), &global.out)?;
        let mut admin = connect(ui, &properties)?;
        if let Some(reviewed) = &reviewed {
            reviewed.check_id(ui, &admin)?;
        }
        check_id(&read.policy, &global.out, &admin)?;
        let out = OutDir::new(&global.out);
        let left = pruned::left(ui, &out, &admin);
        let observed = observed::read(&mut admin, &properties, &read.policy, &|n| ui.tell(n))?;
        let mut deletion = Deletion::from(self.deletion);
        if let Some(reviewed) = &reviewed {
            deletion = reviewed.plan.deletion(deletion.max_deletes);
        }
        let cut_off = cut_off(&read.policy, &out, OffsetDateTime::now_utc())?;
        let plan = acl::plan(&read.policy, &cut_off, &observed, deletion);
        if let Some(reviewed) = &reviewed {
            reviewed.check_cluster(&read, &observed, &plan)?;
        }
        plan::show(ui, &plan, CHANGES_SHOWN);
        refuse(&self.policy, &plan, reviewed.as_ref())?;
        if !plan.is_empty() {
            foretell(ui, &observed.bindings, &plan);
            self.confirm(ui, &plan)?;
        }
        pruned::confirm(ui, self.yes, &left)?;
        let (mut outcome, stopped) =
            carry_out(ui, &mut admin, &plan, observed.bindings.len(), &out)?;
        if outcome.cause.is_none()
            && let Err(error) = unsettled::settle(&mut admin, &out, &left, &mut outcome)
        {
            outcome.incidents.push(error.into());
        }
        let done = report(ui, outcome, &plan, stopped, &left);
        // Only the exit code reports it.
        match left.is_empty() {
            true => done,
            false => done.and(Err(Failure::Partly)),
        }
    }

    /// Deletions, and the first ACL on a resource that is open to everyone, take rights away.
    fn confirm(&self, ui: &Ui, plan: &AclPlan) -> Done {
        let mut takes = Vec::new();
        if !plan.deletes.is_empty() {
            takes.push(format!("deleting {}", count(plan.deletes.len(), "binding")));
        }
        if plan.warnings.iter().any(|w| w.code == "first-acl") {
            takes.push("giving resources that are open to everyone their first ACL".to_owned());
        }
        match takes.is_empty() {
            true => Ok(()),
            false => confirm(ui, self.yes, &takes.join(" and ")),
        }
    }
}

/// The policy's own tests, which state its intent.
fn run_tests(read: &ReadPolicy) -> Done {
    let outcomes = test::outcomes(&read.policy)?;
    let failed: Vec<_> = outcomes.iter().filter(|o| !o.passed()).collect();
    if failed.is_empty() {
        return Ok(());
    }
    let each = failed.iter().take(5).map(|o| test::in_one_line(o));
    fail(
        Code::TestsFailed,
        format!(
            "{} of {} of the policy's own tests failed, and nothing was changed:\n  {}",
            failed.len(),
            outcomes.len(),
            each.collect::<Vec<_>>().join("\n  ")
        ),
        format!(
            "correct the policy or its tests; the reasons are shown by\n  kpki acl test {}",
            shell::path(&read.policy.places.file.file)
        ),
    )
}

fn refuse(path: &str, plan: &AclPlan, reviewed: Option<&Saved<'_>>) -> Done {
    let refusals = match reviewed {
        Some(reviewed) if !reviewed.plan.refusals.is_empty() => &reviewed.plan.refusals,
        _ => &plan.refusals,
    };
    if refusals.is_empty() {
        return Ok(());
    }
    let why: Vec<&str> = refusals.iter().map(|r| r.message.as_str()).collect();
    let why = why.join("\n");
    let hint = match reviewed {
        // Its options were reviewed with it.
        Some(reviewed) => format!(
            "plan again, with that option, and review it:\n  {}",
            reviewed.again(reviewed.plan.prune)
        ),
        None => {
            "kpki acl plan, with the same options, shows this without changing anything".to_owned()
        }
    };
    let message = format!("{path} must not be applied as it is, and nothing was changed: {why}");
    fail(Code::PlanRefused, message, hint)
}

/// Announces deletions that take long.
fn foretell(ui: &Ui, observed: &[RawBinding], plan: &AclPlan) {
    let Some(Effort { filters, time }) = acl::effort(observed, &plan.deletes) else {
        return;
    };
    let minutes = time.as_secs() / 60;
    if minutes > 0 {
        ui.note(format!(
            "the deletions take about {}: they need {filters} filters, because some bindings of the same kinds stay, and the controller compares each with all of its {} bindings; Ctrl-C stops between two requests, and running the command again continues",
            count(minutes as usize, "minute"),
            observed.len()
        ));
    }
}

/// Executes the plan; Ctrl-C stops it, which the flag says.
fn carry_out(
    ui: &Ui,
    admin: &mut Admin,
    plan: &AclPlan,
    observed: usize,
    out: &OutDir,
) -> Result<(AclOutcome, bool), Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // A second Ctrl-C ends the process at once; the order ensures that the first does not.
        let registered = flag::register_conditional_shutdown(signal, 128 + signal, stop.clone())
            .and_then(|_| flag::register(signal, stop.clone()));
        registered
            .map_err(|e| CliError::new(Code::Failed, format!("cannot handle Ctrl-C: {e}")))?;
    }
    let changes = plan.creates.len() + plan.deletes.len();
    let bar = ui.progress(changes as u64, "applying");
    let execution = Execution {
        plan,
        observed,
        out,
        stop: &stop,
        progress: &|done| bar.set_position(done as u64),
    };
    let outcome = acl::execute(admin, &execution);
    bar.finish_and_clear();
    Ok((outcome, stop.load(Ordering::Relaxed)))
}

/// The failures grouped by reason: thousands of them usually share one.
fn show_failures(ui: &Ui, failed: &[(RawBinding, Undone)]) {
    let mut reasons: Vec<(&Undone, Vec<&RawBinding>)> = Vec::new();
    for (binding, error) in failed {
        match reasons.iter_mut().find(|(reason, _)| *reason == error) {
            Some((_, bindings)) => bindings.push(binding),
            None => reasons.push((error, vec![binding])),
        }
    }
    for (reason, bindings) in reasons.iter().take(FAILURES_SHOWN) {
        ui.complain(format!("{RED}failed:{RED:#} {reason}"));
        for binding in bindings.iter().take(FAILURES_SHOWN) {
            ui.complain(format!("  {binding}"));
        }
        if bindings.len() > FAILURES_SHOWN {
            let more = bindings.len() - FAILURES_SHOWN;
            ui.complain(format!(
                "  {DIM}and {more} more (--json lists them all){DIM:#}"
            ));
        }
    }
}

fn report(ui: &Ui, outcome: AclOutcome, plan: &AclPlan, stopped: bool, left: &[Unsettled]) -> Done {
    let AclOutcome {
        created,
        deleted,
        failed,
        cause,
        open,
        lost,
        incidents,
    } = outcome;
    for incident in &incidents {
        ui.warn(incident.to_string());
    }
    pruned::report(ui, &lost);
    let open = open || !lost.is_empty();
    let done = created + deleted;
    let cause = match cause {
        // Where nothing was done, the cause alone is enough.
        Some(cause) if done == 0 && !open => {
            let mut error = CliError::from(cause);
            error.message.push_str("; nothing was changed");
            return Err(error.into());
        }
        cause => cause,
    };
    show_failures(ui, &failed);
    // For choosing the next step, what may have been done counts as done.
    let some = done > 0 || open;
    let whole = failed.is_empty() && lost.is_empty();
    let (colour, word) = match (whole, some) {
        (true, _) => (GREEN, "applied"),
        (false, false) => (RED, "failed"),
        (false, true) => (YELLOW, "partly applied"),
    };
    let line = format!("{colour}{word}{colour:#}  {created} created, {deleted} deleted");
    let (undone, all) = (failed.len(), plan.creates.len() + plan.deletes.len());
    match undone {
        // The plan has already said that there is nothing to change.
        0 if plan.is_empty() => {}
        0 => ui.say(line),
        _ => ui.complain(format!("{line}; not done: {undone} of {all} changes")),
    }
    if stopped && !failed.is_empty() {
        ui.complain("stopped on request");
    }
    if let Some(cause) = &cause {
        ui.complain(format!("{RED}cause:{RED:#} {cause}"));
        if let Some(hint) = cause.hint() {
            ui.complain(format!("{BOLD}hint:{BOLD:#} {hint}"));
        }
    }
    if !failed.is_empty() && some {
        ui.complain(format!(
            "{BOLD}hint:{BOLD:#} running it again finishes the work"
        ));
    }
    let failures: Vec<_> = failed
        .iter()
        .map(|(acl, error)| json!({"acl": acl, "error": error.to_string()}))
        .collect();
    let mut document = json!({"created": created, "deleted": deleted, "failed": failures});
    if !lost.is_empty() || !left.is_empty() {
        let before = left.iter().flat_map(|left| &left.filters);
        document["may_be_gone_of"] = json!(pruned::principals(lost.iter().chain(before)));
    }
    ui.document(&document);
    completed(whole, some)
}
