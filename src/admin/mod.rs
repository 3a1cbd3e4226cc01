//! A Kafka admin client over librdkafka: ACLs, SCRAM credentials and brokers' dynamic configuration.
//!
//! `ffi` is the only unsafe code of the crate; `acls` and `describe`, `scram` and `configs` are the three families of requests,
//! `client` the connection, and `properties` reads a Java client's `client.properties`.

mod acls;
mod client;
mod codes;
mod configs;
mod describe;
mod error;
#[cfg_attr(
    feature = "live",
    expect(
        unsafe_code,
        reason = "librdkafka is a C library, and its Rust wrapper has no ACL or SCRAM requests"
    )
)]
#[cfg_attr(not(feature = "live"), path = "ffi/absent.rs")]
mod ffi;
mod jaas;
mod plain_text;
pub mod properties;
#[cfg_attr(
    not(feature = "live"),
    expect(dead_code, reason = "there is no client to use it")
)]
mod raw;
mod scram;
pub mod subprocess;

pub use crate::{acl::AclBindingFilter, scram::ScramInfo};
pub use acls::{Deleted, Entries};
pub use client::{Admin, Batch, LARGEST_ANSWER};
pub use codes::inexpressible;
pub use configs::{ConfigEntry, ConfigSource};
pub use describe::{Described, is_kafkas_authorizer};
pub use error::{AdminError, EntryError};
pub use properties::{ClientProperties, ClientPropertiesError};
pub use scram::ScramChange;
