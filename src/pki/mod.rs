//! Names, keys, certificates and the CA that signs them.
//!
//! Pure: clock and serial numbers are arguments. Only key generation draws on the random source of the
//! cryptographic library (aws-lc), which takes none from outside.

mod dn;
mod host;
mod key;
mod name;

pub use dn::{Attribute, Dn, DnError};
pub use host::{Host, HostError};
pub use key::{KeyAlgorithm, UnknownKeyAlgorithm};
pub use name::{IdentityName, NameError};
