//! Descriptions of certificates, requests and CRLs from any source, with what is unusual about them.

use serde::Serialize;
use time::{Duration, OffsetDateTime};
use x509_parser::{
    certification_request::X509CertificationRequest, cri_attributes::ParsedCriAttribute,
    extensions::ParsedExtension, prelude::FromDer, revocation_list::CertificateRevocationList,
    x509::ReasonCode,
};

use super::{
    Details, PublicKeyDetails,
    details::{Signature, extended, key_usages, names, signature},
    hex, rfc2253,
};
use crate::code::{StableCode, codes};

codes! {
/// What is unusual about a certificate, request or CRL. Codes do not change.
pub enum Oddity {
    Expired = "expired", "it has expired";
    NotYetValid = "not-yet-valid", "it is not valid yet";
    WeakKey = "weak-key", "its key is too weak";
    WeakSignature = "weak-signature", "it is signed with MD5 or SHA-1";
    WrongSignature = "wrong-signature", "a request is not signed with its own key";
    NoSan = "no-san", "a server's certificate has no host names";
    LongValidity = "long-validity", "a server's certificate is valid for more than 825 days";
    CaLeaf = "ca-leaf", "a server's or client's certificate is also a CA";
    UnknownCritical = "unknown-critical", "it has a critical extension that programs do not support, so they refuse it";
    OldVersion = "old-version", "a certificate of version 1 or 2, without extensions";
}
}

/// Browsers and Apple refuse more (CA/Browser Forum ballot 193).
const LONG: Duration = Duration::days(825);
/// How many entries of a CRL are listed.
const LISTED: usize = 1000;

/// Something unusual.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unusual {
    /// Its code.
    pub code: StableCode,
    /// A sentence for people.
    pub message: String,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RequestDetails {
    /// The requested subject.
    pub subject: String,
    /// The requested names.
    pub sans: Vec<String>,
    /// Its key.
    pub key: PublicKeyDetails,
    /// How it is signed.
    pub signature: String,
    #[serde(skip)]
    signature_is_strong: bool,
    /// Whether its own key has signed it; `None` if that cannot be checked.
    pub signature_is_good: Option<bool>,
    /// Whether it requests a CA certificate.
    pub ca: bool,
    /// The requested key usage.
    pub key_usage: Option<Vec<&'static str>>,
    /// The requested extended key usage.
    pub extended_key_usage: Option<Vec<String>>,
}

/// An entry of a CRL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RevokedDetails {
    /// Lower-case hex.
    pub serial: String,
    /// The time of revocation.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// The reason.
    pub reason: Option<String>,
}

/// A CRL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CrlDetails {
    /// Its issuer.
    pub issuer: String,
    /// Its number.
    pub number: Option<String>,
    /// The time of issue.
    #[serde(with = "time::serde::rfc3339")]
    pub this_update: OffsetDateTime,
    /// When it expires.
    #[serde(with = "time::serde::rfc3339::option")]
    pub next_update: Option<OffsetDateTime>,
    /// How it is signed.
    pub signature: String,
    #[serde(skip)]
    signature_is_strong: bool,
    /// How many certificates it lists.
    pub count: usize,
    /// The first thousand entries.
    pub revoked: Vec<RevokedDetails>,
}

/// A certificate, request or CRL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Inspected {
    /// A certificate.
    Certificate(Details),
    /// A request (PKCS#10).
    Request(RequestDetails),
    /// A revocation list.
    Crl(CrlDetails),
}

impl Inspected {
    /// Reads the DER of any of the three.
    pub fn of(der: &[u8]) -> Option<Self> {
        let certificate = || Details::of(der).ok().map(Self::Certificate);
        let request = || RequestDetails::of(der).map(Self::Request);
        let crl = || CrlDetails::of(der).map(Self::Crl);
        certificate().or_else(request).or_else(crl)
    }

