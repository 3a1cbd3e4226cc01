//! What the inventory says about a served certificate.

use time::OffsetDateTime;

use super::Judge;
use crate::{
    bootstrap::sign,
    pki::{Certificate, Host},
    probe::{Check, Fault},
    state::{Inventory, Record, Revocation},
};

/// A served certificate, and the newest one of its name.
#[derive(Debug)]
pub struct Standing<'a> {
    served: &'a Certificate,
    /// The newest one.
    pub latest: &'a Record,
    latest_is_revoked: bool,
    /// What the served one is.
    pub is: Is<'a>,
}

/// What a served certificate is.
#[derive(Debug)]
pub enum Is<'a> {
    /// The newest of its name.
    Latest,
    /// An older one.
    Earlier,
    /// Revoked.
    Revoked(&'a Revocation),
    /// Not signed by this CA for this name.
    Foreign,
}

/// Looks up a certificate that `owner` serves, or that was signed for anyone if there is no owner. `None`: the inventory
/// knows neither.
pub fn standing<'a>(
    inventory: &'a Inventory,
    owner: Option<&str>,
    leaf: &'a Certificate,
) -> Option<Standing<'a>> {
    let is_it = |r: &&Record| r.sha256.as_ref().is_none_or(|s| *s == leaf.fingerprint());
    let of_owner = |r: &&Record| owner.is_none_or(|owner| owner == r.name);
    let known = inventory
        .by_serial(&leaf.serial)
        .filter(is_it)
        .filter(of_owner);
    let latest = inventory.latest(match known {
        Some(known) => &known.name,
        None => owner?,
    })?;
    let is = match known.map(|known| inventory.revocation(&known.serial)) {
        None => Is::Foreign,
        Some(Some(revocation)) => Is::Revoked(revocation),
        Some(None) if latest.serial == leaf.serial => Is::Latest,
        Some(None) => Is::Earlier,
    };
    Some(Standing {
        served: leaf,
        latest,
        latest_is_revoked: inventory.revocation(&latest.serial).is_some(),
        is,
    })
}

/// Why a broker that serves this certificate loads the newest one of its name only at a restart. `None`: it can be
/// reloaded.
pub fn needs_restart(
    served: &Certificate,
    latest: &Record,
    controller: bool,
    now: OffsetDateTime,
) -> Option<String> {
    let hosts = served.hosts.iter().map(Host::tagged);
    let lost: Vec<String> = hosts.filter(|h| !latest.sans.contains(h)).collect();
    if controller {
        Some("controllers cannot be reloaded".to_owned())
    } else if served.not_after <= now {
        Some("nothing can connect to it to reload it".to_owned())
    } else if latest.external {
        Some("kpki reloads only brokers whose keys are here".to_owned())
    } else if served.subject != latest.subject {
        Some("a running broker refuses another subject".to_owned())
    } else if !lost.is_empty() {
        let lost = lost.join(", ");
        Some(format!(
            "a running broker refuses the new certificate, which lacks {lost}"
        ))
    } else {
        None
    }
}

impl Standing<'_> {
    /// How the identity gets to serve a good certificate of its own.
    pub(super) fn remedy(&self, judge: &Judge<'_>, controller: bool) -> String {
        let kpki = judge.kpki;
        let Record {
            name,
            external,
            not_after,
            ..
        } = self.latest;
        if matches!(self.is, Is::Foreign) {
            return format!(
                "give {name} the files in its directory, or find out who answers instead"
            );
        }
        let get = match (self.latest_is_revoked || *not_after <= judge.now, external) {
            (true, true) => {
                let (request, sign) = match self.latest_is_revoked {
                    true => ("request for a new key", "sign --new-key".to_owned()),
                    false => ("new request", sign::command_again(self.latest)),
                };
                format!(
                    "sign a {request} from the machine of {name} ({kpki} {sign}), take the certificate there"
                )
            }
            (true, false) => {
                let new_key = if self.latest_is_revoked {
                    " --new-key"
                } else {
                    ""
                };
                format!("{kpki} renew {name}{new_key}, copy its directory to its machine")
            }
            (false, true) => format!("take the new certificate to the machine of {name}"),
            (false, false) => format!("copy the directory of {name} to its machine"),
        };
        match needs_restart(self.served, self.latest, controller, judge.now) {
            Some(why) => format!("{get}, then restart it: {why}"),
            None => format!("{get}, then {kpki} reload {name}"),
        }
    }

    /// The command, without `kpki`, that signs the next request of an identity whose key is elsewhere, for one more host.
    pub(super) fn request(&self, host: &str) -> Option<String> {
        let Record {
            name, kind, sans, ..
        } = self.latest;
        let hosts = sans.iter().filter_map(|san| Host::from_tagged(san));
        let hosts = hosts.map(|host| host.to_string()).chain([host.to_owned()]);
        self.latest
            .external
            .then(|| sign::command(name, *kind, hosts))
    }

    pub(super) fn check(&self, remedy: &str, now: OffsetDateTime) -> Check {
        const CHECK: &str = "served";
        let Self { served, latest, .. } = self;
        let name = &latest.name;
        let (fault, message) = match self.is {
            Is::Latest => {
                return Check::good(CHECK, format!("the newest certificate of {name}"));
            }
            Is::Revoked(revocation) => (
                Fault::Revoked,
                format!(
                    "the certificate of {name} was revoked on {} ({})",
                    revocation.at.date(),
                    revocation.reason
                ),
            ),
            Is::Earlier => {
                let age = match served.not_after < now {
                    true => "which expired on",
                    false => "valid until",
                };
                (
                    Fault::Outdated,
                    format!(
                        "an old certificate of {name} is served, {age} {} (serial number {}); the newest is valid until {} (serial number {})",
                        served.not_after.date(),
                        served.serial,
                        latest.not_after.date(),
                        latest.serial
                    ),
                )
            }
            Is::Foreign => (
                Fault::Foreign,
                format!("this CA did not sign the certificate for {name}"),
            ),
        };
        Check::fault(CHECK, fault, message).hint(remedy)
    }
}
