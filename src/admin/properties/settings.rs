//! Single values of the properties, parsed as Kafka does.

use crate::{config::Properties, secret::Secret};

pub(super) struct Settings<'a>(pub(super) &'a Properties);

impl<'a> Settings<'a> {
    /// A value that is set and not empty.
    pub(super) fn get(&self, key: &str) -> Option<&'a str> {
        self.value(key).filter(|v| !v.is_empty())
    }

    pub(super) fn password(&self, key: &str) -> Option<Secret> {
        self.value(key).map(|v| Secret::new(v.to_owned()))
    }

    /// A value as Kafka reads it: Java's properties keep trailing blanks, and Kafka's `ConfigDef.parseType` then trims
    /// every string, including passwords, with `String.trim()`, which removes all characters up to the space.
    pub(super) fn value(&self, key: &str) -> Option<&'a str> {
        let value = self.0.get(key)?;
        Some(value.trim_matches(|c| c <= ' '))
    }
}
