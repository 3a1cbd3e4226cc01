//! Java's `.properties` files, written and read as `java.util.Properties` does.

use std::{collections::BTreeMap, fmt};

use zeroize::Zeroizing;

use super::{ConfigError, stores::Setting};
use crate::secret::Secret;

/// A file that is being written: comments, and settings in the given order.
#[derive(Default)]
pub(super) struct Writer(Zeroizing<String>);

impl Writer {
    /// A one-line comment, which begins a paragraph.
    pub(super) fn comment(&mut self, text: &str) {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
        // A line break would end the comment and begin a setting.
        let text = text.replace(char::is_control, " ");
        self.0.push_str(&format!("# {text}\n"));
    }

    /// A setting.
    pub(super) fn set(&mut self, key: &str, value: &str) {
        escape(key, true, &mut self.0);
        self.0.push('=');
        escape(value, false, &mut self.0);
        self.0.push('\n');
    }

    /// Settings in order.
    pub(super) fn settings(&mut self, settings: &[Setting]) {
        settings.iter().for_each(|s| self.set(&s.key, &s.value));
    }

    /// The policy's `properties`, which must not repeat settings that are already in the file.
    ///
    /// # Errors
    /// If a setting is already in the file.
    pub(super) fn properties<'a>(
        &mut self,
        file: &'static str,
        properties: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<(), ConfigError> {
        for (at, (key, value)) in properties.enumerate() {
            if at == 0 {
                self.comment("What the policy says under `properties`.");
            }
            if self.holds(key) {
                return Err(ConfigError::Unwritable {
                    file,
                    key: key.to_owned(),
                    why: "is set by kpki itself; remove it from `properties`",
                });
            }
            self.set(key, value);
        }
        Ok(())
    }

    /// Whether a setting was written.
    fn holds(&self, key: &str) -> bool {
        let mut escaped = String::new();
        escape(key, true, &mut escaped);
        let mut lines = self.0.lines();
        lines.any(|line| {
            line.strip_prefix(&*escaped)
                .is_some_and(|rest| rest.starts_with('='))
        })
    }

    /// The text, which usually contains passwords.
    pub(super) fn finish(mut self) -> Secret {
        Secret::new(std::mem::take(&mut *self.0))
    }
}

/// Kafka reads its files as ISO 8859-1 (`Utils.loadProps`), so non-ASCII characters are written as UTF-16 escapes.
fn escape(text: &str, key: bool, out: &mut String) {
    for (at, c) in text.chars().enumerate() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{c}' => out.push_str("\\f"),
            // Leading spaces would be skipped, and in a key, any of these would end it or begin a comment.
            ' ' if key || at == 0 => out.push_str("\\ "),
            '=' | ':' if key => out.extend(['\\', c]),
            '#' | '!' if key && at == 0 => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04X}"));
                }
            }
        }
    }
}

/// Why a file cannot be read. The number is the line on which the setting begins, from 1; its content is not shown,
/// because it may be secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PropertiesError {
    /// Java throws IllegalArgumentException.
    #[error("line {0}: `\\u` must be followed by four hexadecimal digits")]
    BadEscape(usize),
    /// Half of a UTF-16 surrogate pair, which is not a character.
    #[error("line {0}: a `\\u` escape is only half of a surrogate pair")]
    HalfCharacter(usize),
}

/// The settings of a `.properties` file; if a key occurs twice, the last value is used.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Properties(BTreeMap<String, Zeroizing<String>>);

impl Properties {
    /// Reads a file's bytes like `java.util.Properties.load(InputStream)`: ISO 8859-1, `=`, `:` or white space after
    /// the key, lines continued with a final backslash, comments after `#` or `!`, and escapes.
    ///
    /// # Errors
    /// If a `\u` escape is not valid, with its line.
    pub fn parse(bytes: &[u8]) -> Result<Self, PropertiesError> {
        let mut settings = BTreeMap::new();
        for (number, line) in logical_lines(bytes) {
            let (key, value) = split(&line);
            settings.insert(unescape(key, number)?.to_string(), unescape(value, number)?);
        }
        Ok(Self(settings))
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(|v| v.as_str())
    }

    /// Sets a key.
    pub fn set(&mut self, key: &str, value: String) {
        self.0.insert(key.to_owned(), Zeroizing::new(value));
    }

    /// All settings, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(k, v)| (k.as_str(), v.as_str()))
    }
}

impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | 0x0c)
}

fn skip_spaces(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|b| !is_space(*b));
    &text[start.unwrap_or(text.len())..]
}

/// Joins continued lines and drops comments and blank lines; each with the number of its first line.
fn logical_lines(bytes: &[u8]) -> Vec<(usize, Zeroizing<Vec<u8>>)> {
    let mut lines = Vec::new();
    let mut current = Zeroizing::new(Vec::new());
    let mut first = 0;
    let mut continued = false;
    for (number, natural) in natural_lines(bytes).enumerate() {
        let text = skip_spaces(natural);
        // A comment is only recognized where a setting could begin, which includes an empty continued line.
        if current.is_empty() && matches!(text.first(), None | Some(b'#' | b'!')) {
            continued = false;
            continue;
        }
        if !continued {
            first = number + 1;
        }
        let backslashes = text.iter().rev().take_while(|b| **b == b'\\').count();
        continued = backslashes % 2 == 1;
        current.extend_from_slice(&text[..text.len() - usize::from(continued)]);
        if !continued {
            lines.push((first, std::mem::take(&mut current)));
        }
    }
    // If the file ends in the middle of a setting, that is the setting.
    if continued {
        lines.push((first, current));
    }
    lines
}

