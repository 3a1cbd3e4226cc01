//! Digests as text.

use sha2::{Digest, Sha256};

/// SHA-256 as lower-case hex.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Lower-case hex, without a formatter call for every octet: there are digests of many thousands of files.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |n: u8| char::from(DIGITS[usize::from(n & 15)]);
    let mut text = String::with_capacity(2 * bytes.len());
    for octet in bytes {
        text.push(digit(octet >> 4));
        text.push(digit(*octet));
    }
    text
}

/// The octets of hex text; `None` if it is not hex.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |c: u8| char::from(c).to_digit(16).map(|digit| digit as u8);
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let mut octets = Vec::with_capacity(pairs.len());
    for [a, b] in pairs {
        octets.push(digit(*a)? << 4 | digit(*b)?);
    }
    rest.is_empty().then_some(octets)
}
