//! What is said of requests with broad filters whose answers were lost, by earlier commands and in this run.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    Failure,
    confirm::confirm as ask,
    count,
    ui::{BOLD, Ui},
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

/// What earlier commands left of this cluster, having said so.
pub fn left(ui: &Ui, out: &OutDir, admin: &Admin) -> Vec<Unsettled> {
    let left = match unsettled::read(out, admin) {
        Ok(left) => left,
        Err(error) => {
            ui.warn(format!(
                "whether an earlier prune was cut short cannot be told: {error}"
            ));
            return Vec::new();
        }
    };
    let lost = left.iter().filter(|u| u.newer.is_none());
    let principals = principals(lost.clone().flat_map(|u| &u.filters));
    let since = lost.clone().filter_map(|u| u.at).min();
    if !principals.is_empty() {
        ui.warn(format!(
            "an earlier prune was cut short{}: bindings that somebody created just then for these principals may be gone: {}",
            at(since),
            shown(&principals)
        ));
    }
    if lost.clone().any(|u| u.filters.is_empty()) {
        ui.warn(format!(
            "an earlier prune was cut short, and its note in {} cannot be read: bindings that somebody created just then may be gone",
            out.root().display()
        ));
    }
    let again = left.iter().filter_map(|u| u.newer.as_ref()).map(Vec::len);
    let again: usize = again.sum();
    if again > 0 {
        ui.warn(format!(
            "an earlier prune deleted {} that came while it worked, and did not create {} again",
            count(again, "binding"),
            if again == 1 { "it" } else { "them" }
        ));
    }
    left
}

/// What `acl plan` says about them besides: it changes nothing, and so does not put anything back either.
pub fn advise(ui: &Ui, left: &[Unsettled]) {
    if !left.is_empty() {
        ui.complain(format!(
            "{BOLD}hint:{BOLD:#} ask whoever creates ACLs for these principals; the next kpki acl apply creates again what is known to be gone, says this once more and then forgets it"
        ));
    }
}

/// Asks before anything is created again: no policy says it, and no plan showed it.
///
/// # Errors
/// The answer is no, or nobody can be asked.
pub fn confirm(ui: &Ui, yes: bool, left: &[Unsettled]) -> Result<(), Failure> {
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
    ask(ui, yes, &question)
}

/// Says that answers were lost in this run.
pub fn report(ui: &Ui, lost: &[Reach]) {
    let principals = principals(lost.iter());
    if !principals.is_empty() {
        ui.warn(format!(
            "the answer to a request that deletes by broad filters was lost: bindings that somebody created just now for these principals may be gone as well: {}",
            shown(&principals)
        ));
    }
}

/// For machines: the principals, each once.
pub fn document<'r>(reaches: impl Iterator<Item = &'r Reach>) -> Value {
    json!(principals(reaches))
}

fn principals<'r>(reaches: impl Iterator<Item = &'r Reach>) -> BTreeSet<&'r str> {
    reaches.map(|reach| &*reach.principal).collect()
}

fn shown(principals: &BTreeSet<&str>) -> String {
    let named: Vec<String> = principals
        .iter()
        .take(SHOWN)
        .map(|p| Printable(p).to_string())
        .collect();
    let named = named.join(", ");
    match principals.len().saturating_sub(SHOWN) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

fn at(since: Option<OffsetDateTime>) -> String {
    since
        .and_then(|at| at.replace_nanosecond(0).ok()?.format(&Rfc3339).ok())
        .map(|at| format!(" at {at}"))
        .unwrap_or_default()
}
