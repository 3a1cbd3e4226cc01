//! `outside-manage`: rights in the policy that `--prune` would never revoke.

use std::collections::HashSet;

use super::{Findings, Subject};

lint! {
    OutsideManage = "outside-manage", "a principal with rights in the policy that `--prune` does not manage";
}

fn run(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(managed) = subject.policy.and_then(|p| p.manage.as_ref()) else {
        return;
    };
    let mut reported = HashSet::new();
    for statement in subject.statements {
        let principal = &*statement.binding.principal;
        let is_managed = managed.iter().any(|pattern| pattern.matches(principal));
        if !is_managed && reported.insert(principal) {
            findings.warning(
                Found::OutsideManage,
                &statement.source,
                format!("{principal} is not under `manage`: once removed from the policy, its ACLs stay in the cluster"),
                format!("add \"{principal}\" to manage.principals; --prune then deletes its ACLs that are not in the policy"),
            );
        }
    }
}
