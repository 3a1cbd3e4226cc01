//! The shape of acls, tests and `manage`; see `raw.rs`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
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
