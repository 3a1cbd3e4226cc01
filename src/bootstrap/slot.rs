//! The slots in `ca/` for successive CAs, and the files in each.

use super::trust::Lineage;
use crate::{
    issuer::{
        IssuerError,
        local::{self, NewCa},
    },
    keystore::pem,
    pki::{Certificate, KeyProtection},
    secret::SecretBytes,
    state::{FileSpec, OutDir, StateError, read_record},
};

/// The CA certificates that clients trust, that of the signing CA first.
pub(super) const CERTIFICATE: &str = "ca.crt";
/// The intermediate certificates, the one that signs leaves first.
pub(super) const INTERMEDIATE: &str = "intermediate.crt";

/// A slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    /// It signs.
    Signer,
    /// It is trusted, and will sign next or has signed before.
    Standby,
    /// It signed before, and is no longer trusted; the number is its generation.
    Retired(u32),
}

/// The names of its files.
pub(super) struct Names {
    /// The root's certificate.
    pub root: String,
    /// The intermediates' certificates.
    pub intermediate: String,
    /// The sealed key that signs.
    pub key: String,
    /// The root key, if it is a different one.
    pub root_key: String,
}

impl Slot {
    pub(super) fn names(self) -> Names {
        let prefix = match self {
            Self::Signer => {
                return Names {
                    root: CERTIFICATE.to_owned(),
                    intermediate: INTERMEDIATE.to_owned(),
                    key: local::KEY.to_owned(),
                    root_key: local::ROOT_KEY.to_owned(),
                };
            }
            Self::Standby => "standby".to_owned(),
            Self::Retired(generation) => format!("retired-g{generation}"),
        };
        Names {
            root: format!("{prefix}.crt"),
            intermediate: format!("{prefix}-intermediate.crt"),
            key: format!("{prefix}.key"),
            root_key: format!("{prefix}-root.key"),
        }
    }

    /// Empties the slot.
    pub(super) fn clear(self) -> Vec<FileSpec> {
        let names = self.names();
        let all = [names.root, names.intermediate, names.key, names.root_key];
        all.into_iter().map(FileSpec::gone).collect()
    }
}

/// A CA with its sealed keys.
pub(super) struct Sealed {
    /// Its certificates.
    pub lineage: Lineage,
    /// The key that signs.
    pub key: SecretBytes,
    /// The root key, if it is a different one and is here.
    pub root_key: Option<SecretBytes>,
}

impl Sealed {
    /// Reads the keys of a CA whose certificates were already read; `None` if the signing one is not there.
    pub(super) fn read(
        out: &OutDir,
        slot: Slot,
        lineage: &Lineage,
    ) -> Result<Option<Self>, StateError> {
        let names = slot.names();
        let root_key = read_record(&out.ca_file(&names.root_key))?;
        let key = read_record(&out.ca_file(&names.key))?;
        Ok(key.map(|key| Self {
            lineage: lineage.clone(),
            key: key.into(),
            root_key: root_key.map(SecretBytes::from),
        }))
    }

    /// Seals the keys of a new CA.
    pub(super) fn of(
        new: &NewCa,
        lineage: Lineage,
        protection: &KeyProtection,
    ) -> Result<Self, IssuerError> {
        let files = new.seal(protection)?;
        let file = |name| {
            files
                .iter()
                .find(|f| f.name == name)
                .map(|f| f.bytes.clone())
        };
        Ok(Self {
            lineage,
            key: file(local::KEY).ok_or(IssuerError::NotOpened)?,
            root_key: file(local::ROOT_KEY),
        })
    }

    /// Its files in a slot, replacing everything that was there.
    pub(super) fn files(&self, slot: Slot) -> Vec<FileSpec> {
        let names = slot.names();
        let Lineage {
            root,
            intermediates,
        } = &self.lineage;
        let pem = |of: &[Certificate]| {
            let ders: Vec<_> = of.iter().map(|c| c.der.clone()).collect();
            pem::certificates(&ders)
        };
        let mut files = vec![
            FileSpec::secret(names.key, self.key.to_vec()),
            match &self.root_key {
                Some(key) => FileSpec::secret(names.root_key, key.to_vec()),
                None => FileSpec::gone(names.root_key),
            },
            match &intermediates[..] {
                [] => FileSpec::gone(names.intermediate),
                all => FileSpec::public(names.intermediate, pem(all)),
            },
        ];
        // The signing CA has its root in the file of all roots.
        if slot != Slot::Signer {
            files.push(FileSpec::public(
                names.root,
                pem(std::slice::from_ref(root)),
            ));
        }
        files
    }
}
