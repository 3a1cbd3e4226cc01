//! Applies plans to a cluster: reads its state, makes the changes, and reports the result of every entry.
//!
//! There is no terminal here. Progress is a callback, and notices are values that the command prints.

pub mod acl;
pub mod brokers;
pub mod observed;
mod operator;
pub mod reload;
pub mod scram;

/// A notice about a cluster that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Only shown on request.
    Detail(String),
    /// Shown normally.
    Note(String),
    /// Always shown.
    Warning(String),
}
