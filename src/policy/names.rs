//! Names, principals, hosts and operations, each checked alone so that the diagnostic points at the word itself.
//!
//! The rules are those of the `acl` room: each word is put into an otherwise valid binding, and the binding's problems
//! are reported for the word.

use std::{collections::HashMap, hash::Hash};

use crate::{
    acl::{
        CLUSTER_NAME, EVERYONE, KafkaVersion, Operation, PatternType, Permission, Principal,
        PrincipalPattern, Problem, ProblemCode, RawBinding, ResourceType,
    },
    code::StableCode,
    document::{OneOrMany, Report, Span, Spanned},
    policy::{
        NamePattern, PolicyCode,
        raw::{RawOperation, RawPattern},
    },
};

/// A binding without problems.
fn harmless(resource_type: ResourceType) -> RawBinding {
    let name = match resource_type {
        ResourceType::Cluster => CLUSTER_NAME,
        ResourceType::User => "User:x",
        _ => "x",
    };
    RawBinding {
        resource_type,
        pattern_type: PatternType::Literal,
        name: name.into(),
        principal: "User:x".into(),
        host: "*".into(),
        operation: Operation::All,
        permission: Permission::Allow,
    }
}

/// Reports the problems of a binding at `span`; true if there are none once its host is in Kafka's form. Messages quote
/// the host as it is written.
fn passes(report: &mut Report, version: KafkaVersion, span: Span, binding: RawBinding) -> bool {
    let problems = binding.problems(version);
    if problems.is_empty() || binding.normalised().problems(version).is_empty() {
        return true;
    }
    for problem in problems {
        self::problem(report, span, problem);
    }
    false
}

/// Reports a binding's problem.
pub(super) fn problem(report: &mut Report, span: Span, problem: Problem) {
    let by_version = matches!(
        problem.code,
        ProblemCode::OperationForeign | ProblemCode::HostRange
    );
    let draft = report
        .error(problem.code, span, problem.to_string())
        .hint(problem.hint);
    if by_version {
        draft.unless_lost(&["cluster.kafka_version", "cluster.mode"]);
    }
}

/// A resource name or prefix of the policy.
pub(super) fn pattern(
    report: &mut Report,
    version: KafkaVersion,
    resource_type: ResourceType,
    raw: &Spanned<RawPattern>,
) -> Option<NamePattern> {
    let (pattern_type, name) = match &raw.value {
        RawPattern::Name(name) => (PatternType::Literal, name),
        RawPattern::Prefix(prefix) => (PatternType::Prefixed, &prefix.prefix),
    };
    let binding = RawBinding {
        pattern_type,
        name: name.as_str().into(),
        ..harmless(resource_type)
    };
    passes(report, version, raw.span, binding).then(|| NamePattern {
        pattern_type,
        name: name.clone(),
    })
}

/// The valid ones of a list of resource names; the others are reported.
pub(super) fn patterns(
    report: &mut Report,
    version: KafkaVersion,
    resource_type: ResourceType,
    raw: &OneOrMany<Spanned<RawPattern>>,
) -> Vec<NamePattern> {
    let named: Vec<_> = raw
        .0
        .iter()
        .filter_map(|one| Some((pattern(report, version, resource_type, one)?, one.span)))
        .collect();
    no_repeats(report, named.iter().map(|(name, span)| (name, *span)));
    named.into_iter().map(|(pattern, _)| pattern).collect()
}

/// Why a text is not a single name, if so: a prefix, which other keys would accept, is no remedy there.
fn not_whole(name: &str) -> Option<StableCode> {
    match name {
        "" => Some(ProblemCode::NameEmpty.into()),
        "*" => Some(PolicyCode::NoWildcard.into()),
        _ => name
            .ends_with('*')
            .then(|| ProblemCode::LiteralAsterisk.into()),
    }
}

/// A single resource name, where no pattern is allowed.
pub(super) fn literal(
    report: &mut Report,
    version: KafkaVersion,
    resource_type: ResourceType,
    raw: &Spanned<String>,
) -> Option<String> {
    if let Some(code) = not_whole(raw) {
        let message = match raw.as_str() {
            "" => "an empty name is not allowed here".to_owned(),
            name => format!("`{name}` is not allowed here"),
        };
        report
            .error(code, raw.span, message)
            .hint("write a full name");
        return None;
    }
    let name = Spanned {
        value: RawPattern::Name(raw.value.clone()),
        span: raw.span,
    };
    pattern(report, version, resource_type, &name).map(|pattern| pattern.name)
}

