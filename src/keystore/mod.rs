//! Key stores and trust stores as bytes: PKCS#12 and PEM, the two formats that Kafka, every Java program and
//! every OpenSSL program read; and JKS and JCEKS, which old Java programs have.
//!
//! Pure: bytes in, bytes out. Only salts and initialisation vectors of PKCS#12 are drawn inside, by the
//! `p12-keystore` crate, which takes no random source from outside; so no two stores are the same bytes.

mod aliases;
mod ber;
mod chain;
mod cipher;
mod contents;
mod error;
#[cfg(test)]
mod fixture;
mod inspect;
pub mod jks;
mod opened;
pub mod pem;
mod pem_store;
pub mod pkcs12;
mod profile;
mod readers;

pub use aliases::{add_trusted, adopt};
pub use cipher::{Cipher, Family};
pub use contents::{LockedKey, StoreContents, StoredKey, TrustedCert};
pub use error::StoreError;
pub use inspect::{EntryKind, EntryReport, Link, StoreReport, inspect};
pub use opened::{Opened, Passwords, Protection, StoreKind, open};
pub use pem_store::write as write_pem;
pub use pkcs12::Integrity;
pub use profile::{StoreProfile, UnknownProfile};
pub use readers::Readable;
