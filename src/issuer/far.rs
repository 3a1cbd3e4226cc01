//! What the external issuers have in common: what `ca/` contains about them, and their errors.

use std::path::Path;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::IssuerError;
use crate::{pki::Certificate, printable::Printable};

/// How much of a server's text is shown, in characters.
const SHOWN: usize = 300;

/// Why an external CA does not issue a certificate.
#[derive(Debug, thiserror::Error)]
#[error("{who} {what}")]
pub struct FarError {
    /// The kind of failure.
    pub why: Why,
    who: String,
    what: String,
    /// What to do next.
    pub hint: String,
}

/// Kinds of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It does not answer, or not in time.
    Unreachable,
    /// Its TLS certificate is not trusted.
    Untrusted,
    /// It rejects the credentials, or denies permission.
    Forbidden,
    /// It refuses this request.
    Refused,
    /// It is sealed.
    Sealed,
    /// Its answer does not match the request.
    BadAnswer,
    /// The policy's settings for it are wrong.
    Settings,
}

/// Whom an error is about: `step-ca at https://ca.example.com`.
#[derive(Debug, Clone)]
pub(super) struct Who(pub String);

impl Who {
    pub(super) fn fails(
        &self,
        why: Why,
        what: impl Into<String>,
        hint: impl Into<String>,
    ) -> IssuerError {
        IssuerError::Far(Box::new(FarError {
            why,
            who: self.0.clone(),
            what: what.into(),
            hint: hint.into(),
        }))
    }

    pub(super) fn bad_answer(&self, what: impl Into<String>) -> IssuerError {
        let hint =
            "its answer was discarded: check its log, and that the address in the policy is right";
        self.fails(Why::BadAnswer, what, hint)
    }
}

/// The CA certificates of an issuer in order: the first one given, whose key signs leaves, then its issuer, and so on
/// to the root.
pub(super) fn chain(who: &Who, mut all: Vec<Certificate>) -> Result<Vec<Certificate>, IssuerError> {
    let mut chain: Vec<Certificate> = Vec::new();
    let mut next = (!all.is_empty()).then(|| all.remove(0));
    while let Some(at) = next {
        if !at.is_ca {
            let what = format!(
                "has a certificate that is not a CA's, {}",
                shown(at.subject.exact())
            );
            return Err(who.bad_answer(what));
        }
        let is_root = at.is_issued_by(&at) && at.is_signed_by(&at);
        let behind = all
            .iter()
            .position(|c| at.is_issued_by(c) && at.is_signed_by(c));
        chain.push(at);
        if is_root {
            return Ok(chain);
        }
        next = behind.map(|behind| all.remove(behind));
    }
    let end = chain.last().map_or("nothing", |c| c.subject.exact());
    Err(who.fails(
        Why::Settings,
        format!("has a chain that does not lead to a root: it ends with {}", shown(end)),
        "clients need a root to trust: configure the CA to return its whole chain, or name the root certificate in the policy (`root_file`)",
    ))
}

/// A text from a server, shortened and on one line.
pub(super) fn shown(text: &str) -> String {
    let text = text.trim();
    let cut: String = text.chars().take(SHOWN).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    format!("{}{more}", Printable(&cut))
}

/// What `ca/` contains about an external issuer.
#[derive(Serialize, Deserialize)]
struct Kept<T> {
    v: u8,
    #[serde(flatten)]
    settings: T,
}

/// The version of those files.
const VERSION: u8 = 1;

/// The text of an external issuer's file.
pub(super) fn keep<T: Serialize>(settings: &T) -> Result<Vec<u8>, serde_json::Error> {
    let mut text = serde_json::to_vec_pretty(&Kept {
        v: VERSION,
        settings,
    })?;
    text.push(b'\n');
    Ok(text)
}

/// Reads an external issuer's file.
pub(super) fn kept<T: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T, IssuerError> {
    let damaged = |reason: String| IssuerError::Damaged {
        path: path.to_owned(),
        reason,
    };
    let kept: Kept<T> = serde_json::from_slice(bytes).map_err(|e| damaged(e.to_string()))?;
    match kept.v {
        VERSION => Ok(kept.settings),
        later => Err(damaged(format!(
            "its version is {later}, which this kpki does not support"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_one_line_and_ends_somewhere() {
        assert_eq!(
            shown(" no\nsuch\u{1b}[2J role "),
            "no\\nsuch\\u{1b}[2J role"
        );
        let long = shown(&"é".repeat(5_000));
        assert_eq!(long.chars().count(), SHOWN + 1);
        assert!(long.ends_with('…'));
    }
}
