//! Converts private keys to PKCS#8.

use pkcs8::{
    PrivateKeyInfoRef,
    der::{
        Decode, Encode, Reader, SliceReader, TagMode, TagNumber,
        asn1::{AnyRef, Null, ObjectIdentifier, OctetStringRef},
    },
    spki::AlgorithmIdentifierRef,
};
use rustls_pki_types::PrivateKeyDer;
use zeroize::Zeroizing;

use super::StoreError;
use crate::secret::SecretBytes;

/// rsaEncryption (RFC 8017 appendix A.1).
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// id-ecPublicKey (RFC 5480 §2.1.1).
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

/// Converts a key in DER, PKCS#8, PKCS#1 or SEC1, to PKCS#8.
pub(super) fn to_pkcs8(der: &[u8]) -> Result<SecretBytes, StoreError> {
    let wrap = |oid, parameters, key: &[u8]| -> pkcs8::Result<SecretBytes> {
        let algorithm = AlgorithmIdentifierRef { oid, parameters };
        let info = PrivateKeyInfoRef::new(algorithm, OctetStringRef::new(key)?);
        Ok(Zeroizing::new(info.to_der()?).to_vec().into())
    };
    let wrapped = match PrivateKeyDer::try_from(der) {
        Ok(PrivateKeyDer::Pkcs8(_)) if PrivateKeyInfoRef::try_from(der).is_ok() => Ok(der.into()),
        Ok(PrivateKeyDer::Pkcs1(_)) => wrap(RSA, Some(AnyRef::from(Null)), der),
        Ok(PrivateKeyDer::Sec1(_)) => match curve(der) {
            Some(curve) => wrap(EC, Some(AnyRef::from(&curve)), der),
            None => return Err(StoreError::UnreadKey("SEC1 without a named curve")),
        },
        _ => return Err(StoreError::Key),
    };
    wrapped.map_err(|_| StoreError::Key)
}

/// The curve that an ECPrivateKey names (RFC 5915 §3).
fn curve(der: &[u8]) -> Option<ObjectIdentifier> {
    let mut reader = SliceReader::new(der).ok()?;
    let parsed = reader.sequence(|parts| -> pkcs8::der::Result<Option<ObjectIdentifier>> {
        u8::decode(parts)?;
        <&OctetStringRef>::decode(parts)?;
        let curve = parts.context_specific(TagNumber(0), TagMode::Explicit)?;
        while !parts.is_finished() {
            AnyRef::decode(parts)?;
        }
        Ok(curve)
    });
    parsed.ok()?
}
