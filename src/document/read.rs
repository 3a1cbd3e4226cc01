//! The way from a document's text to a value of the type that describes its shape.

use serde::Deserialize;

use super::{check_shape, code::FormCode, form::Form, report::Report, spanned, yaml};

/// Reads a file of the report, or reports everything in which its form is wrong. One without content is the default.
pub(crate) fn read<T: Default + for<'de> Deserialize<'de>>(
    report: &mut Report,
    form: &Form,
    file: usize,
) -> Option<T> {
    let before = report.len();
    let root = yaml::read(report, file)?;
    check_shape::check(report, form, &root);
    if report.len() > before {
        return None;
    }
    if matches!(&root.value, yaml::Value::Scalar(..)) {
        return Some(T::default());
    }
    match spanned::from_node(&root) {
        Ok(value) => Some(value),
        // Cannot happen as long as schema and types agree, for which there is a test; if it does, it is said.
        Err(error) => {
            report.error(FormCode::WrongShape, root.span, error.to_string());
            None
        }
    }
}
