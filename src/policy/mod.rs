//! The policy file: YAML text in, [`ValidatedPolicy`] or every diagnostic at once out.
//!
//! Pure: files that a policy includes are handed in by the caller. The way through:
//! `yaml` makes a tree with positions of the text, `check_shape` holds it against the schema that `raw`'s types
//! generate (and `schema` shows to editors), `spanned` turns it into those types, `validate` checks what they mean.

mod authorization;
mod bindings;
mod check_shape;
mod diagnostic;
pub mod lint;
mod model;
mod parse;
mod principals;
mod raw;
mod raw_access;
mod raw_include;
mod report;
mod schema;
mod shape;
mod spanned;
mod suggest;
mod text;
mod validate;
mod write;
mod yaml;
mod yaml_error;
mod yaml_scalar;
mod yaml_text;

pub use authorization::TestOutcome;
pub use diagnostic::{Diagnostic, Label, Severity, render};
pub use model::*;
pub use parse::{IncludedFiles, parse};
pub use schema::{included_json_schema, json_schema};
pub use write::{WrittenPolicy, write_acls};
pub use yaml_text::scalar;
