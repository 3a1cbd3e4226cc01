//! What the cluster holds: the one place where `acl plan` and `acl apply` get it from.

use super::{Failure, ReadPolicy, bindings};
use crate::{
    acl::{RawBinding, Settings},
    admin::{AclFilter, Admin},
};

/// The bindings, and what else the guards go by.
pub struct Observed {
    /// The bindings that the cluster holds.
    pub bindings: Vec<RawBinding>,
    /// The brokers' own settings, as far as they are known.
    pub settings: Settings,
    /// The principal that executes a plan.
    pub operator: Option<String>,
}

/// From an export of the cluster's bindings; what the brokers are told is what the policy says.
///
/// # Errors
/// A file that cannot be read, or is no export.
pub fn of_export(path: &str, read: &ReadPolicy) -> Result<Observed, Failure> {
    let policy = &read.policy;
    let operator = policy.cluster.admin.as_ref().and_then(|admin| {
        let client = policy.clients.iter().find(|c| c.name == *admin)?;
        policy.principals(client).into_iter().next()
    });
    Ok(Observed {
        bindings: bindings::read_export(path)?.bindings,
        settings: policy.settings(),
        operator,
    })
}

/// From the cluster itself.
///
/// # Errors
/// Whatever keeps its bindings from being read.
pub fn of_cluster(admin: &mut Admin, read: &ReadPolicy) -> Result<Observed, Failure> {
    let described = admin.describe_acls(&AclFilter::default())?;
    Ok(Observed {
        bindings: described.bindings,
        settings: read.policy.settings(),
        operator: None,
    })
}
