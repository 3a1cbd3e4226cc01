//! Diagnostics of documents: with codes and positions, as text and as JSON.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet, renderer::DecorStyle};
use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::source::Source;
use crate::code::StableCode;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The document cannot be used.
    Error,
    /// It can be used, but probably not as intended.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// A position in a document with its excerpt, so that a diagnostic can be shown without the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Where it is.
    pub source: Source,
    /// The line, or the relevant part of an overlong one.
    pub quote: String,
    /// The bytes of `quote` to highlight.
    pub range: Range<usize>,
    /// The label; may be empty.
    pub text: String,
}

/// A fault in a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The code, for scripts.
    pub code: StableCode,
    /// How bad it is.
    pub severity: Severity,
    /// The message.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Where it is.
    pub at: Label,
    /// Other relevant positions, such as the first of two equal names.
    pub notes: Vec<Label>,
}

impl Label {
    /// True if the quote is the complete line.
    fn is_whole(&self) -> bool {
        self.quote[..self.range.start].chars().count() + 1 == self.source.column
    }

    fn shares_line(&self, other: &Self) -> bool {
        self.source.file == other.source.file
            && self.source.line == other.source.line
            && self.quote == other.quote
    }
}

impl Diagnostic {
    /// Where it is: `file:line:column`.
    pub fn source(&self) -> &Source {
        &self.at.source
    }
}

impl Serialize for Diagnostic {
    /// `{"code","severity","message","hint","source","notes":[{"source","message"}]}`, sources as `file:line:column`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Diagnostic", 6)?;
        out.serialize_field("code", &self.code)?;
        out.serialize_field("severity", self.severity.name())?;
        out.serialize_field("message", &self.message)?;
        out.serialize_field("hint", &self.hint)?;
        out.serialize_field("source", &self.at.source.to_string())?;
        let note =
            |n: &Label| serde_json::json!({"source": n.source.to_string(), "message": n.text});
        out.serialize_field("notes", &self.notes.iter().map(note).collect::<Vec<_>>())?;
        out.end()
    }
}

/// Diagnostics as text, each with its line; `color` adds ANSI colours.
pub fn render(diagnostics: &[Diagnostic], color: bool) -> String {
    let renderer = if color {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    // Quotes are already short; cutting them again would remove their carets.
    let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(400);
    let mut out = String::new();
    for diagnostic in diagnostics {
        out.push_str(&render_one(diagnostic, &renderer));
        out.push_str("\n\n");
    }
    out
}

fn render_one(diagnostic: &Diagnostic, renderer: &Renderer) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let clean = annotate_snippets::normalize_untrusted_str;
    let title = level
        .primary_title(clean(&diagnostic.message))
        .id(diagnostic.code.name());
    let mut group = title.elements(std::iter::empty::<Origin<'_>>());
    // Labels on the same line share an excerpt.
    let mut lines: Vec<Vec<(&Label, AnnotationKind)>> =
        vec![vec![(&diagnostic.at, AnnotationKind::Primary)]];
    for note in &diagnostic.notes {
        let note = (note, AnnotationKind::Context);
        match lines.iter_mut().find(|line| line[0].0.shares_line(note.0)) {
            Some(line) => line.push(note),
            None => lines.push(vec![note]),
        }
    }
    for line in lines {
        let first = line[0].0;
        let mut snippet = Snippet::source(first.quote.as_str()).line_start(first.source.line);
        if first.is_whole() {
            snippet = snippet.path(clean(&first.source.file));
        } else {
            // The snippet would compute the column from its part of the line.
            let origin = Origin::path(clean(&first.source.file)).line(first.source.line);
            group = group.element(origin.char_column(first.source.column));
        }
        for (label, kind) in line {
            let annotation = kind.span(label.range.clone());
            snippet = snippet.annotation(if label.text.is_empty() {
                annotation
            } else {
                annotation.label(clean(&label.text))
            });
        }
        group = group.element(snippet);
    }
    if let Some(hint) = &diagnostic.hint {
        group = group.element(Level::HELP.with_name("hint").message(clean(hint)));
    }
    let text = renderer.render(&[group]);
    // Between an origin and its excerpt, the renderer adds a line for a path that the excerpt does not have.
    let has_content = |line: &&str| {
        let plain = anstream::adapter::strip_str(line).to_string();
        plain.trim() != ":::"
    };
    let lines: Vec<&str> = text.lines().filter(has_content).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::FormCode;

    fn label(line: usize, quote: &str, range: Range<usize>, text: &str) -> Label {
        Label {
            source: Source {
                file: "p.yaml".into(),
                line,
                column: quote[..range.start].chars().count() + 1,
            },
            quote: quote.to_owned(),
            range,
            text: text.to_owned(),
        }
    }

    fn twice() -> Diagnostic {
        Diagnostic {
            code: FormCode::DuplicateKey.into(),
            severity: Severity::Error,
            message: "two identities are named `kafka1`".to_owned(),
            hint: Some("rename one of them".to_owned()),
            at: label(12, "\t- name: kafka1", 9..15, "again here"),
            notes: vec![label(3, "  - name: kafka1", 10..16, "first here")],
        }
    }

    #[test]
    fn text_names_the_place_quotes_the_line_and_hints() {
        assert_eq!(
            render(&[twice()], false),
            "\
error[duplicate-key]: two identities are named `kafka1`
  --> p.yaml:12:10
   |
12 |     - name: kafka1
   |             ^^^^^^ again here
   |
  ::: p.yaml:3:11
   |
 3 |   - name: kafka1
   |           ------ first here
   |
   = hint: rename one of them

"
        );
    }

    #[test]
    fn colour_and_control_characters_of_the_document_are_kept_apart() {
        let mut diagnostic = twice();
        diagnostic.message = "a \u{1b}[31m b".to_owned();
        diagnostic.at = label(1, "x: \u{1b}[31m\u{202e}", 0..1, "\u{1b}[0m");
        diagnostic.hint = Some("\u{7}".to_owned());
        assert!(!render(&[diagnostic], false).contains(['\u{1b}', '\u{202e}', '\u{7}']));
        assert!(render(&[twice()], true).contains("\u{1b}["));
    }

    #[test]
    fn json_has_what_text_has() {
        assert_eq!(
            serde_json::to_value(twice()).unwrap(),
            serde_json::json!({
                "code": "duplicate-key", "severity": "error",
                "message": "two identities are named `kafka1`", "hint": "rename one of them",
                "source": "p.yaml:12:10",
                "notes": [{"source": "p.yaml:3:11", "message": "first here"}],
            })
        );
    }
}
