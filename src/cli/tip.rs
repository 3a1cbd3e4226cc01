//! What was probably meant by an unknown command.
//!
//! clap suggests anything similar, even `renew` for `revoke`, which does the opposite. Only corrections of typing
//! errors, and commands of the same name elsewhere, are suggested here.

use clap::{
    Command,
    error::{ContextKind, ContextValue},
};

use crate::document::nearest;

/// The error with a better tip, and that tip.
pub fn instead(mut error: clap::Error, command: &Command) -> (clap::Error, Option<String>) {
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else {
        return (error, None);
    };
    let word = word.clone();
    let proposed = match error.remove(ContextKind::SuggestedSubcommand) {
        Some(ContextValue::Strings(proposed)) => proposed,
        Some(ContextValue::String(proposed)) => vec![proposed],
        _ => Vec::new(),
    };
    let mut elsewhere = Vec::new();
    find(command, &word, command.get_name(), &mut elsewhere);
    let tip = match nearest(&word, proposed.iter().map(String::as_str)) {
        _ if !elsewhere.is_empty() => format!("there is {}", elsewhere.join(", and ")),
        Some(near) => format!("a similar subcommand exists: '{near}'"),
        None => return (error, None),
    };
    let styled = ContextValue::StyledStrs(vec![tip.clone().into()]);
    error.insert(ContextKind::Suggested, styled);
    (error, Some(tip))
}

/// The commands of this name, at any level.
fn find(command: &Command, word: &str, path: &str, found: &mut Vec<String>) {
    for below in command.get_subcommands().filter(|c| !c.is_hide_set()) {
        let path = format!("{path} {}", below.get_name());
        if below.get_name() == word {
            found.push(format!("'{path}'"));
        }
        find(below, word, &path, found);
    }
}
