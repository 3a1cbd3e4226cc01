//! `no-admin`: a cluster whose ACLs nobody but its brokers could change.

use std::collections::BTreeSet;

use super::{Finding, Lint, Subject};
use crate::{
    acl::{Authorizer, CLUSTER_NAME, Operation, Principal, Request, ResourceType},
    code::codes,
    document::Severity,
};

codes! {
    pub(super) enum Found {
        NoAdmin = "no-admin", "a cluster whose ACLs nobody but its brokers could change";
    }
}

pub(super) const LINT: Lint = Lint {
    codes: Found::CODES,
    run,
};

fn run(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
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
    // One more whom nothing names.
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
        findings.push(Finding {
            code: Found::NoAdmin.into(),
            severity: Severity::Warning,
            message: "nobody but the brokers could change ACLs, users or topics: the policy has no admin and no super user".to_owned(),
            hint: "name a client under cluster.admin".to_owned(),
            source: policy.places.file.clone(),
        });
    }
}
