//! Kafka's access control: its vocabulary and, in time, the authorizer's decision.
//!
//! Pure: nothing here touches disk, network, clock or environment.

mod vocabulary;

pub use vocabulary::{Operation, PatternType, Permission, ResourceType, UnknownWord};
