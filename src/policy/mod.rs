//! The policy file: YAML text in, [`ValidatedPolicy`] or every diagnostic at once out.

mod model;

pub use model::*;
