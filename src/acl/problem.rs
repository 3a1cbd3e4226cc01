//! What Kafka stores without a word although it never matches, or matches something else.

use super::{
    CLUSTER_NAME, EVERYONE, KafkaVersion, Operation, PatternType, RawBinding, ResourceType, host,
};
use crate::code::codes;

/// The longest name of a topic (`org.apache.kafka.common.internals.Topic`), in bytes.
const TOPIC_NAME_MAX: usize = 249;

/// Why a binding would not do what it says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the fields are what the messages quote")]
pub enum Problem {
    /// The operation is never asked for on this type, or not by this Kafka.
    #[error("operation {operation} does not apply to a {resource_type} in Kafka {version}")]
    OperationForeign {
        operation: Operation,
        resource_type: ResourceType,
        version: KafkaVersion,
    },
    /// The cluster's only name is `kafka-cluster`.
    #[error("a Cluster binding is named `{name}`")]
    ClusterName { name: String },
    /// No resource, or every resource: nobody can tell.
    #[error("the {resource_type}'s name is empty")]
    NameEmpty { resource_type: ResourceType },
    /// The authorizer's search for such a name never ends, or throws (`StandardAuthorizerData.checkSection`).
    #[error(
        "the {resource_type} name `{}` begins with a character that Kafka's authorizer cannot search past",
        name.escape_debug()
    )]
    NameBreaksAuthorizer {
        resource_type: ResourceType,
        name: String,
    },
    /// No client uses such a name, and C libraries cut it at a NUL.
    #[error("{what} `{}` holds a control character", text.escape_debug())]
    ControlCharacter { what: &'static str, text: String },
    /// An asterisk at the end of a literal name stands for itself.
    #[error("`{name}` as a literal {resource_type} name means that one name, asterisk included")]
    LiteralAsterisk {
        resource_type: ResourceType,
        name: String,
    },
    /// An asterisk in a prefix stands for itself.
    #[error("the {resource_type} prefix `{name}` means names that contain an asterisk")]
    PrefixedAsterisk {
        resource_type: ResourceType,
        name: String,
    },
    /// No topic can have, or begin with, this name.
    #[error("no topic's name can {} `{name}`", match pattern_type {
        PatternType::Literal => "be",
        PatternType::Prefixed => "begin with",
    })]
    TopicName {
        pattern_type: PatternType,
        name: String,
    },
    /// The resource of type User is a principal, type included.
    #[error("the User resource `{name}` has no principal type")]
    UserName { name: String },
    /// The broker refuses it, or answers requests with an exception.
    #[error("principal `{principal}` is not of the form Type:name")]
    PrincipalWithoutType { principal: String },
    /// A principal without a name is nobody.
    #[error("principal `{principal}` has no name")]
    PrincipalEmptyName { principal: String },
    /// Principals are compared to the letter, spaces included.
    #[error("principal `{principal}` has a space at an end of its type or name")]
    PrincipalSpace { principal: String },
    /// The type of every ordinary principal is `User`, in this case.
    #[error("the type of principal `{principal}` is not `User`, as Kafka compares case")]
    PrincipalTypeCase { principal: String },
    /// Only `User:*` is a wildcard, and there are no prefixes.
    #[error("principal `{principal}` ends with an asterisk, which is no wildcard there")]
    PrincipalAsterisk { principal: String },
    /// Only addresses and `*` are compared, and no client has this one.
    #[error("host `{host}` is not the address of a client")]
    HostNeverMatches { host: String },
    /// Ranges are matched from Kafka 4.4 on; before, a DENY from a range refuses nobody.
    #[error("Kafka {version} stores the host range `{host}` but matches no client to it")]
    HostRange { host: String, version: KafkaVersion },
    /// The address is right, but written in another way than the one that is compared.
    #[error("host `{host}` never matches, because Kafka compares it with `{java}`")]
    HostForm { host: String, java: String },
}

