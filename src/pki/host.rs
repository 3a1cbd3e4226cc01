//! A host that a certificate is valid for: a DNS name or an IP address, as in the subjectAltName.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

use crate::printable::Printable;

/// A DNS name (as A-labels, lower case) or an IP address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// A dNSName (RFC 5280 §4.2.1.6); the leftmost label may be `*` (RFC 6125 §6.4.3).
    Dns(String),
    /// An iPAddress.
    Ip(IpAddr),
}

/// Why a text is not a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// Neither a DNS name nor an address.
    #[error("`{text}` is not a host name: {1}", text = Printable(.0))]
    Invalid(String, &'static str),
}

impl Host {
    /// True for a name with `*` as its first label.
    pub fn is_wildcard(&self) -> bool {
        matches!(self, Self::Dns(name) if name.starts_with("*."))
    }

    /// True where a certificate with this name is one of `host`: the same, or a wildcard that stands for its first
    /// label. To Java, `::ffff:10.0.0.1` is 10.0.0.1.
    pub fn covers(&self, host: &Self) -> bool {
        let (mine, other) = match (self, host) {
            (Self::Dns(mine), Self::Dns(other)) => (mine, other),
            (Self::Ip(mine), Self::Ip(other)) => {
                return mine.to_canonical() == other.to_canonical();
            }
            _ => return false,
        };
        let other = other.trim_end_matches('.');
        let same = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
        match (mine.strip_prefix("*."), other.split_once('.')) {
            (Some(rest), Some((first, parent))) => !first.is_empty() && same(rest, parent),
            _ => same(mine, other),
        }
    }

    /// `DNS:kafka1` or `IP:10.0.0.1`, the form of OpenSSL and of kpki's JSON.
    pub fn tagged(&self) -> String {
        match self {
            Self::Dns(name) => format!("DNS:{name}"),
            Self::Ip(ip) => format!("IP:{ip}"),
        }
    }

    /// Reads what [`Host::tagged`] wrote; `None` for anything else.
    pub fn from_tagged(text: &str) -> Option<Self> {
        match text.split_once(':')? {
            // As signed: the rules for new names may have become stricter since.
            ("DNS", name) => Some(Self::Dns(name.to_owned())),
            ("IP", ip) => ip.parse().ok().map(Self::Ip),
            _ => None,
        }
    }

    /// The host as written before `:PORT`: an IPv6 address in brackets.
    pub fn authority(&self) -> String {
        match self {
            Self::Ip(IpAddr::V6(ip)) => format!("[{ip}]"),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => f.write_str(name),
            Self::Ip(ip) => ip.fmt(f),
        }
    }
}

