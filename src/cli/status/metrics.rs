//! Metrics for monitoring in the Prometheus text format, for the textfile collector of node_exporter.

use std::{collections::BTreeSet, fmt::Write, path::Path};

use time::OffsetDateTime;

use super::super::Failure;
use crate::{
    bootstrap::due::{Due, DueCode},
    state::{Record, write_atomic},
};

/// The collector runs as another user.
const MODE: u32 = 0o644;

/// What could not be checked.
#[derive(Clone, Copy)]
pub struct Unasked {
    /// How many listeners did not answer.
    pub listeners: usize,
    /// Whether that, or anything else, could not be checked.
    pub anything: bool,
}

/// Replaces the file atomically, so that a partial one is never read.
///
/// # Errors
/// If it cannot be written.
pub fn write(
    path: &Path,
    current: &[&Record],
    found: &[Due],
    unasked: Unasked,
    now: OffsetDateTime,
) -> Result<(), Failure> {
    let text = text(current, found, unasked, now);
    Ok(write_atomic(path, text.as_bytes(), MODE, None)?)
}

fn text(current: &[&Record], found: &[Due], unasked: Unasked, now: OffsetDateTime) -> String {
    let mut text = String::new();
    head(
        &mut text,
        "kpki_certificate_expiry_timestamp_seconds",
        "When the last certificate of an identity, or of the CA, expires.",
    );
    let mut seen = BTreeSet::new();
    // During a CA rotation there are two of a name, of which the first to expire counts.
    let mut current = current.to_vec();
    current.sort_by_key(|record| record.not_after);
    current.retain(|record| seen.insert((record.kind.name(), record.name.as_str())));
    for record in current {
        let _ = writeln!(
            text,
            "kpki_certificate_expiry_timestamp_seconds{{name=\"{}\",kind=\"{}\"}} {}",
            escaped(&record.name),
            record.kind.name(),
            record.not_after.unix_timestamp()
        );
    }
    head(
        &mut text,
        "kpki_due",
        "Number of things to be done, by code.",
    );
    for code in DueCode::CODES {
        let count = found.iter().filter(|due| due.code == *code).count();
        let _ = writeln!(text, "kpki_due{{code=\"{}\"}} {count}", code.name());
    }
    head(
        &mut text,
        "kpki_listeners_unreachable",
        "Number of listeners of the policy's brokers that did not answer.",
    );
    let _ = writeln!(text, "kpki_listeners_unreachable {}", unasked.listeners);
    head(
        &mut text,
        "kpki_unchecked",
        "1 if something in the cluster could not be checked, so kpki_due may be too low.",
    );
    let _ = writeln!(text, "kpki_unchecked {}", u8::from(unasked.anything));
    head(
        &mut text,
        "kpki_last_run_timestamp_seconds",
        "When kpki status wrote this file.",
    );
    let _ = writeln!(
        text,
        "kpki_last_run_timestamp_seconds {}",
        now.unix_timestamp()
    );
    text
}

fn head(text: &mut String, name: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
}

/// A label's value.
fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}
