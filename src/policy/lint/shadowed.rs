//! `shadowed`: a binding without effect, because a broader one gives the same result.

use std::collections::{BTreeMap, HashSet};

use super::{Findings, Origin, Statement, Subject};
use crate::acl::{Operation, Permission, RawBinding};

/// The shadowed bindings of a role or an entry of `acls`.
#[derive(Default)]
struct Group<'a> {
    bindings: usize,
    /// Each binding, with the one that shadows it.
    shadowed: Vec<(&'a Statement, &'a Statement)>,
}

lint! {
    Shadowed = "shadowed", "a binding without effect, because a broader one covers it";
}

fn run(subject: &Subject<'_>, findings: &mut Findings) {
    let mut groups: BTreeMap<_, Group<'_>> = BTreeMap::new();
    for statement in subject.statements {
        let group = groups.entry(&statement.source).or_default();
        group.bindings += 1;
        if !subject.means_something(&statement.binding) {
            continue;
        }
        let covering = subject.cover.covering(&statement.binding);
        let others = covering.into_iter().map(|at| &subject.statements[at]);
        let mut wider = others.filter(|other| shadows(other, statement));
        if let Some(by) = wider.next() {
            group.shadowed.push((statement, by));
        }
    }
    for (source, group) in groups {
        let Some((statement, by)) = group.shadowed.first() else {
            continue;
        };
        // A role is removed as a whole or not at all.
        if statement.origin == Origin::Role && group.shadowed.len() < group.bindings {
            continue;
        }
        let distinct: HashSet<&RawBinding> =
            group.shadowed.iter().map(|(s, _)| &s.binding).collect();
        let more = match distinct.len() {
            1 => String::new(),
            n => format!(" (and {} more like it)", n - 1),
        };
        findings.warning(
            Found::Shadowed,
            source,
            format!(
                "changes nothing: {}{more}, because of {} ({})",
                statement.binding, by.binding, by.source
            ),
            "remove it, or make the other one narrower if only this one is intended",
        );
    }
}

/// Whether `other`, which covers the same resources, principals and hosts as `one`, gives the same result for its
/// operations.
fn shadows(other: &Statement, one: &Statement) -> bool {
    let (wide, narrow) = (&other.binding, &one.binding);
    if wide == narrow || wide.permission != narrow.permission {
        return false;
    }
    if wide.operation == Operation::All || wide.operation == narrow.operation {
        return other.source != one.source || wide.operation == Operation::All;
    }
    // Kafka's own tools write Describe together with Read, so this is not reported.
    let beside = wide.principal == narrow.principal
        && wide.name == narrow.name
        && wide.pattern_type == narrow.pattern_type
        && wide.host == narrow.host;
    !beside
        && other.source != one.source
        && wide.permission == Permission::Allow
        && narrow.operation.implied_by().contains(&wide.operation)
}