/// The lines of a text that end with LF, CR or both.
fn natural_lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(bytes);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some(end) = text.iter().position(|b| matches!(b, b'\n' | b'\r')) else {
            rest = None;
            return (!text.is_empty()).then_some(text);
        };
        let skip = 1 + usize::from(text[end..].starts_with(b"\r\n"));
        rest = Some(&text[end + skip..]);
        Some(&text[..end])
    })
}

/// Key and value, both still escaped.
fn split(line: &[u8]) -> (&[u8], &[u8]) {
    let mut escaped = false;
    let end = line
        .iter()
        .position(|&b| {
            let ends = !escaped && (is_space(b) || matches!(b, b'=' | b':'));
            escaped = b == b'\\' && !escaped;
            ends
        })
        .unwrap_or(line.len());
    let (key, value) = line.split_at(end);
    match skip_spaces(value) {
        [b'=' | b':', value @ ..] => (key, skip_spaces(value)),
        value => (key, value),
    }
}

fn unescape(text: &[u8], line: usize) -> Result<Zeroizing<String>, PropertiesError> {
    let mut units: Zeroizing<Vec<u16>> = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        let unit = match byte {
            b'\\' => match bytes.next() {
                None => break,
                Some(b'u') => {
                    let mut value = 0;
                    for _ in 0..4 {
                        let digit = bytes
                            .next()
                            .and_then(|b| char::from(b).to_digit(16))
                            .and_then(|d| u16::try_from(d).ok())
                            .ok_or(PropertiesError::BadEscape(line))?;
                        value = value << 4 | digit;
                    }
                    value
                }
                Some(b't') => u16::from(b'\t'),
                Some(b'n') => u16::from(b'\n'),
                Some(b'r') => u16::from(b'\r'),
                Some(b'f') => 0x0c,
                Some(other) => u16::from(other),
            },
            other => u16::from(other),
        };
        units.push(unit);
    }
    String::from_utf16(&units)
        .map(Zeroizing::new)
        .map_err(|_| PropertiesError::HalfCharacter(line))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Vec<(String, String)> {
        Properties::parse(text.as_bytes())
            .unwrap()
            .iter()
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .collect()
    }

    fn one(text: &str) -> (String, String) {
        let mut all = parse(text);
        assert_eq!(all.len(), 1, "{text:?}");
        all.remove(0)
    }

    fn pair(key: &str, value: &str) -> (String, String) {
        (key.into(), value.into())
    }

    #[test]
    fn separators_continuations_and_comments() {
        for text in [
            "a=b",
            "a:b",
            "a b",
            " a \t= b",
            "a\\\n  =\\\r\n  b",
            "a=b\\",
            "!x\n#y=z\\\na=b",
            "a=x\ra=b",
        ] {
            assert_eq!(one(text), pair("a", "b"), "{text:?}");
        }
        assert_eq!(one("a = = b "), pair("a", "= b "));
        assert_eq!(one("a\\ \\=\\:=x"), pair("a =:", "x"));
        assert_eq!(one("a"), pair("a", ""));
        assert_eq!(one("=b"), pair("", "b"));
        assert_eq!(one("a=b\\\\"), pair("a", "b\\"));
        assert_eq!(one("a=1,\\\n   #2"), pair("a", "1,#2"));
        assert_eq!(parse("a=1\\\n\nb"), [pair("a", "1"), pair("b", "")]);
        assert_eq!(one("\\\n"), pair("", ""));
        assert_eq!(parse(" \n\t\n#c\n"), []);
        assert_eq!(one("\\\n#c\na=b"), pair("a", "b"));
    }

    #[test]
    fn escapes_and_latin_1() {
        assert_eq!(one("a=\\u00e9\\t\\q\\\\"), pair("a", "\u{e9}\tq\\"));
        assert_eq!(one("a=\\uD83D\\uDE00"), pair("a", "\u{1f600}"));
        let latin1 = Properties::parse(b"a=\xe9").unwrap();
        assert_eq!(latin1.get("a"), Some("\u{e9}"));
        assert_eq!(
            Properties::parse(b"x=y\na=\\u12"),
            Err(PropertiesError::BadEscape(2))
        );
        assert_eq!(
            Properties::parse(b"\n\na=\\\n\\uD800"),
            Err(PropertiesError::HalfCharacter(3))
        );
    }

    #[test]
    fn comments_stay_comments() {
        let mut writer = Writer::default();
        writer.comment("one\na=b");
        writer.set("c", "d");
        writer.comment("two");
        assert_eq!(writer.finish().expose(), "# one a=b\nc=d\n\n# two\n");
    }

    #[test]
    fn debug_shows_keys_alone() {
        let properties = Properties::parse(b"ssl.key.password=hunter2").unwrap();
        assert_eq!(format!("{properties:?}"), "{\"ssl.key.password\"}");
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(settings in prop::collection::btree_map(any::<String>(), any::<String>(), 0..8)) {
            let mut writer = Writer::default();
            for (key, value) in &settings {
                writer.comment(value);
                writer.set(key, value);
            }
            let text = writer.finish();
            prop_assert!(text.expose().lines().all(|l| l.starts_with('#') || l.is_ascii()));
            let read: BTreeMap<String, String> = parse(text.expose()).into_iter().collect();
            prop_assert_eq!(read, settings);
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(b"\\\n\r #=u0d8".to_vec())], 0..60)) {
            let _ = Properties::parse(&bytes);
        }
    }
}
