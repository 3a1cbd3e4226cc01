//! How strong an RSA key is.

use x509_parser::public_key::RSAPublicKey;

/// The length of a key's modulus in bits.
pub(super) fn bits(key: &RSAPublicKey<'_>) -> usize {
    length(key.modulus)
}

/// Why the length alone makes a key weak, if it does.
pub(super) fn too_short(key: &RSAPublicKey<'_>) -> Option<String> {
    let bits = bits(key);
    (bits < 2048).then(|| format!("RSA of {bits} bits, less than 2048"))
}

/// Why a key is weak, if it is (CA/B Baseline Requirements §6.1.6: an odd exponent from 2^16+1 on).
pub(super) fn weakness(key: &RSAPublicKey<'_>) -> Option<String> {
    let odd = |number: &[u8]| number.last().is_some_and(|octet| octet % 2 == 1);
    let insecure = length(key.exponent) < 17 || !odd(key.exponent) || !odd(key.modulus);
    too_short(key)
        .or_else(|| insecure.then(|| "its RSA exponent or modulus is insecure".to_owned()))
}

/// The length of a number in bits, without leading zeros.
fn length(number: &[u8]) -> usize {
    let start = number.iter().position(|octet| *octet != 0);
    start.map_or(0, |start| {
        (number.len() - start) * 8 - number[start].leading_zeros() as usize
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weak(modulus: &[u8], exponent: &[u8]) -> Option<String> {
        weakness(&RSAPublicKey { modulus, exponent })
    }

    #[test]
    fn the_least_strong_key_and_those_just_below_it() {
        let modulus = |first: u8, last: u8| {
            let mut modulus = vec![0xff; 257];
            modulus[..2].copy_from_slice(&[0, first]);
            modulus[256] = last;
            modulus
        };
        let f4 = [1, 0, 1];
        assert_eq!(weak(&modulus(0x80, 1), &f4), None);
        let short = weak(&modulus(0x7f, 1), &f4).unwrap();
        assert_eq!(short, "RSA of 2047 bits, less than 2048");
        let insecure = Some("its RSA exponent or modulus is insecure".to_owned());
        assert_eq!(weak(&modulus(0x80, 2), &f4), insecure);
        for exponent in [&[][..], &[3], &[0, 0, 3], &[0xff, 0xff], &[1, 0, 2]] {
            assert_eq!(weak(&modulus(0x80, 1), exponent), insecure, "{exponent:?}");
        }
        assert!(weak(&[], &f4).is_some());
    }
}
