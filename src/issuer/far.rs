//! What the engines whose keys are elsewhere have in common: what is kept of them in `ca/`, and how they fail.

use std::path::Path;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::IssuerError;
use crate::{pki::Certificate, printable::Printable};

/// The most that is shown of a text that a server sent, in characters.
const SHOWN: usize = 300;

/// Why a CA elsewhere gives no certificate.
#[derive(Debug, thiserror::Error)]
#[error("{who} {what}")]
pub struct FarError {
    /// What kind of failure it is.
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
    /// It does not know its caller, or does not let them do this.
    Forbidden,
    /// It signs, but not this.
    Refused,
    /// It is sealed.
    Sealed,
    /// What it answers is not what was asked for.
    BadAnswer,
    /// What the policy says of it is wrong.
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
        let hint = "nothing of its answer was used: look at its log, and whether the address in the policy is the right one";
        self.fails(Why::BadAnswer, what, hint)
    }
}

/// The CA certificates of an engine in their order: the first one given, whose key signs leaves, then whoever signed
/// it, and so on to the root.
pub(super) fn chain(who: &Who, mut all: Vec<Certificate>) -> Result<Vec<Certificate>, IssuerError> {
    let mut chain: Vec<Certificate> = Vec::new();
    let mut next = (!all.is_empty()).then(|| all.remove(0));
    while let Some(at) = next {
        if !at.is_ca {
            let what = format!(
                "has a certificate that is not a CA's, {}",
                shown(&at.subject)
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
    let end = chain.last().map_or("nothing", |c| &c.subject);
    Err(who.fails(
        Why::Settings,
        format!("has a chain that does not lead to a root: it ends with {}", shown(end)),
        "clients need the root to trust: have the CA give its whole chain, or name the root's certificate in the policy (`root_file`)",
    ))
}

/// A text of a server's, in one line and of bearable length.
pub(super) fn shown(text: &str) -> String {
    let text = text.trim();
    let cut: String = text.chars().take(SHOWN).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    format!("{}{more}", Printable(&cut))
}

/// What `ca/` keeps of an engine.
#[derive(Serialize, Deserialize)]
struct Kept<T> {
    v: u8,
    #[serde(flatten)]
    settings: T,
}

/// The version of those files.
const VERSION: u8 = 1;

/// The text of an engine's file.
pub(super) fn keep<T: Serialize>(settings: &T) -> Result<Vec<u8>, serde_json::Error> {
    let mut text = serde_json::to_vec_pretty(&Kept {
        v: VERSION,
        settings,
    })?;
    text.push(b'\n');
    Ok(text)
}

/// Reads an engine's file.
pub(super) fn kept<T: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T, IssuerError> {
    let damaged = |reason: String| IssuerError::Damaged {
        path: path.to_owned(),
        reason,
    };
    let kept: Kept<T> = serde_json::from_slice(bytes).map_err(|e| damaged(e.to_string()))?;
    match kept.v {
        VERSION => Ok(kept.settings),
        later => Err(damaged(format!(
            "its version is {later}, which this kpki does not know"
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
