//! Java's regular expressions, as far as another engine can reproduce them exactly.
//!
//! A principal mapping rule decides who someone is, so a pattern is either matched as `java.util.regex` matches it or
//! refused. It is parsed here by Java's grammar and rewritten for `fancy_regex`, with everything spelled out in which
//! the two differ: `.` and `$` know five line terminators, `\d`, `\s` and `\w` are ASCII, and so is `(?i)`.
//!
//! Refused, because Java's releases or the engines differ: `\b`, `\p{…}`, `\X` and the like, look-behind, nested and
//! intersected classes, flags other than `i` and `s`, repeated groups that can match nothing or are repetitions
//! themselves.

mod parser;

use std::collections::HashMap;

use fancy_regex::{Captures, Regex, RegexBuilder};

/// A pattern that is not interpreted as in Java, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Java rejects it as well.
    #[error("{what}, at character {at}")]
    Invalid {
        /// What is wrong.
        what: &'static str,
        /// The place in the pattern, counted from 1.
        at: usize,
    },
    /// Java accepts it, kpki does not.
    #[error("{what} at character {at} would not be matched exactly as Java does")]
    Unsupported {
        /// What is not supported.
        what: &'static str,
        /// The place in the pattern, counted from 1.
        at: usize,
    },
    /// The engine cannot compile it.
    #[error("the pattern is too large or too complex")]
    Engine,
}

/// A search that was given up because the pattern needs too many attempts on this text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyAttempts;

/// A pattern that matches as in Java.
#[derive(Debug, Clone)]
pub struct JavaRegex {
    whole: Regex,
    anywhere: Regex,
    /// How many capturing groups it has.
    pub groups: usize,
    /// The numbers of the groups that have a name.
    pub names: HashMap<String, usize>,
}

impl JavaRegex {
    /// Reads a Java pattern.
    ///
    /// # Errors
    /// What Java rejects, and what cannot be matched exactly as Java does.
    pub fn new(pattern: &str) -> Result<JavaRegex, PatternError> {
        let parsed = parser::parse(pattern)?;
        let build = |text: &str| {
            let builder = RegexBuilder::new(text);
            builder.build().map_err(|_| PatternError::Engine)
        };
        Ok(JavaRegex {
            whole: build(&format!(r"\A(?:{})\z", parsed.text))?,
            anywhere: build(&parsed.text)?,
            groups: parsed.groups,
            names: parsed.names,
        })
    }

    /// `Matcher.matches()`: whether the pattern matches all of the text.
    pub fn matches(&self, text: &str) -> Result<bool, TooManyAttempts> {
        self.whole.is_match(text).map_err(|_| TooManyAttempts)
    }

    /// What `Matcher.find()` finds when it is called until it fails. Unlike Rust's iterators, Java finds an empty match
    /// right after a non-empty match.
    pub fn find_all<'t>(&self, text: &'t str) -> Result<Vec<Captures<'t, str>>, TooManyAttempts> {
        let mut found = Vec::new();
        let mut at = 0;
        while at <= text.len() {
            let captures = self
                .anywhere
                .captures_from_pos(text, at)
                .map_err(|_| TooManyAttempts)?;
            let Some((captures, whole)) = captures.and_then(|c| c.get(0).map(|whole| (c, whole)))
            else {
                break;
            };
            let step = text[whole.end()..].chars().next().map_or(1, char::len_utf8);
            at = whole.end()
                + if whole.start() == whole.end() {
                    step
                } else {
                    0
                };
            found.push(captures);
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        JavaRegex::new(pattern).unwrap().matches(text).unwrap()
    }

    #[test]
    fn the_dialects_differences_are_javas() {
        assert!(matches(r"\d+", "12") && !matches(r"\d+", "१२"));
        assert!(matches(r"\w", "a") && !matches(r"\w", "ä"));
        assert!(matches(r"\s", "\u{b}") && !matches(r"\s", "\u{a0}"));
        assert!(!matches(".", "\u{2028}") && matches("(?s).", "\u{2028}"));
        assert!(matches("(?i)k", "K") && !matches("(?i)k", "\u{212a}"));
        assert!(
            matches("(?i)[a-c]x", "BX") && matches("(?i:a)b", "Ab") && !matches("(?i:a)b", "AB")
        );
        assert!(matches("a(?i)b|c", "C") && !matches("(a(?i)b|c)d", "CD"));
        assert!(matches("[^,]+", "a\nb") && !matches("a$", "a\n"));
        assert!(matches("[a-]", "-") && matches(r"[\w-.]", "-") && matches("[+--]", ","));
        assert!(matches(r"\x41\u0042\x{43}\t\.", "ABC\t."));
        assert!(matches("a++b", "aab") && !matches("a++a", "aa") && !matches("(?>a|ab)c", "abc"));
        assert!(matches(r"(a|b)\1", "bb") && !matches(r"(a|b)\1", "ab"));
        assert!(matches("(?=ab)a.", "ab") && !matches("(?!ab)a.", "ab"));
    }

    #[test]
    fn an_empty_match_right_behind_another_is_found() {
        let spans = |pattern: &str, text: &str| -> Vec<_> {
            let found = JavaRegex::new(pattern).unwrap().find_all(text).unwrap();
            found.iter().map(|c| c.get(0).unwrap().range()).collect()
        };
        assert_eq!(spans("(.*)", "ab"), [0..2, 2..2]);
        assert_eq!(spans("b*", "abé"), [0..0, 1..2, 2..2, 4..4]);
        assert_eq!(spans("^a|b", "aab"), [0..1, 2..3]);
        assert_eq!(spans("a$|b", "baa\n"), [0..1, 2..3]);
    }

    #[test]
    fn what_java_refuses_or_reads_otherwise_is_refused() {
        for invalid in [
            "(",
            "a)",
            "[a",
            "*a",
            "a**",
            "a{",
            "a{2,1}",
            "[b-a]",
            r"\x4",
            r"\u12g4",
            "\\",
            "(?<a>b)(?<a>c)",
            "(?<1>a)",
        ] {
            let error = JavaRegex::new(invalid).unwrap_err();
            assert!(
                matches!(error, PatternError::Invalid { .. }),
                "{invalid}: {error}"
            );
        }
        for unsupported in [
            r"\bcn",
            r"\p{L}",
            r"\R",
            r"\Qa\E",
            "(?<=a)b",
            "[a[b]]",
            "[a&&b]",
            "[]a]",
            "(?m)a",
            "(a*)*",
            "(a|)+",
            "(a+?)*",
            "((?:ab){2,})+",
            "()",
            "{2}",
            "^*",
            r"(a)(?i)\1",
            r"\1(a)",
            r"\ud83d\ude00",
        ] {
            let error = JavaRegex::new(unsupported).unwrap_err();
            assert!(
                matches!(error, PatternError::Unsupported { .. }),
                "{unsupported}: {error}"
            );
        }
        assert_eq!(
            JavaRegex::new(r"^CN=\bx").unwrap_err().to_string(),
            "this escape sequence at character 6 would not be matched exactly as Java does"
        );
    }

    proptest! {
        #[test]
        fn no_pattern_panics(pattern in r"[ab\\()\[\]{}?*+|^$.,\-&!=<>:xis0-9é]{0,20}|\PC*", text in "[ab,é\n]{0,8}") {
            if let Ok(regex) = JavaRegex::new(&pattern) {
                let _ = regex.matches(&text);
                let _ = regex.find_all(&text);
            }
        }
    }
}
