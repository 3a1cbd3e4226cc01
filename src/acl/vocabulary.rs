//! Kafka's own words for access control, as closed sets.

use std::{fmt, str::FromStr};

use super::KafkaVersion;

/// A word that is none of Kafka's, with the words that would have been understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownWord {
    /// What was written.
    pub word: String,
    /// What the word should have named: "operation", "resource type", …
    pub kind: &'static str,
    /// Every word that is understood, in Kafka's order.
    pub known: &'static [&'static str],
}

impl fmt::Display for UnknownWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown {} `{}`", self.kind, self.word)
    }
}

impl std::error::Error for UnknownWord {}

/// Declares an enum whose members have Kafka's two spellings: `DESCRIBE_CONFIGS` (its enum, used in JSON)
/// and `DescribeConfigs` (its command-line tools, used in the policy). Parsing takes either, in any case.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $kind:literal { $($(#[$vdoc:meta])* $variant:ident = $upper:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant,)+ }

        impl $name {
            /// Every member, in the order of Kafka's codes.
            pub const ALL: &'static [$name] = &[$($name::$variant,)+];
            /// The members' spellings in Kafka's command-line tools, in the order of `ALL`.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($variant),)+];

            /// The name of Kafka's enum constant, as in JSON: `DESCRIBE_CONFIGS`.
            pub fn kafka_name(self) -> &'static str {
                match self { $($name::$variant => $upper,)+ }
            }

            /// The spelling of Kafka's tools and of the policy: `DescribeConfigs`.
            pub fn title(self) -> &'static str {
                match self { $($name::$variant => stringify!($variant),)+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.title())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;
            fn from_str(s: &str) -> Result<Self, UnknownWord> {
                $(if s.eq_ignore_ascii_case($upper) || s.eq_ignore_ascii_case(stringify!($variant)) {
                    return Ok($name::$variant);
                })+
                Err(UnknownWord { word: s.to_owned(), kind: $kind, known: $name::NAMES })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(self.kafka_name())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

words! {
    /// What a binding is about (`org.apache.kafka.common.resource.ResourceType`, less UNKNOWN and ANY).
    ResourceType, "resource type" {
        /// A topic.
        Topic = "TOPIC",
        /// A consumer group.
        Group = "GROUP",
        /// The cluster itself; its only resource is named `kafka-cluster`.
        Cluster = "CLUSTER",
        /// A transactional id.
        TransactionalId = "TRANSACTIONAL_ID",
        /// A delegation token.
        DelegationToken = "DELEGATION_TOKEN",
        /// A user, for delegation tokens on behalf of others.
        User = "USER",
    }
}

words! {
    /// How a binding's name is compared (`PatternType`, less those only filters may use).
    PatternType, "pattern type" {
        /// The name itself; `*` is the wildcard.
        Literal = "LITERAL",
        /// Every name that starts with it.
        Prefixed = "PREFIXED",
    }
}

words! {
    /// What is done to a resource (`org.apache.kafka.common.acl.AclOperation`, less UNKNOWN and ANY).
    Operation, "operation" {
        /// Every operation.
        All = "ALL",
        /// Read from a topic, take part in a group.
        Read = "READ",
        /// Write to a topic, use a transactional id.
        Write = "WRITE",
        /// Create a topic.
        Create = "CREATE",
        /// Delete a topic or group.
        Delete = "DELETE",
        /// Change a topic, ACLs, SCRAM users.
        Alter = "ALTER",
        /// See that it exists, and its state.
        Describe = "DESCRIBE",
        /// What brokers do among themselves.
        ClusterAction = "CLUSTER_ACTION",
        /// See the configuration.
        DescribeConfigs = "DESCRIBE_CONFIGS",
        /// Change the configuration.
        AlterConfigs = "ALTER_CONFIGS",
        /// Write idempotently (before Kafka 2.8).
        IdempotentWrite = "IDEMPOTENT_WRITE",
        /// Create delegation tokens for a user.
        CreateTokens = "CREATE_TOKENS",
        /// See the delegation tokens of a user.
        DescribeTokens = "DESCRIBE_TOKENS",
        /// Take part in a two-phase commit (KIP-939).
        TwoPhaseCommit = "TWO_PHASE_COMMIT",
    }
}

words! {
    /// Whether a binding grants or refuses (`AclPermissionType`, less UNKNOWN and ANY).
    Permission, "permission" {
        /// Refuses; any DENY that matches wins.
        Deny = "DENY",
        /// Grants.
        Allow = "ALLOW",
    }
}

/// The name of the only resource of type Cluster.
pub const CLUSTER_NAME: &str = "kafka-cluster";

impl ResourceType {
    /// The operations that mean something on this type (`org.apache.kafka.security.authorizer.AclEntry`), besides
    /// `All`, which goes everywhere. Brokers store the others too, but never ask for them.
    pub fn operations(self, version: KafkaVersion) -> &'static [Operation] {
        use Operation::*;
        match self {
            ResourceType::Topic => &[
                Read,
                Write,
                Create,
                Describe,
                Delete,
                Alter,
                DescribeConfigs,
                AlterConfigs,
            ],
            ResourceType::Group if version >= KafkaVersion::GROUP_CONFIGS => {
                &[Read, Describe, Delete, DescribeConfigs, AlterConfigs]
            }
            ResourceType::Group => &[Read, Describe, Delete],
            ResourceType::Cluster => &[
                Create,
                ClusterAction,
                DescribeConfigs,
                AlterConfigs,
                IdempotentWrite,
                Alter,
                Describe,
            ],
            ResourceType::TransactionalId if version >= KafkaVersion::TWO_PHASE_COMMIT => {
                &[Describe, Write, TwoPhaseCommit]
            }
            ResourceType::TransactionalId => &[Describe, Write],
            ResourceType::DelegationToken => &[Describe],
            ResourceType::User => &[CreateTokens, DescribeTokens],
        }
    }
}

impl Operation {
    /// The operations whose ALLOW grants this one too (`StandardAuthorizerData`). A DENY implies nothing.
    pub fn implied_by(self) -> &'static [Operation] {
        match self {
            Operation::Describe => &[
                Operation::Read,
                Operation::Write,
                Operation::Delete,
                Operation::Alter,
            ],
            Operation::DescribeConfigs => &[Operation::AlterConfigs],
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_that_newer_kafkas_brought_are_not_older_ones() {
        let (old, new) = (KafkaVersion::new(3, 9), KafkaVersion::new(4, 1));
        let has = |t: ResourceType, v, o| t.operations(v).contains(&o);
        assert!(!has(ResourceType::Group, old, Operation::AlterConfigs));
        assert!(has(ResourceType::Group, new, Operation::AlterConfigs));
        assert!(!has(
            ResourceType::TransactionalId,
            old,
            Operation::TwoPhaseCommit
        ));
        assert!(has(
            ResourceType::TransactionalId,
            new,
            Operation::TwoPhaseCommit
        ));
        assert!(!has(ResourceType::Group, new, Operation::Write));
    }

    #[test]
    fn both_of_kafkas_spellings_are_read_in_any_case() {
        for word in ["DescribeConfigs", "DESCRIBE_CONFIGS", "describeconfigs"] {
            assert_eq!(word.parse::<Operation>(), Ok(Operation::DescribeConfigs));
        }
        assert_eq!(
            ResourceType::TransactionalId.kafka_name(),
            "TRANSACTIONAL_ID"
        );
        let unknown = "Reed".parse::<Operation>().unwrap_err();
        assert_eq!(unknown.to_string(), "unknown operation `Reed`");
        assert!(unknown.known.contains(&"Read"));
    }
}