    /// What is unusual about it.
    pub fn unusual(&self, now: OffsetDateTime) -> Vec<Unusual> {
        let mut found = Vec::new();
        let mut add = |is: bool, oddity: Oddity, message: String| {
            if is {
                let code = oddity.into();
                found.push(Unusual { code, message });
            }
        };
        let mut signed = |name: &str, is_strong: bool| {
            let message = format!("signed with {name}, which can be forged");
            add(!is_strong, Oddity::WeakSignature, message);
        };
        match self {
            Self::Certificate(c) => {
                // Nobody checks the signature of a root.
                let is_root = c.subject == c.issuer;
                signed(&c.signature, c.signature_is_strong || is_root);
                let is_named = c
                    .sans
                    .iter()
                    .any(|n| n.starts_with("DNS:") || n.starts_with("IP:"));
                let uses = c.extended_key_usage.as_ref();
                let is_leaf =
                    !c.ca || is_named || uses.is_some_and(|u| u.iter().any(|u| u == "serverAuth"));
                let serves = is_leaf && c.is_for_servers();
                let life = c.not_after - c.not_before;
                add(
                    c.not_after < now,
                    Oddity::Expired,
                    format!("expired on {}", c.not_after.date()),
                );
                add(
                    c.not_before > now,
                    Oddity::NotYetValid,
                    format!("not valid before {}", c.not_before.date()),
                );
                let weak = c.key.weak.clone();
                add(weak.is_some(), Oddity::WeakKey, weak.unwrap_or_default());
                add(
                    serves && !is_named,
                    Oddity::NoSan,
                    "no host names (SANs): clients do not accept it for any host".to_owned(),
                );
                add(
                    serves && life > LONG,
                    Oddity::LongValidity,
                    format!("valid for {} days, more than 825", life.whole_days()),
                );
                add(
                    is_leaf && c.ca,
                    Oddity::CaLeaf,
                    "CA:TRUE, although it is for a host: it can sign certificates".to_owned(),
                );
                add(
                    !c.unknown_critical.is_empty(),
                    Oddity::UnknownCritical,
                    format!(
                        "unknown critical extensions: {}",
                        c.unknown_critical.join(", ")
                    ),
                );
                add(
                    c.version < 3,
                    Oddity::OldVersion,
                    format!("version {}, which has no extensions", c.version),
                );
            }
            Self::Request(r) => {
                signed(&r.signature, r.signature_is_strong);
                let weak = r.key.weak.clone();
                add(weak.is_some(), Oddity::WeakKey, weak.unwrap_or_default());
                add(
                    r.signature_is_good == Some(false),
                    Oddity::WrongSignature,
                    "not signed with its own key: its sender may not have that key".to_owned(),
                );
                add(
                    r.ca,
                    Oddity::CaLeaf,
                    "requests a CA certificate (CA:TRUE)".to_owned(),
                );
            }
            Self::Crl(crl) => {
                signed(&crl.signature, crl.signature_is_strong);
                if let Some(next) = crl.next_update {
                    let message = format!(
                        "expired on {}: programs that check it refuse every certificate",
                        next.date()
                    );
                    add(next < now, Oddity::Expired, message);
                }
            }
        }
        found
    }
}

impl RequestDetails {
    fn of(der: &[u8]) -> Option<Self> {
        let (rest, request) = X509CertificationRequest::from_der(der).ok()?;
        if !rest.is_empty() {
            return None;
        }
        let info = &request.certification_request_info;
        let Signature { name, is_strong } = signature(&request.signature_algorithm);
        let mut details = Self {
            subject: rfc2253(info.subject.as_raw()).ok()?,
            sans: Vec::new(),
            key: PublicKeyDetails::of(&info.subject_pki),
            signature: name,
            signature_is_strong: is_strong,
            signature_is_good: match request.verify_signature() {
                Ok(()) => Some(true),
                Err(x509_parser::error::X509Error::SignatureUnsupportedAlgorithm) => None,
                Err(_) => Some(false),
            },
            ca: false,
            key_usage: None,
            extended_key_usage: None,
        };
        // The library takes no shorter keys.
        if details.key.weak.is_some() && details.signature_is_good == Some(false) {
            details.signature_is_good = None;
        }
        let requested = info
            .attributes()
            .iter()
            .filter_map(|a| match a.parsed_attribute() {
                ParsedCriAttribute::ExtensionRequest(request) => Some(&request.extensions),
                _ => None,
            });
        for extension in requested.flatten() {
            match extension.parsed_extension() {
                ParsedExtension::SubjectAlternativeName(san) => {
                    details.sans = names(&san.general_names);
                }
                ParsedExtension::BasicConstraints(basic) => details.ca = basic.ca,
                ParsedExtension::KeyUsage(usage) => details.key_usage = Some(key_usages(usage)),
                ParsedExtension::ExtendedKeyUsage(usage) => {
                    details.extended_key_usage = Some(extended(usage));
                }
                _ => {}
            }
        }
        Some(details)
    }
}

