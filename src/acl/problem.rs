//! What Kafka stores without an error although it never matches, or matches something else.

use super::{
    CLUSTER_NAME, EVERYONE, KafkaVersion, Operation, PatternType, RawBinding, ResourceType, host,
};
use crate::code::codes;

/// The longest name of a topic (`org.apache.kafka.common.internals.Topic`), in bytes.
const TOPIC_NAME_MAX: usize = 249;

/// Why a binding would not do what it says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// Its kind.
    pub code: ProblemCode,
    message: String,
    /// What to do about it.
    pub hint: String,
}

codes! {
    /// The kind of a [`Problem`].
    pub enum ProblemCode {
        OperationForeign = "operation-foreign", "an operation that its resource does not know";
        ClusterName = "cluster-name", "a Cluster binding that is not named `kafka-cluster`";
        NameEmpty = "name-empty", "a resource without a name";
        NameBreaksAuthorizer = "name-breaks-authorizer", "a name on which Kafka's authorizer throws, or searches forever";
        ControlCharacter = "control-character", "a name or principal with a control character";
        LiteralAsterisk = "literal-asterisk", "`orders-*` as a plain name, which means that one name";
        PrefixedAsterisk = "prefixed-asterisk", "a prefix with an asterisk, which means itself";
        TopicName = "topic-name-invalid", "a name that no topic can have";
        UserName = "user-name-without-type", "a User resource without `User:`";
        PrincipalWithoutType = "principal-without-type", "a principal without a type: `alice`";
        PrincipalEmptyName = "principal-empty-name", "a principal without a name: `User:`";
        PrincipalSpace = "principal-space", "a principal with a space at an end: `User: alice`";
        PrincipalTypeCase = "principal-type-case", "a principal whose type is written in another case: `user:alice`";
        PrincipalAsterisk = "principal-asterisk", "a principal that ends with an asterisk, which means itself: `User:team-*`";
        HostNeverMatches = "host-never-matches", "a host that is not the address of a client, such as a name; a DENY from there has no effect";
        HostRange = "host-range-unsupported", "a range of hosts before Kafka 4.4, which matches no client";
        HostForm = "host-not-java-form", "an IPv6 address in short form, which Kafka never matches";
    }
}

impl RawBinding {
    /// Everything that is wrong with the binding as it stands, for a cluster of this version.
    /// Empty when it means to that cluster what it says.
    pub fn problems(&self, version: KafkaVersion) -> Vec<Problem> {
        let checks = [
            operation(self, version),
            name(self),
            principal(self),
            host(self, version),
        ];
        let found = checks.into_iter().flatten();
        found
            .map(|(code, message, hint)| Problem {
                code,
                message,
                hint,
            })
            .collect()
    }
}

/// Code, message and hint.
type Found = Option<(ProblemCode, String, String)>;

fn operation(binding: &RawBinding, version: KafkaVersion) -> Found {
    let (operation, resource_type) = (binding.operation, binding.resource_type);
    let known = resource_type.operations(version);
    if operation == Operation::All || known.contains(&operation) {
        return None;
    }
    let known: Vec<_> = known.iter().map(|o| o.title()).collect();
    let known = known.join(", ");
    Some((
        ProblemCode::OperationForeign,
        format!("operation {operation} does not apply to a {resource_type} in Kafka {version}"),
        format!("the operations of a {resource_type} are All, {known}"),
    ))
}