impl Problem {
    /// The problem's stable name.
    pub fn code(&self) -> ProblemCode {
        match self {
            Problem::OperationForeign { .. } => ProblemCode::OperationForeign,
            Problem::ClusterName { .. } => ProblemCode::ClusterName,
            Problem::NameEmpty { .. } => ProblemCode::NameEmpty,
            Problem::NameBreaksAuthorizer { .. } => ProblemCode::NameBreaksAuthorizer,
            Problem::ControlCharacter { .. } => ProblemCode::ControlCharacter,
            Problem::LiteralAsterisk { .. } => ProblemCode::LiteralAsterisk,
            Problem::PrefixedAsterisk { .. } => ProblemCode::PrefixedAsterisk,
            Problem::TopicName { .. } => ProblemCode::TopicName,
            Problem::UserName { .. } => ProblemCode::UserName,
            Problem::PrincipalWithoutType { .. } => ProblemCode::PrincipalWithoutType,
            Problem::PrincipalEmptyName { .. } => ProblemCode::PrincipalEmptyName,
            Problem::PrincipalSpace { .. } => ProblemCode::PrincipalSpace,
            Problem::PrincipalTypeCase { .. } => ProblemCode::PrincipalTypeCase,
            Problem::PrincipalAsterisk { .. } => ProblemCode::PrincipalAsterisk,
            Problem::HostNeverMatches { .. } => ProblemCode::HostNeverMatches,
            Problem::HostRange { .. } => ProblemCode::HostRange,
            Problem::HostForm { .. } => ProblemCode::HostForm,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Problem::OperationForeign {
                resource_type,
                version,
                ..
            } => {
                let known: Vec<_> = resource_type
                    .operations(*version)
                    .iter()
                    .map(|o| o.title())
                    .collect();
                format!(
                    "the operations of a {resource_type} are All, {}",
                    known.join(", ")
                )
            }
            Problem::ClusterName { .. } => format!("the cluster's name is `{CLUSTER_NAME}`"),
            Problem::NameEmpty { .. } => "name the resource, or write `*` for all of them".to_owned(),
            Problem::NameBreaksAuthorizer { .. } => {
                "rename the resource: a request for a name like it can hang the broker's request thread".to_owned()
            }
            Problem::ControlCharacter { .. } => "remove the character".to_owned(),
            Problem::LiteralAsterisk { name, .. } => {
                format!("write {{prefix: {}}}", name.trim_end_matches('*'))
            }
            Problem::PrefixedAsterisk { name, .. } => match name.trim_end_matches('*') {
                "" => "for every resource, write the plain name `*`".to_owned(),
                stem => format!("write {{prefix: {stem}}}"),
            },
            Problem::TopicName { .. } => format!(
                "topic names consist of letters, digits, `.`, `_` and `-`, at most {TOPIC_NAME_MAX}"
            ),
            Problem::UserName { name } => format!("write `User:{name}`"),
            Problem::PrincipalWithoutType { principal } => {
                format!("write `User:{}`", principal.trim_start_matches(':').trim())
            }
            Problem::PrincipalEmptyName { .. } => {
                "name the user, or write `User:*` for everyone".to_owned()
            }
            Problem::PrincipalSpace { principal } => {
                let (kind, name) = principal.split_once(':').unwrap_or(("User", principal));
                format!("write `{}:{}`", kind.trim(), name.trim())
            }
            Problem::PrincipalTypeCase { principal } => format!(
                "write `User:{}`",
                principal.split_once(':').map_or("", |(_, name)| name)
            ),
            Problem::PrincipalAsterisk { .. } => {
                "name each principal, or write `User:*` for everyone".to_owned()
            }
            Problem::HostNeverMatches { .. } => {
                "write the address that the broker sees the client come from, or `*`; host names are not looked up".to_owned()
            }
            Problem::HostRange { .. } => format!(
                "write single addresses, or set kafka_version to {} once the cluster runs it at metadata version 4.4-IV1",
                KafkaVersion::HOST_RANGES
            ),
            Problem::HostForm { java, .. } => format!("replace the binding by one from `{java}`"),
        }
    }
}

codes! {
    /// The kind of a [`Problem`].
    pub enum ProblemCode {
        OperationForeign = "operation-foreign", "an operation that its resource does not know";
        ClusterName = "cluster-name", "a Cluster binding that is not named `kafka-cluster`";
        NameEmpty = "name-empty", "a resource without a name";
        NameBreaksAuthorizer = "name-breaks-authorizer", "a name on which Kafka's authorizer throws, or searches for ever";
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
        HostNeverMatches = "host-never-matches", "a host that is not the address of a client, such as a name; a DENY from there refuses nobody";
        HostRange = "host-range-unsupported", "a range of hosts before Kafka 4.4, which matches nobody";
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
        checks.into_iter().flatten().collect()
    }
}

