//! `anonymous-super-user`, `super-user-acl`, `anonymous-allowed`: principals to which ACLs do not apply, or that
//! connect without authentication.

use std::collections::HashSet;

use super::{Findings, Subject};
use crate::{
    acl::{ANONYMOUS, Permission},
    document::Severity,
};

lint! {
    AnonymousSuperUser = "anonymous-super-user", "clients that connect without authentication are super users";
    SuperUserAcl = "super-user-acl", "an ACL for a super user, to whom no ACL applies, not even a DENY";
    AnonymousAllowed = "anonymous-allowed", "a right for clients that connect without authentication";
}

fn run(subject: &Subject<'_>, findings: &mut Findings) {
    let (place, hint) = match (subject.policy, subject.statements.first()) {
        (Some(policy), _) => {
            let users = policy.cluster.super_users.iter();
            let mut places = users.zip(&policy.places.super_users);
            let said = places.find(|(user, _)| **user == ANONYMOUS);
            let hint = "remove it; a broker or client that needs it needs a certificate instead";
            (said.map(|(_, place)| place), hint)
        }
        (None, Some(first)) if subject.settings.super_users.contains(ANONYMOUS) => {
            let hint = "remove it from the brokers' super.users";
            (Some(&first.source), hint)
        }
        _ => (None, ""),
    };
    if let Some(place) = place {
        let message = format!(
            "{ANONYMOUS} is a super user: every client that connects without authentication may do everything"
        );
        findings.add(
            Severity::Error,
            Found::AnonymousSuperUser,
            place,
            message,
            hint,
        );
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
                    "remove it, or remove the principal from the super users",
                ),
                Permission::Deny => (
                    Severity::Error,
                    format!(
                        "{} is a super user, and no DENY applies to it: {b}",
                        b.principal
                    ),
                    "remove it from super_users if this must be denied",
                ),
            };
            findings.add(
                severity,
                Found::SuperUserAcl,
                &statement.source,
                message,
                hint,
            );
        } else if &*b.principal == ANONYMOUS
            && b.permission == Permission::Allow
            && reported.insert((&statement.source, b.permission))
        {
            findings.warning(
                Found::AnonymousAllowed,
                &statement.source,
                format!("{ANONYMOUS} is every client that connects without authentication: {b}"),
                "let the client authenticate, and grant it to that principal",
            );
        }
    }
}
