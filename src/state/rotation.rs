//! `ca/rotation.json`: how far the replacement of the CA is. Not there: none is under way.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{FileSpec, OutDir, StateError, files};

const VERSION: u8 = 1;

/// Where a rotation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The old CA signs, and everyone is to trust both.
    Trusting,
    /// The new CA signs, both are trusted, and everyone is to get a certificate of the new one.
    Reissuing,
    /// The new CA signs, and everyone is to trust it alone.
    Retiring,
}

impl Phase {
    /// The word of `--json` and of the inventory.
    pub fn word(self) -> &'static str {
        match self {
            Self::Trusting => "trusting",
            Self::Reissuing => "reissuing",
            Self::Retiring => "retiring",
        }
    }
}

/// A rotation that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    v: u8,
    /// Where it is.
    #[serde(rename = "state")]
    pub phase: Phase,
    /// The generation of the CA that comes.
    pub generation: u32,
    /// The generation of the CA that goes.
    pub from: u32,
    /// When it came to where it is.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
}

impl Rotation {
    /// Its file in `ca/`.
    pub const FILE: &str = "rotation.json";

    /// What the inventory says of one that ended.
    pub const OVER: &str = "none";

    /// One from a generation to another.
    pub fn new(phase: Phase, from: u32, generation: u32, since: OffsetDateTime) -> Self {
        Self {
            v: VERSION,
            phase,
            generation,
            from,
            since,
        }
    }

    /// The one that is under way, if any.
    pub fn read(out: &OutDir) -> Result<Option<Self>, StateError> {
        let path = out.ca_file(Self::FILE);
        let Some(bytes) = files::read_optional(&path)? else {
            return Ok(None);
        };
        let rotation: Self = serde_json::from_slice(&bytes)
            .map_err(|_| StateError::obstacle(&path, "does not say how far the rotation is"))?;
        match rotation.v {
            VERSION => Ok(Some(rotation)),
            _ => Err(StateError::obstacle(&path, "was written by a later kpki")),
        }
    }

    /// Its file.
    pub fn file(&self) -> FileSpec {
        // Words, numbers and a date up to the year 9999 always serialize.
        let text = serde_json::to_string(self).unwrap_or_default();
        FileSpec::secret(Self::FILE, format!("{text}\n"))
    }
}
