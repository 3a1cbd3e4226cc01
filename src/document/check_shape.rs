//! Checks a tree against the JSON Schema that editors use, reports everything that does not match, and removes it, so
//! that the rest can be read.
//!
//! This is not a library's validator, because those report "no branch of anyOf matches" instead of what was expected.
//! It supports the keywords that schemars writes for a policy's types, which a test there ensures.

use serde_json::Value as Json;

use super::{
    code::FormCode,
    form::Form,
    report::Report,
    shape::{Shape, either, found, listed, range, repair, title},
    suggest::nearest,
    text::Span,
    yaml::{Node, Value},
    yaml_scalar::Kind,
};

/// Reports everything in `root` that does not match the form's schema, and removes it. False if nothing is left.
pub(super) fn check(report: &mut Report, form: &Form, root: &mut Node) -> bool {
    // An empty file is valid, because every section is optional.
    if matches!(root.value, Value::Scalar(_, Kind::Null)) {
        return true;
    }
    let schema = &form.schema;
    let checker = &mut Checker {
        report,
        form,
        schema,
        path: String::new(),
        entry: None,
    };
    checker.node(schema, root, &with_article(title(schema)))
}

/// The name of a shape in a sentence: "an included file".
fn with_article(name: &str) -> String {
    let article = if name.starts_with(['a', 'e', 'i', 'o']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {}", name.replace('_', " "))
}

struct Checker<'a> {
    report: &'a mut Report,
    form: &'a Form,
    schema: &'a Json,
    /// The keys that lead to the node.
    path: String,
    /// The innermost entry of a list around the node.
    entry: Option<Span>,
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
        // The key of a choice names the chosen shape.
        let is_choice = |schema: &&Json| schema["maxProperties"] == 1;
        let all = self.schema["$defs"].as_object();
        let mut choices = all
            .into_iter()
            .flat_map(|all| all.values())
            .filter(is_choice);
        if is_key_of(self.schema) || choices.any(is_key_of) {
            return format!("`{name}`");
        }
        with_article(name)
    }

    /// Records that something at the current path could not be read.
    fn lost(&mut self) {
        self.report.lost(&self.path, self.entry);
    }

    /// Does something one key further down.
    fn below<T>(&mut self, key: &str, work: impl FnOnce(&mut Self) -> T) -> T {
        let len = self.path.len();
        if len > 0 {
            self.path.push('.');
        }
        self.path.push_str(key);
        let done = work(self);
        self.path.truncate(len);
        done
    }

    /// `what` names the node for the message: "`port`". False if the node cannot be used, which was reported; what
    /// cannot be used inside it is removed from it.
    fn node(&mut self, schema: &'a Json, node: &mut Node, what: &str) -> bool {
        let shapes = self.shapes(schema);
        // A test ensures that no two shapes of a choice accept the same type.
        let Some(shape) = shapes.iter().find(|s| s.accepts(node)) else {
            return self.wrong_type(&shapes, node, what);
        };
        let span = node.span;
        match &mut node.value {
            Value::Map(_) => return self.map(*shape, node),
            Value::List(items) => {
                if items.is_empty() && shape.schema["minItems"].as_u64().unwrap_or(0) > 0 {
                    let message = format!("{what} is an empty list");
                    self.report
                        .error(FormCode::EmptyList, span, message)
                        .hint("add an entry");
                    return false;
                }
                let entry = if what.starts_with('`') {
                    format!("an entry of {what}")
                } else {
                    what.to_owned()
                };
                let (all, around) = (items.len(), self.entry);
                items.retain_mut(|item| {
                    self.entry = Some(item.span);
                    self.value(&shape.schema["items"], item, &entry, "; or remove the `-`")
                });
                self.entry = around;
                if items.len() < all {
                    self.lost();
                    return !items.is_empty();
                }
            }
            Value::Scalar(text, Kind::Text) => return self.word(*shape, &shapes, text, span, what),
            Value::Scalar(text, Kind::Int(value)) => {
                let (min, max) = range(shape.schema);
                if min.is_some_and(|min| *value < min) || max.is_some_and(|max| *value > max) {
                    let expected = shape.expected();
                    let message = format!("{what} must be {expected}, not {text}");
                    self.report.error(FormCode::OutOfRange, span, message);
                    return false;
                }
            }
            Value::Scalar(..) => {}
        }
        true
    }

    /// The value of a key or an entry of a list; an empty one is only accepted if the schema allows it, as for
    /// sections. `or` is an alternative hint.
    fn value(&mut self, schema: &'a Json, node: &mut Node, what: &str, or: &str) -> bool {
        let empty = matches!(node.value, Value::Scalar(_, Kind::Null));
        let shapes = self.shapes(schema);
        if !empty || shapes.iter().any(|shape| shape.accepts(node)) {
            return self.node(schema, node, what);
        }
        let expected = either(&shapes);
        let message = format!("{what} has no value");
        self.report
            .error(FormCode::EmptyValue, node.span, message)
            .hint(format!("write {expected}{or}"));
        false
    }

    fn wrong_type(&mut self, shapes: &[Shape<'a>], node: &Node, what: &str) -> bool {
        let expected = either(shapes);
        let message = format!("{what} must be {expected}, not {}", found(node));
        self.report
            .error(FormCode::WrongType, node.span, message)
            .maybe_hint(repair(shapes, node));
        false
    }

    fn word(
        &mut self,
        shape: Shape<'a>,
        shapes: &[Shape<'a>],
        text: &str,
        span: Span,
        what: &str,
    ) -> bool {
        let Some(words) = shape.words() else {
            return true;
        };
        if words.contains(&text) {
            return true;
        }
        if self.report.is_full() {
            self.report.error(FormCode::UnknownWord, span, "");
            return false;
        }
        // A word that is the key of another shape: `- produce` instead of `- produce: {topic: orders}`.
        let argued = shapes.iter().any(|s| s.keys().any(|key| key == text));
        let hint = match nearest(text, words.iter().copied()) {
            _ if argued => format!("`{text}` needs its arguments: `{text}: {{…}}`"),
            Some(meant) => format!("did you mean `{meant}`? It is one of {}", listed(&words)),
            None => format!("it is {}", either(shapes)),
        };
        let message = format!("{what} cannot be `{text}`");
        self.report
            .error(FormCode::UnknownWord, span, message)
            .hint(hint);
        false
    }

    fn map(&mut self, shape: Shape<'a>, node: &mut Node) -> bool {
        let Value::Map(entries) = &mut node.value else {
            return false;
        };
        let one_of = shape.schema["minProperties"] == 1;
        if one_of && entries.is_empty() {
            let keys: Vec<&str> = shape.keys().collect();
            let message = format!("an empty {}", shape.name);
            self.report
                .error(FormCode::MissingKey, node.span, message)
                .hint(format!("give it one of {}", keys.join(", ")));
        }
        let mut known: Vec<(&str, Span)> = Vec::new();
        // Keys that are there, but cannot be read.
        let mut unread: Vec<&str> = Vec::new();
        let mut merged = false;
        entries.retain_mut(|entry| {
            let value = &mut entry.value;
            let what = || format!("`{}`", entry.key);
            if let Some((key, schema)) = shape.property(&entry.key) {
                known.push((key, entry.key_span));
                let or = match shape.required().any(|required| required == key) {
                    true => "",
                    false => "; or remove the key",
                };
                let read = self.below(key, |this| {
                    let read = this.value(schema, value, &what(), or);
                    if !read || entry.doubtful {
                        this.lost();
                    }
                    read
                });
                if !read {
                    unread.push(key);
                }
                return read;
            }
            if entry.doubtful && entry.key == "<<" {
                merged = true;
                self.lost();
                return false;
            }
            // Any name is allowed.
            if let any @ Json::Object(_) = &shape.schema["additionalProperties"] {
                return self.value(any, value, &what(), "; or remove the key");
            }
            if self.report.is_full() {
                self.report.error(FormCode::UnknownKey, entry.key_span, "");
                return false;
            }
            let meant = nearest(&entry.key, shape.keys());
            if let Some(meant) = meant {
                unread.push(meant);
                self.below(meant, Self::lost);
            }
            let hint = match meant {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => self.instead(shape, &entry.key),
            };
            let message = format!("unknown key `{}` in {}", entry.key, self.called(shape.name));
            self.report
                .error(FormCode::UnknownKey, entry.key_span, message)
                .hint(hint);
            false
        });
        if let (true, [first, second, ..]) = (shape.schema["maxProperties"] == 1, known.as_slice())
        {
            let name = shape.name;
            let message = format!(
                "{} has one key, and this has `{}` and `{}`",
                self.called(name),
                first.0,
                second.0
            );
            self.report
                .error(FormCode::OneKey, second.1, message)
                .note(first.1, "the first")
                .hint(format!(
                    "leave one of them; in a list, begin each {name} with `- `"
                ));
            return false;
        }
        let mut whole = !(one_of && entries.is_empty());
        for key in shape.required() {
            if entries.iter().all(|e| e.key != key) {
                whole = false;
                if !unread.contains(&key) && !merged {
                    let message = format!("{} needs `{key}`", self.called(shape.name));
                    self.report.error(FormCode::MissingKey, node.span, message);
                }
            }
        }
        whole
    }

    /// The hint for a key that does not resemble any known one.
    fn instead(&self, shape: Shape<'a>, key: &str) -> String {
        let known = shape.keys().collect::<Vec<_>>();
        let is_root = shape.name == title(self.schema);
        if let Some(hint) = (self.form.misplaced)(key, is_root) {
            return hint;
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
