//! `even-controllers`: a quorum with an even number of controllers.

use super::{Findings, Subject};
use crate::policy::{Mode, NodeRole};

lint! {
    EvenControllers = "even-controllers", "a KRaft quorum in which `roles` choose an even number of controllers, one of which adds no fault tolerance";
}

fn run(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(policy) = subject.policy else { return };
    // If every node is both, the number of controllers was not chosen separately.
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
            "a majority of {count} controllers is {}, so no more of them can fail than of {}",
            count / 2 + 1,
            count - 1
        ),
        "use an odd number; three is enough for most clusters",
    );
}
