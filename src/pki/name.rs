//! The name of an identity, which is its directory, its certificate's CN, its stores' alias and its SCRAM user.

use std::{fmt, str::FromStr};

use crate::printable::Printable;

/// The longest name: X.520's ub-common-name, as the name becomes the certificate's CN.
const MAX_LEN: usize = 64;

/// Names in the output directory that no identity can have: those of kpki's own files and directories there, and those
/// that a later version may use. Case is ignored. Names that begin with a dot are reserved too.
const RESERVED: [&str; 14] = [
    "ca",
    "data",
    "cluster.id",
    "cluster.json",
    "nodes.jsonl",
    "written.jsonl",
    "inventory.jsonl",
    "owners.json",
    "audit.jsonl",
    "pruning.jsonl",
    "rotation",
    "backup",
    "lock",
    "tmp",
];

/// A checked identity name: 1 to 64 of `A-Z a-z 0-9 . _ -`, safe as a directory name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdentityName(String);

/// Why a text is not an identity name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// It is empty.
    #[error("a name must not be empty")]
    Empty,
    /// Over [`MAX_LEN`].
    #[error("the name `{0}` is longer than 64 characters, the limit of a certificate's CN")]
    TooLong(String),
    /// A character outside the allowed set.
    #[error(
        "the name `{text}` contains {1:?}; a name consists of letters, digits, `.`, `_` and `-`",
        text = Printable(.0)
    )]
    BadCharacter(String, char),
    /// It begins with a character that makes it a hidden file, a parent directory or an option.
    #[error("the name `{0}` must begin with a letter, a digit or `_`")]
    BadStart(String),
    /// It would clash with one of kpki's own files or directories.
    #[error("the name `{0}` is reserved: kpki itself uses it in the output directory")]
    Reserved(String),
}

impl IdentityName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form that no two names may share: some file systems and Java keystores ignore case.
    pub fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl FromStr for IdentityName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let first = text.chars().next().ok_or(NameError::Empty)?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if let Some(bad) = text.chars().find(|c| !allowed(*c)) {
            return Err(NameError::BadCharacter(text.to_owned(), bad));
        }
        if text.len() > MAX_LEN {
            return Err(NameError::TooLong(text.to_owned()));
        }
        if matches!(first, '.' | '-') {
            return Err(NameError::BadStart(text.to_owned()));
        }
        if RESERVED.iter().any(|r| r.eq_ignore_ascii_case(text)) {
            return Err(NameError::Reserved(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for IdentityName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for IdentityName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn usual_names_are_taken() {
        for name in [
            "kafka1",
            "kafka_client",
            "a.b-c",
            "_x",
            "9",
            &"x".repeat(64),
        ] {
            assert_eq!(name.parse::<IdentityName>().unwrap().as_str(), name);
        }
    }

    #[test]
    fn names_that_escape_or_clash_are_refused() {
        for name in [
            "",
            ".",
            "..",
            "../x",
            "a/b",
            "a\\b",
            ".hidden",
            "-rf",
            "ca",
            "CA",
            "data",
            "cluster.id",
            "Cluster.ID",
            "written.jsonl",
            "a b",
            "a,b",
            "a=b",
            "é",
            "a\0b",
            "a\nb",
        ] {
            assert!(name.parse::<IdentityName>().is_err(), "{name:?}");
        }
        assert!("x".repeat(65).parse::<IdentityName>().is_err());
    }

    proptest! {
        #[test]
        fn a_name_is_one_plain_path_component(text in "\\PC{0,80}") {
            if let Ok(name) = text.parse::<IdentityName>() {
                let path = std::path::Path::new(name.as_str());
                prop_assert_eq!(path.components().count(), 1);
                prop_assert!(matches!(path.components().next(), Some(std::path::Component::Normal(_))));
            }
        }
    }
}
