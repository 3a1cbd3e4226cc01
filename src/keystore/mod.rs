//! Keystores and truststores as bytes: PKCS#12 and PEM, which Kafka, Java programs and OpenSSL programs read, and the
//! older JKS and JCEKS.
//!
//! Pure: bytes in, bytes out. Only the salts and initialisation vectors of PKCS#12 are generated inside, by the
//! `p12-keystore` crate, which accepts no external random source; so no two stores have the same bytes.

mod aliases;
mod ber;
mod chain;
mod cipher;
mod contents;
mod cost;
mod error;
#[cfg(test)]
mod fixture;
mod foreign_key;
mod inspect;
pub mod jks;
mod limits;
mod opened;
mod passwords;
pub mod pem;
mod pem_store;
pub mod pkcs12;
mod profile;
mod reader;
mod readers;
mod to_pkcs8;

pub use aliases::{add_trusted, adopt};
pub use cipher::{Cipher, Family};
pub use contents::{LockedKey, StoreContents, StoredKey, TrustedCert};
pub use error::StoreError;
pub use foreign_key::{ForeignKey, OpenedKey};
pub use inspect::{EntryKind, EntryReport, Link, StoreReport, inspect};
pub use opened::{Opened, Protection, StoreKind};
pub use passwords::Passwords;
pub use pem_store::write as write_pem;
pub use pkcs12::Integrity;
pub use profile::{StoreProfile, UnknownProfile};
pub use reader::{check_size, open};
pub use readers::Readable;
