//! The sections `acls`, `tests` and `manage`.

use crate::{
    acl::{
        CLUSTER_NAME, EVERYONE, KafkaVersion, Operation, PatternType, Permission, Principal,
        PrincipalPattern, Request, ResourceType, client_address,
    },
    document::{FormCode, OneOrMany, Report, Span, Spanned},
    policy::{
        AclEntry, AclTest, NamePattern, PolicyCode, names,
        raw::{RawAcl, RawManage, RawOperation, RawPattern, RawTest},
        raw_access::{Patterns, ResourceKeys},
    },
};

/// The keys that name a resource, in the order in which messages list them.
const RESOURCES: &str = "topic, group, transactional_id, delegation_token, user, cluster";

/// The resources of an entry.
enum Resource<'a> {
    Named(ResourceType, &'a Patterns),
    Cluster,
}

/// The one resource that an entry names.
fn resource<'a>(
    report: &mut Report,
    entry: Span,
    (named, cluster): ResourceKeys<'a>,
) -> Option<Resource<'a>> {
    let mut found: Vec<(Span, Resource<'a>)> = Vec::new();
    for (kind, patterns) in named {
        if let Some(patterns) = patterns {
            let span = patterns.0.first().map_or(entry, |first| first.span);
            found.push((span, Resource::Named(kind, patterns)));
        }
    }
    if let Some(cluster) = cluster {
        if !cluster.value {
            let message = "`cluster: false` has no effect";
            report
                .error(PolicyCode::NoEffect, cluster.span, message)
                .hint("remove it, or write `cluster: true` for the cluster itself");
            return None;
        }
        found.push((cluster.span, Resource::Cluster));
    }
    found.sort_by_key(|(span, _)| *span);
    if let [(first, _), (second, _), ..] = found.as_slice() {
        let message = "an entry can have only one type of resource";
        report
            .error(PolicyCode::TwoResources, *second, message)
            .label("the second")
            .note(*first, "the first")
            .hint("split it into two entries");
        return None;
    }
    let one = found.pop().map(|(_, resource)| resource);
    if one.is_none() {
        report
            .error(FormCode::MissingKey, entry, "this entry has no resource")
            .unless_lost_here()
            .hint(format!("add one of {RESOURCES}"));
    }
    one
}

