//! What a value may be, as JSON Schema and in words.

use std::borrow::Cow;

use serde_json::Value as Json;

use super::{
    suggest::fold,
    yaml::{Node, Value},
    yaml_scalar::Kind,
};

/// Strings in messages are cut to this many characters.
const MAX_QUOTED: usize = 40;

/// One of the shapes that a value may have: its schema, and its name under `$defs`, if any.
#[derive(Clone, Copy)]
pub(super) struct Shape<'a> {
    pub schema: &'a Json,
    pub name: &'a str,
}

/// The schema's name for the whole file.
pub(super) fn title(schema: &Json) -> &str {
    schema["title"].as_str().unwrap_or("file")
}

impl<'a> Shape<'a> {
    pub(super) fn kind(&self) -> &'a str {
        match self.schema["type"].as_str() {
            Some(kind) => kind,
            None if self.schema.get("oneOf").is_some() => "string",
            None => "",
        }
    }

    /// The words of an enumeration.
    pub(super) fn words(&self) -> Option<Vec<&'a str>> {
        if let Some(words) = self.schema["enum"].as_array() {
            return Some(words.iter().filter_map(Json::as_str).collect());
        }
        let described = self.schema["oneOf"].as_array()?;
        Some(
            described
                .iter()
                .filter_map(|w| w["const"].as_str())
                .collect(),
        )
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let properties = self.schema["properties"].as_object();
        properties
            .into_iter()
            .flatten()
            .map(|(key, _)| key.as_str())
    }

    /// A key that it has, and the schema of its value.
    pub(super) fn property(&self, key: &str) -> Option<(&'a str, &'a Json)> {
        let (key, schema) = self.schema["properties"].as_object()?.get_key_value(key)?;
        Some((key, schema))
    }

    pub(super) fn required(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let required = self.schema["required"].as_array();
        required.into_iter().flatten().filter_map(Json::as_str)
    }

    pub(super) fn accepts(&self, node: &Node) -> bool {
        let (wanted, found) = (self.kind(), kind_of(node));
        // An integer is also a number.
        wanted == found || wanted == "number" && found == "integer"
    }

    /// What is expected, in words.
    pub(super) fn expected(&self) -> String {
        if let Some(words) = self.words() {
            return format!("one of {}", listed(&words));
        }
        match self.kind() {
            "string" => "a string".to_owned(),
            "boolean" => "true or false".to_owned(),
            "number" => "a number".to_owned(),
            "array" => "a list".to_owned(),
            "null" => "empty".to_owned(),
            "integer" => match range(self.schema) {
                (Some(min), Some(max)) => format!("a whole number from {min} to {max}"),
                _ => "a whole number".to_owned(),
            },
            _ if self.schema["additionalProperties"].is_object() => {
                "a mapping of names to values".to_owned()
            }
            _ => match self.keys().collect::<Vec<_>>().as_slice() {
                [] => "`{}`".to_owned(),
                [only] => format!("`{{{only}: …}}`"),
                keys if self.schema["maxProperties"] == 1 => {
                    format!("a mapping with one of {}", listed(keys))
                }
                _ => "a mapping of keys to values".to_owned(),
            },
        }
    }
}

/// What is expected if several shapes are allowed.
pub(super) fn either(shapes: &[Shape<'_>]) -> String {
    let possible = shapes.iter().filter(|s| s.kind() != "null");
    let expected: Vec<String> = possible.map(Shape::expected).collect();
    match expected.as_slice() {
        [init @ .., last] if !init.is_empty() => format!("{}, or {last}", init.join(", ")),
        other => other.concat(),
    }
}

pub(super) fn range(schema: &Json) -> (Option<i64>, Option<i64>) {
    (schema["minimum"].as_i64(), schema["maximum"].as_i64())
}

/// The name of a node's type in JSON Schema.
pub(super) fn kind_of(node: &Node) -> &'static str {
    match &node.value {
        Value::List(_) => "array",
        Value::Map(_) => "object",
        Value::Scalar(_, kind) => match kind {
            Kind::Null => "null",
            Kind::Bool(_) => "boolean",
            Kind::Int(_) => "integer",
            Kind::Float => "number",
            Kind::Text => "string",
        },
    }
}

pub(super) fn found(node: &Node) -> String {
    match &node.value {
        Value::List(_) => "a list".to_owned(),
        Value::Map(_) => "a mapping".to_owned(),
        Value::Scalar(text, kind) => match kind {
            Kind::Null => "empty".to_owned(),
            Kind::Bool(_) => format!("`{text}`"),
            Kind::Int(_) | Kind::Float => format!("the number {text}"),
            Kind::Text => format!("the string `{}`", shortened(text)),
        },
    }
}

/// The beginning of a string: it may be long, and is quoted below as well.
fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(MAX_QUOTED) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

/// `a, b, c`, without duplicates: of spellings that differ in case and separators, only the first.
pub(super) fn listed(words: &[&str]) -> String {
    let mut seen: Vec<Vec<char>> = Vec::new();
    let mut shown: Vec<&str> = Vec::new();
    for word in words {
        let folded = fold(word);
        if !seen.contains(&folded) {
            seen.push(folded);
            shown.push(word);
        }
    }
    shown.join(", ")
}

/// How to change a value of the wrong type.
pub(super) fn repair(shapes: &[Shape<'_>], node: &Node) -> Option<String> {
    let wants = |kind| {
        shapes
            .iter()
            .any(|s| s.kind() == kind && s.words().is_none())
    };
    match &node.value {
        // A long string is not repeated.
        Value::Scalar(text, _) if text.chars().nth(MAX_QUOTED).is_some() => None,
        Value::Scalar(text, Kind::Text) if wants("boolean") => {
            let yes_or_no = ["yes", "no", "on", "off"];
            let at = yes_or_no
                .iter()
                .position(|w| w.eq_ignore_ascii_case(text))?;
            Some(format!("write `{}`", at % 2 == 0))
        }
        Value::Scalar(text, Kind::Text) if wants("integer") && text.parse::<i64>().is_ok() => {
            Some(format!("remove the quotes: {text}"))
        }
        Value::Scalar(text, kind) if wants("string") && *kind != Kind::Text => {
            Some(format!("put it in quotes: \"{text}\""))
        }
        Value::Scalar(text, Kind::Text) if wants("array") => Some(format!("write `[{text}]`")),
        Value::Scalar(text, Kind::Text) => {
            // `{prefix: x}` instead of `x` alone.
            let object = shapes.iter().find(|s| s.kind() == "object")?;
            if let Some((key, value)) = text.split_once(':')
                && object.keys().any(|known| known == key)
            {
                return Some(format!("put a space after the `:`: `{key}: {value}`"));
            }
            match object.required().collect::<Vec<_>>().as_slice() {
                [only] => Some(format!("write `{{{only}: {text}}}`")),
                _ => None,
            }
        }
        Value::Map(_) if wants("array") => Some("begin each entry with `- `".to_owned()),
        Value::List(items) if items.len() == 1 && wants("object") => {
            Some("remove the `- `".to_owned())
        }
        _ => None,
    }
}
