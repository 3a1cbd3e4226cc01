//! `anonymous-super-user`, `super-user-acl`, `anonymous-allowed`: who stands above the ACLs, or comes in without a name.

use std::collections::HashSet;

use super::{Finding, Severity, Subject};
use crate::acl::{ANONYMOUS, Permission};

pub(super) fn lint(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    if let Some(policy) = subject.policy {
        let named = policy
            .cluster
            .super_users
            .iter()
            .zip(&policy.places.super_users);
        for (_, place) in named.filter(|(user, _)| **user == ANONYMOUS) {
            findings.push(Finding {
                code: "anonymous-super-user",
                severity: Severity::Error,
                message: format!("{ANONYMOUS} is a super user: whoever connects without authentication may do everything"),
                hint: "remove it; a broker or client that needs it needs a certificate instead".to_owned(),
                source: place.clone(),
            });
        }
    } else if let Some(first) = subject.statements.first()
        && subject.settings.super_users.contains(ANONYMOUS)
    {
        findings.push(Finding {
            code: "anonymous-super-user",
            severity: Severity::Error,
            message: format!("{ANONYMOUS} is a super user: whoever connects without authentication may do everything"),
            hint: "take it out of the brokers' super.users".to_owned(),
            source: first.source.clone(),
        });
    }
    let mut reported = HashSet::new();
    for statement in subject.statements {
        let b = &statement.binding;
        if subject.settings.super_users.contains(&*b.principal) {
            if !reported.insert((&statement.source, b.permission)) {
                continue;
            }
            let (severity, message, hint) = match b.permission {
                Permission::Allow => (
                    Severity::Warning,
                    format!(
                        "{} is a super user, and may do everything without this: {b}",
                        b.principal
                    ),
                    "remove it, or take the principal out of the super users",
                ),
                Permission::Deny => (
                    Severity::Error,
                    format!(
                        "{} is a super user, and no DENY holds for it: {b}",
                        b.principal
                    ),
                    "take it out of super_users, if this shall be refused",
                ),
            };
            findings.push(Finding {
                code: "super-user-acl",
                severity,
                message,
                hint: hint.to_owned(),
                source: statement.source.clone(),
            });
        } else if &*b.principal == ANONYMOUS
            && b.permission == Permission::Allow
            && reported.insert((&statement.source, b.permission))
        {
            findings.push(Finding {
                code: "anonymous-allowed",
                severity: Severity::Warning,
                message: format!("{ANONYMOUS} is whoever connects without authentication: {b}"),
                hint: "let the client authenticate, and grant it to that principal".to_owned(),
                source: statement.source.clone(),
            });
        }
    }
}
