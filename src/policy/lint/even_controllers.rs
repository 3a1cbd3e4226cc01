//! `even-controllers`: a quorum of which one node is there for nothing.

use super::{Finding, Lint, Subject};
use crate::{
    code::codes,
    document::Severity,
    policy::{Mode, NodeRole},
};

codes! {
    pub(super) enum Found {
        EvenControllers = "even-controllers", "a KRaft quorum of an even number, of which one node is there for nothing";
    }
}

pub(super) const LINT: Lint = Lint {
    codes: Found::CODES,
    run,
};

fn run(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
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
        code: Found::EvenControllers.into(),
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
