//! From a plan to a cluster: reads what the cluster has, makes the changes of a plan, and says of every entry what became
//! of it.
//!
//! There is no terminal here. Progress is a callback, and what a person should know is a value that the verb prints.

pub mod acl;
pub mod brokers;
pub mod observed;
mod operator;
pub mod scram;

use crate::{plan::Managed, policy::PrincipalPattern};

/// Whose bindings and credentials a policy answers for.
pub fn managed(patterns: &[PrincipalPattern]) -> Managed {
    let mut managed = Managed::nobody();
    for pattern in patterns {
        match pattern {
            PrincipalPattern::Exact(principal) => managed.add(principal),
            PrincipalPattern::Prefix(prefix) => managed.add_prefix(prefix),
        }
    }
    managed
}