fn operation(binding: &RawBinding, version: KafkaVersion) -> Option<Problem> {
    let (operation, resource_type) = (binding.operation, binding.resource_type);
    let known =
        operation == Operation::All || resource_type.operations(version).contains(&operation);
    (!known).then_some(Problem::OperationForeign {
        operation,
        resource_type,
        version,
    })
}

fn name(binding: &RawBinding) -> Option<Problem> {
    let resource_type = binding.resource_type;
    let text = &*binding.name;
    let name = || text.to_owned();
    let literal = binding.pattern_type == PatternType::Literal;
    // Everything that sorts before the asterisk, where the authorizer's second search starts.
    if text.starts_with(|first| first < '*') {
        return Some(Problem::NameBreaksAuthorizer {
            resource_type,
            name: name(),
        });
    }
    if text.contains(char::is_control) {
        return Some(Problem::ControlCharacter {
            what: "the resource name",
            text: name(),
        });
    }
    if text.is_empty() {
        return Some(Problem::NameEmpty { resource_type });
    }
    if resource_type == ResourceType::Cluster {
        return (text != CLUSTER_NAME).then(|| Problem::ClusterName { name: name() });
    }
    if literal && text == "*" {
        return None;
    }
    if text.ends_with('*') {
        return Some(if literal {
            Problem::LiteralAsterisk {
                resource_type,
                name: name(),
            }
        } else {
            Problem::PrefixedAsterisk {
                resource_type,
                name: name(),
            }
        });
    }
    match resource_type {
        ResourceType::Topic if !is_topic_name(text, literal) => Some(Problem::TopicName {
            pattern_type: binding.pattern_type,
            name: name(),
        }),
        ResourceType::User if !text.contains(':') => Some(Problem::UserName { name: name() }),
        _ => None,
    }
}

/// Whether a topic's name can be this, or, where not `whole`, begin with it.
fn is_topic_name(text: &str, whole: bool) -> bool {
    let dots = whole && matches!(text, "." | "..");
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    !dots && text.len() <= TOPIC_NAME_MAX && text.bytes().all(legal)
}

fn principal(binding: &RawBinding) -> Option<Problem> {
    let principal = || binding.principal.to_string();
    if binding.principal.contains(char::is_control) {
        return Some(Problem::ControlCharacter {
            what: "principal",
            text: principal(),
        });
    }
    let Some((kind, name)) = binding
        .principal
        .split_once(':')
        .filter(|(kind, _)| !kind.is_empty())
    else {
        return Some(Problem::PrincipalWithoutType {
            principal: principal(),
        });
    };
    if name.trim().is_empty() {
        return Some(Problem::PrincipalEmptyName {
            principal: principal(),
        });
    }
    if kind.trim() != kind || name.trim() != name {
        return Some(Problem::PrincipalSpace {
            principal: principal(),
        });
    }
    if kind != "User" && kind.eq_ignore_ascii_case("User") {
        return Some(Problem::PrincipalTypeCase {
            principal: principal(),
        });
    }
    let asterisk = name.ends_with('*') && &*binding.principal != EVERYONE;
    asterisk.then(|| Problem::PrincipalAsterisk {
        principal: principal(),
    })
}

fn host(binding: &RawBinding, version: KafkaVersion) -> Option<Problem> {
    let host = || binding.host.to_string();
    if &*binding.host == "*" {
        return None;
    }
    if host::Range::parse(&binding.host).is_some() {
        let matched = version >= KafkaVersion::HOST_RANGES;
        return (!matched).then(|| Problem::HostRange {
            host: host(),
            version,
        });
    }
    match host::client_address(&binding.host) {
        // Nobody connects from 0.0.0.0 or ::, though some write it for "anywhere".
        Some(java) if !matches!(&*java, "0.0.0.0" | "0:0:0:0:0:0:0:0") => (java != *binding.host)
            .then(|| Problem::HostForm {
                host: host(),
                java: java.into_owned(),
            }),
        _ => Some(Problem::HostNeverMatches { host: host() }),
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
            assert_eq!(refused.code().name(), code, "{fields:?}");
            assert!(!refused.to_string().is_empty() && !refused.hint().is_empty());
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
            .map(|problem| problem.code().name())
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
        let hint = |fields| Binding::try_from(raw(fields)).unwrap_err().hint();
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
