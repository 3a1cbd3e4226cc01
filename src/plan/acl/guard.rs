//! The guards: what a plan must not do, and what it must warn about.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use rayon::prelude::*;

use super::{super::Remark, AclInputs, AclPlan};
use crate::{
    acl::{
        Authorizer, Binding, CLUSTER_NAME, EVERYONE, Operation, PatternType, Permission,
        RawBinding, Request, ResourceType, Settings,
    },
    printable::Printable,
};

/// The maximum number of remarks of one kind; another one counts the rest.
const MOST_REMARKS: usize = 20;

/// Applies the guards to a plan: keeps bindings that the operator needs, refuses dangerous plans, and warns.
pub(super) fn check(inputs: &AclInputs<'_>, plan: &mut AclPlan) {
    operator(inputs, plan);
    doubt(inputs, plan);
    brokers(inputs, plan);
    deletions(inputs, plan);
    denies(plan);
    if inputs.settings.allow_everyone_if_no_acl_found {
        openness(inputs, plan);
    }
}

fn deletions(inputs: &AclInputs<'_>, plan: &mut AclPlan) {
    let managed = || {
        let principals = inputs.observed.iter().map(|b| &*b.principal);
        principals.filter(|p| inputs.managed.contains(p)).count()
    };
    let deletes = plan.deletes.len();
    let refusal = inputs.deletion.refusal(deletes, "binding", managed);
    plan.refusals.extend(refusal);
}

/// The right to change ACLs, which is needed to undo a plan.
fn is_the_right(binding: &RawBinding, operator: &str) -> bool {
    binding.resource_type == ResourceType::Cluster
        && matches!(binding.operation, Operation::Alter | Operation::All)
        && (&*binding.principal == operator || &*binding.principal == EVERYONE)
}

/// Keeps the right that lets the operator undo the plan. Super users are not exempt: the policy may list them before
/// the brokers do.
fn operator(inputs: &AclInputs<'_>, plan: &mut AclPlan) {
    let Some(operator) = inputs.operator else {
        return;
    };
    let settings = Settings {
        super_users: HashSet::new(),
        ..inputs.settings.clone()
    };
    let cluster = |b: &&RawBinding| b.resource_type == ResourceType::Cluster;
    let before: Vec<&RawBinding> = inputs.observed.par_iter().filter(cluster).collect();
    let deleted: Vec<&RawBinding> = plan.deletes.par_iter().filter(cluster).collect();
    let deleted: BTreeSet<&RawBinding> = deleted.into_iter().collect();
    let created = plan.creates.par_iter().map(|b| b.as_raw());
    let created: Vec<&RawBinding> = created.filter(cluster).collect();
    if deleted.is_empty() && created.is_empty() {
        return;
    }
    // Every address that a binding treats differently.
    let hosts: BTreeSet<&str> = before
        .iter()
        .chain(&created)
        .filter(|b| &*b.principal == operator || &*b.principal == EVERYONE)
        .map(|b| match &*b.host {
            "*" => Request::ELSEWHERE,
            host => host.split('/').next().unwrap_or(host),
        })
        .chain([Request::ELSEWHERE])
        .collect();
    let lost = |after: Vec<&RawBinding>| -> Option<&str> {
        let may = |bindings: &[&RawBinding], host: &str, operation: Operation| {
            let request = Request {
                principal: operator.to_owned(),
                host: host.to_owned(),
                operation,
                resource_type: ResourceType::Cluster,
                name: CLUSTER_NAME.to_owned(),
            };
            let authorizer = Authorizer::new(bindings.iter().copied(), settings.clone());
            // A principal or host that is not valid has no rights to lose.
            authorizer.decide(&request).is_ok_and(|d| d.allowed)
        };
        let mut hosts = hosts.iter().copied();
        // Without Describe, which a Deny removes even from principals with Alter, no tool shows what to undo.
        let loses =
            |host: &str, operation| may(&before, host, operation) && !may(&after, host, operation);
        hosts.find(|host| {
            loses(host, Operation::Alter)
                || may(&before, host, Operation::Alter) && loses(host, Operation::Describe)
        })
    };
    let after = |kept: &dyn Fn(&RawBinding) -> bool| -> Vec<&RawBinding> {
        let remaining = before
            .iter()
            .filter(|b| !deleted.contains(**b) || kept(b))
            .copied();
        remaining.chain(created.iter().copied()).collect()
    };
    if lost(after(&|_| false)).is_none() {
        return;
    }
    let keep = |b: &RawBinding| b.permission == Permission::Allow && is_the_right(b, operator);
    if lost(after(&keep)).is_some() {
        plan.refusals.push(Remark::new(
            "locks-out",
            format!(
                "{operator}, which would execute this plan, could then no longer see and change ACLs, or undo it; allow it Alter on the cluster, or remove the Deny"
            ),
        ));
        return;
    }
    keep_bindings(plan, "operator-right-kept", keep, |binding| {
        format!(
            "not deleted, because {operator} needs it to undo this: {binding}; add it to the policy, or prune as another admin"
        )
    });
}

