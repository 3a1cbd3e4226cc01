//! Text for people as wide as their terminal, and words for their shell.

use super::ui::colour;

/// Breaks lines that are longer than `width` at their spaces; what follows stands under the line's first word. A word
/// that is longer than a line stays whole.
pub fn wrap(text: &str, width: usize) -> String {
    let mut wrapped = String::with_capacity(text.len() + text.len() / 40);
    for (at, line) in text.split('\n').enumerate() {
        if at > 0 {
            wrapped.push('\n');
        }
        let indent = line.len() - line.trim_start_matches(' ').len();
        let mut column = indent;
        let mut rest = &line[indent..];
        wrapped.push_str(&line[..indent]);
        let mut gap = "";
        while !rest.is_empty() {
            let end = rest.find(' ').unwrap_or(rest.len());
            let (word, behind) = rest.split_at(end);
            let spaces = behind.len() - behind.trim_start_matches(' ').len();
            let columns = columns(word);
            if column > indent && column + gap.len() + columns > width {
                wrapped.push('\n');
                wrapped.push_str(&line[..indent]);
                column = indent;
            } else {
                wrapped.push_str(gap);
                column += gap.len();
            }
            wrapped.push_str(word);
            column += columns;
            (gap, rest) = behind.split_at(spaces);
        }
    }
    wrapped
}

/// The columns that a text takes, colours apart.
fn columns(text: &str) -> usize {
    let mut rest = text;
    let mut columns = 0;
    while let Some(c) = rest.chars().next() {
        let skipped = colour(rest);
        columns += usize::from(skipped.is_none());
        rest = &rest[skipped.unwrap_or(c.len_utf8())..];
    }
    columns
}

/// A word as a POSIX shell reads it: quoted where it has to be.
pub fn quoted(word: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"@%+=:,./_-".contains(&b);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::ui::GREEN, *};

    #[test]
    fn lines_break_at_words_and_keep_their_indent() {
        assert_eq!(wrap("one two three", 9), "one two\nthree");
        assert_eq!(wrap("  one two three\nx", 9), "  one two\n  three\nx");
        assert_eq!(wrap("a /very/long/path b", 6), "a\n/very/long/path\nb");
        assert_eq!(wrap("one two", 7), "one two");
        assert_eq!(wrap("made  it  whole", 80), "made  it  whole");
        assert_eq!(wrap("", 5), "");
    }

    #[test]
    fn colours_take_no_room() {
        let text = format!("{GREEN}one{GREEN:#} two");
        assert_eq!(wrap(&text, 7), text);
    }

    #[test]
    fn only_what_a_shell_would_read_otherwise_is_quoted() {
        assert_eq!(quoted("/a/b-c_1.yaml"), "/a/b-c_1.yaml");
        assert_eq!(quoted("my policy.yaml"), "'my policy.yaml'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
        assert_eq!(quoted("~x"), "'~x'");
        assert_eq!(quoted(""), "''");
    }

    proptest! {
        #[test]
        fn nothing_but_line_ends_and_indents_comes_in(text in "[a-c \n]{0,60}", width in 1usize..20) {
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            let wrapped = wrap(&text, width);
            prop_assert_eq!(words(&wrapped), words(&text));
        }
    }
}
