//! A saved plan, and whether it is still the plan.

use std::collections::BTreeSet;

use super::{
    super::policy::{Text, read_policy_file},
    CliError, Failure, ReadPolicy,
    observed::Observed,
    plan::{Deletion, managed},
};
use crate::{
    acl::RawBinding,
    plan::{Plan, PlanFileError, SavedPlan, observed_digest},
};

/// The plan in a file; `None` where it is something else, such as a policy.
///
/// # Errors
/// A plan that is damaged, or written by a later kpki.
pub fn parse(path: &str, text: &Text) -> Result<Option<SavedPlan>, Failure> {
    // A policy in YAML's JSON form begins like that as well, but says nothing of this.
    let begins = text.text.trim_start().starts_with('{') && text.text.contains("\"policy_sha256\"");
    if !begins && !path.ends_with(".plan") {
        return Ok(None);
    }
    match SavedPlan::parse(&text.text) {
        Ok(plan) => Ok(Some(plan)),
        Err(error @ PlanFileError::LaterVersion(_)) => {
            Err(CliError::new("plan-version", format!("{path}: {error}"))
                .hint("plan again with this kpki: kpki acl plan POLICY --save FILE")
                .usage()
                .into())
        }
        Err(error) => Err(CliError::new("plan-malformed", format!("{path}: {error}"))
            .hint("kpki acl plan POLICY --save FILE writes a plan")
            .usage()
            .into()),
    }
}

/// Whether the options of the command agree with the plan.
///
/// # Errors
/// They ask for what was not reviewed.
pub fn check_options(path: &str, plan: &SavedPlan, options: Deletion) -> Result<(), Failure> {
    if options.prune && !plan.prune {
        return Err(CliError::new(
            "usage",
            format!("{path} was made without --prune, and is applied as it was reviewed"),
        )
        .hint(format!(
            "plan again: kpki acl plan {} --prune --save {path}",
            plan.policy
        ))
        .usage()
        .into());
    }
    Ok(())
}

/// What may be deleted: what was reviewed.
pub fn deletion(plan: &SavedPlan, options: Deletion) -> Deletion {
    Deletion {
        prune: plan.prune,
        max_deletes: options.max_deletes.or(Some(plan.deletes.len())),
    }
}

/// The policy that the plan was made from.
///
/// # Errors
/// It cannot be read, or is invalid.
pub fn policy(path: &str, plan: &SavedPlan) -> Result<ReadPolicy, Failure> {
    read_policy_file(&plan.policy).map_err(|failure| match failure {
        Failure::Error(error) if error.code() == "policy-unreadable" => CliError::new(
            "policy-unreadable",
            format!(
                "{path} is applied together with its policy: {}",
                error.message()
            ),
        )
        .hint("apply the plan in the directory where it was made, with the policy in its place")
        .into(),
        other => other,
    })
}

/// Whether the policy is the one that the plan was made from.
///
/// # Errors
/// It is not.
pub fn check_policy(path: &str, plan: &SavedPlan, read: &ReadPolicy) -> Result<(), Failure> {
    if plan.policy_sha256 == read.sha256 {
        return Ok(());
    }
    Err(stale(
        path,
        plan,
        &format!(
            "the policy {}, or a file that it includes, has changed",
            plan.policy
        ),
    ))
}

/// Whether the cluster is in the state that the plan was made for, or on the way from there to the plan's end: a plan
/// that was stopped half-way is finished by applying it again.
///
/// # Errors
/// It is not.
pub fn check_cluster(
    path: &str,
    saved: &SavedPlan,
    read: &ReadPolicy,
    observed: &Observed,
    plan: &Plan,
) -> Result<(), Failure> {
    let managed = managed(&read.policy.managed());
    // The state as it was, had nothing of the plan been done.
    let created: BTreeSet<&RawBinding> = saved.creates.iter().collect();
    let before = observed.bindings.iter().filter(|b| !created.contains(b));
    let before: Vec<RawBinding> = before.chain(&saved.deletes).cloned().collect();
    if observed_digest(&before, &managed) != saved.observed_sha256 {
        return Err(stale(
            path,
            saved,
            "somebody has changed the cluster's ACLs of principals that the policy manages",
        ));
    }
    // What the guards make of it may differ for another operator, or with other settings of the brokers.
    let now: BTreeSet<&RawBinding> = observed.bindings.iter().collect();
    let creates = saved.creates.iter().filter(|b| !now.contains(b));
    let deletes = saved.deletes.iter().filter(|b| now.contains(b));
    let same = creates.eq(plan.creates.iter().map(|b| b.as_raw())) && deletes.eq(&plan.deletes);
    match same {
        true => Ok(()),
        false => Err(stale(
            path,
            saved,
            "for the one who applies it, or with what the brokers are set to now, the plan would be another",
        )),
    }
}

fn stale(path: &str, plan: &SavedPlan, what: &str) -> Failure {
    let prune = if plan.prune { " --prune" } else { "" };
    CliError::new(
        "plan-stale",
        format!("since {path} was made, {what}; nothing was changed"),
    )
    .hint(format!(
        "plan again and review that: kpki acl plan {}{prune} --save {path}",
        plan.policy
    ))
    .into()
}
