//! Reading a CRL back.

use time::OffsetDateTime;
use x509_parser::{
    certificate::X509Certificate, prelude::FromDer, revocation_list::CertificateRevocationList,
};

use super::Certificate;
use crate::printable::Name;

/// A CRL whose signature was verified.
#[derive(Debug)]
pub struct SignedCrl {
    /// The subject of the CA that signed it.
    pub issuer: Name,
    /// Its thisUpdate: when it was issued.
    pub this_update: OffsetDateTime,
    /// Its nextUpdate: when it expires.
    pub next_update: OffsetDateTime,
    /// Its number, if it has one that kpki could have given it.
    pub number: Option<u64>,
    /// In order.
    serials: Vec<Vec<u8>>,
}

impl SignedCrl {
    /// Reads one signed by the key of one of these certificates; `None` if there is none.
    pub fn read<'a>(
        der: &[u8],
        authorities: impl IntoIterator<Item = &'a Certificate>,
    ) -> Option<Self> {
        let (rest, crl) = CertificateRevocationList::from_der(der).ok()?;
        let signed = |authority: &&Certificate| {
            X509Certificate::from_der(&authority.der)
                .is_ok_and(|(_, ca)| crl.verify_signature(ca.public_key()).is_ok())
        };
        let signer = authorities.into_iter().find(signed)?;
        let next = crl.next_update().filter(|_| rest.is_empty())?;
        let entries = crl.iter_revoked_certificates();
        let mut serials: Vec<Vec<u8>> = entries.map(|entry| entry.raw_serial().to_vec()).collect();
        serials.sort_unstable();
        Some(Self {
            issuer: signer.subject.clone(),
            this_update: crl.last_update().to_datetime(),
            next_update: next.to_datetime(),
            number: crl.crl_number().and_then(|n| u64::try_from(n).ok()),
            serials,
        })
    }

    /// When it must be replaced: in the last third of its validity.
    pub fn due(&self) -> OffsetDateTime {
        self.next_update - (self.next_update - self.this_update) / 3
    }

    /// The serial numbers on it, most significant octet first.
    pub fn serials(&self) -> impl Iterator<Item = &[u8]> {
        self.serials.iter().map(Vec::as_slice)
    }

    /// True if the certificate with this serial number is on it.
    pub fn has(&self, serial: &[u8]) -> bool {
        let found = self
            .serials
            .binary_search_by(|own| own.as_slice().cmp(serial));
        found.is_ok()
    }
}
