//! `outside-manage`: what the policy grants and `--prune` would never take back.

use std::collections::HashSet;

use super::{Finding, Lint, Subject};
use crate::{code::codes, document::Severity};

codes! {
    pub(super) enum Found {
        OutsideManage = "outside-manage", "a principal that is granted something, and that `--prune` does not take care of";
    }
}

pub(super) const LINT: Lint = Lint {
    codes: Found::CODES,
    run,
};

fn run(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let Some(managed) = subject.policy.and_then(|p| p.manage.as_ref()) else {
        return;
    };
    let mut reported = HashSet::new();
    for statement in subject.statements {
        let principal = &*statement.binding.principal;
        let is_managed = managed.iter().any(|pattern| pattern.matches(principal));
        if !is_managed && reported.insert(principal) {
            findings.push(Finding {
                code: Found::OutsideManage.into(),
                severity: Severity::Warning,
                message: format!("{principal} is not under `manage`: once removed from the policy, its ACLs stay in the cluster"),
                hint: format!("add \"{principal}\" to manage.principals"),
                source: statement.source.clone(),
            });
        }
    }
}
