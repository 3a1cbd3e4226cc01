//! What the cluster holds: the one place where `acl plan` gets it from.

use super::{CliError, Failure, bindings};
use crate::acl::RawBinding;

/// Where to look.
pub enum From<'a> {
    /// An export of the cluster's bindings.
    Export(&'a str),
    /// Nowhere was said.
    Nowhere,
}

/// The bindings that the cluster holds.
pub fn observed(from: From<'_>) -> Result<Vec<RawBinding>, Failure> {
    match from {
        From::Export(path) => Ok(bindings::read_export(path)?.bindings),
        From::Nowhere => Err(CliError::new(
            "observed-missing",
            "nothing says which ACLs the cluster has",
        )
        .hint("give an export of them with --observed ACLS.jsonl; an empty file stands for a cluster without any")
        .usage()
        .into()),
    }
}
