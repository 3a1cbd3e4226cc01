//! Holds a tree against the JSON Schema that editors use, and reports everything that does not fit.
//!
//! Own code rather than a validator from a library, as those answer "no branch of anyOf matches" where a reader
//! wants to hear what was expected. It knows the keywords that schemars writes for `raw`'s types; a test sees to it.

use serde_json::Value as Json;

use super::{
    report::Report,
    suggest::{fold, nearest},
    yaml::{Node, Value},
    yaml_scalar::Kind,
};

/// Reports whatever in `root` does not have the shape that `schema` wants.
pub(super) fn check(report: &mut Report, schema: &Json, root: &Node) {
    // A file without anything in it says nothing, which every section allows.
    if matches!(root.value, Value::Scalar(_, Kind::Null)) {
        return;
    }
    let whole = format!("a {}", title(schema).replace('_', " "));
    Checker { report, schema }.node(schema, root, &whole);
}

struct Checker<'a> {
    report: &'a mut Report,
    schema: &'a Json,
}

/// One of the shapes that a value may have: its schema and the name under `$defs`, if it has one.
#[derive(Clone, Copy)]
struct Shape<'a> {
    schema: &'a Json,
    name: &'a str,
}

fn title(schema: &Json) -> &str {
    schema["title"].as_str().unwrap_or("file")
}

