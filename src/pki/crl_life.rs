//! The validity of a CRL, as stated in it.

use time::OffsetDateTime;
use x509_parser::{prelude::FromDer, revocation_list::CertificateRevocationList};

/// The thisUpdate and nextUpdate of a CRL in DER (RFC 5280 §5.1.2.4 and 5). `None`: it is not a CRL, or has no
/// nextUpdate.
pub fn crl_life(der: &[u8]) -> Option<(OffsetDateTime, OffsetDateTime)> {
    let (rest, crl) = CertificateRevocationList::from_der(der).ok()?;
    let next = crl.next_update()?.to_datetime();
    rest.is_empty()
        .then(|| (crl.last_update().to_datetime(), next))
}

#[cfg(test)]
mod tests {
    use rcgen::{
        BasicConstraints, CertificateParams, CertificateRevocationListParams, IsCa, Issuer,
        KeyIdMethod, KeyPair, KeyUsagePurpose, SerialNumber,
    };
    use time::macros::datetime;

    use super::*;

    #[test]
    fn it_is_read_from_a_list_and_from_nothing_else() {
        let (this_update, next_update) = (
            datetime!(2026-11-21 0:00 UTC),
            datetime!(2026-12-21 0:00 UTC),
        );
        let mut ca = CertificateParams::default();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.key_usages = vec![KeyUsagePurpose::CrlSign];
        let issuer = Issuer::new(ca, KeyPair::generate().unwrap());
        let list = CertificateRevocationListParams {
            this_update,
            next_update,
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: Vec::new(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let der = list.signed_by(&issuer).unwrap().der().to_vec();
        assert_eq!(crl_life(&der), Some((this_update, next_update)));
        assert_eq!(crl_life(&der[..der.len() - 1]), None);
        assert_eq!(crl_life(&[&der[..], b"x"].concat()), None);
        assert_eq!(crl_life(b""), None);
    }
}
