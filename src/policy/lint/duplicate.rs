//! `duplicate`: a binding that is defined twice. Two roles of a client may overlap; an entry of `acls` that adds
//! nothing is probably a mistake.

use std::collections::{HashMap, HashSet};

use super::{Findings, Origin, Subject};

lint! {
    Duplicate = "duplicate", "a binding that is defined twice";
}

fn run(subject: &Subject<'_>, findings: &mut Findings) {
    let mut first = HashMap::new();
    let mut reported = HashSet::new();
    for (at, statement) in subject.statements.iter().enumerate() {
        let earlier = *first.entry(&statement.binding).or_insert(at);
        let by = &subject.statements[earlier];
        if earlier == at || statement.origin == Origin::Role {
            continue;
        }
        if reported.insert((&by.source, &statement.source)) {
            findings.warning(
                Found::Duplicate,
                &statement.source,
                format!("already defined in {}: {}", by.source, statement.binding),
                "remove one of the two",
            );
        }
    }
}