impl FromStr for Host {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        let invalid = |why| HostError::Invalid(text.to_owned(), why);
        let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
        if let Some(ip) = bare.map(str::parse::<Ipv6Addr>) {
            return ip
                .map(|ip| Self::Ip(ip.to_canonical()))
                .map_err(|_| invalid("an address in brackets must be IPv6"));
        }
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Ok(Self::Ip(ip.to_canonical()));
        }
        let (wildcard, rest) = match text.strip_prefix("*.") {
            Some(rest) => ("*.", rest),
            None => ("", text),
        };
        if rest.is_empty() {
            return Err(invalid("it is empty"));
        }
        if let Some(c) = rest
            .chars()
            .find(|c| c.is_ascii() && !(c.is_ascii_alphanumeric() || matches!(c, '-' | '.')))
        {
            return Err(invalid(match c {
                '_' => "DNS host names cannot contain underscores",
                ' ' => "it contains a space",
                ':' => "it contains `:`; give the port elsewhere, and an IPv6 address in full",
                '*' => "`*` can only replace the whole first label, as in `*.example.com`",
                _ => "it contains a character that is not allowed in DNS host names",
            }));
        }
        // IDNA: international names go into certificates as A-labels (RFC 5280 §7.2).
        let ascii = idna::domain_to_ascii_strict(rest).map_err(|_| {
            invalid(
                "each label needs 1 to 63 letters, digits or inner hyphens, and the whole name at most 253 characters",
            )
        })?;
        let labels: Vec<&str> = ascii.split('.').collect();
        if labels.last().is_some_and(|l| l.is_empty()) {
            return Err(invalid(
                "it ends with a dot; host names in certificates do not",
            ));
        }
        if labels
            .iter()
            .any(|l| l.is_empty() || l.len() > 63 || l.starts_with('-') || l.ends_with('-'))
        {
            return Err(invalid(
                "each label needs 1 to 63 letters, digits or inner hyphens",
            ));
        }
        // TLS clients read them as addresses, or reject them outright, as rustls does.
        if labels
            .last()
            .is_some_and(|l| l.bytes().all(|b| b.is_ascii_digit()))
        {
            return Err(invalid(if labels.len() > 1 {
                "it looks like an IPv4 address but is not valid"
            } else {
                "TLS clients do not accept a name of digits only"
            }));
        }
        if !wildcard.is_empty() && labels.len() < 2 {
            return Err(invalid("a wildcard needs at least two labels after `*.`"));
        }
        if ascii.len() + wildcard.len() > 253 {
            return Err(invalid("it is longer than 253 characters"));
        }
        Ok(Self::Dns(format!("{wildcard}{ascii}")))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn host(text: &str) -> String {
        text.parse::<Host>().unwrap().tagged()
    }

    #[test]
    fn names_and_addresses() {
        assert_eq!(host("Kafka1.Example.COM"), "DNS:kafka1.example.com");
        assert_eq!(host("bücher.example"), "DNS:xn--bcher-kva.example");
        assert_eq!(host("*.example.com"), "DNS:*.example.com");
        assert_eq!(host("10.0.0.1"), "IP:10.0.0.1");
        assert_eq!(host("2001:db8::1"), "IP:2001:db8::1");
        assert_eq!(host("[::1]"), "IP:::1");
        // IPv4 addresses, however they are written.
        assert_eq!(host("::ffff:10.0.0.1"), "IP:10.0.0.1");
        assert_eq!(host("[::ffff:a00:1]"), "IP:10.0.0.1");
        assert_eq!("::1".parse::<Host>().unwrap().authority(), "[::1]");
    }

    #[test]
    fn a_wildcard_stands_for_one_label_and_case_for_nothing() {
        let covers = |mine: &str, other: &str| {
            let tagged = |text: &str| Host::from_tagged(text).unwrap();
            tagged(mine).covers(&tagged(other))
        };
        assert!(covers("DNS:kafka1", "DNS:KAFKA1") && covers("DNS:a.b", "DNS:a.b."));
        assert!(covers("DNS:*.example.com", "DNS:a.example.com"));
        assert!(covers("IP:::1", "IP:0:0:0:0:0:0:0:1"));
        assert!(covers("IP:::ffff:10.0.0.1", "IP:10.0.0.1"));
        assert!(covers("IP:10.0.0.1", "IP:::ffff:10.0.0.1"));
        for (mine, other) in [
            ("DNS:*.example.com", "DNS:example.com"),
            ("DNS:*.example.com", "DNS:a.b.example.com"),
            ("DNS:*.example.com", "DNS:.example.com"),
            ("DNS:10.0.0.1", "IP:10.0.0.1"),
            ("DNS:kafka1", "DNS:kafka2"),
        ] {
            assert!(!covers(mine, other), "{mine} {other}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in [
            "",
            "a_b",
            "a b",
            "-a",
            "a-",
            "a..b",
            "a.",
            ".a",
            "10.0.0.300",
            "1.2.3",
            "123",
            "*",
            "*.com",
            "a.*.b",
            "a:9093",
            "[10.0.0.1]",
            "kafka1\n",
            "a\0",
            &"x".repeat(64),
            &vec!["x".repeat(60); 5].join("."),
        ] {
            assert!(text.parse::<Host>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_ascii_and_stays_itself(text in "\\PC{0,60}") {
            if let Ok(host) = text.parse::<Host>() {
                prop_assert!(host.to_string().is_ascii());
                prop_assert_eq!(Host::from_tagged(&host.tagged()), Some(host.clone()));
                prop_assert_eq!(host.to_string().parse::<Host>().unwrap(), host);
            }
        }
    }
}
