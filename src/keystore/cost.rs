//! What opening a sealed file would cost, from the parameters that it shows: a file can ask for a derivation that takes
//! days, or all memory. Looked at before anything is derived.

use pkcs8::der::{
    Decode, Tag, Tagged,
    asn1::{AnyRef, ObjectIdentifier},
};

use super::StoreError;

/// The most iterations of one derivation.
const MAX_ITERATIONS: u64 = 1_000_000;
/// The most of all derivations of a file together: as many as take seconds.
const MAX_ALL: u64 = 10_000_000;
/// The most octets that scrypt fills, all of its passes together.
const MAX_SCRYPT: u64 = 1 << 28;
/// The structures stand in each other so deep at most.
const MAX_DEPTH: usize = 20;

/// PBKDF2 (RFC 8018), by itself, in PBES2 and in PBMAC1.
const PBKDF2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.12");
/// RFC 7914.
const SCRYPT: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11591.4.11");
/// The schemes of RFC 7292 appendix C and of RFC 8018 appendix A.3, whose parameters are salt and iterations.
const PBE: [&str; 2] = ["1.2.840.113549.1.12.1.", "1.2.840.113549.1.5."];

/// Refuses a PKCS#12 store or an encrypted PKCS#8 key that asks for too much. What is no DER is passed over: whoever reads
/// it refuses it.
///
/// # Errors
/// [`StoreError::Costly`].
pub(super) fn check(der: &[u8]) -> Result<(), StoreError> {
    let mut all = mac_iterations(der).unwrap_or(0);
    single(all)?;
    walk(der, 0, &mut all)?;
    match all > MAX_ALL {
        true => Err(StoreError::Costly(format!(
            "its key derivations take {all} iterations in total; at most 10,000,000 are accepted"
        ))),
        false => Ok(()),
    }
}

fn single(iterations: u64) -> Result<(), StoreError> {
    match iterations > MAX_ITERATIONS {
        true => Err(StoreError::Costly(format!(
            "a key derivation takes {iterations} iterations; at most 1,000,000 are accepted"
        ))),
        false => Ok(()),
    }
}

/// The iterations of a store's MAC (RFC 7292 §4): the last of the third part.
fn mac_iterations(der: &[u8]) -> Option<u64> {
    let parts = children(AnyRef::from_der(der).ok()?.value());
    let [_, _, mac] = parts[..] else { return None };
    children(mac.value()).get(2).and_then(number)
}

/// Adds up what the derivations in a text of DER take, however deep they stand.
fn walk(der: &[u8], depth: usize, all: &mut u64) -> Result<(), StoreError> {
    if depth > MAX_DEPTH {
        return Err(StoreError::Costly(
            "it is nested deeper than any store".to_owned(),
        ));
    }
    for part in children(der) {
        let inner = part.value();
        match part.tag() {
            Tag::Sequence => {
                if let [oid, parameters, ..] = children(inner)[..]
                    && let Ok(oid) = oid.decode_as::<ObjectIdentifier>()
                {
                    let cost = derivation(oid, parameters)?;
                    *all = all.saturating_add(cost);
                }
                walk(inner, depth + 1, all)?;
            }
            // Structures are wrapped into texts of octets.
            Tag::OctetString if inner.first() != Some(&0x30) => {}
            Tag::OctetString | Tag::Set => walk(inner, depth + 1, all)?,
            Tag::ContextSpecific { constructed, .. } if constructed => walk(inner, depth + 1, all)?,
            _ => {}
        }
    }
    Ok(())
}

/// The iterations of one derivation; 0 of what is none.
fn derivation(oid: ObjectIdentifier, parameters: AnyRef<'_>) -> Result<u64, StoreError> {
    let name = oid.to_string();
    let numbers = || {
        children(parameters.value())
            .iter()
            .filter_map(number)
            .collect::<Vec<_>>()
    };
    if oid == SCRYPT {
        let [cost, block, parallel, ..] = numbers()[..] else {
            return Ok(0);
        };
        let memory = cost.saturating_mul(block).saturating_mul(128);
        return match memory.saturating_mul(parallel.max(1)) > MAX_SCRYPT {
            true => Err(StoreError::Costly(format!(
                "scrypt would use {memory} bytes {parallel} times; at most 256 MiB in total are accepted"
            ))),
            // In the time of so many iterations of the others.
            false => Ok(memory >> 9),
        };
    }
    if oid != PBKDF2 && !PBE.iter().any(|prefix| name.starts_with(prefix)) {
        return Ok(0);
    }
    let iterations = numbers().first().copied().unwrap_or(0);
    single(iterations)?;
    Ok(iterations)
}

fn children(mut der: &[u8]) -> Vec<AnyRef<'_>> {
    let mut found = Vec::new();
    while !der.is_empty()
        && let Ok((part, rest)) = AnyRef::from_der_partial(der)
    {
        found.push(part);
        der = rest;
    }
    found
}

/// A whole number that is not negative; one that no 64 bits hold is the largest.
fn number(part: &AnyRef<'_>) -> Option<u64> {
    let octets = (part.tag() == Tag::Integer).then(|| part.value())?;
    if octets.first().is_some_and(|first| *first >= 0x80) {
        return None;
    }
    let zeros = octets.iter().take_while(|octet| **octet == 0).count();
    let octets = &octets[zeros..];
    Some(match octets.len() {
        0..=8 => octets
            .iter()
            .fold(0, |sum, octet| sum << 8 | u64::from(*octet)),
        _ => u64::MAX,
    })
}
