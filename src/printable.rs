//! Names that come from elsewhere, shown on a terminal.

use std::fmt::{self, Write};

use serde::Serialize;

/// Displays a text with the characters escaped that steer a terminal or turn the direction of writing: Kafka takes any
/// name for a principal or resource, and a name must neither hide nor forge a line of a plan.
#[derive(Debug, Clone, Copy)]
pub struct Printable<'a>(pub &'a str);

/// A name that somebody else has chosen, such as a certificate's subject or an alias. It is compared and written as it is,
/// but displayed as [`Printable`]; nothing displays [`Name::exact`].
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Name(String);

impl Name {
    /// The name itself, not to be shown.
    pub fn exact(&self) -> &str {
        &self.0
    }
}

impl From<String> for Name {
    fn from(exact: String) -> Self {
        Self(exact)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Printable(&self.0).fmt(f)
    }
}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

impl PartialEq<String> for Name {
    fn eq(&self, other: &String) -> bool {
        self.0 == *other
    }
}

impl PartialEq<Name> for String {
    fn eq(&self, other: &Name) -> bool {
        *self == other.0
    }
}

impl PartialEq<Name> for &str {
    fn eq(&self, other: &Name) -> bool {
        *self == other.0
    }
}

/// Whether a character is shown as it is: it does not steer a terminal, does not turn the direction of writing, and can be
/// seen.
pub fn is_printable(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// JSON with the same characters escaped as JSON does it, so that it decodes to the same texts. Ends of lines, which
/// JSON itself escapes in a text, stay.
pub fn printable_json(json: String) -> String {
    let bare = |c: char| !is_printable(c) && c != '\n';
    // Of the characters below 128, JSON escapes all others itself; this is most exports, and fast.
    let plain = json.is_ascii() && !json.contains('\u{7f}');
    if plain || !json.contains(bare) {
        return json;
    }
    let mut printable = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        match bare(c) {
            false => printable.push(c),
            true => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // Writing to a string cannot fail.
                    let _ = write!(printable, "\\u{unit:04x}");
                }
            }
        }
    }
    printable
}

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match is_printable(c) {
            true => f.write_char(c),
            false => write!(f, "{}", c.escape_default()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_escaped_and_decodes_to_the_same() {
        let name = "a\u{7f}\u{9b}2J\u{202e}b\u{61c}\n\u{1b}\"ü日";
        let json = printable_json(serde_json::to_string_pretty(&[name]).unwrap());
        assert!(
            json.contains(r"\u007f\u009b2J\u202eb\u061c\n\u001b"),
            "{json}"
        );
        assert!(json.chars().all(|c| is_printable(c) || c == '\n'));
        let [back]: [String; 1] = serde_json::from_str(&json).unwrap();
        assert_eq!(back, name);
        assert_eq!(printable_json("[\"ü\"]\n".into()), "[\"ü\"]\n");
    }

    #[test]
    fn a_name_is_displayed_escaped_and_kept_exact() {
        let name = Name::from("O=a\n\u{1b}[8mb".to_owned());
        assert_eq!(name.to_string(), "O=a\\n\\u{1b}[8mb");
        assert_eq!(name, "O=a\n\u{1b}[8mb");
        let json = serde_json::to_value(&name).unwrap();
        assert_eq!(json, "O=a\n\u{1b}[8mb");
    }

    #[test]
    fn what_steers_a_terminal_is_escaped_and_all_else_as_it_is() {
        let shown = Printable("a\u{1b}[8m\n\u{9b}2J\u{202e}b ü\\'日").to_string();
        assert_eq!(shown, "a\\u{1b}[8m\\n\\u{9b}2J\\u{202e}b ü\\'日");
        let shown = Printable("a\u{61c}\u{200b}\u{feff}b").to_string();
        assert_eq!(shown, "a\\u{61c}\\u{200b}\\u{feff}b");
    }
}
