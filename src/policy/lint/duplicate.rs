//! `duplicate`: a binding that is said twice. Two roles of a client may overlap; an entry of `acls` that adds nothing
//! is a slip.

use std::collections::{HashMap, HashSet};

use super::{Finding, Lint, Origin, Subject};
use crate::{code::codes, document::Severity};

codes! {
    pub(super) enum Found {
        Duplicate = "duplicate", "a binding that is said twice";
    }
}

pub(super) const LINT: Lint = Lint {
    codes: Found::CODES,
    run,
};

fn run(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut first = HashMap::new();
    let mut reported = HashSet::new();
    for (at, statement) in subject.statements.iter().enumerate() {
        let earlier = *first.entry(&statement.binding).or_insert(at);
        let by = &subject.statements[earlier];
        if earlier == at || statement.origin == Origin::Role {
            continue;
        }
        if reported.insert((&by.source, &statement.source)) {
            findings.push(Finding {
                code: Found::Duplicate.into(),
                severity: Severity::Warning,
                message: format!("said before, in {}: {}", by.source, statement.binding),
                hint: "remove one of the two".to_owned(),
                source: statement.source.clone(),
            });
        }
    }
}