impl<'a> Shape<'a> {
    fn kind(&self) -> &'a str {
        match self.schema["type"].as_str() {
            Some(kind) => kind,
            None if self.schema.get("oneOf").is_some() => "string",
            None => "",
        }
    }

    /// The words of an enumeration.
    fn words(&self) -> Option<Vec<&'a str>> {
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

    fn keys(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let properties = self.schema["properties"].as_object();
        properties
            .into_iter()
            .flatten()
            .map(|(key, _)| key.as_str())
    }

    fn required(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let required = self.schema["required"].as_array();
        required.into_iter().flatten().filter_map(Json::as_str)
    }

    fn accepts(&self, node: &Node) -> bool {
        self.kind() == kind_of(node)
    }

    /// What to write, in words.
    fn expected(&self) -> String {
        if let Some(words) = self.words() {
            return format!("one of {}", listed(&words));
        }
        match self.kind() {
            "string" => "a text".to_owned(),
            "boolean" => "true or false".to_owned(),
            "array" => "a list".to_owned(),
            "null" => "empty".to_owned(),
            "integer" => match range(self.schema) {
                (Some(min), Some(max)) => format!("a whole number from {min} to {max}"),
                _ => "a whole number".to_owned(),
            },
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

/// What to write where several shapes can stand.
fn either(shapes: &[Shape<'_>]) -> String {
    let possible = shapes.iter().filter(|s| s.kind() != "null");
    let expected: Vec<String> = possible.map(Shape::expected).collect();
    match expected.as_slice() {
        [init @ .., last] if !init.is_empty() => format!("{}, or {last}", init.join(", ")),
        other => other.concat(),
    }
}

fn range(schema: &Json) -> (Option<i64>, Option<i64>) {
    (schema["minimum"].as_i64(), schema["maximum"].as_i64())
}

/// The name of a node's type in JSON Schema.
fn kind_of(node: &Node) -> &'static str {
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

fn found(node: &Node) -> String {
    match &node.value {
        Value::List(_) => "a list".to_owned(),
        Value::Map(_) => "a mapping".to_owned(),
        Value::Scalar(text, kind) => match kind {
            Kind::Null => "empty".to_owned(),
            Kind::Bool(_) => format!("`{text}`"),
            Kind::Int(_) | Kind::Float => format!("the number {text}"),
            Kind::Text => format!("the text `{text}`"),
        },
    }
}

/// `a, b, c`, each word once: of two spellings that differ in case and separators, the first.
fn listed(words: &[&str]) -> String {
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

impl<'a> Checker<'a> {
    /// The shapes that a schema allows, with references and nested choices resolved.
    fn shapes(&self, schema: &'a Json) -> Vec<Shape<'a>> {
        let (schema, name) = match schema["$ref"].as_str() {
            Some(path) => {
                let name = path.strip_prefix("#/$defs/").unwrap_or(path);
                (&self.schema["$defs"][name], name)
            }
            None => (schema, schema["title"].as_str().unwrap_or_default()),
        };
        match schema["anyOf"].as_array() {
            Some(branches) => branches.iter().flat_map(|b| self.shapes(b)).collect(),
            None => vec![Shape { schema, name }],
        }
    }

    /// A shape in a sentence: by its key where it has one (`cluster`, `produce`), else "a listener", "an acl".
    fn called(&self, name: &str) -> String {
        let is_key_of = |schema: &Json| schema["properties"].get(name).is_some();
        if is_key_of(self.schema) || is_key_of(&self.schema["$defs"]["role"]) {
            return format!("`{name}`");
        }
        let article = if name.starts_with(['a', 'e', 'i', 'o']) {
            "an"
        } else {
            "a"
        };
        format!("{article} {}", name.replace('_', " "))
    }

    /// `what` names the node for the message: "`port`".
    fn node(&mut self, schema: &'a Json, node: &Node, what: &str) {
        let shapes = self.shapes(schema);
        // A test sees to it that no two shapes of one choice accept the same type.
        let Some(shape) = shapes.iter().find(|s| s.accepts(node)) else {
            return self.wrong_type(&shapes, node, what);
        };
        match &node.value {
            Value::Map(_) => self.map(*shape, node),
            Value::List(items) => {
                if items.is_empty() && shape.schema["minItems"].as_u64().unwrap_or(0) > 0 {
                    self.report
                        .error("empty-list", node.span, format!("{what} is an empty list"))
                        .hint("add an entry");
                }
                let entry = if what.starts_with('`') {
                    format!("an entry of {what}")
                } else {
                    what.to_owned()
                };
                for item in items {
                    self.node(&shape.schema["items"], item, &entry);
                }
            }
            Value::Scalar(text, Kind::Text) => self.word(*shape, &shapes, text, node, what),
            Value::Scalar(text, Kind::Int(value)) => {
                let (min, max) = range(shape.schema);
                if min.is_some_and(|min| *value < min) || max.is_some_and(|max| *value > max) {
                    let expected = shape.expected();
                    self.report.error(
                        "out-of-range",
                        node.span,
                        format!("{what} must be {expected}, not {text}"),
                    );
                }
            }
            Value::Scalar(..) => {}
        }
    }

    /// The value of a key. An empty one is only taken where the schema says so, which it does for sections.
    fn value(&mut self, schema: &'a Json, node: &Node, what: &str, required: bool) {
        let empty = matches!(node.value, Value::Scalar(_, Kind::Null));
        let shapes = self.shapes(schema);
        if !empty || shapes.iter().any(|shape| shape.accepts(node)) {
            return self.node(schema, node, what);
        }
        let expected = either(&shapes);
        let or = if required { "" } else { "; or remove the key" };
        self.report
            .error("empty-value", node.span, format!("{what} has no value"))
            .hint(format!("write {expected}{or}"));
    }

    fn wrong_type(&mut self, shapes: &[Shape<'a>], node: &Node, what: &str) {
        let expected = either(shapes);
        let message = format!("{what} must be {expected}, not {}", found(node));
        self.report
            .error("wrong-type", node.span, message)
            .maybe_hint(repair(shapes, node));
    }

    fn word(
        &mut self,
        shape: Shape<'a>,
        shapes: &[Shape<'a>],
        text: &str,
        node: &Node,
        what: &str,
    ) {
        let Some(words) = shape.words() else {
            return;
        };
        if words.contains(&text) {
            return;
        }
        if self.report.is_full() {
            self.report.error("unknown-word", node.span, "");
            return;
        }
        // A word that is the key of another shape: `- produce` for `- produce: {topic: orders}`.
        let argued = shapes.iter().any(|s| s.keys().any(|key| key == text));
        let hint = match nearest(text, words.iter().copied()) {
            _ if argued => format!("`{text}` needs its arguments: `{text}: {{…}}`"),
            Some(meant) => format!("did you mean `{meant}`? It is one of {}", listed(&words)),
            None => format!("it is {}", either(shapes)),
        };
        self.report
            .error(
                "unknown-word",
                node.span,
                format!("{what} cannot be `{text}`"),
            )
            .hint(hint);
    }

    fn map(&mut self, shape: Shape<'a>, node: &Node) {
        let Value::Map(entries) = &node.value else {
            return;
        };
        let mut known = Vec::new();
        let mut misspelt = Vec::new();
        for entry in entries {
            if let Some(schema) = shape.schema["properties"].get(&entry.key) {
                known.push(entry);
                let what = format!("`{}`", entry.key);
                let required = shape.required().any(|key| key == entry.key);
                self.value(schema, &entry.value, &what, required);
                continue;
            }
            if self.report.is_full() {
                self.report.error("unknown-key", entry.key_span, "");
                continue;
            }
            let meant = nearest(&entry.key, shape.keys());
            misspelt.extend(meant);
            let hint = match meant {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => self.instead(shape, &entry.key),
            };
            let message = format!("unknown key `{}` in {}", entry.key, self.called(shape.name));
            self.report
                .error("unknown-key", entry.key_span, message)
                .hint(hint);
        }
        for key in shape.required() {
            if entries.iter().all(|e| e.key != key) && !misspelt.contains(&key) {
                let message = format!("{} needs `{key}`", self.called(shape.name));
                self.report.error("missing-key", node.span, message);
            }
        }
        if shape.schema["maxProperties"] == 1
            && let [first, second, ..] = known.as_slice()
        {
            let name = shape.name;
            let message = format!(
                "a {name} has one key, and this has `{}` and `{}`",
                first.key, second.key
            );
            self.report
                .error("one-key", second.key_span, message)
                .note(first.key_span, "the first")
                .hint(format!("begin each {name} with `- `"));
        }
        if shape.schema["minProperties"] == 1 && entries.is_empty() {
            let keys: Vec<&str> = shape.keys().collect();
            self.report
                .error("missing-key", node.span, format!("an empty {}", shape.name))
                .hint(format!("give it one of {}", keys.join(", ")));
        }
    }

    /// What to do about a key that is not even like a known one.
    fn instead(&self, shape: Shape<'a>, key: &str) -> String {
        let known = shape.keys().collect::<Vec<_>>();
        let is_root = shape.name == title(self.schema);
        if is_root && super::schema::POLICY["properties"].get(key).is_some() {
            return format!("`{key}` stands in the policy itself, not in a file that it includes");
        }
        if known.is_empty() {
            return "remove it".to_owned();
        }
        let known = format!("known here: {}", known.join(", "));
        let all = self.schema["$defs"].as_object();
        let homes: Vec<&str> = all
            .into_iter()
            .flatten()
            .filter(|(_, schema)| schema["properties"].get(key).is_some())
            .map(|(name, _)| name.as_str())
            .collect();
        match homes.as_slice() {
            [home] => format!("`{key}` is a key of {}; {known}", self.called(home)),
            _ => known,
        }
    }
}

/// What to change so that a value of the wrong type has the right one.
fn repair(shapes: &[Shape<'_>], node: &Node) -> Option<String> {
    let wants = |kind| {
        shapes
            .iter()
            .any(|s| s.kind() == kind && s.words().is_none())
    };
    match &node.value {
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
            Some(format!("put it into quotes: \"{text}\""))
        }
        Value::Scalar(text, Kind::Text) if wants("array") => Some(format!("write `[{text}]`")),
        Value::Scalar(text, Kind::Text) => {
            // `{prefix: x}`, for which `x` alone is too little.
            let object = shapes.iter().find(|s| s.kind() == "object")?;
            match object.keys().collect::<Vec<_>>().as_slice() {
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
