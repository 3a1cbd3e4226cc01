//! CRL URLs.

use std::{fmt, str::FromStr};

/// A URL that certificates contain as their CRL distribution point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrlUrl(String);

/// An invalid URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a URL that a CRL can be fetched from")]
pub struct NotACrlUrl;

impl NotACrlUrl {
    /// What to write instead.
    pub const HINT: &str = "write http://HOST/PATH, or file:///PATH for a file on every machine that checks it; https would itself need a revocation check";
}

/// The maximum length that every program accepts.
const MAX_LENGTH: usize = 1024;

impl FromStr for CrlUrl {
    type Err = NotACrlUrl;

    fn from_str(text: &str) -> Result<Self, NotACrlUrl> {
        let rest = match text.strip_prefix("http://") {
            Some(rest) => rest,
            // Three slashes: a local file.
            None => text
                .strip_prefix("file://")
                .filter(|path| path.starts_with('/'))
                .ok_or(NotACrlUrl)?,
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/?[]@!$&'()*+,;=%".contains(c);
        let is_whole = rest.len() > 1 && text.len() <= MAX_LENGTH && rest.chars().all(plain);
        match is_whole {
            true => Ok(Self(text.to_owned())),
            false => Err(NotACrlUrl),
        }
    }
}

impl fmt::Display for CrlUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_read_from_is_taken() {
        for url in [
            "http://pki.example.com/kafka.crl",
            "http://127.0.0.1:8080/a",
            "file:///etc/kafka/a.crl",
        ] {
            assert_eq!(url.parse::<CrlUrl>().unwrap().to_string(), url);
        }
        for url in [
            "",
            "http://",
            "https://a/b",
            "file://host/b",
            "file:///",
            "ldap://a",
            "http://a/b c",
            "http://a/\n",
        ] {
            assert!(url.parse::<CrlUrl>().is_err(), "{url}");
        }
    }
}