/// Removes some deletions from the plan, with a warning for each.
fn keep_bindings(
    plan: &mut AclPlan,
    code: &'static str,
    keep: impl Fn(&RawBinding) -> bool,
    message: impl Fn(&RawBinding) -> String,
) {
    for kept in plan.deletes.extract_if(.., |b| keep(b)) {
        plan.left_alone += 1;
        plan.warnings.push(Remark::new(code, message(&kept)));
    }
}

/// Refuses what could take the right to change ACLs from an operator that is uncertain: every deletion if it is
/// unknown, and changes on the cluster resource if it is only assumed.
fn doubt(inputs: &AclInputs<'_>, plan: &mut AclPlan) {
    let Some(doubt) = inputs.operator_doubt else {
        return;
    };
    let about_acls = |b: &RawBinding| {
        b.resource_type == ResourceType::Cluster
            && matches!(
                b.operation,
                Operation::Alter | Operation::Describe | Operation::All
            )
    };
    let deleted = |b: &RawBinding| b.permission == Permission::Allow && about_acls(b);
    let denied = |b: &Binding| b.permission == Permission::Deny && about_acls(b);
    let refused = match inputs.operator {
        None => !plan.deletes.is_empty(),
        Some(_) => plan.deletes.iter().any(deleted) || plan.creates.iter().any(denied),
    };
    if refused {
        plan.refusals.push(Remark::new(
            "operator-unknown",
            format!(
                "it is unknown which principal kpki is connected as ({doubt}), so a deletion could take away its right to change ACLs"
            ),
        ));
    }
}

/// Keeps the rights that brokers need to replicate and to talk to controllers. Super users are not exempt here either:
/// without both, the cluster stops working.
fn brokers(inputs: &AclInputs<'_>, plan: &mut AclPlan) {
    let keep = |b: &RawBinding| {
        b.resource_type == ResourceType::Cluster
            && b.permission == Permission::Allow
            && matches!(b.operation, Operation::ClusterAction | Operation::All)
            && inputs.settings.super_users.contains(&*b.principal)
    };
    keep_bindings(plan, "broker-right-kept", keep, |binding| {
        format!(
            "not deleted, because brokers depend on this right until their super.users lists them: {binding}; if the deletion is intended, use kafka-acls.sh"
        )
    });
}

fn denies(plan: &mut AclPlan) {
    let denies = plan.deletes.iter();
    let denies = denies.filter(|b| b.permission == Permission::Deny);
    let message = |b| format!("deleting this Deny may allow what it denies now: {b}");
    plan.warnings
        .extend(capped(denies.map(message), "deny-removed", "of them"));
}

/// A resource pattern.
type Pattern<'a> = (ResourceType, PatternType, &'a str);

fn pattern(binding: &RawBinding) -> Pattern<'_> {
    (binding.resource_type, binding.pattern_type, &binding.name)
}

/// A set of patterns, to find resources that none of them matches.
struct Patterns<'a> {
    all: HashSet<Pattern<'a>>,
    /// The prefix lengths of each type.
    lengths: HashMap<ResourceType, BTreeSet<usize>>,
}

