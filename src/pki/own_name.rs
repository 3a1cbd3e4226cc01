//! Gives what a CA signs exactly the issuer name in the CA certificate: the library writes names with one value per
//! attribute, but CAs of Windows domains have several (`DC=example,DC=com`).

use pkcs8::der::{
    self, Decode, Encode, Tag, Tagged,
    asn1::{AnyRef, BitStringRef},
};
use rcgen::SigningKey;

use super::PkiError;

/// A certificate or CRL with this name (DER) as its issuer: unchanged if it has that issuer, else with the issuer
/// replaced and signed again.
pub(super) fn in_name(
    signed: &[u8],
    name: &[u8],
    key: &impl SigningKey,
) -> Result<Vec<u8>, PkiError> {
    let read = || -> der::Result<Option<(Vec<u8>, &[u8])>> {
        let outer = AnyRef::from_der(signed)?.value();
        let (tbs, rest) = AnyRef::from_der_partial(outer)?;
        let algorithm = first(rest)?;
        let tbs = tbs.value();
        let (before, issuer) = issuer_of(tbs)?;
        if issuer == name {
            return Ok(None);
        }
        let after = tbs.get(before.len() + issuer.len()..).unwrap_or_default();
        let tbs = sequence(&[before, name, after].concat())?;
        Ok(Some((tbs, algorithm)))
    };
    let unreadable = |_| PkiError::Library(rcgen::Error::CouldNotParseCertificate);
    let Some((tbs, algorithm)) = read().map_err(unreadable)? else {
        return Ok(signed.to_vec());
    };
    let signature = key.sign(&tbs)?;
    let signature = BitStringRef::from_bytes(&signature).and_then(|bits| bits.to_der());
    let signature = signature.map_err(unreadable)?;
    sequence(&[&tbs, algorithm, &signature].concat()).map_err(unreadable)
}

/// True if a certificate or CRL names the algorithm of its signature alike in both places (RFC 5280 §4.1.1.2): only one
/// of them is signed.
pub(super) fn names_one_algorithm(signed: &[u8]) -> bool {
    let read = || -> der::Result<bool> {
        let (tbs, rest) = AnyRef::from_der_partial(AnyRef::from_der(signed)?.value())?;
        let (before, _) = issuer_of(tbs.value())?;
        Ok(before.ends_with(first(rest)?))
    };
    read().unwrap_or(false)
}

/// The part before the issuer, and the issuer: in certificates (RFC 5280 §4.1) and CRLs (§5.1), it follows the first
/// SEQUENCE, which is the signature algorithm.
fn issuer_of(tbs: &[u8]) -> der::Result<(&[u8], &[u8])> {
    let mut at = 0;
    loop {
        let rest = tbs.get(at..).unwrap_or_default();
        let element = first(rest)?;
        at += element.len();
        if AnyRef::from_der(element)?.tag() == Tag::Sequence {
            let issuer = first(tbs.get(at..).unwrap_or_default())?;
            return Ok((tbs.get(..at).unwrap_or_default(), issuer));
        }
    }
}

/// The first TLV, including its header.
pub(super) fn first(der: &[u8]) -> der::Result<&[u8]> {
    let (_, rest) = AnyRef::from_der_partial(der)?;
    Ok(der.get(..der.len() - rest.len()).unwrap_or_default())
}

/// A SEQUENCE of this content.
pub(super) fn sequence(content: &[u8]) -> der::Result<Vec<u8>> {
    AnyRef::new(Tag::Sequence, content)?.to_der()
}
