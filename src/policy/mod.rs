//! The policy file: YAML text in, [`ValidatedPolicy`] or every diagnostic at once out.
//!
//! Pure: files that a policy includes are handed in by the caller. The way through:
//! `yaml` makes a tree with positions of the text, `check_shape` holds it against the schema that `raw`'s types
//! generate (and `schema` shows to editors), `spanned` turns it into those types, `validate` checks what they mean.

mod authorization;
mod bindings;
mod check_shape;
mod connect;
mod diagnostic;
mod format;
pub mod lint;
mod model;
mod parse;
mod principals;
mod properties;
mod raw;
mod raw_access;
mod raw_include;
mod raw_properties;
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
pub use format::ClientFormat;
pub(crate) use format::client_formats;
pub use model::*;
pub use parse::{IncludedFiles, parse};
#[cfg(test)]
pub(crate) use properties::decided;
pub use properties::{KafkaProperties, decides_for_client, decides_for_node};
pub use schema::{included_json_schema, json_schema};
pub(crate) use suggest::nearest;
pub use write::{WrittenPolicy, write_acls};
pub use yaml_text::scalar;
