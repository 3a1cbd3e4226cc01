//! What a client may do, by what it is. Least privilege: what a broker implies (Describe beside Read) is not written,
//! and each role has what real clients of Kafka 4.3 are seen to need (`tests/suite/roles`), and nothing else.
//!
//! A role is a file here, with its arguments and what they grant, and a line in the table below. The doc comments are
//! what editors show.

mod admin;
mod connect;
mod consume;
mod mirror_source;
mod mirror_target;
mod monitor;
mod produce;
mod read_only;
mod rights;
mod schema_registry;
mod streams;
#[cfg(test)]
mod tests;

use schemars::{JsonSchema, SchemaGenerator};
use serde::{Deserialize, Deserializer, de::IntoDeserializer};

use crate::{
    acl::KafkaVersion,
    document::{Report, Spanned, text_or_map},
    policy::Role,
};
use rights::Rights;

/// What the files of the roles are made of.
mod prelude {
    pub(super) use super::{
        Arguments,
        rights::{Rights, all, named, prefixed},
    };
    pub(super) use crate::{
        acl::{Operation::*, ResourceType::*},
        document::Spanned,
        policy::raw_access::Patterns,
    };
    pub(super) use schemars::JsonSchema;
    pub(super) use serde::Deserialize;
}

/// The arguments of a role, as the policy says them.
trait Arguments {
    /// Adds what they grant; `None` where a name is wrong, which was reported.
    fn grant(&self, rights: &mut Rights<'_>) -> Option<()>;
}

macro_rules! roles {
    (
        arguments { $($name:ident: $role:ident,)+ }
        words { $($word:ident: $word_role:ident,)+ }
    ) => {
        /// What a client may do: one role and its arguments.
        #[derive(Debug, Default, Deserialize, JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        #[schemars(rename = "role", extend("minProperties" = 1, "maxProperties" = 1))]
        pub(super) struct RawArguments {
            $(
                #[schemars(description = about::<$name::$role>())]
                $name: Option<Spanned<$name::$role>>,
            )+
            $(
                #[schemars(description = about::<$word::$word_role>())]
                $word: Option<Spanned<$word::$word_role>>,
            )+
        }

        /// A role without arguments.
        #[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        #[schemars(rename = "role_word")]
        pub(super) enum RawWord {
            $(
                #[schemars(description = about::<$word::$word_role>())]
                $word_role,
            )+
        }

        impl RawRole {
            fn arguments(&self) -> Option<&dyn Arguments> {
                match self {
                    $(Self::Word(RawWord::$word_role) => Some(&$word::$word_role {}),)+
                    Self::Arguments(raw) => {
                        $(if let Some(role) = &raw.$name {
                            return Some(&role.value);
                        })+
                        $(if let Some(role) = &raw.$word {
                            return Some(&role.value);
                        })+
                        None
                    }
                }
            }
        }
    };
}

roles! {
    arguments {
        produce: Produce,
        consume: Consume,
        read_only: ReadOnly,
        streams: Streams,
        connect: Connect,
        mirror_source: MirrorSource,
        mirror_target: MirrorTarget,
        schema_registry: SchemaRegistry,
    }
    words {
        monitor: Monitor,
        admin: Admin,
    }
}

/// A role: a word such as `monitor`, or one with arguments such as `produce: {topic: orders}`.
#[derive(Debug, JsonSchema)]
#[schemars(untagged, rename = "role_or_word")]
pub(super) enum RawRole {
    /// A role without arguments.
    Word(RawWord),
    /// A role with arguments.
    Arguments(Box<RawArguments>),
}

/// What the doc comment of a role's arguments says.
fn about<T: JsonSchema>() -> String {
    let schema = SchemaGenerator::default().into_root_schema_for::<T>();
    let text = schema.get("description").and_then(|text| text.as_str());
    text.unwrap_or_default().to_owned()
}

impl<'de> Deserialize<'de> for RawRole {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let word = |word: &str| RawWord::deserialize(word.into_deserializer()).map(Self::Word);
        text_or_map(from, word, Self::Arguments)
    }
}

/// A role; `None` where something in it is wrong and was reported.
pub(super) fn role(
    report: &mut Report,
    version: KafkaVersion,
    raw: &Spanned<RawRole>,
) -> Option<Role> {
    let source = report.source(raw.span);
    let mut rights = Rights::new(report, version);
    raw.value.arguments()?.grant(&mut rights)?;
    Some(Role {
        rights: rights.finish(),
        source,
    })
}
