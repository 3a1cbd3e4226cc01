//! From a plan to a cluster: reads what the cluster has, makes the changes of a plan, and says of every entry what became
//! of it.
//!
//! There is no terminal here. Progress is a callback, and what a person should know is a value that the verb prints.

pub mod acl;
pub mod brokers;
pub mod notice;
pub mod observed;
mod operator;
pub mod reload;
pub mod scram;
