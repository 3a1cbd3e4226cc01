//! Reading a CRL back.

use std::ops::Range;

use pkcs8::der::{self, Decode, Tag, Tagged, asn1::AnyRef};
use rustls_pki_types::CertificateRevocationListDer;
use time::OffsetDateTime;
use x509_parser::{
    certificate::X509Certificate, prelude::FromDer, revocation_list::CertificateRevocationList,
    verify::verify_signature,
};

use super::{
    Certificate,
    own_name::{first, names_one_algorithm, sequence},
    serial::in_order,
};
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
    /// The CRL itself.
    pub der: CertificateRevocationListDer<'static>,
    /// Where in it the serial numbers are, in their order.
    serials: Vec<Range<usize>>,
}

impl SignedCrl {
    /// Reads one signed by the key of one of these certificates; `None` if there is none.
    pub fn read<'a>(
        der: CertificateRevocationListDer<'static>,
        authorities: impl IntoIterator<Item = &'a Certificate>,
    ) -> Option<Self> {
        let parts = Parts::of(&der).ok()?;
        let (_, crl) = CertificateRevocationList::from_der(&parts.without_entries).ok()?;
        let (algorithm, signature) = (&crl.signature_algorithm, &crl.signature_value);
        if signature.unused_bits != 0 || !names_one_algorithm(&der) {
            return None;
        }
        let signed = |authority: &&Certificate| {
            X509Certificate::from_der(&authority.der).is_ok_and(|(_, ca)| {
                verify_signature(ca.public_key(), algorithm, signature, parts.signed).is_ok()
            })
        };
        let signer = authorities.into_iter().find(signed)?;
        let next_update = crl.next_update()?.to_datetime();
        let mut serials = parts.serials().ok()?;
        serials.sort_unstable_by_key(|at| in_order(&der[at.clone()]));
        Some(Self {
            issuer: signer.subject.clone(),
            this_update: crl.last_update().to_datetime(),
            next_update,
            number: crl.crl_number().and_then(|n| u64::try_from(n).ok()),
            serials,
            der,
        })
    }

    /// True if this is a CRL of anyone.
    pub fn is_one(der: &[u8]) -> bool {
        let parts = Parts::of(der);
        parts.is_ok_and(|parts| CertificateRevocationList::from_der(&parts.without_entries).is_ok())
    }

    /// When it must be replaced: in the last third of its validity.
    pub fn due(&self) -> OffsetDateTime {
        self.next_update - (self.next_update - self.this_update) / 3
    }

    /// The serial numbers on it, most significant octet first, in their order.
    pub fn serials(&self) -> impl Iterator<Item = &[u8]> {
        self.serials.iter().map(|at| &self.der[at.clone()])
    }

    /// True if the certificate with this serial number is on it.
    pub fn has(&self, serial: &[u8]) -> bool {
        let own = |at: &Range<usize>| in_order(&self.der[at.clone()]);
        let found = self.serials.binary_search_by_key(&in_order(serial), own);
        found.is_ok()
    }
}

/// A CRL in parts (RFC 5280 §5.1): a hundred thousand entries with all their extensions take long to read, and only
/// their serial numbers are needed.
struct Parts<'a> {
    /// What is signed, the tbsCertList.
    signed: &'a [u8],
    /// The CRL without its entries.
    without_entries: Vec<u8>,
    /// The content of revokedCertificates.
    entries: &'a [u8],
    /// Where that begins.
    begin: usize,
}

impl<'a> Parts<'a> {
    fn of(der: &'a [u8]) -> der::Result<Self> {
        let content = AnyRef::from_der(der)?.value();
        let signed = first(content)?;
        let fields = AnyRef::from_der(signed)?.value();
        let (at, entries) = entries(fields)?;
        let others = [&fields[..at.start], &fields[at.end..]].concat();
        let rest = &content[signed.len()..];
        Ok(Self {
            signed,
            without_entries: sequence(&[&sequence(&others)?, rest].concat())?,
            entries,
            begin: der.len() - content.len() + signed.len() - fields.len() + at.end - entries.len(),
        })
    }

