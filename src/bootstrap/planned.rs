//! A file as it should be, even if its bytes are not known yet.

use crate::{secret::SecretBytes, state::FileSpec};

/// A file as it should be.
#[derive(Debug)]
pub enum Planned {
    /// Its bytes are known.
    Known(FileSpec),
    /// They are only known when the plan is executed.
    ToCome(String, ToCome),
}

/// What must be done first.
#[derive(Debug)]
pub enum ToCome {
    /// The keystore is encoded, for a new certificate or again.
    KeyStore,
    /// A certificate is signed.
    Pem,
    /// The truststore is encoded, once for all members.
    Truststore,
    /// SCRAM credentials of its owner are derived.
    Scram,
    /// SCRAM credentials of any member are derived: the text as far as it is known, for display.
    StorageArgs(SecretBytes),
}

impl Planned {
    pub(super) fn to_come(name: impl Into<String>, what: ToCome) -> Self {
        Self::ToCome(name.into(), what)
    }

    /// Its name in its directory.
    pub fn name(&self) -> &str {
        match self {
            Self::Known(file) => &file.name,
            Self::ToCome(name, _) => name,
        }
    }

    /// The file, if its bytes are known.
    pub fn known(self) -> Option<FileSpec> {
        match self {
            Self::Known(file) => Some(file),
            Self::ToCome(..) => None,
        }
    }

    /// Its text, as far as it can be shown or compared.
    pub fn shown(&self) -> Option<&[u8]> {
        match self {
            Self::Known(file) => Some(&file.bytes),
            Self::ToCome(_, ToCome::StorageArgs(shown)) => Some(shown),
            Self::ToCome(..) => None,
        }
    }
}
