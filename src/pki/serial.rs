//! Serial numbers.

use std::fmt;

/// A certificate's serial number: 20 octets of which 158 bits are random (RFC 5280 §4.1.2.2 allows at most
/// 20 octets and wants it positive; public CAs must use more than 64 random bits).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Serial([u8; 20]);

impl Serial {
    /// Makes a serial of 20 random octets. The topmost two bits become `01`, so that it is positive and always
    /// 20 octets long in DER.
    pub fn from_random(mut octets: [u8; 20]) -> Self {
        octets[0] = octets[0] & 0x3f | 0x40;
        Self(octets)
    }

    /// The octets, most significant first.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Serial {
    /// Lower-case hex without separators, as in the inventory.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

/// The order of serial numbers as numbers: of their octets, most significant first, without leading zeros.
pub fn in_order(serial: &[u8]) -> (usize, &[u8]) {
    (serial.len(), serial)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn always_positive_and_twenty_octets() {
        for octets in [[0; 20], [0xff; 20]] {
            let serial = Serial::from_random(octets);
            assert!((0x40..0x80).contains(&serial.as_bytes()[0]));
            assert_eq!(serial.to_string().len(), 40);
        }
    }
}
