//! A document's text, and line and column numbers in it.

use std::{ops::Range, sync::Arc};

use super::source::Source;

/// A quoted line is cut to this many characters around the relevant position.
const QUOTE_LEN: usize = 160;

/// A range of bytes in one of the files of a document.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
pub(crate) struct Span {
    /// The file, numbered in the order of reading.
    pub file: usize,
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

impl Span {
    /// The start of a file.
    pub(crate) fn beginning(file: usize) -> Self {
        Self {
            file,
            ..Self::default()
        }
    }
}

/// A file of a document.
#[derive(Debug)]
pub(crate) struct Text {
    /// Its name.
    pub name: Arc<str>,
    /// Its text, without a byte order mark, which editors do not count as a column.
    pub body: String,
    /// Its content is never quoted.
    pub hidden: bool,
    /// The byte offset of each line.
    lines: Vec<usize>,
    /// The byte offset of each character; empty for ASCII, where it equals the character's index.
    characters: Vec<usize>,
}

/// An excerpt of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Quote {
    /// The line, or the part of it around the position.
    pub text: String,
    /// The position, in bytes of `text`.
    pub range: Range<usize>,
}

/// The byte order mark, with which some programs begin a text.
pub(crate) const MARK: &str = "\u{feff}";

impl Text {
    pub(crate) fn new(name: &str, text: &str) -> Self {
        let body = text.strip_prefix(MARK).unwrap_or(text).to_owned();
        // YAML 1.2 §5.4: a line ends with LF, CR LF or a lone CR.
        let bytes = body.as_bytes();
        let ends = |at: usize| match bytes[at] {
            b'\n' => true,
            b'\r' => bytes.get(at + 1) != Some(&b'\n'),
            _ => false,
        };
        let lines = std::iter::once(0)
            .chain((0..bytes.len()).filter(|at| ends(*at)).map(|at| at + 1))
            .collect();
        let characters = if body.is_ascii() {
            Vec::new()
        } else {
            body.char_indices().map(|(at, _)| at).collect()
        };
        Self {
            name: name.into(),
            body,
            hidden: false,
            lines,
            characters,
        }
    }

    /// The byte offset of a character; the text's end if there is no such character.
    pub(crate) fn byte_of(&self, character: usize) -> usize {
        if self.characters.is_empty() {
            character.min(self.body.len())
        } else {
            let at = self.characters.get(character);
            at.copied().unwrap_or(self.body.len())
        }
    }

    fn line_of(&self, byte: usize) -> usize {
        self.lines.partition_point(|start| *start <= byte) - 1
    }

    /// The number of characters before a byte; looked up, not counted, because a document may be a single line.
    fn character_of(&self, byte: usize) -> usize {
        if self.characters.is_empty() {
            byte
        } else {
            self.characters.partition_point(|start| *start < byte)
        }
    }

    /// Line and column of a byte.
    pub(crate) fn source(&self, byte: usize) -> Source {
        let line = self.line_of(byte);
        Source {
            file: self.name.clone(),
            line: line + 1,
            column: self.character_of(byte) - self.character_of(self.lines[line]) + 1,
        }
    }

    /// The line on which a span begins, and the span as far as it lies on that line.
    pub(crate) fn quote(&self, span: Span) -> Quote {
        if self.hidden {
            return Quote {
                text: String::new(),
                range: 0..0,
            };
        }
        let line = self.line_of(span.start);
        let start = self.lines[line];
        let end = self.lines.get(line + 1).copied();
        let whole = self.body[start..end.unwrap_or(self.body.len())].trim_end_matches(['\r', '\n']);
        let from = (span.start - start).min(whole.len());
        let to = (span.end - start).clamp(from, whole.len());
        // Trailing white space and comments are not part of it.
        let to = from + whole[from..to].trim_end().len();
        cut(whole, from..to)
    }
}

/// Cuts an overlong line to the part around `range`.
fn cut(line: &str, range: Range<usize>) -> Quote {
    if line.chars().nth(QUOTE_LEN).is_none() {
        return Quote {
            text: line.to_owned(),
            range,
        };
    }
    let before = line[..range.start].char_indices().rev();
    let first = before.take(QUOTE_LEN / 4).last().map_or(0, |(at, _)| at);
    let after = line[first..].char_indices().nth(QUOTE_LEN);
    let last = after.map_or(line.len(), |(at, _)| first + at);
    let head = if first > 0 { "…" } else { "" };
    let tail = if last < line.len() { "…" } else { "" };
    let moved = |at: usize| head.len() + at.clamp(first, last) - first;
    Quote {
        text: format!("{head}{}{tail}", &line[first..last]),
        range: moved(range.start)..moved(range.end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(start: usize, end: usize) -> Span {
        Span {
            file: 0,
            start,
            end,
        }
    }

    #[test]
    fn columns_count_characters_behind_a_mark_tabs_and_every_kind_of_line_end() {
        let text = Text::new("p", "\u{feff}a: é\r\n\tü x\rlast");
        assert_eq!(text.body.as_bytes()[0], b'a');
        assert_eq!(text.source(0).to_string(), "p:1:1");
        let x = text.body.find('x').unwrap();
        assert_eq!(text.source(x).to_string(), "p:2:4");
        assert_eq!(text.quote(span(x, x + 1)).text, "\tü x");
        let last = text.body.find("last").unwrap();
        assert_eq!(text.source(last).to_string(), "p:3:1");
        assert_eq!(text.source(text.body.len()).to_string(), "p:3:5");
    }

    #[test]
    fn characters_map_to_bytes() {
        let text = Text::new("p", "aéb");
        assert_eq!([0, 1, 2, 3, 9].map(|c| text.byte_of(c)), [0, 1, 3, 4, 4]);
        assert_eq!(Text::new("p", "abc").byte_of(2), 2);
    }

    #[test]
    fn a_quote_ends_with_the_line_and_long_lines_are_cut_around_the_place() {
        let text = Text::new("p", "a: b  \nc: d\n");
        let quote = text.quote(span(0, text.body.len()));
        assert_eq!((quote.text.as_str(), quote.range), ("a: b  ", 0..4));

        let long = format!("{}X{}", "é".repeat(1000), "ü".repeat(1000));
        let text = Text::new("p", &long);
        let quote = text.quote(span(2000, 2001));
        assert_eq!(&quote.text[quote.range], "X");
        assert!(quote.text.chars().count() <= QUOTE_LEN + 2);
        assert!(quote.text.starts_with('…') && quote.text.ends_with('…'));
    }
}