/// `keyCompromise`, as RFC 5280 writes it; the library begins with a capital.
fn reason_name(reason: ReasonCode) -> String {
    let name = reason.to_string();
    let (first, rest) = name.split_at(name.len().min(1));
    first.to_ascii_lowercase() + rest
}

impl CrlDetails {
    fn of(der: &[u8]) -> Option<Self> {
        let (rest, crl) = CertificateRevocationList::from_der(der).ok()?;
        if !rest.is_empty() {
            return None;
        }
        let Signature { name, is_strong } = signature(&crl.signature_algorithm);
        let revoked = crl
            .iter_revoked_certificates()
            .take(LISTED)
            .map(|entry| RevokedDetails {
                serial: hex(entry.raw_serial()),
                at: entry.revocation_date.to_datetime(),
                reason: entry.reason_code().map(|(_, reason)| reason_name(reason)),
            });
        let number = crl
            .extensions()
            .iter()
            .find_map(|e| match e.parsed_extension() {
                ParsedExtension::CRLNumber(number) => Some(number.to_string()),
                _ => None,
            });
        Some(Self {
            issuer: rfc2253(crl.issuer().as_raw()).ok()?,
            number: number.filter(|number| number.len() <= 60),
            this_update: crl.last_update().to_datetime(),
            next_update: crl.next_update().map(|next| next.to_datetime()),
            signature: name,
            signature_is_strong: is_strong,
            count: crl.iter_revoked_certificates().count(),
            revoked: revoked.collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn objects() -> Vec<Vec<u8>> {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["kafka1".to_owned()]).unwrap();
        let request = params.serialize_request(&key).unwrap().der().to_vec();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.key_usages = vec![rcgen::KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).unwrap().der().to_vec();
        let now = time::macros::datetime!(2026-11-21 0:00 UTC);
        let crl = rcgen::CertificateRevocationListParams {
            this_update: now,
            next_update: now + Duration::DAY,
            crl_number: rcgen::SerialNumber::from(7),
            issuing_distribution_point: None,
            revoked_certs: vec![rcgen::RevokedCertParams {
                serial_number: rcgen::SerialNumber::from(9),
                revocation_time: now,
                reason_code: Some(rcgen::RevocationReason::KeyCompromise),
                invalidity_date: None,
            }],
            key_identifier_method: rcgen::KeyIdMethod::Sha256,
        };
        let crl = crl.signed_by(&rcgen::Issuer::new(params, key)).unwrap();
        vec![certificate, request, crl.der().to_vec()]
    }

    #[test]
    fn each_kind_is_read_as_what_it_is() {
        let read: Vec<Inspected> = objects()
            .iter()
            .map(|der| Inspected::of(der).unwrap())
            .collect();
        let [
            Inspected::Certificate(c),
            Inspected::Request(r),
            Inspected::Crl(l),
        ] = &read[..]
        else {
            panic!("{read:?}");
        };
        assert_eq!((&c.sans, c.ca), (&vec!["DNS:kafka1".to_owned()], true));
        assert_eq!((&r.sans, r.signature_is_good), (&c.sans, Some(true)));
        assert_eq!((l.number.as_deref(), l.count), (Some("7"), 1));
        let now = time::macros::datetime!(2026-12-21 0:00 UTC);
        let codes: Vec<&str> = read
            .iter()
            .flat_map(|i| i.unusual(now))
            .map(|u| u.code.name())
            .collect();
        assert!(
            codes.contains(&"ca-leaf") && codes.contains(&"expired"),
            "{codes:?}"
        );
    }

    #[test]
    fn no_altered_octet_panics() {
        let now = time::macros::datetime!(2026-12-21 0:00 UTC);
        for good in objects() {
            for at in 0..good.len() {
                for octet in [0, 1, 0x30, 0x7f, 0x80, 0x84, 0xff] {
                    let mut der = good.clone();
                    der[at] = octet;
                    let _ = Inspected::of(&der).map(|i| i.unusual(now));
                    der.truncate(at);
                    assert_eq!(Inspected::of(&der), None);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Inspected::of(&bytes);
        }
    }
}
