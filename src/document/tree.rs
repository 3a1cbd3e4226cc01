//! Documents of somebody else's, whose shape is not ours to check: trees whose every node knows its line.

use super::{
    Diagnostic,
    report::Report,
    yaml::{self, Node, Value},
    yaml_scalar::Kind,
};

/// A node; what is not there is one as well, so that the way to a value needs no question at each step.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// The line of its key, or its own, from 1.
    pub line: usize,
    shape: Shape,
}

#[derive(Debug, Default)]
enum Shape {
    #[default]
    Nothing,
    Scalar(String),
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
}

static NOTHING: Tree = Tree {
    line: 0,
    shape: Shape::Nothing,
};

/// Reads every document of a file: between them are lines of `---`.
pub(crate) fn trees(name: &str, text: &str) -> Result<Vec<Tree>, Vec<Diagnostic>> {
    // The number of lines before each, and its text.
    let mut documents = vec![(0, String::new())];
    for (at, line) in text.lines().enumerate() {
        match documents.last_mut() {
            Some((before, last)) if last.is_empty() && is_separator(line) => *before = at + 1,
            Some((_, last)) if !is_separator(line) => {
                last.push_str(line);
                last.push('\n');
            }
            _ => documents.push((at + 1, String::new())),
        }
    }
    let mut trees = Vec::new();
    for (before, document) in documents {
        if document.trim().is_empty() {
            continue;
        }
        let mut report = Report::default();
        let file = report.add_file(name, &document);
        if let Some(node) = yaml::read(&mut report, file) {
            trees.push(tree(&report, &node, before));
        }
        if !report.is_clean() {
            let mut diagnostics = report.finish();
            for diagnostic in &mut diagnostics {
                diagnostic.at.source.line += before;
            }
            return Err(diagnostics);
        }
    }
    Ok(trees)
}

fn is_separator(line: &str) -> bool {
    line.trim_end() == "---" || line.starts_with("--- ")
}

/// The depth is bounded by the reader, so recursion is.
fn tree(report: &Report, node: &Node, before: usize) -> Tree {
    let shape = match &node.value {
        Value::Scalar(_, Kind::Null) => Shape::Nothing,
        Value::Scalar(text, _) => Shape::Scalar(text.clone()),
        Value::List(items) => Shape::List(
            items
                .iter()
                .map(|item| tree(report, item, before))
                .collect(),
        ),
        Value::Map(entries) => {
            let entries = entries.iter().map(|entry| {
                let value = Tree {
                    line: before + report.source(entry.key_span).line,
                    ..tree(report, &entry.value, before)
                };
                (entry.key.clone(), value)
            });
            Shape::Map(entries.collect())
        }
    };
    Tree {
        line: before + report.source(node.span).line,
        shape,
    }
}

impl Tree {
    /// The value of a key; of anything but a mapping, nothing.
    pub(crate) fn get(&self, key: &str) -> &Tree {
        let found = self.entries().iter().find(|(name, _)| name == key);
        found.map_or(&NOTHING, |(_, value)| value)
    }

    /// Its text, where it is a text, number or word.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.shape {
            Shape::Scalar(text) => Some(text),
            _ => None,
        }
    }

    /// The entries of a list.
    pub(crate) fn items(&self) -> &[Tree] {
        match &self.shape {
            Shape::List(items) => items,
            _ => &[],
        }
    }

    /// The texts of a list.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        self.items().iter().filter_map(Tree::text)
    }

    /// The entries of a mapping, in order.
    pub(crate) fn entries(&self) -> &[(String, Tree)] {
        match &self.shape {
            Shape::Map(entries) => entries,
            _ => &[],
        }
    }

    /// Every text in it, at any depth.
    pub(crate) fn all_texts(&self) -> Vec<&str> {
        match &self.shape {
            Shape::Nothing => Vec::new(),
            Shape::Scalar(text) => vec![text],
            Shape::List(items) => items.iter().flat_map(Self::all_texts).collect(),
            Shape::Map(entries) => entries.iter().flat_map(|(_, e)| e.all_texts()).collect(),
        }
    }

    /// Whether there is anything.
    pub(crate) fn is_there(&self) -> bool {
        match &self.shape {
            Shape::Nothing => false,
            Shape::Scalar(_) => true,
            Shape::List(items) => !items.is_empty(),
            Shape::Map(entries) => !entries.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_document_of_a_file_keeps_its_lines() {
        let text = "# first\na: {b: [x, 1]}\n--- # second\n\nc:\n  d: true\n---\n";
        let trees = trees("f", text).unwrap();
        assert_eq!(trees.len(), 2);
        let list = trees[0].get("a").get("b");
        assert_eq!(list.texts().collect::<Vec<_>>(), ["x", "1"]);
        assert_eq!((list.line, trees[1].get("c").line), (2, 5));
        assert_eq!(
            (
                trees[1].get("c").get("d").text(),
                trees[1].get("c").get("d").line
            ),
            (Some("true"), 6)
        );
        assert!(!trees[0].get("no").get("such").is_there());
        assert_eq!(trees[0].all_texts(), ["x", "1"]);
    }

    #[test]
    fn what_is_no_yaml_is_said_with_its_line() {
        let error = &trees("f", "a: 1\n---\nb: [\n").unwrap_err()[0];
        assert!(error.source().line >= 3, "{error:?}");
        assert!(trees("f", "").unwrap().is_empty());
    }
}
