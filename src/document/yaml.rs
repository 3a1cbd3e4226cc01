//! Parses YAML 1.2 text into a tree with positions.
//!
//! Libraries' own trees lose positions and the second of two equal keys. Features without use in configuration (tags,
//! merge keys, several documents) are refused explicitly instead of being half understood. Depth and size are bounded,
//! including expanded aliases.

use std::{borrow::Cow, collections::HashMap, rc::Rc};

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError};

use super::{
    code::FormCode,
    report::Report,
    text::Span,
    yaml_error,
    yaml_scalar::{self, Kind},
};

/// The maximum size of a file in bytes.
const MAX_BYTES: usize = 64 << 20;
/// The maximum nesting of mappings and lists; ten are plenty.
const MAX_DEPTH: usize = 32;
/// The maximum number of nodes in a file, about 200 bytes each: a million entries of `acls` are eight million nodes.
const MAX_NODES: usize = 10_000_000;
/// The maximum number of nodes that the aliases of a file expand to.
const MAX_COPIES: usize = 500_000;

/// A value and its position.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub span: Span,
    pub value: Value,
}

/// The value of a node.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// A scalar as written, and its YAML type.
    Scalar(String, Kind),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key, unique in its mapping, and its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub key: String,
    pub key_span: Span,
    pub value: Node,
    /// The key occurs twice, or is a merge key: reported, and it is not known what was meant.
    pub doubtful: bool,
}

impl Node {
    /// The number of nodes in it, with long strings counted as several: the cost of a copy. Recursion is bounded
    /// because the depth is.
    fn weight(&self) -> usize {
        1 + match &self.value {
            Value::Scalar(text, _) => text.len() / 32,
            Value::List(items) => items.iter().map(Node::weight).sum(),
            Value::Map(entries) => entries.iter().map(|e| 1 + e.value.weight()).sum(),
        }
    }
}

/// A diagnostic ended the reading of this file.
struct Stop;

/// An unfinished list or mapping.
struct Open {
    start: usize,
    anchor: usize,
    what: Collection,
}

enum Collection {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        /// Each key's span, and its place in `entries`.
        seen: HashMap<String, (Span, usize)>,
        key: Option<Key>,
    },
}

/// A key whose value follows.
struct Key {
    name: String,
    span: Span,
    /// The place of the first entry with this key; this one's value is checked, but then dropped.
    first: Option<usize>,
    merge: bool,
}

struct Builder<'a> {
    report: &'a mut Report,
    file: usize,
    open: Vec<Open>,
    anchors: HashMap<usize, Rc<Node>>,
    nodes: usize,
    copies: usize,
    documents: usize,
    root: Option<Node>,
}

/// Reads a file of the report. `None` if it is not YAML at all; other faults are reported and skipped. An empty file
/// is an empty scalar.
pub(super) fn read(report: &mut Report, file: usize) -> Option<Node> {
    let start = Span::beginning(file);
    if report.file(file).body.len() > MAX_BYTES {
        report
            .error(FormCode::TooLarge, start, "the file is larger than 64 MiB")
            .hint("split it into several files");
        return None;
    }
    // To the parser, it is the end of the text.
    if let Some(at) = report.file(file).body.find('\0') {
        let span = Span {
            file,
            start: at,
            end: at + 1,
        };
        report
            .error(FormCode::YamlSyntax, span, "a NUL character in the file")
            .hint("remove it, or save the file as UTF-8");
        return None;
    }
    // The parser borrows the text while diagnostics are added to the report.
    let body = report.file(file).body.clone();
    let mut builder = Builder {
        report,
        file,
        open: Vec::new(),
        anchors: HashMap::new(),
        nodes: 0,
        copies: 0,
        documents: 0,
        root: None,
    };
    for event in Parser::new_from_str(&body) {
        let done = match event {
            Ok((event, span)) => builder.event(event, span),
            Err(error) => builder.syntax_error(&error),
        };
        done.ok()?;
    }
    Some(builder.root.unwrap_or(Node {
        span: start,
        value: Value::Scalar(String::new(), Kind::Null),
    }))
}

