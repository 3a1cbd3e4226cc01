//! What the inventory says about a served certificate.

use time::OffsetDateTime;

use crate::{
    pki::Certificate,
    probe::{Check, Fault},
    state::{Inventory, Record, Revocation},
};

/// The status of a served certificate.
#[derive(Debug)]
pub enum Standing<'a> {
    /// The newest of its name.
    Latest(&'a Record),
    /// An older one.
    Earlier {
        /// The served one.
        served: &'a Record,
        /// The newest one.
        latest: &'a Record,
    },
    /// Revoked.
    Revoked(&'a Record, &'a Revocation),
    /// Not signed by this CA for this name.
    Foreign(&'a Record),
}

/// Looks up a certificate that `owner` serves, or that was signed for anyone if there is no owner. `None`: the inventory
/// knows neither.
pub fn standing<'a>(
    inventory: &'a Inventory,
    owner: Option<&str>,
    leaf: &Certificate,
) -> Option<Standing<'a>> {
    let is_it = |r: &&Record| r.sha256.as_ref().is_none_or(|s| *s == leaf.fingerprint());
    let of_owner = |r: &&Record| owner.is_none_or(|owner| owner == r.name);
    let served = inventory
        .by_serial(&leaf.serial)
        .filter(is_it)
        .filter(of_owner);
    let Some(served) = served else {
        return inventory.latest(owner?).map(Standing::Foreign);
    };
    let latest = inventory.latest(&served.name)?;
    Some(match inventory.revocation(&served.serial) {
        Some(revocation) => Standing::Revoked(served, revocation),
        None if latest.serial == served.serial => Standing::Latest(served),
        None => Standing::Earlier { served, latest },
    })
}

impl Standing<'_> {
    /// The identity.
    pub fn name(&self) -> &str {
        match self {
            Self::Latest(record) | Self::Revoked(record, _) | Self::Foreign(record) => &record.name,
            Self::Earlier { latest, .. } => &latest.name,
        }
    }

    pub(super) fn check(&self, kpki: &str, now: OffsetDateTime) -> Check {
        const CHECK: &str = "served";
        let name = self.name();
        match self {
            Self::Latest(_) => Check::good(CHECK, format!("the newest certificate of {name}")),
            Self::Revoked(_, revocation) => Check::fault(
                CHECK,
                Fault::Revoked,
                format!(
                    "the certificate of {name} was revoked on {} ({})",
                    revocation.at.date(),
                    revocation.reason
                ),
            )
            .hint(format!(
                "{kpki} renew {name} --new-key, copy its directory to its machine, then {kpki} reload {name}"
            )),
            Self::Earlier { served, latest } => {
                let age = match served.not_after < now {
                    true => "which expired on",
                    false => "valid until",
                };
                Check::fault(
                    CHECK,
                    Fault::Outdated,
                    format!(
                        "an old certificate of {name} is served, {age} {}; the newest is valid until {}",
                        served.not_after.date(),
                        latest.not_after.date()
                    ),
                )
                .hint(format!(
                    "copy the directory of {name} to its machine, then {kpki} reload {name}"
                ))
            }
            Self::Foreign(_) => Check::fault(
                CHECK,
                Fault::Foreign,
                format!("this CA did not sign the certificate for {name}"),
            )
            .hint(format!(
                "give {name} the files in its directory, or find out who answers instead"
            )),
        }
    }
}