    fn serials(&self) -> der::Result<Vec<Range<usize>>> {
        let (mut serials, mut rest) = (Vec::new(), self.entries);
        while !rest.is_empty() {
            let (entry, after) = AnyRef::from_der_partial(rest)?;
            entry.tag().assert_eq(Tag::Sequence)?;
            let (serial, others) = AnyRef::from_der_partial(entry.value())?;
            serial.tag().assert_eq(Tag::Integer)?;
            let end = self.begin + self.entries.len() - after.len() - others.len();
            serials.push(end - serial.value().len()..end);
            rest = after;
        }
        Ok(serials)
    }
}

/// Where among the fields of a tbsCertList its entries are, and their content: the SEQUENCE after the dates, which is
/// missing where nothing is revoked.
fn entries(fields: &[u8]) -> der::Result<(Range<usize>, &[u8])> {
    let (mut at, mut dated) = (0, false);
    while at < fields.len() {
        let field = first(&fields[at..])?;
        let end = at + field.len();
        let field = AnyRef::from_der(field)?;
        match field.tag() {
            Tag::Sequence if dated => return Ok((at..end, field.value())),
            tag => dated = matches!(tag, Tag::UtcTime | Tag::GeneralizedTime),
        }
        at = end;
    }
    Ok((at..at, &[]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Authority, Reason, RevocationList, RevokedEntry, crl::tests::authority};
    use super::*;

    const NOW: OffsetDateTime = time::macros::datetime!(2026-11-21 12:00 UTC);

    fn signed(
        authority: &Authority<rcgen::KeyPair>,
        serials: &[Vec<u8>],
    ) -> CertificateRevocationListDer<'static> {
        let entries = serials
            .iter()
            .zip([Reason::Unspecified, Reason::Superseded].iter().cycle());
        let list = RevocationList {
            number: 300,
            days: 30,
            now: NOW,
            entries: entries
                .map(|(serial, reason)| RevokedEntry {
                    serial: serial.clone(),
                    at: NOW,
                    reason: *reason,
                })
                .collect(),
        };
        list.sign(authority).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn it_reads_what_a_whole_parser_reads(
            serials in proptest::collection::btree_set(proptest::collection::vec(1u8..0x80, 1..20), 0..40),
            at in any::<proptest::sample::Index>(),
            octet in any::<u8>(),
        ) {
            let authority = authority(NOW);
            let serials: Vec<Vec<u8>> = serials.into_iter().collect();
            let der = signed(&authority, &serials);
            let list = SignedCrl::read(der.clone(), [authority.certificate()]).unwrap();
            let (_, whole) = CertificateRevocationList::from_der(&der).unwrap();
            let theirs: Vec<&[u8]> = whole.iter_revoked_certificates().map(|e| e.raw_serial()).collect();
            prop_assert_eq!(list.serials().collect::<Vec<_>>(), theirs);
            prop_assert!(serials.iter().all(|serial| list.has(serial)));
            prop_assert!(!list.has(&[0]) && !list.has(&[0x7f; 21]));
            prop_assert_eq!(list.number, Some(300));
            prop_assert_eq!(list.this_update, whole.last_update().to_datetime());
            prop_assert_eq!(list.next_update, whole.next_update().unwrap().to_datetime());
            // Whatever else is accepted says the same: of what is signed, no octet may be another.
            let mut other = der.to_vec();
            let at = at.index(other.len());
            other[at] ^= octet;
            let is_signed = Parts::of(&der).unwrap().signed != Parts::of(&other).map_or(&[][..], |p| p.signed);
            let other = SignedCrl::read(other.into(), [authority.certificate()]);
            prop_assert!(other.is_none() || !is_signed);
            prop_assert!(octet != 0 || other.is_some());
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(SignedCrl::read(bytes.into(), []).is_none());
        }
    }
}
