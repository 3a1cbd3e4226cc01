//! Strings as YAML. None of kpki's libraries writes YAML, and JSON's quoting is nearly sufficient.

use std::fmt::Write;

/// A string as a plain scalar if that is safe, even inside brackets, else in double quotes.
pub fn scalar(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c => push(&mut quoted, c),
        }
    }
    quoted.push('"');
    quoted
}

/// A string on one line, for comments.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    text.chars().for_each(|c| push(&mut line, c));
    line
}

/// A character, escaped as in YAML's double quotes (YAML 1.2.2 §5.7, which unlike JSON has no surrogate pairs) if it is
/// invisible: not printable, or only changing the direction of the text.
fn push(to: &mut String, c: char) {
    // Writing to a string cannot fail.
    let _ = match c {
        ' '..='~' => {
            to.push(c);
            Ok(())
        }
        c if c.is_alphanumeric() => {
            to.push(c);
            Ok(())
        }
        '\n' => write!(to, "\\n"),
        '\t' => write!(to, "\\t"),
        c if c <= '\u{ffff}' => write!(to, "\\u{:04x}", u32::from(c)),
        c => write!(to, "\\U{:08x}", u32::from(c)),
    };
}

fn is_plain(text: &str) -> bool {
    let harmless = |b: u8| b.is_ascii_alphanumeric() || b"._-:".contains(&b);
    let begins = text.as_bytes().first().is_some_and(u8::is_ascii_alphabetic);
    // Words that some version of YAML does not read as strings, in any case.
    let word = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
        .iter()
        .any(|word| text.eq_ignore_ascii_case(word));
    begins && !word && !text.ends_with(':') && text.bytes().all(harmless)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_plainly_a_text_is_quoted() {
        for plain in ["orders", "User:a", "a.b_c-d", "kafka-cluster"] {
            assert_eq!(scalar(plain), plain);
        }
        for (text, quoted) in [
            ("", r#""""#),
            ("*", r#""*""#),
            ("-x", r#""-x""#),
            ("yes", r#""yes""#),
            ("12", r#""12""#),
            ("4.3", r#""4.3""#),
            ("a:", r#""a:""#),
            ("a: b # c", r#""a: b # c""#),
            ("a\"b\\c", r#""a\"b\\c""#),
            ("Größe", "\"Größe\""),
            ("a\n\u{7}\u{202e}b", r#""a\n\u0007\u202eb""#),
            ("\u{1f600}", r#""\U0001f600""#),
        ] {
            assert_eq!(scalar(text), quoted);
        }
        assert_eq!(one_line("a\nb\"\u{2028}"), "a\\nb\"\\u2028");
    }
}
