//! `allow-everyone`, `deny-wildcard-gap`: access through `allow.everyone.if.no.acl.found`.

use super::{Findings, Subject};
use crate::acl::{PatternType, Permission, ResourceType};

lint! {
    AllowEveryone = "allow-everyone", "`allow_everyone_if_no_acl_found`: resources that no ACL names are open to every client";
    DenyWildcardGap = "deny-wildcard-gap", "a DENY on `*` that does not apply to names that begin with an asterisk";
}

fn run(subject: &Subject<'_>, findings: &mut Findings) {
    if !subject.settings.allow_everyone_if_no_acl_found {
        return;
    }
    if let Some(place) = subject
        .policy
        .and_then(|p| p.places.allow_everyone.as_ref())
    {
        findings.warning(
            Found::AllowEveryone,
            place,
            "every client may do everything to a resource that no ACL names, and the first ACL on a resource denies it to all others",
            "keep it only during the migration to ACLs; then remove it",
        );
    }
    for statement in subject.statements {
        let b = &statement.binding;
        // Topic names cannot begin with an asterisk.
        let gap = b.permission == Permission::Deny
            && b.pattern_type == PatternType::Literal
            && &*b.name == "*"
            && !matches!(b.resource_type, ResourceType::Topic | ResourceType::Cluster);
        if gap {
            findings.warning(
                Found::DenyWildcardGap,
                &statement.source,
                format!(
                    "{b}: Kafka does not apply this to names that begin with an asterisk, and those are open to everyone here"
                ),
                "set allow.everyone.if.no.acl.found to false",
            );
        }
    }
}
