//! Key stores and trust stores as bytes: PKCS#12 and PEM, the two formats that Kafka, every Java program and
//! every OpenSSL program read.
//!
//! Pure: bytes in, bytes out. Only salts and initialisation vectors of PKCS#12 are drawn inside, by the
//! `p12-keystore` crate, which takes no random source from outside; so no two stores are the same bytes.

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
