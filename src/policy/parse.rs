//! The way from text to a validated policy.

use serde::Deserialize;
use serde_json::Value as Json;

use super::{
    Diagnostic, ValidatedPolicy, check_shape,
    raw::{RawIncluded, RawPolicy},
    report::Report,
    schema, spanned, validate, yaml,
};

/// What a pattern of `include` stands for: names and texts, in the order of the names; or why it stands for nothing.
pub type IncludedFiles = Result<Vec<(String, String)>, String>;

/// Reads a policy: YAML `text`, called `name` in diagnostics.
///
/// `include` is asked for the files of each pattern under the policy's `include`, and returns their names and texts in
/// the order of their names; a pattern that fits no file is an error, as what it should have granted would
/// otherwise be taken away.
///
/// # Errors
/// Everything that is wrong, in the order of the files and of the places in them. What a policy means is only
/// checked once its shape is right.
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
    if report.is_clean() {
        validate::policy(report, &main, &included)
    } else {
        None
    }
}

/// One file, if its shape is right.
fn file<T: Default + for<'de> Deserialize<'de>>(
    report: &mut Report,
    schema: &Json,
    name: &str,
    text: &str,
) -> Option<T> {
    let number = report.add_file(name, text);
    let before = report.len();
    let root = yaml::read(report, number)?;
    check_shape::check(report, schema, &root);
    if report.len() > before {
        return None;
    }
    if matches!(&root.value, yaml::Value::Scalar(..)) {
        return Some(T::default());
    }
    match spanned::from_node(&root) {
        Ok(raw) => Some(raw),
        // Cannot happen as long as schema and types agree, for which there is a test; if it does, it is said.
        Err(error) => {
            report.error("wrong-shape", root.span, error.to_string());
            None
        }
    }
}

fn included(
    report: &mut Report,
    main: &RawPolicy,
    name: &str,
    include: &dyn Fn(&str) -> IncludedFiles,
) -> Vec<RawIncluded> {
    let patterns = main.include.as_deref().unwrap_or_default();
    let each = patterns.iter().map(|p| (p.value.clone(), p.span));
    if !validate::no_repeats(report, each) {
        return Vec::new();
    }
    let mut all = Vec::new();
    for pattern in patterns {
        let files = match include(pattern) {
            Ok(files) => files,
            Err(error) => {
                let message = format!("`{}` cannot be included: {error}", pattern.value);
                report.error("include-failed", pattern.span, message);
                continue;
            }
        };
        if files.is_empty() {
            report
                .error("include-empty", pattern.span, format!("no file fits `{}`", pattern.value))
                .hint("correct the path, which begins at the policy's own directory, or remove the entry");
        }
        for (file_name, text) in files {
            if file_name == name {
                report
                    .error(
                        "include-itself",
                        pattern.span,
                        format!("`{}` includes the policy itself", pattern.value),
                    )
                    .hint("put the included files into a directory of their own");
            } else if !report.has_file(&file_name) {
                all.extend(file::<RawIncluded>(
                    report,
                    &schema::INCLUDED,
                    &file_name,
                    &text,
                ));
            }
        }
    }
    all
}
