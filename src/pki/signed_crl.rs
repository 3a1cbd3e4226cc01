//! A CRL as it is read back.

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
    /// When it was made.
    pub this_update: OffsetDateTime,
    /// When the next one is there at the latest.
    pub next_update: OffsetDateTime,
    serials: HashSet<String>,
}

impl SignedCrl {
    /// Reads one that the key of one of these certificates has signed; `None` where there is no such.
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
            serials: entries.map(|entry| hex(entry.raw_serial())).collect(),
        })
    }

    /// When it is to be replaced: in the last third of its life.
    pub fn due(&self) -> OffsetDateTime {
        self.next_update - (self.next_update - self.this_update) / 3
    }

    /// True where the certificate with this serial number, lower-case hex, is on it.
    pub fn has(&self, serial: &str) -> bool {
        self.serials.contains(serial)
    }
}
