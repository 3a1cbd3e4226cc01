//! `prefix-swallows-scope`, `prefix-open-ended`: a prefix that reaches what is another's.

use std::collections::{BTreeSet, HashSet};

use super::{Finding, Lint, Statement, Subject};
use crate::{
    acl::{PatternType, Permission, ResourceType},
    code::codes,
    document::Severity,
};

/// So many names behind a prefix are looked at.
const MOST_NAMES: usize = 64;

codes! {
    pub(super) enum Found {
        PrefixSwallowsScope = "prefix-swallows-scope", "a prefix that reaches everything in another team's scope";
        PrefixOpenEnded = "prefix-open-ended", "a prefix that ends in the middle of a word, and reaches another's names";
    }
}

pub(super) const LINT: Lint = Lint {
    codes: Found::CODES,
    run,
};

fn run(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let scopes: BTreeSet<&str> = subject
        .statements
        .iter()
        .filter_map(|s| s.scope.as_deref())
        .collect();
    let names: BTreeSet<(ResourceType, &str, &str)> = subject
        .statements
        .iter()
        .map(|s| {
            (
                s.binding.resource_type,
                &*s.binding.name,
                &*s.binding.principal,
            )
        })
        .collect();
    let names: Vec<_> = names.into_iter().collect();
    let mut reported = HashSet::new();
    for statement in subject.statements {
        let b = &statement.binding;
        let prefix = b.pattern_type == PatternType::Prefixed && b.permission == Permission::Allow;
        if !prefix || !reported.insert((&statement.source, b.resource_type, &*b.name)) {
            continue;
        }
        let own = statement.scope.as_deref();
        let mut others = scopes.iter().filter(|scope| Some(**scope) != own);
        if let Some(scope) = others.find(|scope| scope.starts_with(&*b.name)) {
            findings.push(Finding {
                code: Found::PrefixSwallowsScope.into(),
                severity: Severity::Warning,
                message: format!(
                    "the {} prefix `{}` reaches everything in the scope `{scope}`, which is another file's: {b}",
                    b.resource_type, b.name
                ),
                hint: "choose a longer prefix".to_owned(),
                source: statement.source.clone(),
            });
        } else if let Some((name, whose)) = beyond(statement, &names) {
            findings.push(Finding {
                code: Found::PrefixOpenEnded.into(),
                severity: Severity::Warning,
                message: format!(
                    "the {} prefix `{}` ends in the middle of a word, and so reaches `{name}` of {whose} as well: {b}",
                    b.resource_type, b.name
                ),
                hint: format!("end it with a separator, such as {{prefix: {}-}}, if that is not meant", b.name),
                source: statement.source.clone(),
            });
        }
    }
}

/// A name of somebody else that goes on with a letter or digit where the prefix, too, ends with one.
fn beyond<'a>(
    statement: &Statement,
    names: &[(ResourceType, &'a str, &'a str)],
) -> Option<(&'a str, &'a str)> {
    let b = &statement.binding;
    let in_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    if !in_word(b.name.chars().next_back()) {
        return None;
    }
    let start =
        names.partition_point(|(kind, name, _)| (*kind, *name) < (b.resource_type, &*b.name));
    names[start..]
        .iter()
        .take(MOST_NAMES)
        .take_while(|(kind, name, _)| *kind == b.resource_type && name.starts_with(&*b.name))
        .find(|(_, name, whose)| {
            *whose != &*b.principal && in_word(name[b.name.len()..].chars().next())
        })
        .map(|(_, name, whose)| (*name, *whose))
}
