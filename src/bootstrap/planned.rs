//! A file as it shall be, also where its bytes are still to come.

use crate::{secret::SecretBytes, state::FileSpec};

/// A file as it shall be.
#[derive(Debug)]
pub enum Planned {
    /// Its bytes are known.
    Known(FileSpec),
    /// They are there only once the plan is carried out.
    ToCome(String, ToCome),
}

/// What has to be done first.
#[derive(Debug)]
pub enum ToCome {
    /// The key store is encoded, for a new certificate or once more.
    KeyStore,
    /// A certificate is signed.
    Pem,
    /// The truststore is encoded, once for all.
    Truststore,
    /// SCRAM credentials of its owner are derived.
    Scram,
    /// SCRAM credentials of anybody are derived: as much of the text as is known, for showing.
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

    /// The file, where its bytes are known.
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
