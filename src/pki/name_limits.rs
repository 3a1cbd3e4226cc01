//! The name constraints of a CA certificate, as far as they apply to hosts (RFC 5280 §4.2.1.10).

use std::fmt;

use x509_parser::extensions::{GeneralName, GeneralSubtree, NameConstraints};

use super::{Host, NameConstraint};
use crate::printable::Printable;

/// The name constraints of one certificate that apply to hosts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NameLimits {
    permitted: Vec<Subtree>,
    excluded: Vec<Subtree>,
}

/// A subtree of names or addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Subtree {
    Dns(NameConstraint),
    /// An address and its mask, of the same length.
    Ip(Vec<u8>, Vec<u8>),
}

impl NameLimits {
    /// Reads them.
    pub(super) fn of(constraints: &NameConstraints<'_>) -> Self {
        let read = |trees: &Option<Vec<GeneralSubtree<'_>>>| {
            let trees = trees.iter().flatten();
            trees.filter_map(|tree| Subtree::of(&tree.base)).collect()
        };
        Self {
            permitted: read(&constraints.permitted_subtrees),
            excluded: read(&constraints.excluded_subtrees),
        }
    }

    /// True if they do not constrain hosts.
    pub(super) fn is_empty(&self) -> bool {
        self.permitted.is_empty() && self.excluded.is_empty()
    }

    /// True for a host that is allowed in certificates below. Kinds of names without a permitted subtree are not
    /// restricted.
    pub fn permits(&self, host: &Host) -> bool {
        let mut of_kind = self.permitted.iter().filter(|tree| tree.is_of(host));
        let permitted = match of_kind.next() {
            None => true,
            Some(first) => first.covers(host) || of_kind.any(|tree| tree.covers(host)),
        };
        permitted && !self.excluded.iter().any(|tree| tree.covers(host))
    }

    /// The permitted domains.
    pub fn domains(&self) -> impl Iterator<Item = &NameConstraint> {
        self.permitted.iter().filter_map(|tree| match tree {
            Subtree::Dns(domain) => Some(domain),
            Subtree::Ip(..) => None,
        })
    }
}

impl fmt::Display for NameLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let permitted = self.permitted.iter().map(ToString::to_string);
        let excluded = self.excluded.iter().map(|tree| format!("not {tree}"));
        let all: Vec<String> = permitted.chain(excluded).collect();
        f.write_str(&all.join(", "))
    }
}

impl Subtree {
    fn of(name: &GeneralName<'_>) -> Option<Self> {
        match name {
            GeneralName::DNSName(name) => Some(Self::Dns(NameConstraint::from_certificate(name))),
            GeneralName::IPAddress(octets) if matches!(octets.len(), 8 | 32) => {
                let (address, mask) = octets.split_at(octets.len() / 2);
                Some(Self::Ip(address.to_vec(), mask.to_vec()))
            }
            _ => None,
        }
    }

    fn is_of(&self, host: &Host) -> bool {
        matches!(
            (self, host),
            (Self::Dns(_), Host::Dns(_)) | (Self::Ip(..), Host::Ip(_))
        )
    }

    fn covers(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::Dns(domain), Host::Dns(_)) => domain.permits(host),
            (Self::Ip(network, mask), Host::Ip(ip)) => {
                let octets = match ip {
                    std::net::IpAddr::V4(ip) => ip.octets().to_vec(),
                    std::net::IpAddr::V6(ip) => ip.octets().to_vec(),
                };
                let mut all = octets.iter().zip(network).zip(mask);
                octets.len() == network.len() && all.all(|((o, n), m)| o & m == n & m)
            }
            _ => false,
        }
    }
}

impl fmt::Display for Subtree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dotted = |octets: &[u8]| match <[u8; 4]>::try_from(octets) {
            Ok(four) => std::net::IpAddr::from(four).to_string(),
            Err(_) => <[u8; 16]>::try_from(octets).map_or_else(
                |_| String::new(),
                |all| std::net::IpAddr::from(all).to_string(),
            ),
        };
        match self {
            // In a certificate it may be any text.
            Self::Dns(domain) => Printable(&domain.to_string()).fmt(f),
            Self::Ip(network, mask) => {
                let bits: u32 = mask.iter().map(|octet| octet.count_ones()).sum();
                write!(f, "{}/{bits}", dotted(network))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(permitted: &[Subtree], excluded: &[Subtree]) -> NameLimits {
        NameLimits {
            permitted: permitted.to_vec(),
            excluded: excluded.to_vec(),
        }
    }

    fn dns(text: &str) -> Subtree {
        Subtree::Dns(NameConstraint::from_certificate(text))
    }

    #[test]
    fn what_is_excluded_is_out_and_kinds_that_are_not_named_are_free() {
        let ten = Subtree::Ip(vec![10, 0, 0, 0], vec![255, 0, 0, 0]);
        let found = limits(&[dns("example.com"), ten], &[dns("old.example.com")]);
        assert_eq!(
            found.to_string(),
            "example.com, 10.0.0.0/8, not old.example.com"
        );
        for (host, good) in [
            ("a.example.com", true),
            ("a.old.example.com", false),
            ("example.org", false),
            ("10.1.2.3", true),
            ("11.0.0.1", false),
            ("::1", false),
        ] {
            assert_eq!(found.permits(&host.parse().unwrap()), good, "{host}");
        }
        let nowhere = limits(&[], &[dns("")]);
        assert!(!nowhere.permits(&"kafka1".parse().unwrap()));
        assert!(nowhere.permits(&"10.0.0.1".parse().unwrap()));
    }
}
