//! How long a CRL is good, as it says itself.

use time::OffsetDateTime;
use x509_parser::{prelude::FromDer, revocation_list::CertificateRevocationList};

/// When a CRL (DER) was made, and when there will be another (RFC 5280 §5.1.2.4 and 5). `None`: it is none, or does not
/// say.
pub fn crl_life(der: &[u8]) -> Option<(OffsetDateTime, OffsetDateTime)> {
    let (rest, crl) = CertificateRevocationList::from_der(der).ok()?;
    let next = crl.next_update()?.to_datetime();
    rest.is_empty()
        .then(|| (crl.last_update().to_datetime(), next))
}
