//! `prefix-swallows-scope`, `prefix-open-ended`: a prefix that also matches other names.

use std::collections::{BTreeSet, HashSet};

use super::{Findings, Statement, Subject};
use crate::acl::{PatternType, Permission, ResourceType};

/// The maximum number of names that are checked for each prefix.
const MOST_NAMES: usize = 64;

lint! {
    PrefixSwallowsScope = "prefix-swallows-scope", "a prefix that matches everything in another team's scope";
    PrefixOpenEnded = "prefix-open-ended", "a prefix that ends in the middle of a word, and also matches other principals' names";
}

fn run(subject: &Subject<'_>, findings: &mut Findings) {
    let scopes = scopes(subject);
    let bindings = subject.statements.iter().map(|s| &s.binding);
    let names: BTreeSet<_> = bindings
        .map(|b| (b.resource_type, &*b.name, &*b.principal))
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
            findings.warning(
                Found::PrefixSwallowsScope,
                &statement.source,
                format!(
                    "the {} prefix `{}` matches everything in the scope `{scope}` of another file: {b}",
                    b.resource_type, b.name
                ),
                "choose a longer prefix",
            );
        } else if let Some((name, whose)) = beyond(statement, &names) {
            findings.warning(
                Found::PrefixOpenEnded,
                &statement.source,
                format!(
                    "the {} prefix `{}` ends in the middle of a word, so it also matches `{name}` of {whose}: {b}",
                    b.resource_type, b.name
                ),
                format!("end it with a separator, such as {{prefix: {}-}}, if that is not meant", b.name),
            );
        }
    }
}

/// The prefixes of the scopes, including those whose clients have no rights yet: what the team creates later is theirs.
fn scopes<'a>(subject: &Subject<'a>) -> BTreeSet<&'a str> {
    let granting = subject.statements.iter().map(|s| &s.scope);
    let declared = subject.policy.iter().flat_map(|policy| &policy.clients);
    let all = granting.chain(declared.map(|client| &client.scope));
    all.filter_map(Option::as_deref).collect()
}

/// A name of another principal in which the prefix ends in the middle of a word.
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