/// A principal, `Type:name`, including `User:*`.
pub(super) fn principal(
    report: &mut Report,
    version: KafkaVersion,
    raw: &Spanned<String>,
) -> Option<Principal> {
    let binding = RawBinding {
        principal: raw.as_str().into(),
        ..harmless(ResourceType::Topic)
    };
    // A principal without a type was reported.
    match passes(report, version, raw.span, binding) {
        true => raw.parse().ok(),
        false => None,
    }
}

/// A principal, or a prefix of principals.
pub(super) fn principal_pattern(
    report: &mut Report,
    version: KafkaVersion,
    raw: &Spanned<RawPattern>,
) -> Option<PrincipalPattern> {
    match &raw.value {
        RawPattern::Name(name) if name != EVERYONE && name.ends_with('*') => {
            let message =
                format!("`{name}` would be a single principal whose name ends with an asterisk");
            report
                .error(PolicyCode::NoWildcard, raw.span, message)
                .hint(match name.trim_end_matches('*') {
                    "" => "list the principals, or write {prefix: \"User:team-\"} for those whose names begin so".to_owned(),
                    stem if stem.contains(':') => format!("write {{prefix: \"{stem}\"}}"),
                    stem => format!("write {{prefix: \"User:{stem}\"}}"),
                });
            None
        }
        RawPattern::Name(name) => {
            let whole = Spanned {
                value: name.clone(),
                span: raw.span,
            };
            principal(report, version, &whole).map(PrincipalPattern::Exact)
        }
        RawPattern::Prefix(prefix) => match prefix.prefix.split_once(':') {
            Some((kind, _)) if !kind.trim().is_empty() && !prefix.prefix.contains('*') => {
                Some(PrincipalPattern::Prefix(prefix.prefix.clone()))
            }
            _ => {
                let message = format!("no principal begins with `{}`", prefix.prefix);
                report
                    .error(PolicyCode::BadPrincipal, raw.span, message)
                    .hint("write it as {prefix: \"User:team-\"}");
                None
            }
        },
    }
}

/// The host of an ACL, in the form that Kafka compares.
pub(super) fn host(
    report: &mut Report,
    version: KafkaVersion,
    raw: &Spanned<String>,
) -> Option<String> {
    let binding = RawBinding {
        host: raw.as_str().into(),
        ..harmless(ResourceType::Topic)
    };
    passes(report, version, raw.span, binding.clone())
        .then(|| binding.normalised().host.to_string())
}

/// The operations of an ACL on resources of one type.
pub(super) fn operations(
    report: &mut Report,
    version: KafkaVersion,
    resource_type: ResourceType,
    raw: &OneOrMany<Spanned<RawOperation>>,
) -> Vec<Operation> {
    each_once(report, &raw.0);
    let mut operations = Vec::new();
    for operation in &raw.0 {
        let binding = RawBinding {
            operation: operation.0,
            ..harmless(resource_type)
        };
        if passes(report, version, operation.span, binding) {
            operations.push(operation.0);
        }
    }
    operations
}

/// [`no_repeats`] of a list.
pub(super) fn each_once<T: Eq + Hash>(report: &mut Report, list: &[Spanned<T>]) {
    no_repeats(report, list.iter().map(|one| (&one.value, one.span)));
}

/// Reports duplicate entries of a list, which are probably mistakes. True if there are none.
pub(super) fn no_repeats<T: Eq + Hash>(
    report: &mut Report,
    entries: impl Iterator<Item = (T, Span)>,
) -> bool {
    let before = report.len();
    let mut seen: HashMap<T, Span> = HashMap::new();
    for (entry, span) in entries {
        if let Some(first) = seen.get(&entry) {
            report
                .error(
                    PolicyCode::ListedTwice,
                    span,
                    "this entry is in the list twice",
                )
                .label("again here")
                .note(*first, "first here")
                .hint("remove one of them");
        } else {
            seen.insert(entry, span);
        }
    }
    report.len() == before
}
