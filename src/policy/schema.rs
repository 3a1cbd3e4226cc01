//! The policy's shape as JSON Schema: for editors, and for `check_shape`.

use std::{borrow::Cow, sync::LazyLock};

use schemars::{
    JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings, json_schema,
    transform::RecursiveTransform,
};
use serde_json::Value;

use super::{
    raw::{RawIncluded, RawPolicy},
    spanned::{OneOrMany, Spanned},
};

/// The schema of a policy.
pub(super) static POLICY: LazyLock<Value> = LazyLock::new(generate::<RawPolicy>);
/// The schema of a file that a policy includes.
pub(super) static INCLUDED: LazyLock<Value> = LazyLock::new(generate::<RawIncluded>);

/// The JSON Schema (draft 2020-12) of a policy file, for editors: completion, hover texts, checks while typing.
pub fn json_schema() -> Value {
    POLICY.clone()
}

/// The same of a file that a policy includes.
pub fn included_json_schema() -> Value {
    INCLUDED.clone()
}

fn generate<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with_transform(RecursiveTransform(tidy));
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    // A section whose entries are all commented out is an empty value and means what a missing one means.
    // Anywhere else an empty value is a slip, such as a `host:` that would become "every host".
    if let Some(Value::Object(sections)) = schema.get_mut("properties") {
        for section in sections.values_mut() {
            let described = section.get("description").cloned();
            let mut nullable = json_schema!({"anyOf": [section, {"type": "null"}]});
            if let Some(text) = described {
                nullable.insert("description".to_owned(), text);
            }
            *section = nullable.to_value();
        }
    }
    schema.to_value()
}

/// Takes out what schemars writes for other readers: `null` for every Option, and the formats of Rust's numbers.
fn tidy(schema: &mut Schema) {
    schema.remove("format");
    schema.remove("default");
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|t| t != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(branches)) = schema.get_mut("anyOf") {
        branches.retain(|b| b.get("type").is_none_or(|t| t != "null"));
        if branches.len() == 1
            && let Some(Value::Object(only)) = branches.pop()
        {
            schema.remove("anyOf");
            for (key, value) in only {
                schema.ensure_object().entry(key).or_insert(value);
            }
        }
    }
}

impl<T: JsonSchema> JsonSchema for Spanned<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("one or more of {}", T::schema_name()).into()
    }

    fn schema_id() -> Cow<'static, str> {
        format!("OneOrMany<{}>", T::schema_id()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        json_schema!({"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]})
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    fn each(schema: &Value, visit: &mut dyn FnMut(&serde_json::Map<String, Value>)) {
        match schema {
            Value::Object(map) => {
                visit(map);
                for (key, value) in map {
                    match key.as_str() {
                        "properties" | "$defs" => {
                            for inner in value.as_object().unwrap().values() {
                                each(inner, visit);
                            }
                        }
                        "enum" | "required" => {}
                        _ => each(value, visit),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| each(item, visit)),
            _ => {}
        }
    }

    #[test]
    fn the_checker_knows_every_keyword() {
        let known = BTreeSet::from([
            "$defs",
            "$ref",
            "$schema",
            "additionalProperties",
            "anyOf",
            "const",
            "description",
            "enum",
            "items",
            "maxProperties",
            "maximum",
            "minItems",
            "minProperties",
            "minimum",
            "oneOf",
            "properties",
            "required",
            "title",
            "type",
        ]);
        for schema in [&*POLICY, &*INCLUDED] {
            each(schema, &mut |map| {
                for (key, value) in map {
                    assert!(known.contains(key.as_str()), "{key}: {value}");
                    match key.as_str() {
                        "minItems" | "minProperties" | "maxProperties" => assert_eq!(value, 1),
                        _ => {}
                    }
                }
                if map.get("type").is_some_and(|t| t == "object") {
                    // Either its keys are known, or every key is taken.
                    let others = &map["additionalProperties"];
                    let any = others.is_object() && !map.contains_key("properties");
                    assert!(*others == false || any, "{map:?}");
                }
            });
        }
    }

    /// A value must show by its type alone which branch of a choice it was meant for.
    #[test]
    fn the_branches_of_a_choice_differ_in_type() {
        fn types(root: &Value, schema: &Value, found: &mut BTreeMap<String, usize>) {
            if let Some(name) = schema["$ref"].as_str() {
                let name = name.trim_start_matches("#/$defs/");
                assert!(
                    !name.contains('%'),
                    "{name} is written differently in a reference"
                );
                types(root, &root["$defs"][name], found);
            } else if let Some(branches) = schema["anyOf"].as_array() {
                branches.iter().for_each(|b| types(root, b, found));
            } else {
                let kind = schema["type"].as_str().unwrap_or("string");
                *found.entry(kind.to_owned()).or_default() += 1;
            }
        }
        for schema in [&*POLICY, &*INCLUDED] {
            each(schema, &mut |map| {
                if map.contains_key("anyOf") {
                    let mut found = BTreeMap::new();
                    types(schema, &Value::Object(map.clone()), &mut found);
                    assert!(found.values().all(|n| *n == 1), "{map:?}");
                }
            });
        }
    }

    #[test]
    fn every_key_has_a_hover_text() {
        for schema in [&*POLICY, &*INCLUDED] {
            each(schema, &mut |map| {
                let Some(Value::Object(properties)) = map.get("properties") else {
                    return;
                };
                for (key, property) in properties {
                    assert!(
                        property["description"].is_string(),
                        "{key} has no description"
                    );
                }
            });
        }
    }
}
