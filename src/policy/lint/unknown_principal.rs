//! `unknown-principal`: an entry of `acls`, or a test, for a principal that the policy does not declare.

use std::collections::{BTreeSet, HashSet};

use super::{Findings, Subject};
use crate::{
    acl::{ANONYMOUS, EVERYONE, Principal},
    document::{Source, nearest},
    policy::ValidatedPolicy,
};

lint! {
    UnknownPrincipal = "unknown-principal", "a principal that is not a client, user or broker of the policy";
}

fn run(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(policy) = subject.policy else { return };
    // A policy without any declares its principals elsewhere.
    if policy.clients.is_empty() && policy.users.is_empty() {
        return;
    }
    let known = known(policy, subject);
    let managed = policy.manage.as_deref().unwrap_or_default();
    let is_managed = |principal: &str| managed.iter().any(|pattern| pattern.matches(principal));
    let acls = policy
        .acls
        .iter()
        .map(|a| (&a.principal, &a.source, "ACL is for"));
    let tests = policy
        .tests
        .iter()
        .map(|t| (&t.principal, &t.source, "test asks as"));
    let mut reported: HashSet<(&Principal, &Source)> = HashSet::new();
    for (principal, source, what) in acls.chain(tests) {
        let fine = *principal == EVERYONE
            || *principal == ANONYMOUS
            || principal.user_name().is_none()
            || known.contains(principal)
            || is_managed(principal.as_str());
        if fine || !reported.insert((principal, source)) {
            continue;
        }
        let hint = match nearest(principal.as_str(), known.iter().map(Principal::as_str)) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!(
                "correct it; if only the cluster knows it, add \"{principal}\" to manage.principals; --prune then deletes its ACLs that are not in the policy"
            ),
        };
        findings.warning(
            Found::UnknownPrincipal,
            source,
            format!("the {what} {principal}, which is not a client, user or broker of the policy"),
            hint,
        );
    }
}

fn known(policy: &ValidatedPolicy, subject: &Subject<'_>) -> BTreeSet<Principal> {
    let clients = policy.clients.iter().flat_map(|c| policy.principals(c));
    let users = policy.users.iter().map(|u| Principal::user(&u.name));
    clients
        .chain(users)
        .chain(subject.settings.super_users.iter().cloned())
        .collect()
}
