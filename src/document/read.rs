//! Reads a document's text into a value of the type that describes its shape.

use serde::Deserialize;

use super::{check_shape, code::FormCode, form::Form, report::Report, spanned, yaml};

/// Reads a file of the report, or reports every structural error. An empty file is the default value.
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
        // Cannot happen while the schema and the types agree, which a test ensures; if it does, it is reported.
        Err(error) => {
            report.error(FormCode::WrongShape, root.span, error.to_string());
            None
        }
    }
}
