//! A Kafka admin client over librdkafka: ACLs, SCRAM credentials and brokers' dynamic configuration.
//!
//! `ffi` is the only unsafe code in the crate. Above it, `client` is the connection; `acls` and `describe`, `scram` and
//! `configs` are the groups of requests; `properties` reads a Java client's `client.properties`.

mod acls;
mod answers;
mod causes;
mod client;
mod codes;
mod configs;
mod describe;
mod error;
#[cfg_attr(
    feature = "live",
    expect(
        unsafe_code,
        reason = "librdkafka is a C library, and rdkafka has no requests for ACLs or SCRAM users"
    )
)]
#[cfg_attr(not(feature = "live"), path = "ffi/absent.rs")]
mod ffi;
mod messages;
mod parts;
pub mod properties;
#[cfg_attr(
    not(feature = "live"),
    expect(dead_code, reason = "there is no client to use it")
)]
mod raw;
mod scram;
mod scram_change;
pub mod subprocess;

pub use crate::scram::ScramInfo;
pub use acls::{Deleted, Entries};
pub use client::{Admin, Batch, LARGEST_ANSWER};
pub use codes::inexpressible;
pub use configs::ConfigEntry;
pub use describe::is_kafkas_authorizer;
pub use error::{AdminError, EntryError, Said};
pub use parts::Described;
pub use properties::{ClientProperties, ClientPropertiesError};
pub use scram_change::ScramChange;
