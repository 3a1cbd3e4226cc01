//! What a CRL that the CA has signed contains, and the inventory does not: lines of the inventory were lost, and the next
//! CRL would take back revocations, or have a number that programs have already seen.

use std::collections::HashSet;

use time::OffsetDateTime;

use super::{
    BootstrapError,
    lists::{self, NextLists},
    revoke::next_list,
    trust::Trust,
};
use crate::{
    pki::{Reason, RevocationList, SignedCrl, hex, in_order},
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
    compare(out, &current, &Vec::new(), inventory, now)
}

/// The same for current CRLs that were already read, where the next ones may be known too.
///
/// # Errors
/// [`BootstrapError::Forgotten`].
pub fn compare(
    out: &OutDir,
    current: &[SignedCrl],
    next: &NextLists,
    inventory: &Inventory,
    now: OffsetDateTime,
) -> Result<(), BootstrapError> {
    let lost = |list: &SignedCrl| match next.iter().find(|(issuer, _)| *issuer == list.issuer) {
        Some((_, next)) => of_list(list, next, inventory, now),
        None => {
            let next = next_list(inventory, list.issuer.exact(), 1, now);
            of_list(list, &next, inventory, now)
        }
    };
    match current.iter().find_map(lost) {
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
fn of_list(
    list: &SignedCrl,
    next: &RevocationList,
    inventory: &Inventory,
    now: OffsetDateTime,
) -> Option<String> {
    let (mut last, mut reinstated) = (0, HashSet::new());
    for event in inventory.events() {
        match event {
            Event::Crl(issue) if issue.issuer == list.issuer => {
                last = last.max(issue.number);
                // What was reinstated before is not on it, unless it was revoked once more.
                if list.number == Some(issue.number) {
                    reinstated.clear();
                }
            }
            Event::Revoked(r) if r.reason == Reason::RemoveFromCrl => {
                reinstated.insert(r.serial.as_str());
            }
            _ => {}
        }
    }
    // Nearly all of the list is on the next one: both are in order, and compared faster than each is looked up.
    let mut next = next.entries.iter().map(|e| e.serial.as_slice()).peekable();
    let others = list.serials().filter(|serial| {
        while next.next_if(|n| in_order(n) < in_order(serial)).is_some() {}
        next.peek() != Some(serial)
    });
    let is_lost = |serial: &String| match inventory.by_serial(serial) {
        None => true,
        Some(record) => record.not_after > now && !reinstated.contains(serial.as_str()),
    };
    match others.map(hex).find(is_lost) {
        Some(serial) => Some(format!("the revocation of {serial}")),
        None => list
            .number
            .filter(|number| *number > last)
            .map(|number| format!("the CRL number {number}")),
    }
}