impl Builder<'_> {
    fn span(&self, span: saphyr_parser::Span) -> Span {
        let text = self.report.file(self.file);
        let start = text.byte_of(span.start.index());
        Span {
            file: self.file,
            start,
            end: text.byte_of(span.end.index()).max(start),
        }
    }

    fn stop(
        &mut self,
        code: FormCode,
        span: Span,
        message: impl Into<String>,
        hint: &str,
    ) -> Result<(), Stop> {
        self.report.error(code, span, message).hint(hint);
        Err(Stop)
    }

    fn event(&mut self, event: Event<'_>, span: saphyr_parser::Span) -> Result<(), Stop> {
        let span = self.span(span);
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    let hint = "make it a file of its own";
                    return self.stop(
                        FormCode::TwoDocuments,
                        span,
                        "a second YAML document begins here",
                        hint,
                    );
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                // Tags are mostly attempts to make a value a string.
                let plain = style == ScalarStyle::Plain && tag.is_none();
                self.refuse_tag(tag, span);
                let kind = if plain {
                    yaml_scalar::kind_of(&text)
                } else {
                    Kind::Text
                };
                if self.wants_key() {
                    return self.key(text, style, anchor, span);
                }
                let value = Value::Scalar(text.into_owned(), kind);
                self.complete(Node { span, value }, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_tag(tag, span);
                self.open(span, anchor, Collection::List(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_tag(tag, span);
                let what = Collection::Map {
                    entries: Vec::new(),
                    seen: HashMap::new(),
                    key: None,
                };
                self.open(span, anchor, what)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            Event::Alias(anchor) => self.alias(anchor, span),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
        }
    }

    fn refuse_tag(&mut self, tag: Option<Cow<'_, saphyr_parser::Tag>>, span: Span) {
        if tag.is_some() {
            self.report
                .error(FormCode::YamlTag, span, "YAML tags are not allowed")
                .hint("remove the word that begins with `!`; put a value in quotes to make it a string");
        }
    }

    fn wants_key(&self) -> bool {
        matches!(
            self.open.last(),
            Some(Open {
                what: Collection::Map { key: None, .. },
                ..
            })
        )
    }

    fn open(&mut self, span: Span, anchor: usize, what: Collection) -> Result<(), Stop> {
        if self.wants_key() {
            return self.bad_key(span);
        }
        if self.open.len() >= MAX_DEPTH {
            let hint = "ten levels are plenty; look for a bracket that is not closed";
            let message = format!("more than {MAX_DEPTH} nested lists and mappings");
            return self.stop(FormCode::TooDeep, span, message, hint);
        }
        self.open.push(Open {
            start: span.start,
            anchor,
            what,
        });
        Ok(())
    }

    fn bad_key(&mut self, span: Span) -> Result<(), Stop> {
        let hint =
            "keys must be plain words; put strings that begin with `{`, `[` or `*` in quotes";
        self.stop(FormCode::BadKey, span, "this cannot be a key", hint)
    }

    fn key(
        &mut self,
        text: Cow<'_, str>,
        style: ScalarStyle,
        anchor: usize,
        span: Span,
    ) -> Result<(), Stop> {
        if anchor > 0 {
            let value = Value::Scalar(text.clone().into_owned(), Kind::Text);
            self.anchors.insert(anchor, Rc::new(Node { span, value }));
        }
        let Some(Open {
            what: Collection::Map { entries, seen, key },
            ..
        }) = self.open.last_mut()
        else {
            return Ok(());
        };
        let merge = text == "<<" && style == ScalarStyle::Plain;
        let first = seen.get(&*text).copied();
        if first.is_none() {
            seen.insert(text.clone().into_owned(), (span, entries.len()));
        }
        *key = Some(Key {
            name: text.clone().into_owned(),
            span,
            first: first.map(|(_, place)| place),
            merge,
        });
        if merge {
            self.report
                .error(FormCode::MergeKey, span, "merge keys are not allowed")
                .hint("write the keys out; an alias may stand for a whole value, as in `hosts: *hosts`");
        } else if let Some((first, _)) = first {
            let message = format!("the key `{text}` occurs twice");
            self.report
                .error(FormCode::DuplicateKey, span, message)
                .label("again here")
                .note(first, "first here")
                .hint("keep one of them");
        }
        self.count(span)
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<(), Stop> {
        if self.wants_key() {
            return self.bad_key(span);
        }
        let Some(node) = self.anchors.get(&anchor).map(Rc::clone) else {
            let message = "this alias is inside the value that it refers to";
            return self.stop(FormCode::EndlessAlias, span, message, "write the value out");
        };
        // Checked before copying: nine lines of aliases can expand to a billion nodes.
        self.copy(node.weight() - 1, span)?;
        let value = node.value.clone();
        self.complete(Node { span, value }, 0)
    }

    fn count(&mut self, span: Span) -> Result<(), Stop> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            let message = format!("the file has more than {MAX_NODES} values");
            return self.stop(
                FormCode::TooLarge,
                span,
                message,
                "split it into several files",
            );
        }
        Ok(())
    }

    fn copy(&mut self, nodes: usize, span: Span) -> Result<(), Stop> {
        self.copies += nodes;
        if self.copies > MAX_COPIES {
            let message = format!("the aliases stand for more than {MAX_COPIES} values");
            return self.stop(
                FormCode::TooLarge,
                span,
                message,
                "use fewer aliases, or none",
            );
        }
        Ok(())
    }

    fn close(&mut self, span: Span) -> Result<(), Stop> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        // A block ends where the next node begins; `[…]` and `{…}` end at the bracket.
        let node = Node {
            span: Span {
                file: self.file,
                start: open.start,
                end: span.end.max(open.start),
            },
            value: match open.what {
                Collection::List(items) => Value::List(items),
                Collection::Map { entries, .. } => Value::Map(entries),
            },
        };
        self.complete(node, open.anchor)
    }

    fn complete(&mut self, node: Node, anchor: usize) -> Result<(), Stop> {
        self.count(node.span)?;
        if anchor > 0 {
            self.copy(node.weight(), node.span)?;
            self.anchors.insert(anchor, Rc::new(node.clone()));
        }
        match self.open.last_mut().map(|open| &mut open.what) {
            None => self.root = Some(node),
            Some(Collection::List(items)) => items.push(node),
            Some(Collection::Map { entries, key, .. }) => {
                let Some(key) = key.take() else {
                    return Ok(());
                };
                match key.first.and_then(|place| entries.get_mut(place)) {
                    Some(first) => first.doubtful = true,
                    None => entries.push(Entry {
                        key: key.name,
                        key_span: key.span,
                        value: node,
                        doubtful: key.merge,
                    }),
                }
            }
        }
        Ok(())
    }

    fn syntax_error(&mut self, error: &ScanError) -> Result<(), Stop> {
        let at = self.report.file(self.file).byte_of(error.marker().index());
        let span = Span {
            file: self.file,
            start: at,
            end: at
                + self.report.file(self.file).body[at..]
                    .chars()
                    .next()
                    .map_or(0, char::len_utf8),
        };
        let before = &self.report.file(self.file).body[..at];
        let (message, hint) = yaml_error::explain(error.info(), before);
        self.report
            .error(FormCode::YamlSyntax, span, message)
            .maybe_hint(hint.map(str::to_owned));
        Err(Stop)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tree(text: &str) -> (Report, Node) {
        let mut report = Report::default();
        let file = report.add_file("p", text);
        let root = read(&mut report, file).unwrap();
        (report, root)
    }

    /// The text at a node's position.
    fn at<'a>(report: &'a Report, node: &Node) -> &'a str {
        &report.file(0).body[node.span.start..node.span.end]
    }

    fn entry<'a>(node: &'a Node, key: &str) -> &'a Node {
        let Value::Map(entries) = &node.value else {
            panic!("no mapping");
        };
        &entries.iter().find(|e| e.key == key).unwrap().value
    }

    #[test]
    fn nodes_know_their_places_behind_marks_tabs_and_foreign_letters() {
        let text = "\u{feff}# ⚡ ü\r\na: grün # ⚡\r\nb:\t'é''s'\nc: [x, ⚡,\t\"\\u00e9\"]\rd: {é: z}\ne: |\n  ü\n  v\nf: last";
        let (report, root) = tree(text);
        for (key, there) in [
            ("a", "grün"),
            ("b", "'é''s'"),
            ("c", "[x, ⚡,\t\"\\u00e9\"]"),
            ("d", "{é: z}"),
            ("f", "last"),
        ] {
            assert_eq!(at(&report, entry(&root, key)), there);
        }
        let Value::List(items) = &entry(&root, "c").value else {
            panic!("no list");
        };
        let there: Vec<&str> = items.iter().map(|item| at(&report, item)).collect();
        assert_eq!(there, ["x", "⚡", "\"\\u00e9\""]);
        assert!(matches!(&items[2].value, Value::Scalar(text, Kind::Text) if text == "é"));
        assert_eq!(report.source(entry(&root, "f").span).to_string(), "p:9:4");
    }

    #[test]
    fn an_alias_is_a_copy_at_the_place_of_the_alias() {
        let (report, root) = tree("a: &x [1]\n&k b: *x\nc: *k");
        assert!(report.is_clean());
        assert_eq!(at(&report, entry(&root, "b")), "*x");
        assert!(matches!(&entry(&root, "b").value, Value::List(items) if items.len() == 1));
        assert!(matches!(&entry(&root, "c").value, Value::Scalar(text, _) if text == "b"));
    }

    #[test]
    fn aliases_of_long_texts_are_counted_by_their_length() {
        let text = format!("a: &x {}\nb: [{}]", "y".repeat(1 << 20), "*x, ".repeat(100));
        let mut report = Report::default();
        let file = report.add_file("p", &text);
        assert!(read(&mut report, file).is_none());
        assert_eq!(report.finish()[0].code, FormCode::TooLarge);
    }

    proptest! {
        #[test]
        fn plain_words_stand_where_they_are_said_to(
            words in prop::collection::vec("[a-zé⚡]{1,5}", 1..8),
            gaps in prop::collection::vec("( |\t|\r\n |\n |é|⚡|# ü\n )", 8),
        ) {
            let mut text = String::from("[");
            for (word, gap) in words.iter().zip(&gaps) {
                text += &format!("{word}{},", if gap.starts_with(['é', '⚡', '#']) { " " } else { gap });
            }
            text += "]";
            let (report, root) = tree(&text);
            let Value::List(items) = &root.value else { panic!("no list") };
            let there: Vec<&str> = items.iter().map(|item| at(&report, item)).collect();
            prop_assert_eq!(there, words);
        }
    }
}
