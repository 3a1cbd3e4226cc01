//! `anonymous-super-user`, `super-user-acl`, `anonymous-allowed`: who stands above the ACLs, or comes in without a name.

use std::collections::HashSet;

use super::{Finding, Lint, Subject};
use crate::{
    acl::{ANONYMOUS, Permission},
    code::codes,
    document::Severity,
};

codes! {
    pub(super) enum Found {
        AnonymousSuperUser = "anonymous-super-user", "whoever connects without authentication is a super user";
        SuperUserAcl = "super-user-acl", "an ACL for a super user, whom no ACL concerns, not even a DENY";
        AnonymousAllowed = "anonymous-allowed", "a right for whoever connects without authentication";
    }
}

pub(super) const LINT: Lint = Lint {
    codes: Found::CODES,
    run,
};

fn run(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    if let Some(policy) = subject.policy {
        let named = policy
            .cluster
            .super_users
            .iter()
            .zip(&policy.places.super_users);
        for (_, place) in named.filter(|(user, _)| **user == ANONYMOUS) {
            findings.push(Finding {
                code: Found::AnonymousSuperUser.into(),
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
            code: Found::AnonymousSuperUser.into(),
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
                code: Found::SuperUserAcl.into(),
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
                code: Found::AnonymousAllowed.into(),
                severity: Severity::Warning,
                message: format!("{ANONYMOUS} is whoever connects without authentication: {b}"),
                hint: "let the client authenticate, and grant it to that principal".to_owned(),
                source: statement.source.clone(),
            });
        }
    }
}