fn name(binding: &RawBinding) -> Found {
    let (resource_type, name) = (binding.resource_type, &*binding.name);
    let literal = binding.pattern_type == PatternType::Literal;
    // The authorizer's search for a name that sorts before the asterisk, where its second search starts, never ends, or
    // throws (`StandardAuthorizerData.checkSection`).
    if name.starts_with(|first| first < '*') {
        let quoted = name.escape_debug();
        return Some((
            ProblemCode::NameBreaksAuthorizer,
            format!(
                "the {resource_type} name `{quoted}` begins with a character that Kafka's authorizer cannot search past"
            ),
            "rename the resource: a request for a name like it can hang the broker's request thread".to_owned(),
        ));
    }
    if name.contains(char::is_control) {
        return Some(control_character("the resource name", name));
    }
    let (code, message, hint) = match resource_type {
        _ if name.is_empty() => (
            ProblemCode::NameEmpty,
            format!("the {resource_type}'s name is empty"),
            "name the resource, or write `*` for all of them".to_owned(),
        ),
        ResourceType::Cluster if name == CLUSTER_NAME => return None,
        ResourceType::Cluster => (
            ProblemCode::ClusterName,
            format!("a Cluster binding is named `{name}`"),
            format!("the cluster's name is `{CLUSTER_NAME}`"),
        ),
        _ if literal && name == "*" => return None,
        _ if name.ends_with('*') && literal => (
            ProblemCode::LiteralAsterisk,
            format!(
                "`{name}` as a literal {resource_type} name means that one name, asterisk included"
            ),
            match name.trim_end_matches('*') {
                "" => "write `*` for every resource".to_owned(),
                stem => format!("write {{prefix: {stem}}}"),
            },
        ),
        _ if name.ends_with('*') => (
            ProblemCode::PrefixedAsterisk,
            format!("the {resource_type} prefix `{name}` means names that contain an asterisk"),
            match name.trim_end_matches('*') {
                "" => "for every resource, write the plain name `*`".to_owned(),
                stem => format!("write {{prefix: {stem}}}"),
            },
        ),
        ResourceType::Topic if !is_topic_name(name, literal) => (
            ProblemCode::TopicName,
            match literal {
                true => format!("no topic's name can be `{name}`"),
                false => format!("no topic's name can begin with `{name}`"),
            },
            format!(
                "topic names consist of letters, digits, `.`, `_` and `-`, at most {TOPIC_NAME_MAX}"
            ),
        ),
        // It is a principal, type included.
        ResourceType::User if !name.contains(':') => (
            ProblemCode::UserName,
            format!("the User resource `{name}` has no principal type"),
            format!("write `User:{name}`"),
        ),
        _ => return None,
    };
    Some((code, message, hint))
}

/// No client uses such a name, and C libraries cut it at a NUL.
fn control_character(what: &str, text: &str) -> (ProblemCode, String, String) {
    (
        ProblemCode::ControlCharacter,
        format!("{what} `{}` holds a control character", text.escape_debug()),
        "remove the character".to_owned(),
    )
}

/// Whether a topic's name can be this, or, where not `whole`, begin with it.
fn is_topic_name(text: &str, whole: bool) -> bool {
    let dots = whole && matches!(text, "." | "..");
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    !dots && text.len() <= TOPIC_NAME_MAX && text.bytes().all(legal)
}

fn principal(binding: &RawBinding) -> Found {
    let principal = &*binding.principal;
    if principal.contains(char::is_control) {
        return Some(control_character("principal", principal));
    }
    let parts = principal.split_once(':');
    let (code, fault, hint) = match parts.filter(|(kind, _)| !kind.is_empty()) {
        // The broker refuses it, or answers requests with an exception.
        None => (
            ProblemCode::PrincipalWithoutType,
            "is not of the form Type:name",
            match principal.trim_start_matches(':').trim() {
                "" => "name the user, such as `User:alice`".to_owned(),
                name => format!("write `User:{name}`"),
            },
        ),
        Some((_, name)) if name.trim().is_empty() => (
            ProblemCode::PrincipalEmptyName,
            "has no name",
            "name the user, or write `User:*` for everyone".to_owned(),
        ),
        // Principals are compared exactly, spaces and case included.
        Some((kind, name)) if kind.trim() != kind || name.trim() != name => (
            ProblemCode::PrincipalSpace,
            "has a space at an end of its type or name",
            format!("write `{}:{}`", kind.trim(), name.trim()),
        ),
        Some((kind, name)) if kind != "User" && kind.eq_ignore_ascii_case("User") => {
            let message = format!(
                "the type of principal `{principal}` is not `User`, as Kafka compares case"
            );
            let hint = format!("write `User:{name}`");
            return Some((ProblemCode::PrincipalTypeCase, message, hint));
        }
        // Only `User:*` is a wildcard, and there are no prefixes.
        Some((_, name)) if name.ends_with('*') && principal != EVERYONE => (
            ProblemCode::PrincipalAsterisk,
            "ends with an asterisk, which is not a wildcard there",
            "name each principal, or write `User:*` for everyone".to_owned(),
        ),
        Some(_) => return None,
    };
    Some((code, format!("principal `{principal}` {fault}"), hint))
}

