//! The description of any certificate, for operators.

mod key;

use std::net::IpAddr;

use serde::Serialize;
use time::OffsetDateTime;
use x509_parser::{
    extensions::{DistributionPointName, ExtendedKeyUsage, GeneralName, KeyUsage, ParsedExtension},
    prelude::{FromDer, X509Certificate, X509Extension},
};

use super::{NotACertificate, PkiError, hex, rfc2253, sha256};
pub use key::PublicKeyDetails;
pub(super) use key::{Signature, signature};

/// How many entries of a list are kept, in case the file is hostile.
const MOST: usize = 200;

/// The description of a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Details {
    /// Most specific first, as Java and Kafka print it.
    pub subject: String,
    /// Its issuer's name.
    pub issuer: String,
    /// Lower-case hex.
    pub serial: String,
    /// `DNS:kafka1`, `IP:10.0.0.1` and so on, as OpenSSL prints them.
    pub sans: Vec<String>,
    /// The start of its validity.
    #[serde(with = "time::serde::rfc3339")]
    pub not_before: OffsetDateTime,
    /// The end of its validity.
    #[serde(with = "time::serde::rfc3339")]
    pub not_after: OffsetDateTime,
    /// SHA-256 of the certificate, lower-case hex.
    pub sha256: String,
    /// Its key.
    pub key: PublicKeyDetails,
    /// The signature algorithm: `SHA-256 with RSA`.
    pub signature: String,
    /// False for MD5 and SHA-1.
    #[serde(skip)]
    pub signature_is_strong: bool,
    /// Whether it is a CA certificate.
    pub ca: bool,
    /// How many CAs there may be below it.
    pub path_length: Option<u32>,
    /// Its key usage, if it has the extension.
    pub key_usage: Option<Vec<&'static str>>,
    /// Its extended key usage; `None` means every usage.
    pub extended_key_usage: Option<Vec<String>>,
    /// The permitted name constraints of a CA.
    pub permitted: Vec<String>,
    /// Its CRL distribution points.
    pub crl_urls: Vec<String>,
    /// Critical extensions that are not known here: programs that follow RFC 5280 refuse the certificate.
    pub unknown_critical: Vec<String>,
    /// 1, 2 or 3.
    pub version: u32,
}

impl Details {
    /// Reads a certificate.
    ///
    /// # Errors
    /// If it is not one.
    pub fn of(der: &[u8]) -> Result<Self, PkiError> {
        let (rest, x509) = X509Certificate::from_der(der).map_err(NotACertificate::from)?;
        if !rest.is_empty() {
            return Err(NotACertificate::Trailing.into());
        }
        let Signature { name, is_strong } = signature(&x509.signature_algorithm);
        let dn = |name: &x509_parser::x509::X509Name<'_>| {
            rfc2253(name.as_raw()).map_err(NotACertificate::from)
        };
        let mut details = Self {
            subject: dn(x509.subject())?,
            issuer: dn(x509.issuer())?,
            serial: hex(x509.raw_serial()),
            sans: Vec::new(),
            not_before: x509.validity().not_before.to_datetime(),
            not_after: x509.validity().not_after.to_datetime(),
            sha256: sha256(der),
            key: PublicKeyDetails::of(x509.public_key()),
            signature: name,
            signature_is_strong: is_strong,
            ca: false,
            path_length: None,
            key_usage: None,
            extended_key_usage: None,
            permitted: Vec::new(),
            crl_urls: Vec::new(),
            unknown_critical: Vec::new(),
            version: x509.version().0.saturating_add(1),
        };
        x509.extensions().iter().for_each(|e| details.take(e));
        Ok(details)
    }

    fn take(&mut self, extension: &X509Extension<'_>) {
        match extension.parsed_extension() {
            ParsedExtension::SubjectAlternativeName(san) => {
                self.sans = names(&san.general_names);
            }
            ParsedExtension::BasicConstraints(basic) => {
                (self.ca, self.path_length) = (basic.ca, basic.path_len_constraint);
            }
            ParsedExtension::KeyUsage(usage) => {
                self.key_usage = Some(key_usages(usage));
            }
            ParsedExtension::ExtendedKeyUsage(usage) => {
                self.extended_key_usage = Some(extended(usage));
            }
            ParsedExtension::NameConstraints(constraints) => {
                let permitted = constraints.permitted_subtrees.iter().flatten();
                let named = permitted.take(MOST).map(|tree| general_name(&tree.base));
                self.permitted = named.collect();
            }
            ParsedExtension::CRLDistributionPoints(points) => {
                let full = points.iter().filter_map(|p| match &p.distribution_point {
                    Some(DistributionPointName::FullName(names)) => Some(names),
                    _ => None,
                });
                let urls = full.flatten().filter_map(|name| match name {
                    GeneralName::URI(uri) => Some((*uri).to_owned()),
                    _ => None,
                });
                self.crl_urls = urls.take(MOST).collect();
            }
            ParsedExtension::UnsupportedExtension { .. } | ParsedExtension::ParseError { .. }
                if extension.critical && self.unknown_critical.len() < MOST =>
            {
                self.unknown_critical.push(extension.oid.to_id_string());
            }
            _ => {}
        }
    }

    /// Whether a TLS server may use it.
    pub fn is_for_servers(&self) -> bool {
        let usages = self.extended_key_usage.as_ref();
        usages.is_none_or(|u| u.iter().any(|u| u == SERVER_AUTH || u == ANY))
    }
}

