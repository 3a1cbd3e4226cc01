//! Restrictions on what a CA may sign for.

use std::{fmt, str::FromStr};

use super::{Host, HostError};

/// A DNS subtree that the CA may sign for (RFC 5280 §4.2.1.10): `example.com` covers itself and all below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameConstraint(String);

impl NameConstraint {
    /// True for a host that the CA may sign for under this constraint. IP addresses are not constrained.
    pub fn permits(&self, host: &Host) -> bool {
        match host {
            Host::Ip(_) => true,
            // In a certificate it may be all of them.
            Host::Dns(_) if self.0.is_empty() => true,
            Host::Dns(name) => {
                let name = name.strip_prefix("*.").unwrap_or(name);
                name.strip_suffix(self.0.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
        }
    }

    /// From the text in a certificate, which may begin with a dot.
    pub(super) fn from_certificate(text: &str) -> Self {
        Self(text.trim_start_matches('.').to_ascii_lowercase())
    }
}

impl fmt::Display for NameConstraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for NameConstraint {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix('.').unwrap_or(text).parse::<Host>()? {
            Host::Dns(name) if !name.starts_with("*.") => Ok(Self(name)),
            _ => Err(HostError::Invalid(
                text.to_owned(),
                "a name constraint is a DNS domain such as `example.com`, which covers all names below it",
            )),
        }
    }
}
