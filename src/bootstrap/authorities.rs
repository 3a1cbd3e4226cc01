//! The CAs of an output directory, for people who review them: each certificate, and where its key is.

use serde::Serialize;

use super::{
    BootstrapError,
    ca::{Ca, lineage},
    slot::Slot,
    trust::Lineage,
};
use crate::{
    issuer::{Closed, local},
    pki::{Certificate, SealedKey},
    secret::SecretBytes,
    state::{OutDir, Rotation, read_record},
};

/// What a CA does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// It signs the certificates of brokers and clients.
    Signs,
    /// It is above the one that signs.
    Above,
    /// It is trusted as well during a rotation: it has signed before, or will sign next.
    Standby,
    /// It signed before the rotation that is not finished yet.
    Retired,
}

impl Role {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Signs => "signs brokers and clients",
            Self::Above => "above the CA that signs",
            Self::Standby => "trusted, but does not sign now",
            Self::Retired => "signed before, and is being retired",
        }
    }
}

/// Where the key of a CA is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyAt {
    /// Here, sealed with a passphrase.
    Sealed,
    /// Here, without a passphrase.
    Open,
    /// In a token or HSM.
    Token,
    /// An external issuer has it.
    Issuer,
    /// Not on this machine.
    Away,
}

impl KeyAt {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Sealed => "here, sealed with a passphrase",
            Self::Open => "here, WITHOUT a passphrase",
            Self::Token => "in a token (PKCS#11)",
            Self::Issuer => "with an external issuer",
            Self::Away => "not on this machine",
        }
    }
}

/// One of them.
#[derive(Debug)]
pub struct Authority {
    /// Its certificate.
    pub certificate: Certificate,
    /// What it does.
    pub role: Role,
    /// Where its key is.
    pub key: KeyAt,
    /// The name of its external issuer.
    pub issuer: Option<&'static str>,
}

/// All CAs that have a certificate here, the one that signs first.
///
/// # Errors
/// If one of them cannot be read.
pub fn read(out: &OutDir) -> Result<Vec<Authority>, BootstrapError> {
    let trust = Ca::trust(out)?;
    let signer = trust.lineage();
    let closed = Closed::read(out)?;
    let external = closed
        .as_ref()
        .filter(|closed| closed.engine() != local::NAME);
    let external = external.map(|closed| match closed.keeps_its_own_list() {
        true => (KeyAt::Issuer, Some(closed.engine())),
        false => (KeyAt::Token, None),
    });
    let mut found = Vec::new();
    add(out, Slot::Signer, &signer, external, &mut found)?;
    if let Some(standby) = &trust.standby {
        add(out, Slot::Standby, standby, None, &mut found)?;
    }
    if let Some(rotation) = Rotation::read(out)? {
        let slot = Slot::Retired(rotation.from);
        if let Some(retired) = lineage(out, slot)? {
            add(out, slot, &retired, None, &mut found)?;
        }
    }
    Ok(found)
}

fn add(
    out: &OutDir,
    slot: Slot,
    lineage: &Lineage,
    external: Option<(KeyAt, Option<&'static str>)>,
    found: &mut Vec<Authority>,
) -> Result<(), BootstrapError> {
    let names = slot.names();
    let below = match slot {
        Slot::Signer => Role::Signs,
        Slot::Standby => Role::Standby,
        Slot::Retired(_) => Role::Retired,
    };
    let chain = lineage.intermediates.iter().chain([&lineage.root]);
    for (at, certificate) in chain.enumerate() {
        let is_root = at == lineage.intermediates.len();
        let file = match (at, is_root) {
            (0, _) => Some(&names.key),
            (_, true) => Some(&names.root_key),
            _ => None,
        };
        let (key, issuer) = match (external.filter(|_| at == 0), file) {
            (Some(external), _) => external,
            (None, Some(file)) => (key_in(out, file)?, None),
            (None, None) => (KeyAt::Away, None),
        };
        let role = match (at, slot) {
            (0, _) => below,
            (_, Slot::Signer) => Role::Above,
            _ => below,
        };
        // Two CAs may be below the same root.
        if found
            .iter()
            .all(|other| other.certificate.der != certificate.der)
        {
            // As it is written in the certificate, not as the CAs above restrict it.
            let certificate = Certificate::from_der(&certificate.der)?;
            found.push(Authority {
                certificate,
                role,
                key,
                issuer,
            });
        }
    }
    Ok(())
}

fn key_in(out: &OutDir, file: &str) -> Result<KeyAt, BootstrapError> {
    let path = out.ca_file(file);
    let Some(text) = read_record(&path)?.map(SecretBytes::from) else {
        return Ok(KeyAt::Away);
    };
    let key = SealedKey::parse(&String::from_utf8_lossy(&text)).map_err(local::sealed(&path))?;
    Ok(match key.needs_passphrase() {
        true => KeyAt::Sealed,
        false => KeyAt::Open,
    })
}
