//! `ca/rotation.json`: the state of a CA rotation. The file only exists while one is in progress.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{FileSpec, OutDir, StateError, files};

const VERSION: u8 = 1;

/// The phase of a rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The old CA signs, and everyone should trust both.
    Trusting,
    /// The new CA signs, both are trusted, and everyone should get a certificate from the new one.
    Reissuing,
    /// The new CA signs, and everyone should trust only it.
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

/// A rotation in progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    v: u8,
    /// Where it is.
    #[serde(rename = "state")]
    pub phase: Phase,
    /// The generation of the new CA.
    pub generation: u32,
    /// The generation of the old CA.
    pub from: u32,
    /// When its phase began.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
}

impl Rotation {
    /// Its file in `ca/`.
    pub const FILE: &str = "rotation.json";

    /// The generation of a CA that replaced none.
    pub const FIRST: u32 = 1;

    /// The inventory's word for a finished one.
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

    /// The one in progress, if any.
    pub fn read(out: &OutDir) -> Result<Option<Self>, StateError> {
        let path = out.ca_file(Self::FILE);
        let Some(bytes) = files::read_record(&path)? else {
            return Ok(None);
        };
        let rotation: Self = serde_json::from_slice(&bytes)
            .map_err(|_| StateError::obstacle(&path, "is not a valid rotation state"))?;
        match rotation.v {
            VERSION => Ok(Some(rotation)),
            _ => Err(StateError::obstacle(
                &path,
                "was written by a newer version of kpki",
            )),
        }
    }

    /// Its file.
    pub fn file(&self) -> FileSpec {
        // Strings, numbers and a date up to the year 9999 always serialize.
        let text = serde_json::to_string(self).unwrap_or_default();
        FileSpec::secret(Self::FILE, format!("{text}\n"))
    }
}
