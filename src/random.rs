//! Fresh randomness, from the operating system.

use zeroize::Zeroizing;

use crate::secret::Secret;

/// The operating system has none to give.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gives no random numbers: {0}")]
pub struct NoRandomness(#[source] getrandom::Error);

/// `N` random octets.
///
/// # Errors
/// When the operating system has none.
pub fn octets<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut octets = [0; N];
    getrandom::fill(&mut octets).map_err(NoRandomness)?;
    Ok(octets)
}

/// Seeds the cryptographic library, which the first signature or key of a program waits for otherwise: it collects
/// timings for tens of milliseconds, while other work can be done.
pub fn seed() {
    // A failure shows again where random numbers are needed.
    let _ = aws_lc_rs::rand::fill(&mut [0]);
}

/// 32 ASCII letters and digits: 190 bits, in an alphabet that property files, JAAS, shells, YAML and the storage
/// tool all take without escaping.
///
/// # Errors
/// When the operating system has no randomness.
pub fn password() -> Result<Secret, NoRandomness> {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    const LENGTH: usize = 32;
    let mut password = String::with_capacity(LENGTH);
    while password.len() < LENGTH {
        let octets = Zeroizing::new(octets::<64>()?);
        // Octets above the largest multiple of 62 are dropped, so that every letter is equally likely.
        let fair = octets
            .iter()
            .filter(|o| **o < 248)
            .map(|o| char::from(ALPHABET[usize::from(o % 62)]));
        password.extend(fair.take(LENGTH - password.len()));
    }
    Ok(Secret::new(password))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_32_letters_and_digits_and_differ() {
        let (a, b) = (password().unwrap(), password().unwrap());
        assert_ne!(a, b);
        assert_eq!(a.expose().len(), 32);
        assert!(a.expose().bytes().all(|c| c.is_ascii_alphanumeric()));
    }
}
