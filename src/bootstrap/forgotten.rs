//! What a CRL that the CA has signed contains, and the inventory does not: lines of the inventory were lost, and the next
//! CRL would take back revocations, or have a number that programs have already seen.

use std::collections::HashSet;

use time::OffsetDateTime;

use super::{BootstrapError, lists, trust::Trust};
use crate::{
    pki::{Reason, SignedCrl},
    state::{Event, Inventory, OutDir},
};

/// Refuses an inventory that lacks what the current CRLs contain.
///
/// # Errors
/// [`BootstrapError::Forgotten`], or if the CRLs cannot be read.
pub fn check(
    out: &OutDir,
    trust: &Trust,
    inventory: &Inventory,
    now: OffsetDateTime,
) -> Result<(), BootstrapError> {
    let current = lists::read(out, trust)?.unwrap_or_default();
    let found = current
        .iter()
        .find_map(|(list, _)| of_list(list, inventory, now));
    match found {
        Some(what) => Err(BootstrapError::Forgotten {
            inventory: out.ca_file(Inventory::FILE).display().to_string(),
            crl: out.ca_file(lists::CRL).display().to_string(),
            what,
        }),
        None => Ok(()),
    }
}

/// What is lost, if anything. A certificate that has expired need not be on the next CRL, and one that was reinstated
/// must not be.
fn of_list(list: &SignedCrl, inventory: &Inventory, now: OffsetDateTime) -> Option<String> {
    let (mut last, mut reinstated) = (0, HashSet::new());
    for event in inventory.events() {
        match event {
            Event::Crl(issue) if issue.issuer == list.issuer => last = last.max(issue.number),
            Event::Revoked(r) if r.reason == Reason::RemoveFromCrl => {
                reinstated.insert(r.serial.as_str());
            }
            _ => {}
        }
    }
    let is_lost = |serial: &&str| match inventory.by_serial(serial) {
        None => true,
        Some(record) => {
            inventory.revocation(serial).is_none()
                && record.not_after > now
                && !reinstated.contains(serial)
        }
    };
    match list.serials().find(is_lost) {
        Some(serial) => Some(format!("the revocation of {serial}")),
        None => list
            .number
            .filter(|number| *number > last)
            .map(|number| format!("the CRL number {number}")),
    }
}
