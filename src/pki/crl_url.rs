//! CRL URLs.

use std::{fmt, str::FromStr};

/// A URL that certificates contain as their CRL distribution point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrlUrl {
    text: String,
    /// Which CA's CRL it is; `None`: the first one's, which is at the address itself.
    generation: Option<u32>,
}

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

/// The path of a later CA's CRL beside the first one's: `kafka.crl` and `kafka-g2.crl`. An address returns a single CRL
/// (RFC 5280 §4.2.1.13), and during a CA rotation there are certificates of both CAs.
pub fn crl_path(path: &str, generation: Option<u32>) -> String {
    let Some(generation) = generation else {
        return path.to_owned();
    };
    let file = path.rfind('/').map_or(0, |at| at + 1);
    let dot = path[file..].rfind('.').filter(|at| *at > 0);
    let (stem, end) = path.split_at(dot.map_or(path.len(), |at| file + at));
    format!("{stem}-g{generation}{end}")
}

impl CrlUrl {
    /// The address of the CRL of a CA of this generation; `None`: of the first CA.
    pub fn of_generation(&self, generation: Option<u32>) -> Self {
        Self {
            text: self.text.clone(),
            generation,
        }
    }

    /// The text that is stored in `ca/`.
    pub fn to_kept(&self) -> String {
        let generation = self.generation.map(|n| format!("{n}\n"));
        format!("{}\n{}", self.text, generation.unwrap_or_default())
    }

    /// Reads that text; `None` for anything else.
    pub fn from_kept(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let url: Self = lines.next()?.parse().ok()?;
        let generation = lines.next().map(str::parse).transpose().ok()?;
        lines
            .next()
            .is_none()
            .then(|| url.of_generation(generation))
    }
}

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
            true => Ok(Self {
                text: text.to_owned(),
                generation: None,
            }),
            false => Err(NotACrlUrl),
        }
    }
}

impl fmt::Display for CrlUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let query = self.text.find('?').unwrap_or(self.text.len());
        let (path, query) = self.text.split_at(query);
        let begin = path.find("://").map_or(0, |at| at + 3);
        let (host, path) =
            path.split_at(path[begin..].find('/').map_or(path.len(), |at| begin + at));
        // An empty path is equivalent to `/` (RFC 3986 §6.2.3).
        let path = match (path, self.generation) {
            ("", Some(_)) => "/",
            (path, _) => path,
        };
        write!(f, "{host}{}{query}", crl_path(path, self.generation))
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
            "http://pki.example.com",
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

    #[test]
    fn each_later_ca_has_a_crl_of_its_own_beside_the_first_ones() {
        for (first, second) in [
            (
                "http://pki.example.com/kafka.crl",
                "http://pki.example.com/kafka-g2.crl",
            ),
            ("file:///etc/v1.0/list", "file:///etc/v1.0/list-g2"),
            ("http://a/x.crl?of=b.c", "http://a/x-g2.crl?of=b.c"),
            ("http://a.example.com", "http://a.example.com/-g2"),
        ] {
            let url: CrlUrl = first.parse().unwrap();
            let later = url.of_generation(Some(2));
            assert_eq!(later.to_string(), second);
            assert_eq!(later.of_generation(None), url);
            for url in [url, later] {
                assert_eq!(CrlUrl::from_kept(&url.to_kept()), Some(url));
            }
        }
        assert_eq!(crl_path(".crl", Some(3)), ".crl-g3");
        for other in ["", "x\n2\n", "http://a/b\nx\n", "http://a/b\n2\n3\n"] {
            assert_eq!(CrlUrl::from_kept(other), None, "{other}");
        }
    }
}
