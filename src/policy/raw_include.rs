//! The shape of `include`; see `raw.rs`.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::raw_access::RawPattern;
use crate::document::{Span, Spanned, text_or_map};

/// Files to include: a path or pattern alone, or `{files: teams/a/*.yaml, scope: {prefix: team-a-}}`.
#[derive(Debug, JsonSchema)]
#[schemars(untagged, rename = "include")]
pub(super) enum RawInclude {
    /// A path or pattern: the content of these files counts as part of the policy itself.
    Files(String),
    /// Files of a team, and their scope.
    Scoped(Box<RawScopedFiles>),
}

/// Files of a team, and their scope.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "include_entry")]
pub(super) struct RawScopedFiles {
    /// A path or pattern, below the policy's own directory.
    pub files: Spanned<String>,
    /// The scope of the files, which they cannot widen.
    pub scope: RawScope,
}

/// The scope of included files: which clients they may declare, to whom they may grant, and on what.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "scope")]
pub(super) struct RawScope {
    /// The prefix of the name of every topic, group and transactional id; also of every client, unless `clients` says
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
