//! Reads a document's text into a value of the type that describes its shape.

use serde::Deserialize;

use super::{check_shape, code::FormCode, form::Form, report::Report, spanned, yaml};

/// Reads a file of the report as far as its form is correct, and reports every structural error. An empty file is the
/// default value.
pub(crate) fn read<T: Default + for<'de> Deserialize<'de>>(
    report: &mut Report,
    form: &Form,
    file: usize,
) -> Option<T> {
    let before = report.len();
    let mut root = yaml::read(report, file)?;
    if !check_shape::check(report, form, &mut root) {
        return None;
    }
    if matches!(&root.value, yaml::Value::Scalar(..)) {
        return Some(T::default());
    }
    match spanned::from_node(&root) {
        Ok(value) => Some(value),
        // Cannot happen while the schema and the types agree, which a test ensures; if it does, it is reported.
        Err(error) => {
            if report.len() == before {
                report.error(FormCode::WrongShape, root.span, error.to_string());
            }
            None
        }
    }
}