/// One of two keys, such as `allow` and `deny`; true for the first.
fn either<'a, T>(
    report: &mut Report,
    entry: Span,
    (yes, yes_key): (&'a Option<Spanned<T>>, &str),
    (no, no_key): (&'a Option<Spanned<T>>, &str),
) -> Option<(bool, &'a Spanned<T>)> {
    match (yes, no) {
        (Some(yes), None) => Some((true, yes)),
        (None, Some(no)) => Some((false, no)),
        (None, None) => {
            let message = format!("this entry has neither `{yes_key}` nor `{no_key}`");
            report
                .error(FormCode::MissingKey, entry, message)
                .unless_lost_here();
            None
        }
        (Some(yes), Some(no)) => {
            let message = format!("an entry cannot have both `{yes_key}` and `{no_key}`");
            report
                .error(PolicyCode::TwoKeys, yes.span.max(no.span), message)
                .note(yes.span.min(no.span), "the other")
                .hint("split it into two entries");
            None
        }
    }
}

/// An entry of `acls`.
pub(super) fn acl(
    report: &mut Report,
    version: KafkaVersion,
    raw: &Spanned<RawAcl>,
) -> Option<AclEntry> {
    let principal = names::principal(report, version, &raw.principal);
    let host = match &raw.host {
        Some(host) => names::host(report, version, host),
        None => Some("*".to_owned()),
    };
    let permission = either(report, raw.span, (&raw.allow, "allow"), (&raw.deny, "deny"));
    let (resource_type, resources) = match resource(report, raw.span, raw.resources())? {
        Resource::Named(kind, names) => (kind, names::patterns(report, version, kind, names)),
        Resource::Cluster => (ResourceType::Cluster, vec![the_cluster()]),
    };
    let (allow, operations) = permission?;
    let operations = names::operations(report, version, resource_type, operations);
    Some(AclEntry {
        principal: principal?,
        host: host?,
        permission: if allow {
            Permission::Allow
        } else {
            Permission::Deny
        },
        operations,
        resource_type,
        resources,
        scope: None,
        own: true,
        source: report.source(raw.span),
    })
}

fn the_cluster() -> NamePattern {
    NamePattern {
        pattern_type: PatternType::Literal,
        name: CLUSTER_NAME.to_owned(),
    }
}

/// An entry of `tests`.
pub(super) fn test(
    report: &mut Report,
    version: KafkaVersion,
    raw: &Spanned<RawTest>,
) -> Option<AclTest> {
    let principal = somebody(report, version, &raw.principal);
    let host = match &raw.host {
        Some(host) => address(report, host),
        None => Some(Request::ELSEWHERE.to_owned()),
    };
    let answer = either(report, raw.span, (&raw.can, "can"), (&raw.cannot, "cannot"));
    let (resource_type, names) = match resource(report, raw.span, raw.resources())? {
        Resource::Named(kind, names) => (kind, whole_names(report, version, kind, names)),
        Resource::Cluster => (ResourceType::Cluster, vec![CLUSTER_NAME.to_owned()]),
    };
    let (allowed, operations) = answer?;
    refuse_all(report, operations);
    let operations = names::operations(report, version, resource_type, operations);
    Some(AclTest {
        principal: principal?,
        host: host?,
        allowed,
        operations,
        resource_type,
        names,
        source: report.source(raw.span),
    })
}

fn somebody(
    report: &mut Report,
    version: KafkaVersion,
    raw: &Spanned<String>,
) -> Option<Principal> {
    if raw.value == EVERYONE {
        let message = "a test needs one principal, and `User:*` stands for everyone";
        report
            .error(PolicyCode::NoWildcard, raw.span, message)
            .hint("name one user");
        return None;
    }
    names::principal(report, version, raw)
}

fn address(report: &mut Report, raw: &Spanned<String>) -> Option<String> {
    let address = client_address(raw);
    if address.is_none() {
        let message = format!("`{}` is not an IP address", raw.value);
        report
            .error(PolicyCode::BadHost, raw.span, message)
            .hint("give a single address, such as 10.0.0.7");
    }
    address.map(|address| address.into_owned())
}

fn refuse_all(report: &mut Report, operations: &OneOrMany<Spanned<RawOperation>>) {
    for operation in operations.0.iter().filter(|o| o.0 == Operation::All) {
        let message = "a test needs single operations, not `All`";
        report
            .error(PolicyCode::NoWildcard, operation.span, message)
            .hint("list the operations to test");
    }
}

fn whole_names(
    report: &mut Report,
    version: KafkaVersion,
    kind: ResourceType,
    raw: &Patterns,
) -> Vec<String> {
    let mut names = Vec::new();
    for pattern in &raw.0 {
        match &pattern.value {
            RawPattern::Prefix(prefix) => {
                let message = "a test needs a name, not a prefix";
                report
                    .error(PolicyCode::NoWildcard, pattern.span, message)
                    .hint(format!("write a name, such as {}x", prefix.prefix));
            }
            RawPattern::Name(name) => {
                let whole = Spanned {
                    value: name.clone(),
                    span: pattern.span,
                };
                names.extend(names::literal(report, version, kind, &whole));
            }
        }
    }
    names
}

/// The `manage` section.
pub(super) fn manage(
    report: &mut Report,
    version: KafkaVersion,
    raw: &RawManage,
) -> Vec<PrincipalPattern> {
    let entries = raw
        .principals
        .iter()
        .map(|principal| match &principal.value {
            RawPattern::Name(name) => ((name, false), principal.span),
            RawPattern::Prefix(prefix) => ((&prefix.prefix, true), principal.span),
        });
    names::no_repeats(report, entries);
    let mut managed = Vec::new();
    for principal in &raw.principals {
        // Not refused: a cluster may have bindings of `user:alice`, which `manage` must be able to delete.
        if let Some(as_user) = in_another_case(principal) {
            let sound = names::principal_pattern(report, version, &as_user).is_some();
            if let (true, RawPattern::Name(name)) = (sound, &principal.value) {
                managed.extend(name.parse().ok().map(PrincipalPattern::Exact));
            }
            continue;
        }
        managed.extend(names::principal_pattern(report, version, principal));
    }
    managed
}

/// The principal of type `User`, if the type has the wrong case.
fn in_another_case(raw: &Spanned<RawPattern>) -> Option<Spanned<RawPattern>> {
    let RawPattern::Name(name) = &raw.value else {
        return None;
    };
    let (kind, name) = name.split_once(':')?;
    let other = kind != "User" && kind.eq_ignore_ascii_case("User");
    other.then(|| Spanned {
        value: RawPattern::Name(Principal::user(name).to_string()),
        span: raw.span,
    })
}