/// In the order of their bits (RFC 5280 §4.2.1.3).
const KEY_USAGES: [&str; 9] = [
    "digitalSignature",
    "nonRepudiation",
    "keyEncipherment",
    "dataEncipherment",
    "keyAgreement",
    "keyCertSign",
    "cRLSign",
    "encipherOnly",
    "decipherOnly",
];

const ANY: &str = "any";
const SERVER_AUTH: &str = "serverAuth";

pub(super) fn key_usages(usage: &KeyUsage) -> Vec<&'static str> {
    let known = KEY_USAGES.iter().enumerate();
    let set = known.filter(|(bit, _)| usage.flags >> bit & 1 == 1);
    set.map(|(_, name)| *name).collect()
}

pub(super) fn extended(usage: &ExtendedKeyUsage<'_>) -> Vec<String> {
    let known = [
        (usage.any, ANY),
        (usage.server_auth, SERVER_AUTH),
        (usage.client_auth, "clientAuth"),
        (usage.code_signing, "codeSigning"),
        (usage.email_protection, "emailProtection"),
        (usage.time_stamping, "timeStamping"),
        (usage.ocsp_signing, "OCSPSigning"),
    ];
    let known = known.into_iter().filter(|(set, _)| *set);
    let other = usage.other.iter().map(|oid| oid.to_id_string());
    known
        .map(|(_, name)| name.to_owned())
        .chain(other)
        .take(MOST)
        .collect()
}

/// Names as OpenSSL writes them.
pub(super) fn names(names: &[GeneralName<'_>]) -> Vec<String> {
    names.iter().take(MOST).map(general_name).collect()
}

fn general_name(name: &GeneralName<'_>) -> String {
    match name {
        GeneralName::DNSName(name) => format!("DNS:{name}"),
        GeneralName::IPAddress(octets) => address(octets),
        GeneralName::RFC822Name(name) => format!("email:{name}"),
        GeneralName::URI(uri) => format!("URI:{uri}"),
        GeneralName::DirectoryName(name) => {
            format!("DirName:{}", rfc2253(name.as_raw()).unwrap_or_default())
        }
        GeneralName::RegisteredID(oid) => format!("RID:{}", oid.to_id_string()),
        GeneralName::OtherName(oid, _) => format!("other:{}", oid.to_id_string()),
        _ => "other".to_owned(),
    }
}

/// An IP address, or an address and its mask as in name constraints.
fn address(octets: &[u8]) -> String {
    let ip = |octets: &[u8]| -> Option<IpAddr> {
        match octets.len() {
            4 => <[u8; 4]>::try_from(octets).ok().map(IpAddr::from),
            16 => <[u8; 16]>::try_from(octets).ok().map(IpAddr::from),
            _ => None,
        }
    };
    let half = octets.split_at(octets.len() / 2);
    match (ip(octets), ip(half.0), ip(half.1)) {
        // Four or sixteen octets are an address; eight or thirty-two are an address and a mask.
        (Some(ip), ..) => format!("IP:{ip}"),
        (None, Some(ip), Some(mask)) => format!("IP:{ip}/{mask}"),
        _ => format!("IP:{}", hex(octets.get(..32).unwrap_or(octets))),
    }
}
