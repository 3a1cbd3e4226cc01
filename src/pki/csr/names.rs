//! The names that a request asks for.

use std::net::IpAddr;

use x509_parser::extensions::GeneralName;

use super::CsrProblem;
use crate::{pki::Host, printable::Printable};

/// How much of external text is shown.
pub(super) const SHOWN: usize = 80;

/// A subjectAltName entry for display.
pub(super) fn general_name(name: &GeneralName<'_>) -> String {
    match name {
        GeneralName::DNSName(text) | GeneralName::RFC822Name(text) | GeneralName::URI(text) => {
            shown(text)
        }
        GeneralName::IPAddress(octets) => match ip(octets) {
            Some(ip) => ip.to_string(),
            None => format!("an address of {} octets", octets.len()),
        },
        GeneralName::DirectoryName(_) => "a directory name".to_owned(),
        GeneralName::RegisteredID(oid) => shown(&oid.to_id_string()),
        _ => "another name".to_owned(),
    }
}

/// A host that a certificate may contain.
pub(super) fn host(name: &GeneralName<'_>) -> Result<Host, CsrProblem> {
    let text = general_name(name);
    let bad = |why| CsrProblem::BadHost(text.clone(), why);
    match name {
        GeneralName::DNSName(dns) if !dns.is_ascii() => Err(bad(
            "which is not a DNS name: international names must be written as xn--",
        )),
        GeneralName::DNSName(dns) if dns.len() > 253 => Err(bad("which is too long")),
        GeneralName::DNSName(dns) => match dns.parse()? {
            Host::Ip(_) => Err(bad("an IP address given as a DNS name")),
            host if host.is_wildcard() => Err(bad(
                "a wildcard, which would let one machine impersonate others",
            )),
            host => Ok(host),
        },
        GeneralName::IPAddress(octets) => match ip(octets) {
            Some(ip) if !ip.is_unspecified() && !ip.is_multicast() => Ok(Host::Ip(ip)),
            _ => Err(bad("which is not an address that a client can connect to")),
        },
        other => Err(CsrProblem::BadHost(
            text.clone(),
            match other {
                GeneralName::RFC822Name(_) => {
                    "an e-mail address: certificates name hosts and addresses only"
                }
                GeneralName::URI(_) => "a URI: certificates name hosts and addresses only",
                _ => "which is neither a host nor an address",
            },
        )),
    }
}

/// An address, in 16 octets too if it is one of IPv4: so Java reads it.
fn ip(octets: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(octets).map(IpAddr::from);
    let ip = four.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from));
    ip.ok().map(|ip| ip.to_canonical())
}

/// A text for display: shortened, and with what steers a terminal escaped.
pub(super) fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", Printable(&text[..end])),
        None => Printable(text).to_string(),
    }
}