impl<'a> Patterns<'a> {
    fn new(all: HashSet<Pattern<'a>>) -> Self {
        let mut lengths: HashMap<_, BTreeSet<usize>> = HashMap::new();
        for (kind, pattern_type, name) in &all {
            if *pattern_type == PatternType::Prefixed {
                lengths.entry(*kind).or_default().insert(name.len());
            }
        }
        Self { all, lengths }
    }

    /// Whether every resource of `pattern` has a binding among these.
    fn cover(&self, (kind, pattern_type, name): Pattern<'_>) -> bool {
        let wildcard = (kind, PatternType::Literal, "*");
        let mut lengths = self.lengths.get(&kind).into_iter().flatten();
        self.all.contains(&(kind, pattern_type, name))
            || self.all.contains(&wildcard)
            || (name != "*"
                && lengths.any(|len| {
                    let begin = name.get(..*len);
                    begin.is_some_and(|b| self.all.contains(&(kind, PatternType::Prefixed, b)))
                }))
    }
}

/// If resources without bindings are open to everyone, the first binding closes one and deleting the last one opens it.
fn openness(inputs: &AclInputs<'_>, plan: &mut AclPlan) {
    let deleted: HashSet<&RawBinding> = plan.deletes.iter().collect();
    let before = Patterns::new(inputs.observed.iter().map(pattern).collect());
    let kept = inputs.observed.iter().filter(|b| !deleted.contains(b));
    let created = plan.creates.iter().map(|b| b.as_raw());
    let after = Patterns::new(kept.chain(created).map(pattern).collect());

    let mut closed: BTreeMap<Pattern<'_>, BTreeSet<&str>> = BTreeMap::new();
    for binding in &plan.creates {
        let at = pattern(binding);
        if !before.cover(at) {
            let who = closed.entry(at).or_default();
            if binding.permission == Permission::Allow {
                who.insert(&binding.principal);
            }
        }
    }
    let closed = closed
        .into_iter()
        .filter(|(_, who)| !who.contains(EVERYONE));
    let closing = closed.map(|(at, who)| {
        let who: Vec<&str> = who.into_iter().collect();
        let who = match who.as_slice() {
            [] => "everyone".to_owned(),
            few if few.len() <= 3 => format!("everyone but {}", Printable(&few.join(", "))),
            many => format!("everyone but {} principals", many.len()),
        };
        format!(
            "the first binding on {} locks out {who}, because resources without bindings are open to everyone (allow.everyone.if.no.acl.found)",
            named(at)
        )
    });
    let closing = capped(
        closing,
        "first-acl",
        "resources that get their first binding",
    );
    let opened = plan.deletes.iter().map(pattern);
    let opened: BTreeSet<Pattern<'_>> = opened.filter(|at| !after.cover(*at)).collect();
    let opening = opened.into_iter().map(|at| {
        format!(
            "deleting the last binding on {} opens it to everyone (allow.everyone.if.no.acl.found)",
            named(at)
        )
    });
    let opening = capped(
        opening,
        "last-acl",
        "resources that lose their last binding",
    );
    plan.warnings.extend(closing.into_iter().chain(opening));
}

fn named((kind, pattern_type, name): Pattern<'_>) -> String {
    match (pattern_type, name) {
        (PatternType::Literal, "*") => format!("every {kind}"),
        (PatternType::Literal, name) => format!("{kind} `{}`", Printable(name)),
        (PatternType::Prefixed, prefix) => {
            format!("each {kind} that begins with `{}`", Printable(prefix))
        }
    }
}

/// The first messages as remarks, and one more that counts the rest.
fn capped(
    mut messages: impl Iterator<Item = String>,
    code: &'static str,
    what: &str,
) -> Vec<Remark> {
    let shown = messages.by_ref().take(MOST_REMARKS);
    let mut remarks: Vec<Remark> = shown.map(|message| Remark::new(code, message)).collect();
    let rest = messages.count();
    if rest > 0 {
        remarks.push(Remark::new(code, format!("and {rest} more {what}")));
    }
    remarks
}
