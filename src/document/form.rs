//! The form of a kind of document.

use schemars::JsonSchema;
use serde_json::Value as Json;

use super::schema;

/// The shape of a kind of document.
pub(crate) struct Form {
    /// Its JSON Schema, generated from the type that is read.
    pub schema: Json,
    /// The hint for a key that does not belong there, and does not resemble one that does; `true` means that it is a
    /// top-level key.
    pub misplaced: fn(key: &str, at_root: bool) -> Option<String>,
}

impl Form {
    /// The form of a type.
    pub(crate) fn of<T: JsonSchema>(misplaced: fn(&str, bool) -> Option<String>) -> Self {
        Self {
            schema: schema::generate::<T>(),
            misplaced,
        }
    }

    /// The top-level keys.
    pub(crate) fn sections(&self) -> Vec<&str> {
        let properties = self.schema["properties"].as_object();
        let keys = properties.into_iter().flatten();
        keys.map(|(key, _)| key.as_str()).collect()
    }
}
