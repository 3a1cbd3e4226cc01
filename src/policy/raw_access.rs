//! The shape of acls, tests and `manage`; see `raw.rs`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

use crate::{
    acl::{Operation, ResourceType},
    document::{OneOrMany, Spanned, text_or_map},
};

/// Resource names: one, or a list of them.
pub(super) type Patterns = OneOrMany<Spanned<RawPattern>>;

/// A resource name: a plain string is the name itself, `"*"` is every name, `{prefix: x}` every name that begins with
/// x.
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
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        text_or_map(from, |name| Ok(Self::Name(name.to_owned())), Self::Prefix)
    }
}

/// The operations of an entry.
type Operations = Option<Spanned<OneOrMany<Spanned<RawOperation>>>>;

/// Declares a shape with keys of its own and those that name a resource.
macro_rules! about_resources {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $key:ident: $type:ty,)+ }) => {
        #[derive(Debug, Deserialize, JsonSchema)]
        $(#[$meta])*
        #[serde(deny_unknown_fields)]
        pub(super) struct $name {
            $($(#[$doc])* pub $key: $type,)+
            /// Topics.
            topic: Option<Patterns>,
            /// Consumer groups.
            group: Option<Patterns>,
            /// Transactional ids.
            transactional_id: Option<Patterns>,
            /// Delegation tokens, by their ids.
            delegation_token: Option<Patterns>,
            /// The users whose delegation tokens it applies to: `User:name`.
            user: Option<Patterns>,
            /// `true`: the cluster itself.
            cluster: Option<Spanned<bool>>,
        }

        impl $name {
            /// What the keys that name a resource say.
            pub(super) fn resources(&self) -> ResourceKeys<'_> {
                let named = [
                    (ResourceType::Topic, &self.topic),
                    (ResourceType::Group, &self.group),
                    (ResourceType::TransactionalId, &self.transactional_id),
                    (ResourceType::DelegationToken, &self.delegation_token),
                    (ResourceType::User, &self.user),
                ];
                (named.map(|(kind, names)| (kind, names.as_ref())), self.cluster.as_ref())
            }
        }
    };
}

/// What the keys that name a resource say; the cluster has no name.
pub(super) type ResourceKeys<'a> = (
    [(ResourceType, Option<&'a Patterns>); 5],
    Option<&'a Spanned<bool>>,
);

about_resources! {
    /// An entry of `acls`: every operation on every resource.
    #[schemars(rename = "acl")]
    RawAcl {
        /// The principal: `User:name`, or `User:*` for everyone.
        principal: Spanned<String>,
        /// The client's IP address, or `"*"` for any address. Default: `"*"`.
        host: Option<Spanned<String>>,
        /// The operations that are granted; or `deny`.
        allow: Operations,
        /// The operations that are denied, whatever else grants them; or `allow`.
        deny: Operations,
    }
}

about_resources! {
    /// An entry of `tests`: a request that must be allowed or denied.
    #[schemars(rename = "test")]
    RawTest {
        /// The principal: `User:name`.
        principal: Spanned<String>,
        /// The client's address. Default: one that no ACL names.
        host: Option<Spanned<String>>,
        /// The operations that must be allowed; or `cannot`.
        can: Operations,
        /// The operations that must be denied; or `can`.
        cannot: Operations,
    }
}

/// What `acl apply --prune` may delete; nothing outside it is ever touched.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "manage")]
pub(super) struct RawManage {
    /// The principals whose ACLs the policy fully describes: `User:name` or `{prefix: "User:team-"}`.
    pub principals: Vec<Spanned<RawPattern>>,
}

/// One of Kafka's operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(transparent)]
pub(super) struct RawOperation(pub Operation);

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
