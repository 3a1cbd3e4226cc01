//! What this run has changed, noted where it happens and read by the journal.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

/// So many things are named of each kind of change.
const NAMED: usize = 10;

/// Each kind of change, in the order in which they were first made, with what was changed.
static DEEDS: Mutex<Vec<(&str, BTreeSet<String>)>> = Mutex::new(Vec::new());

/// Notes a change: `did("signed", "kafka1")`. What was changed is named without secrets.
pub fn did(verb: &'static str, what: impl Into<String>) {
    let mut deeds = DEEDS.lock().unwrap_or_else(PoisonError::into_inner);
    match deeds.iter_mut().find(|(known, _)| *known == verb) {
        Some((_, things)) => {
            things.insert(what.into());
        }
        None => deeds.push((verb, BTreeSet::from([what.into()]))),
    }
}

/// All changes in one line: `signed kafka1, kafka2; wrote kafka1, kafka2`; `None` where nothing was changed.
pub fn summary() -> Option<String> {
    let deeds = DEEDS.lock().unwrap_or_else(PoisonError::into_inner);
    let lines = deeds.iter().map(|(verb, things)| {
        let named: Vec<&str> = things.iter().take(NAMED).map(String::as_str).collect();
        let more = match things.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!("{verb} {}{more}", named.join(", "))
    });
    let lines: Vec<String> = lines.collect();
    (!lines.is_empty()).then(|| lines.join("; "))
}
