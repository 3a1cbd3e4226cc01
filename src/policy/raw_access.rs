//! The shape of roles, acls, tests and `manage`; see `raw.rs`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{
        MapAccess, Visitor,
        value::{MapAccessDeserializer, StrDeserializer},
    },
};

use crate::{
    acl::Operation,
    document::{OneOrMany, Spanned},
};

/// Resource names: one, or a list of them.
pub(super) type Patterns = OneOrMany<Spanned<RawPattern>>;

/// A resource name: a plain text is the name itself, `"*"` is every name, `{prefix: x}` every name that begins with x.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(untagged, rename = "resource_name")]
pub(super) enum RawPattern {
    /// The name itself, or `"*"` for every name.
    Name(String),
    /// Every name that begins with a prefix.
    Prefix(RawPrefix),
}

/// Every name that begins with a prefix.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "prefix")]
pub(super) struct RawPrefix {
    /// What the names begin with.
    pub prefix: String,
}

impl<'de> Deserialize<'de> for RawPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = RawPattern;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a name or {prefix: x}")
            }

            fn visit_str<E>(self, name: &str) -> Result<RawPattern, E> {
                Ok(RawPattern::Name(name.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawPattern, A::Error> {
                RawPrefix::deserialize(MapAccessDeserializer::new(map)).map(RawPattern::Prefix)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// What a client may do: one role and its arguments.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "role", extend("minProperties" = 1, "maxProperties" = 1))]
pub(super) struct RawRoleArguments {
    /// Write to topics.
    pub produce: Option<Spanned<RawProduce>>,
    /// Read topics as a member of groups.
    pub consume: Option<Spanned<RawConsume>>,
    /// Run a Kafka Streams application.
    pub streams: Option<Spanned<RawStreams>>,
    /// Run a Kafka Connect worker with its connectors.
    pub connect: Option<Spanned<RawConnect>>,
    /// MirrorMaker 2 on the cluster that it reads.
    pub mirror_source: Option<Spanned<RawMirrorSource>>,
    /// MirrorMaker 2 on the cluster that it writes to.
    pub mirror_target: Option<Spanned<RawMirrorTarget>>,
    /// Run Confluent's Schema Registry. By its documentation: kpki's tests run the clients of all other roles, and not it.
    pub schema_registry: Option<Spanned<RawSchemaRegistry>>,
    /// See the state and configuration of everything, and no data.
    pub monitor: Option<Spanned<RawNothing>>,
    /// Create, change and delete topics, groups, configuration and ACLs.
    pub admin: Option<Spanned<RawNothing>>,
}

/// A role without arguments.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "role_word")]
pub(super) enum RawRoleWord {
    /// See the state and configuration of everything, and no data.
    Monitor,
    /// Create, change and delete topics, groups, configuration and ACLs.
    Admin,
}

/// A role: `monitor`, `admin`, or one with arguments such as `produce: {topic: orders}`.
#[derive(Debug, JsonSchema)]
#[schemars(untagged, rename = "role_or_word")]
pub(super) enum RawRole {
    /// A role without arguments.
    Word(RawRoleWord),
    /// A role with arguments.
    Arguments(Box<RawRoleArguments>),
}

impl<'de> Deserialize<'de> for RawRole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = RawRole;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a role")
            }

            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<RawRole, E> {
                RawRoleWord::deserialize(StrDeserializer::new(word)).map(RawRole::Word)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawRole, A::Error> {
                Box::deserialize(MapAccessDeserializer::new(map)).map(RawRole::Arguments)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// No arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "role_without_arguments")]
pub(super) struct RawNothing {}

/// Write to topics.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "produce")]
pub(super) struct RawProduce {
    /// The topics.
    pub topic: Patterns,
    /// The transactional ids, for a producer with transactions.
    pub transactional_id: Option<Patterns>,
    /// Whether it may create the topics. Default: false.
    pub create: Option<bool>,
}

/// Read topics as a member of groups.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "consume")]
pub(super) struct RawConsume {
    /// The topics.
    pub topic: Patterns,
    /// The groups.
    pub group: Patterns,
}

/// A Kafka Streams application.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "streams")]
pub(super) struct RawStreams {
    /// Its application.id; it may create and delete topics that begin with `<application_id>-`.
    pub application_id: Spanned<String>,
    /// The topics that it reads.
    pub read: Patterns,
    /// The topics that it writes to.
    pub write: Patterns,
    /// Whether it uses transactions (exactly-once). Default: false.
    pub exactly_once: Option<bool>,
}

/// A Kafka Connect worker.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "connect")]
pub(super) struct RawConnect {
    /// The worker's group.id.
    pub group_id: Spanned<String>,
    /// config.storage.topic
    pub config_topic: Spanned<String>,
    /// offset.storage.topic
    pub offset_topic: Spanned<String>,
    /// status.storage.topic
    pub status_topic: Spanned<String>,
    /// The sink connectors and the topics that each reads.
    pub sinks: Option<Vec<RawSink>>,
    /// The topics that source connectors write to.
    pub sources: Option<Patterns>,
    /// Whether source connectors use transactions (exactly-once). Default: false.
    pub exactly_once: Option<bool>,
}

/// A sink connector.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "sink")]
pub(super) struct RawSink {
    /// The connector's name; its group is `connect-<name>`.
    pub name: Spanned<String>,
    /// The topics that it reads.
    pub topic: Patterns,
}

/// MirrorMaker 2 on the cluster that it reads.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "mirror_source")]
pub(super) struct RawMirrorSource {
    /// The topics that are mirrored.
    pub topics: Patterns,
    /// The groups whose offsets are mirrored. Default: none.
    pub groups: Option<Patterns>,
    /// What MirrorMaker's configuration calls the other cluster: MirrorMaker keeps a topic of its own here,
    /// `mm2-offset-syncs.<target>.internal`. Default: it has none, as `emit.offset-syncs.enabled=false` says.
    pub target: Option<Spanned<String>>,
}

/// MirrorMaker 2 on the cluster that it writes to. It does not mirror ACLs: `sync.topic.acls.enabled=false`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "mirror_target")]
pub(super) struct RawMirrorTarget {
    /// The topics that are mirrored, by the names that they have here: `A.orders`.
    pub topics: Patterns,
    /// The groups whose offsets are mirrored. Default: none.
    pub groups: Option<Patterns>,
    /// What MirrorMaker's configuration calls the other cluster: MirrorMaker's group `<source>-mm2` is here, and its topics
    /// `mm2-configs.<source>.internal`, `mm2-offsets.…`, `mm2-status.…`, `<source>.checkpoints.internal` and `heartbeats`.
    /// Default: its connectors run in a Connect worker, which has a role of its own, without checkpoints and heartbeats.
    pub source: Option<Spanned<String>>,
}

/// Confluent's Schema Registry. By its documentation: kpki's tests run the clients of all other roles, and not it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "schema_registry")]
pub(super) struct RawSchemaRegistry {
    /// kafkastore.topic. Default: _schemas.
    pub schemas_topic: Option<Spanned<String>>,
    /// schema.registry.group.id. Default: schema-registry.
    pub group: Option<Spanned<String>>,
}

/// An entry of `acls`: every operation on every resource.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "acl")]
pub(super) struct RawAcl {
    /// Who: `User:name`, or `User:*` for everyone.
    pub principal: Spanned<String>,
    /// From where: an IP address, or `"*"`, the default, for everywhere.
    pub host: Option<Spanned<String>>,
    /// The operations that are granted; or `deny`.
    pub allow: Option<Spanned<OneOrMany<Spanned<RawOperation>>>>,
    /// The operations that are refused, whatever else grants them; or `allow`.
    pub deny: Option<Spanned<OneOrMany<Spanned<RawOperation>>>>,
    /// Topics.
    pub topic: Option<Patterns>,
    /// Consumer groups.
    pub group: Option<Patterns>,
    /// Transactional ids.
    pub transactional_id: Option<Patterns>,
    /// Delegation tokens, by their ids.
    pub delegation_token: Option<Patterns>,
    /// Users whose delegation tokens are meant: `User:name`.
    pub user: Option<Patterns>,
    /// `true`: the cluster itself.
    pub cluster: Option<Spanned<bool>>,
}

/// An entry of `tests`: a request that must be allowed or denied.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "test")]
pub(super) struct RawTest {
    /// Who asks: `User:name`.
    pub principal: Spanned<String>,
    /// The address that it asks from. Default: one that no ACL names.
    pub host: Option<Spanned<String>>,
    /// The operations that must be allowed; or `cannot`.
    pub can: Option<Spanned<OneOrMany<Spanned<RawOperation>>>>,
    /// The operations that must be denied; or `can`.
    pub cannot: Option<Spanned<OneOrMany<Spanned<RawOperation>>>>,
    /// Topics, by name.
    pub topic: Option<Patterns>,
    /// Consumer groups, by name.
    pub group: Option<Patterns>,
    /// Transactional ids.
    pub transactional_id: Option<Patterns>,
    /// Delegation tokens, by their ids.
    pub delegation_token: Option<Patterns>,
    /// Users whose delegation tokens are meant: `User:name`.
    pub user: Option<Patterns>,
    /// `true`: the cluster itself.
    pub cluster: Option<Spanned<bool>>,
}

/// What `acl apply --prune` may delete; nothing outside of it is ever touched.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "manage")]
pub(super) struct RawManage {
    /// The principals whose ACLs the policy says in full: `User:name` or `{prefix: "User:team-"}`.
    pub principals: Vec<Spanned<RawPattern>>,
}

/// One of Kafka's operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RawOperation(pub Operation);

impl<'de> Deserialize<'de> for RawOperation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Operation::deserialize(deserializer).map(Self)
    }
}

impl JsonSchema for RawOperation {
    fn schema_name() -> Cow<'static, str> {
        "operation".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // Both of Kafka's spellings are read; the tools' own, which kpki writes, comes first.
        let tools = Operation::ALL.iter().map(|o| o.title());
        let enums = Operation::ALL.iter().map(|o| o.kafka_name());
        let words: Vec<&str> = tools.chain(enums).collect();
        json_schema!({
            "type": "string",
            "description": "One of Kafka's operations; All stands for every one of them.",
            "enum": words,
        })
    }
}
