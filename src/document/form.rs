//! What a kind of documents looks like.

use schemars::JsonSchema;
use serde_json::Value as Json;

use super::schema;

/// The shape of a kind of documents.
pub(crate) struct Form {
    /// Its JSON Schema, generated of the type that is read.
    pub schema: Json,
    /// What to do about a key that does not belong where it is, and is not like one that does; `true` says that it is
    /// a key of the whole document.
    pub misplaced: fn(key: &str, at_root: bool) -> Option<String>,
}

impl Form {
    /// The form that a type describes.
    pub(crate) fn of<T: JsonSchema>(misplaced: fn(&str, bool) -> Option<String>) -> Self {
        Self {
            schema: schema::generate::<T>(),
            misplaced,
        }
    }

    /// The keys of the whole document.
    pub(crate) fn sections(&self) -> Vec<&str> {
        let properties = self.schema["properties"].as_object();
        let keys = properties.into_iter().flatten();
        keys.map(|(key, _)| key.as_str()).collect()
    }
}
