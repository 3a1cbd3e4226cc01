//! `even-controllers`: a quorum that one node fewer would serve as well.

use super::{Findings, Subject};
use crate::policy::{Mode, NodeRole};

lint! {
    EvenControllers = "even-controllers", "a KRaft quorum with an even number of controllers, one of which adds no fault tolerance";
}

fn run(subject: &Subject<'_>, findings: &mut Findings) {
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
    findings.warning(
        Found::EvenControllers,
        &first.source,
        format!(
            "of {count} controllers a majority is {}, so no more of them may fail than of {}",
            count / 2 + 1,
            count - 1
        ),
        "make it an odd number: three for most clusters",
    );
}
