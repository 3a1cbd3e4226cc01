//! The forms of a policy and of the files that it includes.

use std::sync::LazyLock;

use serde_json::Value;

use super::raw::{RawIncluded, RawPolicy};
use crate::document::Form;

/// The form of a policy.
pub(super) static POLICY: LazyLock<Form> =
    LazyLock::new(|| Form::of::<RawPolicy>(|key, _| (key == "scope").then(of_the_including)));
/// The form of a file that a policy includes.
pub(super) static INCLUDED: LazyLock<Form> = LazyLock::new(|| {
    Form::of::<RawIncluded>(|key, at_root| {
        let of_the_policy = at_root && POLICY.sections().contains(&key);
        match key {
            "scope" => Some(of_the_including()),
            _ => of_the_policy.then(|| {
                format!("`{key}` belongs in the policy itself, not in a file that it includes")
            }),
        }
    })
});

fn of_the_including() -> String {
    "the policy that includes the file says its scope: `include: - {files: …, scope: {prefix: …}}`"
        .to_owned()
}

/// The JSON Schema (draft 2020-12) of a policy file, for editors: completion, hover texts, checks while typing.
pub fn json_schema() -> Value {
    POLICY.schema.clone()
}

/// The same of a file that a policy includes.
pub fn included_json_schema() -> Value {
    INCLUDED.schema.clone()
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
        for schema in [&POLICY.schema, &INCLUDED.schema] {
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
        for schema in [&POLICY.schema, &INCLUDED.schema] {
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
        for schema in [&POLICY.schema, &INCLUDED.schema] {
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
