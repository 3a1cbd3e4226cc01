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
        let others = covering.into_iter().map(|at| &subject.statements[at]);
        let denials: Vec<_> = others
            .filter(|other| other.binding.permission == Permission::Deny)
            .collect();
        let denied = |operation| {
            let by = [operation, Operation::All];
            denials
                .iter()
                .find(|deny| by.contains(&deny.binding.operation))
        };
        let Some(deny) = denied(allow.operation) else {
            continue;
        };
        if !reported.insert((&statement.source, &deny.source)) {
            continue;
        }
        // A DENY does not deny what its operation implies, but another one may.
        let rest = Operation::ALL
            .iter()
            .find(|o| o.implied_by().contains(&allow.operation) && denied(**o).is_none())
            .map(|implied| format!("; only the {implied} that it implies remains"))
            .unwrap_or_default();
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
