//! From a plan to a cluster: reads what the cluster has, makes the changes of a plan, and says of every entry what became
//! of it.
//!
//! There is no terminal here. Progress is a callback, and what a person should know is a value that the verb prints.

pub mod acl;
pub mod brokers;
pub mod observed;
mod operator;
pub mod reload;
pub mod scram;

/// What a person should know about a cluster that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Shown on request.
    Detail(String),
    /// Shown normally.
    Note(String),
    /// Always shown.
    Warning(String),
}
