//! Parses text to a validated policy.

use std::collections::HashMap;

use serde::Deserialize;

use super::{
    PolicyCode, ValidatedPolicy, names,
    raw::{Included, RawInclude, RawIncluded, RawPolicy},
    schema, validate,
};
use crate::document::{self, Diagnostic, Form, Report, Span, nearest};

/// The files that match a pattern of `include`: names and texts, in the order of the names; or why they cannot be read.
pub type IncludedFiles = Result<Vec<(String, String)>, String>;

/// Reads a policy: YAML `text`, called `name` in diagnostics.
///
/// `include` is asked for the files of each pattern under the policy's `include`, and returns their names and texts in
/// the order of their names; a pattern that matches no file is an error, because the rights in the missing file would
/// otherwise be revoked.
///
/// # Errors
/// All mistakes, in the order of the files and of the positions in them; none that only follows from something that
/// could not be read.
pub fn parse(
    name: &str,
    text: &str,
    include: &dyn Fn(&str) -> IncludedFiles,
) -> Result<ValidatedPolicy, Vec<Diagnostic>> {
    let mut report = Report::default();
    let policy = read(&mut report, name, text, include);
    match policy {
        Some(policy) if report.is_clean() => Ok(policy),
        _ => Err(report.finish()),
    }
}

fn read(
    report: &mut Report,
    name: &str,
    text: &str,
    include: &dyn Fn(&str) -> IncludedFiles,
) -> Option<ValidatedPolicy> {
    let main: RawPolicy = file(report, &schema::POLICY, name, text)?;
    let included = included(report, &main, name, include);
    if report.is_full() {
        return None;
    }
    validate::policy(report, &main, &included)
}

/// Parses one file as far as its form is correct; `None` if nothing of it can be used.
fn file<T: Default + for<'de> Deserialize<'de>>(
    report: &mut Report,
    form: &Form,
    name: &str,
    text: &str,
) -> Option<T> {
    let number = report.add_file(name, text);
    let before = report.len();
    let raw = document::read(report, form, number);
    if report.len() > before && !resembles(form, text) {
        report.forget_since(before);
        not_a_policy(report, form, number);
        return None;
    }
    raw
}

/// Whether a text with errors was meant as a policy: some line begins with a section. Other files may be anything, for
/// example a password file that was included by mistake, so they are not quoted.
fn resembles(form: &Form, text: &str) -> bool {
    let whole = schema::POLICY.sections();
    // Only the policy itself was certainly given by the user.
    let is_policy = form.sections() == whole;
    text.lines().any(|line| {
        let word =
            line.trim_start_matches(|c: char| c.is_whitespace() || "\u{feff}{-\"'".contains(c));
        let end = word.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let (word, rest) = word.split_at(end.unwrap_or(word.len()));
        let is_key = rest.trim_start_matches(['"', '\'', ' ']).starts_with(':');
        let known = whole.contains(&word) || word == "scope";
        known || is_key && is_policy && nearest(word, whole.iter().copied()).is_some()
    })
}

fn not_a_policy(report: &mut Report, form: &Form, file: usize) {
    report.hide(file);
    let sections = form.sections().join(", ");
    let message = "this file is not a policy; its contents are not shown";
    report
        .error(PolicyCode::NotAPolicy, Span::beginning(file), message)
        .hint(format!(
            "a policy is YAML and has at least one of these sections: {sections}"
        ));
}

fn included(
    report: &mut Report,
    main: &RawPolicy,
    name: &str,
    include: &dyn Fn(&str) -> IncludedFiles,
) -> Vec<Included> {
    let entries = main.include.as_deref().unwrap_or_default();
    if !names::no_repeats(report, entries.iter().map(RawInclude::files)) {
        not_included(report);
        return Vec::new();
    }
    let mut all = Vec::new();
    // By which entry each file was included.
    let mut by: HashMap<String, usize> = HashMap::new();
    for (at, entry) in entries.iter().enumerate() {
        let (pattern, span) = RawInclude::files(entry);
        let files = match include(pattern) {
            Ok(files) => files,
            Err(error) => {
                let message = format!("`{pattern}` cannot be included: {error}");
                report
                    .error(PolicyCode::IncludeFailed, span, message)
                    .hint("included files must be regular files in the policy's directory or below it; paths are relative to that directory");
                not_included(report);
                continue;
            }
        };
        if files.is_empty() {
            report
                .error(PolicyCode::IncludeEmpty, span, format!("no file matches `{pattern}`"))
                .hint("correct the path, which is relative to the policy's directory, or remove the entry");
            not_included(report);
        }
        for (file_name, text) in files {
            if file_name == name {
                let message = format!("`{pattern}` includes the policy itself");
                report
                    .error(PolicyCode::IncludeItself, span, message)
                    .hint("put the included files into a separate directory");
            } else if let Some(first) = by.get(&file_name) {
                // Otherwise the wider of the two scopes would apply.
                if entry.scope().is_some() || entries[*first].scope().is_some() {
                    let message = format!("`{file_name}` is included twice, with different scopes");
                    report
                        .error(PolicyCode::IncludeTwice, span, message)
                        .label("again here")
                        .note(RawInclude::files(&entries[*first]).1, "first here")
                        .hint("include the file in one entry only");
                    report.lost("include.scope", None);
                }
            } else {
                let raw = file::<RawIncluded>(report, &schema::INCLUDED, &file_name, &text);
                by.insert(file_name, at);
                match raw {
                    Some(raw) => all.push(Included { entry: at, raw }),
                    None => not_included(report),
                }
            }
        }
    }
    all
}

/// Records that files are missing, and so their clients.
fn not_included(report: &mut Report) {
    report.lost("clients", None);
}
