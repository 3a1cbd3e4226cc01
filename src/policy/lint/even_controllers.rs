//! `even-controllers`: a quorum of which one node is there for nothing.

use super::{Finding, Severity, Subject};
use crate::policy::{Mode, NodeRole};

pub(super) fn lint(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let Some(policy) = subject.policy else { return };
    // Where every node is both, nobody has chosen how many controllers there are.
    let chosen = policy.brokers.iter().any(|b| b.role != NodeRole::Both);
    let controllers: Vec<_> = policy
        .brokers
        .iter()
        .filter(|b| b.role.is_controller())
        .collect();
    let count = controllers.len();
    if policy.cluster.mode == Mode::Zookeeper || !chosen || !count.is_multiple_of(2) {
        return;
    }
    let Some(first) = controllers.first() else {
        return;
    };
    findings.push(Finding {
        code: "even-controllers",
        severity: Severity::Warning,
        message: format!(
            "of {count} controllers a majority is {}, so no more of them may fail than of {}",
            count / 2 + 1,
            count - 1
        ),
        hint: "make it an odd number: three for most clusters".to_owned(),
        source: first.source.clone(),
    });
}
