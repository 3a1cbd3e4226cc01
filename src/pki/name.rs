//! The name of an identity: a directory, a certificate's CN, a store's alias and a SCRAM user, all at once.

use std::{fmt, str::FromStr};

/// The longest name: X.520's ub-common-name, as the name becomes the certificate's CN.
const MAX_LEN: usize = 64;

/// Names in the output directory that are not an identity's: those that kpki gives to files and directories of its own
/// there, and those that it may give in a later version. In upper and lower case alike; so is whatever begins with a dot.
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
    /// Nothing there.
    #[error("a name must not be empty")]
    Empty,
    /// Over [`MAX_LEN`].
    #[error("the name `{0}` is longer than 64 characters, the limit of a certificate's CN")]
    TooLong(String),
    /// A character outside the allowed set.
    #[error("the name `{0}` contains {1:?}; a name consists of letters, digits, `.`, `_` and `-`")]
    BadCharacter(String, char),
    /// It begins with a character that makes it a hidden file, a parent directory or an option.
    #[error("the name `{0}` must begin with a letter, a digit or `_`")]
    BadStart(String),
    /// It would clash with a file or directory of kpki's own.
    #[error("the name `{0}` is reserved: in the output directory, kpki itself uses it")]
    Reserved(String),
}

impl IdentityName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What two names must not share: file systems and Java's key stores fold case.
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
