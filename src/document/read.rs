//! The way from a document's text to a value of the type that describes its shape.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value as Json;

use super::{check_shape, code::FormCode, report::Report, schema, spanned, yaml};

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

/// Reads a file of the report, or reports everything in which its form is wrong. One without content is the default.
pub(crate) fn read<T: Default + for<'de> Deserialize<'de>>(
    report: &mut Report,
    form: &Form,
    file: usize,
) -> Option<T> {
    let before = report.len();
    let root = yaml::read(report, file)?;
    check_shape::check(report, form, &root);
    if report.len() > before {
        return None;
    }
    if matches!(&root.value, yaml::Value::Scalar(..)) {
        return Some(T::default());
    }
    match spanned::from_node(&root) {
        Ok(value) => Some(value),
        // Cannot happen as long as schema and types agree, for which there is a test; if it does, it is said.
        Err(error) => {
            report.error(FormCode::WrongShape, root.span, error.to_string());
            None
        }
    }
}
