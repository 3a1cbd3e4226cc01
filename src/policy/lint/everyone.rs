//! `allow-everyone`, `deny-wildcard-gap`: what `allow.everyone.if.no.acl.found` leaves open.

use super::{Finding, Lint, Subject};
use crate::{
    acl::{PatternType, Permission, ResourceType},
    code::codes,
    document::Severity,
};

codes! {
    pub(super) enum Found {
        AllowEveryone = "allow-everyone", "`allow_everyone_if_no_acl_found`: what no ACL names is open to whoever connects";
        DenyWildcardGap = "deny-wildcard-gap", "a DENY on `*` that names which begin with an asterisk escape";
    }
}

pub(super) const LINT: Lint = Lint {
    codes: Found::CODES,
    run,
};

fn run(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    if !subject.settings.allow_everyone_if_no_acl_found {
        return;
    }
    if let Some(place) = subject
        .policy
        .and_then(|p| p.places.allow_everyone.as_ref())
    {
        findings.push(Finding {
            code: Found::AllowEveryone.into(),
            severity: Severity::Warning,
            message: "whoever connects may do everything to whatever no ACL names, and the first ACL on a resource shuts out everyone else".to_owned(),
            hint: "keep it for the move to ACLs only; then remove it".to_owned(),
            source: place.clone(),
        });
    }
    for statement in subject.statements {
        let b = &statement.binding;
        // No topic's name begins with an asterisk.
        let gap = b.permission == Permission::Deny
            && b.pattern_type == PatternType::Literal
            && &*b.name == "*"
            && !matches!(b.resource_type, ResourceType::Topic | ResourceType::Cluster);
        if gap {
            findings.push(Finding {
                code: Found::DenyWildcardGap.into(),
                severity: Severity::Warning,
                message: format!(
                    "{b}: Kafka does not apply this to names that begin with an asterisk, and those are open to everyone here"
                ),
                hint: "set allow.everyone.if.no.acl.found to false".to_owned(),
                source: statement.source.clone(),
            });
        }
    }
}
