//! The policy file: YAML text in, [`ValidatedPolicy`] or every diagnostic at once out.
//!
//! Pure: files that a policy includes are handed in by the caller. The way through:
//! `document` makes `raw`'s types of the text, `validate` checks what they mean, `bindings` says it in ACL bindings.

mod authorization;
mod bindings;
mod code;
mod connect;
mod draft;
mod format;
mod identities;
pub mod import;
mod issuer;
mod layout;
pub mod lint;
mod model;
mod names;
mod parse;
mod principals;
mod properties;
mod raw;
mod raw_access;
mod raw_include;
mod raw_issuer;
mod raw_properties;
mod roles;
mod schema;
mod validate;
mod write;

pub use authorization::TestOutcome;
pub use code::PolicyCode;
pub use draft::{Draft, DraftClient, DraftNode};
pub use format::ClientFormat;
pub(crate) use format::client_formats;
pub use identities::{Identities, IdentityRole};
pub use issuer::{IssuerSettings, Pkcs11Settings, StepCaSettings, VaultSettings};
pub use layout::{FileNames, LAYOUTS, Layout, StoreType};
pub use model::*;
pub use parse::{IncludedFiles, parse};
pub use principals::DEFAULT_MAPPING_RULES;
#[cfg(test)]
pub(crate) use properties::decided;
pub use properties::{KafkaProperties, decides_for_client, decides_for_node};
pub use schema::{included_json_schema, json_schema};
pub use write::{WriteOptions, WrittenPolicy, write_acls};
