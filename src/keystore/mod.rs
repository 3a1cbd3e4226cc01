//! Keystores and truststores as bytes: PKCS#12 and PEM, the formats that Kafka, Java programs and OpenSSL programs
//! read.
//!
//! Pure: bytes in, bytes out. Only the salts and initialisation vectors of PKCS#12 are generated inside, by the
//! `p12-keystore` crate, which accepts no external random source; so no two stores have the same bytes.

mod chain;
mod cost;
mod error;
#[cfg(test)]
mod fixture;
mod foreign_key;
pub mod pem;
pub mod pkcs12;
mod profile;

pub use error::StoreError;
pub use foreign_key::{ForeignKey, OpenedKey};
pub use profile::{StoreProfile, UnknownProfile};
