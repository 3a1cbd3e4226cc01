//! Words of a POSIX shell, for commands that people paste.

use std::{borrow::Cow, fmt::Write};

use crate::printable::is_printable;

/// A text as one word that the shell takes back to the same text, and that neither steers a terminal nor turns the
/// direction of writing: scripts and hints show names that come from elsewhere.
pub fn quote(text: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-:/=,%@+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return Cow::Borrowed(text);
    }
    let mut word = "'".to_owned();
    for c in text.chars() {
        match c {
            '\'' => word.push_str(r"'\''"),
            c if is_printable(c) || c == '\n' => word.push(c),
            c => {
                // Every shell has the command printf, and not every one an escape.
                word.push_str("'\"$(printf '");
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    // Writing to a string cannot fail.
                    let _ = write!(word, "\\{byte:03o}");
                }
                word.push_str("')\"'");
            }
        }
    }
    word.push('\'');
    Cow::Owned(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_need_no_quotes_have_none() {
        for plain in ["policies/quickstart.yaml", "User:a", "-", "a=b,c@d%e+f"] {
            assert_eq!(quote(plain), plain);
        }
        assert_eq!(quote(""), "''");
        assert_eq!(quote("my policy.yaml"), "'my policy.yaml'");
        assert_eq!(quote("it's"), r"'it'\''s'");
        assert_eq!(quote("~/$x"), "'~/$x'");
    }

    #[test]
    fn what_turns_the_direction_of_writing_is_spelled_out() {
        let quoted = quote("a\u{202e}b");
        assert_eq!(quoted, r#"'a'"$(printf '\342\200\256')"'b'"#);
        assert!(quoted.chars().all(is_printable));
    }

    #[test]
    fn the_shell_takes_a_word_back_to_the_same_text() {
        let text = "it's \\ \"$HOME\" `x` \u{1b}[2J\u{202e}\u{9b}\nü日 *?[!#~";
        let script = format!("printf %s {}", quote(text));
        let out = std::process::Command::new("sh")
            .args(["-c", &script])
            .output()
            .unwrap();
        assert_eq!(String::from_utf8(out.stdout).unwrap(), text);
    }
}
