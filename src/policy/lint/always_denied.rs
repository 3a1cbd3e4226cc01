//! `always-denied`: an ALLOW that a DENY always overrides.

use std::collections::HashSet;

use super::{Findings, Subject};
use crate::acl::{Operation, Permission};

lint! {
    AlwaysDenied = "always-denied", "an ALLOW that some DENY always overrides";
}

fn run(subject: &Subject<'_>, findings: &mut Findings) {
    let mut reported = HashSet::new();
    for statement in subject.statements {
        let allow = &statement.binding;
        if allow.permission != Permission::Allow || !subject.means_something(allow) {
            continue;
        }
        let covering = subject.cover.covering(allow);
        let mut others = covering.into_iter().map(|at| &subject.statements[at]);
        let deny = others.find(|other| {
            let same = other.binding.operation == allow.operation;
            other.binding.permission == Permission::Deny
                && (same || other.binding.operation == Operation::All)
        });
        let Some(deny) = deny else { continue };
        if !reported.insert((&statement.source, &deny.source)) {
            continue;
        }
        let implied = Operation::ALL
            .iter()
            .find(|o| o.implied_by().contains(&allow.operation));
        let rest = match implied {
            Some(implied) if deny.binding.operation != Operation::All => {
                format!("; only the {implied} that it implies remains")
            }
            _ => String::new(),
        };
        findings.warning(
            Found::AlwaysDenied,
            &statement.source,
            format!(
                "allows nothing: {allow}, because of {} ({}){rest}",
                deny.binding, deny.source
            ),
            "remove it, or deny less: a DENY always overrides an ALLOW",
        );
    }
}
