//! The shape of `include`; see `raw.rs`.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::raw_access::RawPattern;
use crate::document::{Span, Spanned, text_or_map};

/// Files to include: a path or pattern alone, or `{files: teams/a/*.yaml, scope: {prefix: team-a-}}`.
#[derive(Debug, JsonSchema)]
#[schemars(untagged, rename = "include")]
pub(super) enum RawInclude {
    /// A path or pattern: what these files say counts as if it stood in the policy itself.
    Files(String),
    /// Files of a team, and what they may be about.
    Scoped(Box<RawScopedFiles>),
}

/// Files of a team, and what they may be about.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "include_entry")]
pub(super) struct RawScopedFiles {
    /// A path or pattern, below the policy's own directory.
    pub files: Spanned<String>,
    /// What the files may be about. They cannot widen it.
    pub scope: RawScope,
}

/// What included files may be about: whom they may declare, to whom they may grant, and on what.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "scope")]
pub(super) struct RawScope {
    /// What the name of every topic, group and transactional id begins with; of every client too, unless `clients` says
    /// otherwise.
    pub prefix: Spanned<String>,
    /// The clients that the files may declare, and grant to. Default: those whose names begin with `prefix`.
    pub clients: Option<Vec<Spanned<RawPattern>>>,
    /// Further principals that the files may grant to: `User:name` or `{prefix: "User:team-"}`. Default: none.
    pub principals: Option<Vec<Spanned<RawPattern>>>,
}

impl RawInclude {
    /// The path or pattern of an entry, and where it stands.
    pub(super) fn files(entry: &Spanned<Self>) -> (&str, Span) {
        match &entry.value {
            Self::Files(files) => (files, entry.span),
            Self::Scoped(scoped) => (&scoped.files, scoped.files.span),
        }
    }

    /// The limits of an entry.
    pub(super) fn scope(&self) -> Option<&RawScope> {
        match self {
            Self::Files(_) => None,
            Self::Scoped(scoped) => Some(&scoped.scope),
        }
    }
}

impl<'de> Deserialize<'de> for RawInclude {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        text_or_map(
            from,
            |files| Ok(Self::Files(files.to_owned())),
            Self::Scoped,
        )
    }
}
