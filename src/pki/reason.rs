//! Why a certificate is revoked.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A reason by its name in RFC 5280 §5.3.1. aACompromise is missing because it is about attribute certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reason {
    /// None was given.
    Unspecified,
    /// Someone else has, or may have, its key.
    KeyCompromise,
    /// The same for a CA's key.
    #[serde(rename = "cACompromise")]
    CaCompromise,
    /// Its owner's name or affiliation changed.
    AffiliationChanged,
    /// It was replaced by another one.
    Superseded,
    /// Its owner no longer exists.
    CessationOfOperation,
    /// Temporarily: [`Self::RemoveFromCrl`] ends it.
    CertificateHold,
    /// It is no longer revoked.
    #[serde(rename = "removeFromCRL")]
    RemoveFromCrl,
    /// Its owner's rights were withdrawn.
    PrivilegeWithdrawn,
}

/// An unknown reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown revocation reason; known: {known}", known = Reason::ALL.map(Reason::name).join(", "))]
pub struct UnknownReason;

impl Reason {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 9] = [
        Self::Unspecified,
        Self::KeyCompromise,
        Self::CaCompromise,
        Self::AffiliationChanged,
        Self::Superseded,
        Self::CessationOfOperation,
        Self::CertificateHold,
        Self::RemoveFromCrl,
        Self::PrivilegeWithdrawn,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::KeyCompromise => "keyCompromise",
            Self::CaCompromise => "cACompromise",
            Self::AffiliationChanged => "affiliationChanged",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessationOfOperation",
            Self::CertificateHold => "certificateHold",
            Self::RemoveFromCrl => "removeFromCRL",
            Self::PrivilegeWithdrawn => "privilegeWithdrawn",
        }
    }

    /// The same for a CRL, which must omit an unspecified reason (RFC 5280 §5.3.1) and has no entry for what is no
    /// longer revoked.
    pub(super) fn code(self) -> Option<rcgen::RevocationReason> {
        use rcgen::RevocationReason as Code;
        Some(match self {
            Self::Unspecified | Self::RemoveFromCrl => return None,
            Self::KeyCompromise => Code::KeyCompromise,
            Self::CaCompromise => Code::CaCompromise,
            Self::AffiliationChanged => Code::AffiliationChanged,
            Self::Superseded => Code::Superseded,
            Self::CessationOfOperation => Code::CessationOfOperation,
            Self::CertificateHold => Code::CertificateHold,
            Self::PrivilegeWithdrawn => Code::PrivilegeWithdrawn,
        })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Reason {
    type Err = UnknownReason;

    /// Case is ignored: few remember `cACompromise`.
    fn from_str(text: &str) -> Result<Self, UnknownReason> {
        Self::ALL
            .into_iter()
            .find(|reason| reason.name().eq_ignore_ascii_case(text))
            .ok_or(UnknownReason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_and_the_command_line_name_reasons_alike() {
        for reason in Reason::ALL {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.name());
            assert_eq!(reason.name().to_lowercase().parse(), Ok(reason));
        }
        assert!("stolen".parse::<Reason>().is_err());
    }
}
