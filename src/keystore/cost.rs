//! The cost of opening an encrypted file, read from its parameters before any key is derived: a hostile file can demand
//! a derivation that takes days or all memory.

use pkcs8::der::{
    Decode, Tag, Tagged,
    asn1::{AnyRef, ObjectIdentifier},
};

use super::StoreError;

/// The maximum iterations of one derivation.
const MAX_ITERATIONS: u64 = 1_000_000;
/// The maximum iterations of all derivations in a file, which take seconds.
const MAX_ALL: u64 = 10_000_000;
/// The iterations that are left for the key derivations of a store. They are counted as they are done, because
/// parameters can themselves be encrypted.
pub(super) struct Budget(u64);

impl Budget {
    pub(super) fn new() -> Self {
        Self(MAX_ALL)
    }

    pub(super) fn spend(&mut self, iterations: u64) -> Result<(), StoreError> {
        single(iterations)?;
        self.0 = self.0.checked_sub(iterations).ok_or_else(|| {
            StoreError::Costly(
                "its key derivations take more than 10,000,000 iterations in total".to_owned(),
            )
        })?;
        Ok(())
    }
}

/// The maximum memory of scrypt in octets, over all of its passes.
const MAX_SCRYPT: u64 = 1 << 28;
/// The maximum nesting of derivations.
const MAX_DEPTH: usize = 20;

/// PBKDF2 (RFC 8018), alone or in PBES2 or PBMAC1.
const PBKDF2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.12");
/// RFC 7914.
const SCRYPT: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11591.4.11");
/// The schemes of RFC 7292 appendix C and RFC 8018 appendix A.3; their parameters are salt and iterations.
const PBE: [&str; 2] = ["1.2.840.113549.1.12.1.", "1.2.840.113549.1.5."];

/// Refuses a PKCS#12 store or an encrypted PKCS#8 key that is too expensive to open. Anything that is not DER is left
/// to the parser, which refuses it.
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

/// The iterations of a store's MAC (RFC 7292 §4): the last field of the third part.
fn mac_iterations(der: &[u8]) -> Option<u64> {
    let parts = children(AnyRef::from_der(der).ok()?.value());
    let [_, _, mac] = parts[..] else { return None };
    children(mac.value()).get(2).and_then(number)
}

/// Adds up the iterations of all derivations in a DER structure, at any depth.
fn walk(der: &[u8], depth: usize, all: &mut u64) -> Result<(), StoreError> {
    // No key derivation is nested deeper; only unencrypted certificates are.
    if depth > MAX_DEPTH {
        return Ok(());
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
            // An OCTET STRING can contain a nested structure.
            Tag::OctetString if inner.first() != Some(&0x30) => {}
            Tag::OctetString | Tag::Set => walk(inner, depth + 1, all)?,
            Tag::ContextSpecific { constructed, .. } if constructed => walk(inner, depth + 1, all)?,
            _ => {}
        }
    }
    Ok(())
}

/// The iterations of one derivation; 0 for anything else.
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
            // Converted to the iterations of the others that take as long.
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

/// A non-negative integer; one above 64 bits becomes the maximum.
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
