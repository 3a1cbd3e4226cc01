//! Reads YAML documents with positions: returns a typed value, or every diagnostic at once, each with its line.
//!
//! This room knows nothing about what the documents mean. `yaml` parses the text into a tree with positions,
//! `check_shape` checks it against the JSON Schema that `schema` generates from the reader's types, `spanned` converts
//! it to those types; the semantic checks report to the same `Report`.

mod check_shape;
mod code;
mod diagnostic;
mod form;
mod read;
mod report;
mod schema;
mod shape;
mod source;
mod spanned;
mod suggest;
mod text;
mod tree;
mod yaml;
mod yaml_error;
mod yaml_scalar;
mod yaml_text;

pub use code::FormCode;
pub use diagnostic::{Diagnostic, Label, Severity, render};
pub(crate) use form::Form;
pub(crate) use read::read;
pub(crate) use report::{MAX_DIAGNOSTICS, Report};
pub use source::Source;
pub(crate) use spanned::{OneOrMany, Scalar, Spanned, text_or_map, value_or};
pub(crate) use suggest::nearest;
pub(crate) use text::{MARK, Span};
pub(crate) use tree::{Tree, trees};
pub use yaml_text::{one_line, scalar};
