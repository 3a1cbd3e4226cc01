//! Certificate revocation lists.

use rayon::prelude::*;
use rcgen::{
    CertificateRevocationListParams, KeyIdMethod, RevokedCertParams, SerialNumber, SigningKey,
};
use rustls_pki_types::CertificateRevocationListDer;
use time::OffsetDateTime;

use super::{Authority, CLOCK_SKEW, PkiError, Reason, end, serial::in_order};

/// The content of a CRL.
#[derive(Debug)]
pub struct RevocationList {
    /// It grows with each CRL of a CA.
    pub number: u64,
    /// Days until it expires; after that, everyone who checks it refuses all certificates.
    pub days: u32,
    /// The time of signing.
    pub now: OffsetDateTime,
    /// Each certificate once.
    pub entries: Vec<RevokedEntry>,
}

/// One certificate on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevokedEntry {
    /// Its serial number, most significant octet first.
    pub serial: Vec<u8>,
    /// When it was revoked.
    pub at: OffsetDateTime,
    /// The reason.
    pub reason: Reason,
}

impl RevocationList {
    /// Its thisUpdate: slightly in the past, because machines whose clocks are behind would otherwise refuse it, and
    /// with it all certificates.
    pub fn this_update(&self) -> OffsetDateTime {
        (self.now - CLOCK_SKEW).truncate_to_second()
    }

    /// Its nextUpdate: when it expires.
    ///
    /// # Errors
    /// If no date can represent it.
    pub fn next_update(&self) -> Result<OffsetDateTime, PkiError> {
        end(self.now, self.days)
    }

    /// Signs it: RFC 5280 §5.1, with the CRL number (§5.2.3), the identifier of the CA's key (§5.2.1) and the reason of
    /// each entry (§5.3.1). Entries are ordered by serial number, so that the same revocations give the same list.
    ///
    /// # Errors
    /// If a date cannot be represented, or the CA certificate does not permit signing CRLs.
    pub fn sign(
        &self,
        authority: &Authority<impl SigningKey>,
    ) -> Result<CertificateRevocationListDer<'static>, PkiError> {
        let mut entries: Vec<&RevokedEntry> = self.entries.iter().collect();
        entries.sort_by_key(|entry| in_order(&entry.serial));
        let entries = entries.into_par_iter().map(|entry| RevokedCertParams {
            serial_number: SerialNumber::from_slice(&entry.serial),
            revocation_time: entry.at.truncate_to_second(),
            reason_code: entry.reason.code(),
            invalidity_date: None,
        });
        let key_id = authority.certificate.subject_key_id.clone();
        let params = CertificateRevocationListParams {
            this_update: self.this_update(),
            next_update: self.next_update()?,
            crl_number: SerialNumber::from(self.number),
            issuing_distribution_point: None,
            revoked_certs: entries.collect(),
            // The identifier in the CA certificate, which another tool may have computed differently.
            key_identifier_method: key_id.map_or(KeyIdMethod::Sha256, KeyIdMethod::PreSpecified),
        };
        let signed = params.signed_by(&authority.issuer)?;
        Ok(authority.in_own_name(signed.der())?.into())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use x509_parser::prelude::{CertificateRevocationList, FromDer};

    use super::super::{AuthorityRequest, Certificate, KeyAlgorithm, Serial, self_signed};
    use super::*;

    /// A CA of that day.
    pub fn authority(now: OffsetDateTime) -> Authority<rcgen::KeyPair> {
        let key = KeyAlgorithm::EcdsaP256.generate().unwrap();
        let request = AuthorityRequest {
            subject: &"CN=CA G1".parse().unwrap(),
            days: 10,
            path_len: 0,
            name_constraints: &[],
            serial: Serial::from_random([7; 20]),
            now,
        };
        let der = self_signed(&request, &key).unwrap();
        Authority::new(Certificate::from_der(&der).unwrap(), key).unwrap()
    }

    #[test]
    fn what_is_revoked_reads_back_in_order() {
        let now = time::macros::datetime!(2026-11-21 12:00:00.5 UTC);
        let authority = authority(now);
        let entry = |serial: &[u8], reason| RevokedEntry {
            serial: serial.to_vec(),
            at: now,
            reason,
        };
        let list = RevocationList {
            number: 300,
            days: 30,
            now,
            entries: vec![
                entry(&[0x41, 0], Reason::Unspecified),
                entry(&[0x41], Reason::KeyCompromise),
            ],
        };
        let der = list.sign(&authority).unwrap();
        let (rest, crl) = CertificateRevocationList::from_der(&der).unwrap();
        assert!(rest.is_empty());
        assert_eq!(crl.crl_number().unwrap().to_string(), "300");
        assert_eq!(
            crl.next_update().unwrap().to_datetime(),
            list.next_update().unwrap()
        );
        let entries = crl.iter_revoked_certificates();
        let entries =
            entries.map(|e| (e.raw_serial_as_string(), e.reason_code().map(|(_, r)| r.0)));
        assert_eq!(
            entries.collect::<Vec<_>>(),
            [("41".into(), Some(1)), ("41:00".into(), None)]
        );
        let none = RevocationList {
            entries: Vec::new(),
            ..list
        };
        assert!(none.sign(&authority).is_ok());
    }
}
