//! Hosts as the authorizer compares them: texts that Java's `InetAddress.getHostAddress()` prints.

use std::{
    borrow::Cow,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// The address's text as Java prints it: IPv6 in full (`0:0:0:0:0:0:0:1`), and an IPv4-mapped one as IPv4,
/// because Java makes an `Inet4Address` of it.
fn java_text(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => v6.segments().map(|s| format!("{s:x}")).join(":"),
    }
}

/// What Java prints for the client address that `text` names; a zone (`fe80::1%2`) is kept as it is.
/// None when it is not an address.
pub fn client_address(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains(':') {
        return text.parse::<Ipv4Addr>().ok().map(|_| Cow::Borrowed(text));
    }
    let (address, zone) = match text.split_once('%') {
        Some((address, zone)) if is_zone(zone) => (address, Some(zone)),
        Some(_) => return None,
        None => (text, None),
    };
    let address: Ipv6Addr = address.parse().ok()?;
    let mut java = java_text(IpAddr::V6(address));
    if let Some(zone) = zone {
        java.push('%');
        java.push_str(zone);
    }
    Some(if java == text {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(java)
    })
}

/// An interface's name or number, as after the `%` of a link-local address.
fn is_zone(zone: &str) -> bool {
    !zone.is_empty()
        && zone
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

/// A range of addresses, `10.0.0.0/8` or `2001:db8::/32`, as Kafka 4.4 reads a host with a slash (KIP-1276).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// Network and mask of IPv4.
    V4(u32, u32),
    /// Network and mask of IPv6.
    V6(u128, u128),
}

impl Range {
    /// Reads a range as leniently as Kafka does, so that what a live cluster holds is understood:
    /// octets and lengths may have leading zeros, bits beyond the length are ignored.
    /// An IPv4-mapped IPv6 range is none, because Kafka refuses it.
    pub fn parse(text: &str) -> Option<Range> {
        let (address, length) = text.split_once('/')?;
        if address.contains(':') {
            let length: u32 = length.parse().ok().filter(|l| *l <= 128)?;
            let address: Ipv6Addr = address.parse().ok()?;
            if address.to_ipv4_mapped().is_some() {
                return None;
            }
            let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
            return Some(Range::V6(u128::from(address) & mask, mask));
        }
        let length = decimal(length, 2).filter(|l| *l <= 32)?;
        let mut octets = address
            .split('.')
            .map(|o| decimal(o, 3).and_then(|v| u8::try_from(v).ok()));
        let mut next = || octets.next().flatten();
        let address = Ipv4Addr::new(next()?, next()?, next()?, next()?);
        if octets.next().is_some() {
            return None;
        }
        let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
        Some(Range::V4(u32::from(address) & mask, mask))
    }

    /// Whether the address lies in the range. Never across address families.
    pub fn contains(self, address: IpAddr) -> bool {
        match (self, address) {
            (Range::V4(network, mask), IpAddr::V4(a)) => u32::from(a) & mask == network,
            (Range::V6(network, mask), IpAddr::V6(a)) => u128::from(a) & mask == network,
            _ => false,
        }
    }

    /// The one way that kpki writes this range: the network's address and the length.
    pub fn text(self) -> String {
        match self {
            Range::V4(network, mask) => {
                format!("{}/{}", Ipv4Addr::from(network), mask.count_ones())
            }
            Range::V6(network, mask) => {
                let address = Ipv6Addr::from(network)
                    .segments()
                    .map(|s| format!("{s:x}"))
                    .join(":");
                format!("{address}/{}", mask.count_ones())
            }
        }
    }
}

/// One to `most` decimal digits.
fn decimal(text: &str, most: usize) -> Option<u32> {
    let digits = (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_java_prints_them() {
        for (written, java) in [
            ("10.0.0.1", "10.0.0.1"),
            ("::1", "0:0:0:0:0:0:0:1"),
            ("2001:DB8::00fF", "2001:db8:0:0:0:0:0:ff"),
            ("::ffff:10.0.0.1", "10.0.0.1"),
            ("::10.0.0.1", "0:0:0:0:0:0:a00:1"),
            ("fe80::1%eth0", "fe80:0:0:0:0:0:0:1%eth0"),
            ("0:0:0:0:0:0:0:1", "0:0:0:0:0:0:0:1"),
        ] {
            assert_eq!(client_address(written).as_deref(), Some(java), "{written}");
        }
        for wrong in [
            "",
            "*",
            "localhost",
            "10.0.0",
            "010.0.0.1",
            "10.0.0.1 ",
            "[::1]",
            "::1%",
            "::1%a b",
            "1.2.3.4%eth0",
        ] {
            assert_eq!(client_address(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn ranges_hold_their_own_family_only() {
        let holds = |range: &str, client: &str| {
            Range::parse(range)
                .unwrap()
                .contains(client.parse().unwrap())
        };
        assert!(holds("10.0.0.0/8", "10.255.255.255"));
        assert!(holds("10.1.2.3/8", "10.9.9.9"));
        assert!(!holds("10.0.0.0/8", "11.0.0.0"));
        assert!(holds("0.0.0.0/0", "192.0.2.1"));
        assert!(holds("192.0.2.1/32", "192.0.2.1"));
        assert!(!holds("0.0.0.0/0", "0:0:0:0:0:0:0:1"));
        assert!(holds("::/0", "0:0:0:0:0:0:0:1"));
        assert!(!holds("2001:db8::/32", "2001:db9:0:0:0:0:0:1"));
        for wrong in [
            "10.0.0.0",
            "10.0.0.0/33",
            "10.0.0/8",
            "10.0.0.0.0/8",
            "10.0.0.0/8/8",
            "10.0.0.256/8",
            "10.0.0.0/",
            "::/129",
            "::ffff:10.0.0.0/104",
            "a/8",
        ] {
            assert_eq!(Range::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Range::parse("10.1.2.3/8").unwrap().text(), "10.0.0.0/8");
        assert_eq!(
            Range::parse("2001:DB8::1/32").unwrap().text(),
            "2001:db8:0:0:0:0:0:0/32"
        );
    }
}
