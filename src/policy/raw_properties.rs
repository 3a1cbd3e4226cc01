//! The shape of `properties`: settings under Kafka's own names, each with a scalar value; see `raw.rs`.

use std::{borrow::Cow, fmt};

use crate::document::{Scalar, Spanned};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};

/// Names and values, in the order in which they are written.
#[derive(Default)]
pub(super) struct RawProperties(pub Vec<(Spanned<String>, Spanned<Scalar>)>);

/// Only the names, because values may be secret.
impl fmt::Debug for RawProperties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(self.0.iter().map(|(name, _)| &name.value))
            .finish()
    }
}

impl<'de> Deserialize<'de> for RawProperties {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Settings;
        impl<'de> Visitor<'de> for Settings {
            type Value = RawProperties;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("names with their values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawProperties, A::Error> {
                let mut all = Vec::new();
                while let Some(setting) = map.next_entry()? {
                    all.push(setting);
                }
                Ok(RawProperties(all))
            }
        }
        deserializer.deserialize_map(Settings)
    }
}

impl JsonSchema for RawProperties {
    fn schema_name() -> Cow<'static, str> {
        "properties".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "additionalProperties": {
                "anyOf": [{"type": "string"}, {"type": "number"}, {"type": "boolean"}],
            },
        })
    }
}
