//! SCRAM credentials as Kafka derives and stores them.

mod mechanism;

pub use mechanism::{Mechanism, UnknownMechanism};
