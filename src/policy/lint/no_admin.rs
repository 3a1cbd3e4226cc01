//! `no-admin`: a cluster whose ACLs only its brokers can change.

use std::collections::BTreeSet;

use super::{Findings, Subject};
use crate::acl::{Authorizer, CLUSTER_NAME, Operation, Principal, Request, ResourceType};

lint! {
    NoAdmin = "no-admin", "a cluster whose ACLs only its brokers can change";
}

fn run(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(policy) = subject.policy else { return };
    let named = policy.cluster.admin.is_some() || !policy.cluster.super_users.is_empty();
    if named || policy.brokers.is_empty() {
        return;
    }
    let mut candidates: BTreeSet<Principal> = policy
        .clients
        .iter()
        .flat_map(|c| policy.principals(c))
        .collect();
    candidates.extend(policy.acls.iter().map(|a| a.principal.clone()));
    // And a principal that no ACL lists.
    candidates.insert(Principal::user(""));
    let bindings = subject.statements.iter().map(|s| &s.binding);
    let authorizer = Authorizer::new(bindings, subject.settings.clone());
    let may = |principal: &Principal| {
        let request = Request {
            principal: principal.to_string(),
            host: Request::ELSEWHERE.to_owned(),
            operation: Operation::Alter,
            resource_type: ResourceType::Cluster,
            name: CLUSTER_NAME.to_owned(),
        };
        authorizer.decide(&request).is_ok_and(|d| d.allowed)
    };
    if !candidates.iter().any(may) {
        findings.warning(
            Found::NoAdmin,
            &policy.places.file,
            "only the brokers could change ACLs, users or topics: the policy has no admin and no super user",
            "name a client under cluster.admin",
        );
    }
}
