//! Reading a CRL back.

use std::collections::HashSet;

use time::OffsetDateTime;
use x509_parser::{
    certificate::X509Certificate, prelude::FromDer, revocation_list::CertificateRevocationList,
};

use super::{Certificate, hex};

/// A CRL whose signature was verified.
#[derive(Debug)]
pub struct SignedCrl {
    /// The subject of the CA that signed it.
    pub issuer: String,
    /// Its thisUpdate: when it was issued.
    pub this_update: OffsetDateTime,
    /// Its nextUpdate: when it expires.
    pub next_update: OffsetDateTime,
    /// Its number, if it has one that kpki could have given it.
    pub number: Option<u64>,
    serials: HashSet<String>,
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
        Some(Self {
            issuer: signer.subject.clone(),
            this_update: crl.last_update().to_datetime(),
            next_update: next.to_datetime(),
            number: crl.crl_number().and_then(|n| u64::try_from(n).ok()),
            serials: entries.map(|entry| hex(entry.raw_serial())).collect(),
        })
    }

    /// When it must be replaced: in the last third of its validity.
    pub fn due(&self) -> OffsetDateTime {
        self.next_update - (self.next_update - self.this_update) / 3
    }

    /// The serial numbers on it, lower-case hex.
    pub fn serials(&self) -> impl Iterator<Item = &str> {
        self.serials.iter().map(String::as_str)
    }

    /// True if the certificate with this serial number, lower-case hex, is on it.
    pub fn has(&self, serial: &str) -> bool {
        self.serials.contains(serial)
    }
}
