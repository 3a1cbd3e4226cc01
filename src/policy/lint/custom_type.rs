//! `custom-principal-type`: principals of a type other than User, which Kafka itself does not use.

use std::collections::HashSet;

use super::{Findings, Subject};

lint! {
    CustomPrincipalType = "custom-principal-type", "a principal of a type that Kafka itself never uses";
}

fn run(subject: &Subject<'_>, findings: &mut Findings) {
    let mut reported = HashSet::new();
    for statement in subject.statements {
        let principal = &*statement.binding.principal;
        let Some((kind, _)) = principal.split_once(':') else {
            continue;
        };
        // A type with the wrong case, or no type, is a separate error.
        let own = kind.trim().eq_ignore_ascii_case("User") || kind.is_empty();
        if !own && reported.insert((principal, &statement.source)) {
            findings.warning(
                Found::CustomPrincipalType,
                &statement.source,
                format!("no client has the principal `{principal}`, unless the brokers have a principal.builder.class that makes principals of type {kind}"),
                "write `User:name`; Kafka itself has no groups or roles",
            );
        }
    }
}
