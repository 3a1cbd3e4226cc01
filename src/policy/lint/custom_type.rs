//! `custom-principal-type`: Kafka's own principals are all of type User.

use std::collections::HashSet;

use super::{Finding, Lint, Subject};
use crate::{code::codes, document::Severity};

codes! {
    pub(super) enum Found {
        CustomPrincipalType = "custom-principal-type", "a principal of a type that Kafka itself does not make";
    }
}

pub(super) const LINT: Lint = Lint {
    codes: Found::CODES,
    run,
};

fn run(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut reported = HashSet::new();
    for statement in subject.statements {
        let principal = &*statement.binding.principal;
        let Some((kind, _)) = principal.split_once(':') else {
            continue;
        };
        // Another case, or none, is an error of its own.
        let own = kind.trim().eq_ignore_ascii_case("User") || kind.is_empty();
        if !own && reported.insert((principal, &statement.source)) {
            findings.push(Finding {
                code: Found::CustomPrincipalType.into(),
                severity: Severity::Warning,
                message: format!("no client is `{principal}`, unless the brokers have a principal.builder.class that makes principals of type {kind}"),
                hint: "write `User:name`; Kafka itself has no groups or roles".to_owned(),
                source: statement.source.clone(),
            });
        }
    }
}
