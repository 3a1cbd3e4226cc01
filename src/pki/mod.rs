//! Names, certificates and who Kafka takes their owners to be.
//!
//! Pure: bytes, clock and randomness are arguments.

mod java_regex;
pub mod principal;
mod rfc2253;

pub use java_regex::PatternError;
pub use rfc2253::{NameError, rfc2253};
