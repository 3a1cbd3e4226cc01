//! Warnings about requests with broad filters whose answers were lost, by earlier commands or in this run.

use std::collections::BTreeSet;

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    super::planned,
    Done, count,
    ui::{BOLD, Ui, named},
};
use crate::{
    acl::RawBinding,
    admin::Admin,
    apply::acl::unsettled,
    printable::Printable,
    state::{OutDir, Reach, Unsettled},
};

/// More principals are counted.
const SHOWN: usize = 20;

/// What earlier commands left behind for this cluster, after a warning about it.
pub fn left(ui: &Ui, out: &OutDir, admin: &Admin) -> Vec<Unsettled> {
    let left = match unsettled::read(out, admin) {
        Ok(left) => left,
        Err(error) => {
            ui.warn(format!(
                "cannot tell whether an earlier prune was interrupted: {error}"
            ));
            return Vec::new();
        }
    };
    let lost = left.iter().filter(|u| u.newer.is_none());
    let principals = principals(lost.clone().flat_map(|u| &u.filters));
    let since = lost.clone().filter_map(|u| u.at).min();
    if !principals.is_empty() {
        ui.warn(format!(
            "an earlier prune was interrupted{}: bindings that others created at that time for these principals may be gone: {}",
            at(since),
            shown(&principals)
        ));
    }
    if lost.clone().any(|u| u.filters.is_empty()) {
        ui.warn(format!(
            "an earlier prune was interrupted, and its record in {} cannot be read: bindings that others created at that time may be gone",
            out.root().display()
        ));
    }
    let again = left.iter().filter_map(|u| u.newer.as_ref()).map(Vec::len);
    let again: usize = again.sum();
    if again > 0 {
        ui.warn(format!(
            "an earlier prune deleted {} created while it ran, and did not create {} again",
            count(again, "binding"),
            if again == 1 { "it" } else { "them" }
        ));
    }
    left
}

/// What `acl plan` adds to that: it changes nothing, so it does not restore anything either.
pub fn advise(ui: &Ui, left: &[Unsettled]) {
    if !left.is_empty() {
        ui.complain(format!(
            "{BOLD}hint:{BOLD:#} ask the owners of these principals' ACLs; the next kpki acl apply restores what is known to be deleted, and repeats this warning one last time"
        ));
    }
}

/// Asks before anything is restored: it is in no policy, and no plan showed it.
pub fn confirm(ui: &Ui, yes: bool, left: &[Unsettled]) -> Done {
    let again: Vec<&RawBinding> = left.iter().flat_map(|u| u.newer.iter().flatten()).collect();
    if again.is_empty() {
        return Ok(());
    }
    for binding in again.iter().take(SHOWN) {
        ui.complain(format!("  {binding}"));
    }
    if again.len() > SHOWN {
        ui.complain(format!("  and {} more", again.len() - SHOWN));
    }
    let bindings = count(again.len(), "binding");
    let question = format!("creating again {bindings} that an earlier prune deleted,");
    planned::confirm(ui, yes, &question)
}

/// Says that answers were lost in this run.
pub fn report(ui: &Ui, lost: &[Reach]) {
    let principals = principals(lost.iter());
    if !principals.is_empty() {
        ui.warn(format!(
            "the answer to a deletion by broad filters was lost: bindings that others have just created for these principals may be gone as well: {}",
            shown(&principals)
        ));
    }
}

/// The principals, each once.
pub fn principals<'r>(reaches: impl Iterator<Item = &'r Reach>) -> BTreeSet<&'r str> {
    reaches.map(|reach| &*reach.principal).collect()
}

fn shown(principals: &BTreeSet<&str>) -> String {
    named(principals.iter().map(|p| Printable(p)), SHOWN)
}

fn at(since: Option<OffsetDateTime>) -> String {
    since
        .and_then(|at| at.replace_nanosecond(0).ok()?.format(&Rfc3339).ok())
        .map(|at| format!(" at {at}"))
        .unwrap_or_default()
}