fn host(binding: &RawBinding, version: KafkaVersion) -> Found {
    let host = &*binding.host;
    if host == "*" {
        return None;
    }
    if host::Range::parse(host).is_some() {
        let first = KafkaVersion::HOST_RANGES;
        // Before, a DENY from a range has no effect.
        return (version < first).then(|| (
            ProblemCode::HostRange,
            format!("Kafka {version} stores the host range `{host}` but matches no client to it"),
            format!(
                "write single addresses, or set kafka_version to {first} once the cluster runs it at metadata version 4.4-IV1"
            ),
        ));
    }
    match host::client_address(host) {
        // Nobody connects from 0.0.0.0 or ::, though some write it for "anywhere".
        Some(java) if !matches!(&*java, "0.0.0.0" | "0:0:0:0:0:0:0:0") => {
            (java != host).then(|| {
                (
                    ProblemCode::HostForm,
                    format!(
                        "host `{host}` never matches, because Kafka compares it with `{java}`"
                    ),
                    format!("replace the binding by one from `{java}`"),
                )
            })
        }
        _ => Some((
            ProblemCode::HostNeverMatches,
            format!("host `{host}` is not the address of a client"),
            "write the address that the broker sees the client come from, or `*`; host names are not looked up".to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acl::Binding;

    /// A binding from `type pattern name principal host operation`.
    fn raw(fields: [&str; 6]) -> RawBinding {
        RawBinding {
            resource_type: fields[0].parse().unwrap(),
            pattern_type: fields[1].parse().unwrap(),
            name: fields[2].into(),
            principal: fields[3].into(),
            host: fields[4].into(),
            operation: fields[5].parse().unwrap(),
            permission: crate::acl::Permission::Allow,
        }
    }

    #[test]
    fn what_kafka_stores_but_never_matches_is_refused() {
        for (fields, code) in [
            (
                ["Group", "Literal", "g", "User:a", "*", "Write"],
                "operation-foreign",
            ),
            (
                ["Cluster", "Literal", "kafka-cluster", "User:a", "*", "Read"],
                "operation-foreign",
            ),
            (
                ["Cluster", "Literal", "*", "User:a", "*", "Alter"],
                "cluster-name",
            ),
            (
                ["Cluster", "Literal", "kafka", "User:a", "*", "Alter"],
                "cluster-name",
            ),
            (
                ["Topic", "Literal", "", "User:a", "*", "Read"],
                "name-empty",
            ),
            (
                ["Topic", "Prefixed", "", "User:a", "*", "Read"],
                "name-empty",
            ),
            (
                ["Group", "Literal", " g", "User:a", "*", "Read"],
                "name-breaks-authorizer",
            ),
            (
                ["Group", "Literal", "#g", "User:a", "*", "Read"],
                "name-breaks-authorizer",
            ),
            (
                ["Group", "Prefixed", ")", "User:a", "*", "Read"],
                "name-breaks-authorizer",
            ),
            (
                ["Group", "Literal", "a\0b", "User:a", "*", "Read"],
                "control-character",
            ),
            (
                ["Topic", "Literal", "orders-*", "User:a", "*", "Read"],
                "literal-asterisk",
            ),
            (
                ["Group", "Literal", "**", "User:a", "*", "Read"],
                "literal-asterisk",
            ),
            (
                ["Topic", "Prefixed", "*", "User:a", "*", "Read"],
                "prefixed-asterisk",
            ),
            (
                ["Topic", "Literal", "or ders", "User:a", "*", "Read"],
                "topic-name-invalid",
            ),
            (
                ["Topic", "Literal", "..", "User:a", "*", "Read"],
                "topic-name-invalid",
            ),
            (
                ["Topic", "Prefixed", "ö", "User:a", "*", "Read"],
                "topic-name-invalid",
            ),
            (
                ["User", "Literal", "alice", "User:a", "*", "CreateTokens"],
                "user-name-without-type",
            ),
            (
                ["Topic", "Literal", "t", "alice", "*", "Read"],
                "principal-without-type",
            ),
            (
                ["Topic", "Literal", "t", ":alice", "*", "Read"],
                "principal-without-type",
            ),
            (
                ["Topic", "Literal", "t", "", "*", "Read"],
                "principal-without-type",
            ),
            (
                ["Topic", "Literal", "t", "User:", "*", "Read"],
                "principal-empty-name",
            ),
            (
                ["Topic", "Literal", "t", "User: ", "*", "Read"],
                "principal-empty-name",
            ),
            (
                ["Topic", "Literal", "t", "User: a", "*", "Read"],
                "principal-space",
            ),
            (
                ["Topic", "Literal", "t", "User:a ", "*", "Read"],
                "principal-space",
            ),
            (
                ["Topic", "Literal", "t", " User:a", "*", "Read"],
                "principal-space",
            ),
            (
                ["Topic", "Literal", "t", "user:a", "*", "Read"],
                "principal-type-case",
            ),
            (
                ["Topic", "Literal", "t", "User:team-*", "*", "Read"],
                "principal-asterisk",
            ),
            (
                ["Topic", "Literal", "t", "Group:*", "*", "Read"],
                "principal-asterisk",
            ),
            (
                ["Topic", "Literal", "t", "User:a\u{7}", "*", "Read"],
                "control-character",
            ),
            (
                ["Topic", "Literal", "t", "User:a", "", "Read"],
                "host-never-matches",
            ),
            (
                ["Topic", "Literal", "t", "User:a", "localhost", "Read"],
                "host-never-matches",
            ),
            (
                ["Topic", "Literal", "t", "User:a", "10.0.0.*", "Read"],
                "host-never-matches",
            ),
            (
                ["Topic", "Literal", "t", "User:a", "0.0.0.0", "Read"],
                "host-never-matches",
            ),
            (
                ["Topic", "Literal", "t", "User:a", "::", "Read"],
                "host-never-matches",
            ),
            (
                ["Topic", "Literal", "t", "User:a", "10.0.0.0/8", "Read"],
                "host-range-unsupported",
            ),
        ] {
            let refused = Binding::try_from(raw(fields)).unwrap_err();
            assert_eq!(refused.code.name(), code, "{fields:?}");
            assert!(!refused.to_string().is_empty() && !refused.hint.is_empty());
        }
    }

    #[test]
    fn what_kafka_matches_is_accepted_as_it_is() {
        for fields in [
            ["Topic", "Literal", "*", "User:*", "*", "All"],
            [
                "Topic",
                "Prefixed",
                "team-a.",
                "User:CN=a b,O=x",
                "10.0.0.1",
                "DescribeConfigs",
            ],
            ["Topic", "Prefixed", ".", "User:a", "*", "Read"],
            [
                "Cluster",
                "Literal",
                "kafka-cluster",
                "User:a",
                "*",
                "IdempotentWrite",
            ],
            [
                "Group",
                "Literal",
                "my group*s",
                "User:a",
                "0:0:0:0:0:0:0:1",
                "Read",
            ],
            [
                "Group",
                "Literal",
                "グループ",
                "Robot:a",
                "fe80:0:0:0:0:0:0:1%2",
                "AlterConfigs",
            ],
            [
                "TransactionalId",
                "Prefixed",
                "app-",
                "User:a",
                "*",
                "TwoPhaseCommit",
            ],
            ["DelegationToken", "Literal", "*", "User:a", "*", "Describe"],
            ["User", "Literal", "User:b", "User:a", "*", "CreateTokens"],
            [
                "User",
                "Prefixed",
                "User:team-",
                "User:a",
                "*",
                "DescribeTokens",
            ],
        ] {
            let raw = raw(fields);
            assert_eq!(
                Binding::try_from(raw.clone()).map(Binding::into_raw),
                Ok(raw)
            );
        }
    }

    #[test]
    fn what_is_accepted_depends_on_the_version() {
        let allowed =
            |fields, version| Binding::new(raw(fields), version).map(|b| b.host.to_string());
        let range = ["Topic", "Literal", "t", "User:a", "10.1.2.3/8", "Read"];
        assert_eq!(
            allowed(range, KafkaVersion::new(4, 4)).unwrap(),
            "10.0.0.0/8"
        );
        assert!(allowed(range, KafkaVersion::new(4, 3)).is_err());
        let group = ["Group", "Literal", "g", "User:a", "*", "AlterConfigs"];
        assert!(allowed(group, KafkaVersion::new(4, 0)).is_ok());
        assert!(allowed(group, KafkaVersion::new(3, 9)).is_err());
    }

    #[test]
    fn a_stored_binding_shows_all_its_problems() {
        let codes: Vec<_> = raw(["Group", "Literal", "#g", "user:a", "::1", "Write"])
            .problems(KafkaVersion::ASSUMED)
            .iter()
            .map(|problem| problem.code.name())
            .collect();
        assert_eq!(
            codes,
            [
                "operation-foreign",
                "name-breaks-authorizer",
                "principal-type-case",
                "host-not-java-form"
            ]
        );
    }

    #[test]
    fn hints_say_what_to_write() {
        let hint = |fields| Binding::try_from(raw(fields)).unwrap_err().hint;
        assert_eq!(
            hint(["Topic", "Literal", "orders-*", "User:a", "*", "Read"]),
            "write {prefix: orders-}"
        );
        assert_eq!(
            hint(["Group", "Literal", "g", "User:a", "*", "Write"]),
            "the operations of a Group are All, Read, Describe, Delete, DescribeConfigs, AlterConfigs"
        );
        assert_eq!(
            hint(["Topic", "Literal", "t", "alice", "*", "Read"]),
            "write `User:alice`"
        );
    }
}
