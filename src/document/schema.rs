//! A document's shape as a JSON Schema, for editors and for `check_shape`.

use std::borrow::Cow;

use schemars::{
    JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings, json_schema,
    transform::RecursiveTransform,
};
use serde_json::Value;

use super::spanned::{OneOrMany, Spanned};

/// The JSON Schema (draft 2020-12) of a document with the shape of `T`, whose keys are its sections.
pub(super) fn generate<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with_transform(RecursiveTransform(tidy));
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    // A section whose entries are all commented out is an empty value, and means the same as a missing one. Anywhere
    // else an empty value is an error, such as a `host:` that would mean "every host".
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

/// Removes what schemars adds for other readers: `null` for every Option, and the formats of Rust's numbers.
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
