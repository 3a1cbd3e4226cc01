//! Names, keys and their sealing, certificates and the CA that signs them.
//!
//! Pure: clock and serial numbers are arguments. Only key generation draws on the random source of the
//! cryptographic library (aws-lc), which takes none from outside.

mod authority;
mod ca_chain;
mod certificate;
mod crl;
mod crl_url;
mod csr;
mod details;
mod digest;
mod dn;
mod host;
mod inspected;
mod java_regex;
mod key;
mod key_uri;
mod kind;
mod leaf;
mod name;
mod name_constraint;
mod name_limits;
mod own_name;
mod path;
pub mod principal;
mod reason;
mod rfc2253;
mod rsa;
mod sealed_key;
mod serial;
mod signed_crl;

pub use authority::{
    Authority, AuthorityRequest, MIN_CA_LIFE, ca_request, self_signed, subordinate,
};
pub use ca_chain::{CaChain, ChainProblem};
pub use certificate::Certificate;
pub use crl::{RevocationList, RevokedEntry};
pub use crl_url::{CrlUrl, NotACrlUrl, crl_path};
pub use csr::{Approved, Asked, Csr, CsrProblem};
pub use details::{Details, PublicKeyDetails};
pub use digest::{hex, sha256, unhex};
pub use dn::{Attribute, Dn, DnError};
pub use host::{Host, HostError};
pub use inspected::{Inspected, Oddity, Unusual};
pub use java_regex::PatternError;
pub use key::{KeyAlgorithm, UnknownKeyAlgorithm};
pub use key_uri::{KeyUri, KeyUriError};
pub use kind::Kind;
pub use leaf::{LEAF_DAYS, LeafSpec, is_named_alone, sign};
pub use name::{IdentityName, NameError};
pub use name_constraint::NameConstraint;
pub use name_limits::NameLimits;
pub use path::{PathEnd, TrustPath, trust_path};
pub use reason::{Reason, UnknownReason};
pub use rfc2253::{DerNameError, never_printed, rfc2253};
pub use sealed_key::{KeyProtection, SealError, SealedBackup, SealedKey};
pub use serial::{Serial, in_order};
pub use signed_crl::SignedCrl;

use time::{Duration, OffsetDateTime};

use crate::printable::Name;

/// A certificate's validity starts this long before it is made, for machines whose clocks are behind.
const CLOCK_SKEW: Duration = Duration::HOUR;

/// Why a certificate could not be made or read.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PkiError {
    /// The CA itself has expired.
    #[error("the CA certificate expired on {0}")]
    AuthorityExpired(String),
    /// The given key does not match the certificate.
    #[error("the CA key does not belong to the CA certificate `{0}`")]
    KeyMismatch(Name),
    /// A host outside what the CA may sign for.
    #[error("`{host}` is outside the CA's name constraints ({permitted})")]
    OutsideConstraints {
        /// The requested host.
        host: String,
        /// The kind of certificate.
        kind: Kind,
        /// What the CA permits.
        permitted: String,
    },
    /// A server without a host name.
    #[error("the broker `{0}` has no host name or IP address")]
    NoHost(String),
    /// Bytes that are not an X.509 certificate.
    #[error("not an X.509 certificate: {0}")]
    NotACertificate(#[from] NotACertificate),
    /// A validity that no date can represent.
    #[error("a validity of {0} days ends beyond the year 9999")]
    TooLong(u32),
    /// A name that is not valid in a certificate.
    #[error("certificate could not be made: {0}")]
    Name(#[from] DnError),
    /// The library's own refusal.
    #[error("certificate could not be made: {0}")]
    Library(#[from] rcgen::Error),
}

/// Why bytes are not an X.509 certificate.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum NotACertificate {
    /// They are not DER of one.
    #[error("its DER cannot be parsed")]
    Der(#[from] x509_parser::nom::Err<x509_parser::error::X509Error>),
    /// There are bytes after its end.
    #[error("bytes follow its end")]
    Trailing,
    /// Java could not print its name.
    #[error(transparent)]
    Name(#[from] DerNameError),
}

/// `now` plus `days`, without what a certificate cannot represent (RFC 5280 §4.1.2.5: whole seconds, year 9999).
fn end(now: OffsetDateTime, days: u32) -> Result<OffsetDateTime, PkiError> {
    now.checked_add(Duration::days(days.into()))
        .filter(|end| end.year() <= 9999)
        .map(|end| end.truncate_to_second())
        .ok_or(PkiError::TooLong(days))
}
