//! Reading certificates.

use std::net::IpAddr;

use aws_lc_rs::signature;
use rustls_pki_types::CertificateDer;
use time::OffsetDateTime;
use x509_parser::{
    error::X509Error,
    extensions::{DistributionPointName, GeneralName, ParsedExtension},
    prelude::{FromDer, X509Certificate},
    public_key::PublicKey,
    x509::{SubjectPublicKeyInfo, X509Name},
};

use super::{
    Host, KeyAlgorithm, Kind, NameLimits, NotACertificate, PkiError, hex,
    own_name::names_one_algorithm, rfc2253, sha256,
};
use crate::printable::Name;

/// A certificate: its bytes, and the fields that kpki uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The DER.
    pub der: CertificateDer<'static>,
    /// Lower-case hex.
    pub serial: String,
    /// The subject, as kpki writes names: most specific first.
    pub subject: Name,
    /// The issuer's subject.
    pub issuer: Name,
    /// The dNSNames and iPAddresses of its subjectAltName, in order.
    pub hosts: Vec<Host>,
    /// Its notBefore.
    pub not_before: OffsetDateTime,
    /// Its notAfter.
    pub not_after: OffsetDateTime,
    /// The DER of its SubjectPublicKeyInfo.
    pub public_key_info: Vec<u8>,
    /// Its key algorithm, if it is one that kpki supports.
    pub key: Option<KeyAlgorithm>,
    /// Whether its key may sign handshakes (RFC 5280 §4.2.1.3).
    pub digital_signature: bool,
    /// Whether it may be used by a TLS server (RFC 5280 §4.2.1.12).
    pub server_auth: bool,
    /// Whether it may be used by a TLS client.
    pub client_auth: bool,
    /// Whether it is a CA certificate (RFC 5280 §4.2.1.9).
    pub is_ca: bool,
    /// The identifier of its key (RFC 5280 §4.2.1.2).
    pub subject_key_id: Option<Vec<u8>>,
    /// The identifier of its issuer's key (RFC 5280 §4.2.1.1).
    pub authority_key_id: Option<Vec<u8>>,
    /// Its CRL distribution point (RFC 5280 §4.2.1.13).
    pub crl_urls: Vec<String>,
    /// What a CA may sign for: its own name constraints, and those of the CAs above it where they were said. Empty:
    /// everything.
    pub name_limits: Vec<NameLimits>,
}

impl Certificate {
    /// Reads a certificate.
    pub fn from_der(der: &CertificateDer<'_>) -> Result<Self, PkiError> {
        let (rest, x509) = X509Certificate::from_der(der).map_err(NotACertificate::from)?;
        if !rest.is_empty() {
            return Err(NotACertificate::Trailing.into());
        }
        let time = |t: x509_parser::time::ASN1Time| t.to_datetime();
        let mut hosts = Vec::new();
        let mut name_limits = Vec::new();
        let mut crl_urls = Vec::new();
        let (mut server_auth, mut client_auth, mut is_ca) = (false, false, false);
        // Without that extension, a key may be used for everything.
        let mut digital_signature = true;
        let (mut subject_key_id, mut authority_key_id) = (None, None);
        for extension in x509.extensions() {
            match extension.parsed_extension() {
                ParsedExtension::SubjectAlternativeName(san) => {
                    hosts.extend(san.general_names.iter().filter_map(host));
                }
                ParsedExtension::NameConstraints(constraints) => {
                    name_limits.push(NameLimits::of(constraints));
                }
                ParsedExtension::KeyUsage(usage) => {
                    digital_signature = usage.digital_signature();
                }
                ParsedExtension::ExtendedKeyUsage(usage) => {
                    (server_auth, client_auth) = (usage.server_auth, usage.client_auth);
                }
                ParsedExtension::BasicConstraints(basic) => is_ca = basic.ca,
                ParsedExtension::CRLDistributionPoints(points) => {
                    let names = points.iter().filter_map(|p| match &p.distribution_point {
                        Some(DistributionPointName::FullName(names)) => Some(names),
                        _ => None,
                    });
                    crl_urls.extend(names.flatten().filter_map(|name| match name {
                        GeneralName::URI(uri) => Some((*uri).to_owned()),
                        _ => None,
                    }));
                }
                ParsedExtension::SubjectKeyIdentifier(id) => subject_key_id = Some(id.0.to_vec()),
                ParsedExtension::AuthorityKeyIdentifier(authority) => {
                    authority_key_id = authority.key_identifier.as_ref().map(|id| id.0.to_vec());
                }
                _ => {}
            }
        }
        Ok(Self {
            digital_signature,
            server_auth,
            client_auth,
            is_ca,
            subject_key_id,
            authority_key_id,
            serial: hex(x509.raw_serial()),
            subject: name(x509.subject())?,
            issuer: name(x509.issuer())?,
            hosts,
            not_before: time(x509.validity().not_before),
            not_after: time(x509.validity().not_after),
            public_key_info: x509.public_key().raw.to_vec(),
            key: KeyAlgorithm::of(x509.public_key()),
            crl_urls,
            name_limits,
            der: der.clone().into_owned(),
        })
    }

    /// True if this certificate's issuer is `ca`: by name, and by key identifier if both have one, since two CAs may
    /// have the same name.
    pub fn is_issued_by(&self, ca: &Self) -> bool {
        let same_key = match (&self.authority_key_id, &ca.subject_key_id) {
            (Some(mine), Some(theirs)) => mine == theirs,
            _ => true,
        };
        self.issuer == ca.subject && same_key
    }

    /// True if this certificate's signature was made with the key of `ca`.
    pub fn is_signed_by(&self, ca: &Self) -> bool {
        self.verify(ca).is_ok()
    }

    /// Verifies this certificate's signature with the key of `ca`.
    pub(super) fn verify(&self, ca: &Self) -> Result<(), X509Error> {
        let (_, mine) = X509Certificate::from_der(&self.der)?;
        let (_, theirs) = X509Certificate::from_der(&ca.der)?;
        // What the signature does not cover could be changed, which would make another certificate of the same content,
        // and one that OpenSSL does not read: signatures are whole octets.
        if mine.signature_value.unused_bits != 0 || !names_one_algorithm(&self.der) {
            return Err(X509Error::InvalidSignatureValue);
        }
        match verify_sha512(&mine, &theirs) {
            Some(true) => Ok(()),
            Some(false) => Err(X509Error::SignatureVerificationError),
            None => mine.verify_signature(Some(theirs.public_key())),
        }
    }

    /// SHA-256 of the whole certificate, lower-case hex: its fingerprint, as OpenSSL and browsers show it.
    pub fn fingerprint(&self) -> String {
        sha256(&self.der)
    }

    /// SHA-256 of its SubjectPublicKeyInfo, lower-case hex.
    pub fn key_fingerprint(&self) -> String {
        sha256(&self.public_key_info)
    }

    /// The same as what signs below these: for no more than they may, and no longer than they live.
    pub fn below(mut self, above: &[Self]) -> Self {
        for ca in above {
            self.name_limits.extend(ca.name_limits.iter().cloned());
            self.not_after = self.not_after.min(ca.not_after);
        }
        self
    }

    /// True if no name constraint forbids the host.
    pub fn permits(&self, host: &Host) -> bool {
        self.name_limits.iter().all(|limits| limits.permits(host))
    }

    /// Refuses a host that this CA's name constraints do not permit.
    pub fn check_permitted(&self, host: &Host, kind: Kind) -> Result<(), PkiError> {
        match self.name_limits.iter().find(|limits| !limits.permits(host)) {
            None => Ok(()),
            Some(limits) => Err(PkiError::OutsideConstraints {
                host: host.to_string(),
                kind,
                permitted: limits.to_string(),
            }),
        }
    }
}

/// Checks signatures of P-521, and of ECDSA with SHA-512, which the parser's own check does not know.
fn verify_sha512(mine: &X509Certificate<'_>, ca: &X509Certificate<'_>) -> Option<bool> {
    let key = ca.public_key();
    let curve = key
        .algorithm
        .parameters
        .as_ref()?
        .as_oid()
        .ok()?
        .to_id_string();
    let signed = mine.signature_algorithm.algorithm.to_id_string();
    let algorithm: &dyn signature::VerificationAlgorithm = match (&*curve, &*signed) {
        ("1.2.840.10045.3.1.7", "1.2.840.10045.4.3.4") => &signature::ECDSA_P256_SHA512_ASN1,
        ("1.3.132.0.34", "1.2.840.10045.4.3.4") => &signature::ECDSA_P384_SHA512_ASN1,
        ("1.3.132.0.35", "1.2.840.10045.4.3.2") => &signature::ECDSA_P521_SHA256_ASN1,
        ("1.3.132.0.35", "1.2.840.10045.4.3.3") => &signature::ECDSA_P521_SHA384_ASN1,
        ("1.3.132.0.35", "1.2.840.10045.4.3.4") => &signature::ECDSA_P521_SHA512_ASN1,
        _ => return None,
    };
    let key = signature::UnparsedPublicKey::new(algorithm, &key.subject_public_key.data);
    let tbs = mine.tbs_certificate.as_ref();
    Some(key.verify(tbs, &mine.signature_value.data).is_ok())
}

fn name(name: &X509Name<'_>) -> Result<Name, NotACertificate> {
    Ok(rfc2253(name.as_raw())?.into())
}

impl KeyAlgorithm {
    /// That of a public key, if it is one of these.
    pub fn of(key: &SubjectPublicKeyInfo<'_>) -> Option<Self> {
        match key.parsed().ok()? {
            PublicKey::RSA(rsa) => match rsa.key_size() {
                2048 => Some(Self::Rsa2048),
                3072 => Some(Self::Rsa3072),
                4096 => Some(Self::Rsa4096),
                _ => None,
            },
            // An uncompressed point: one octet, then both coordinates.
            PublicKey::EC(point) => match point.data().len() {
                65 => Some(Self::EcdsaP256),
                97 => Some(Self::EcdsaP384),
                _ => None,
            },
            _ => None,
        }
    }
}

fn host(name: &GeneralName<'_>) -> Option<Host> {
    match name {
        GeneralName::DNSName(name) => Some(Host::Dns((*name).to_owned())),
        GeneralName::IPAddress(octets) => <[u8; 4]>::try_from(*octets)
            .map(IpAddr::from)
            .or_else(|_| <[u8; 16]>::try_from(*octets).map(IpAddr::from))
            .map(Host::Ip)
            .ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{
        Authority, AuthorityRequest, Dn, LeafSpec, NameConstraint, Serial, self_signed, sign,
    };
    use super::*;

    fn now() -> OffsetDateTime {
        time::macros::datetime!(2026-11-21 12:00:00.5 UTC)
    }

    fn root(days: u32, constraints: &[NameConstraint]) -> Authority<rcgen::KeyPair> {
        let key = KeyAlgorithm::EcdsaP256.generate().unwrap();
        let subject: Dn = "CN=Test CA G1,O=Example\\, Inc.,C=DE".parse().unwrap();
        let request = AuthorityRequest {
            subject: &subject,
            days,
            path_len: 0,
            name_constraints: constraints,
            serial: Serial::from_random([7; 20]),
            now: now(),
        };
        let der = self_signed(&request, &key).unwrap();
        Authority::new(Certificate::from_der(&der).unwrap(), key).unwrap()
    }

    fn leaf(
        ca: &Authority<rcgen::KeyPair>,
        kind: Kind,
        hosts: &[&str],
    ) -> Result<Certificate, PkiError> {
        let key = KeyAlgorithm::EcdsaP256.generate().unwrap();
        let leaf = LeafSpec {
            name: "kafka1".parse().unwrap(),
            kind,
            hosts: hosts.iter().map(|h| h.parse().unwrap()).collect(),
            key: KeyAlgorithm::EcdsaP256,
            days: 397,
        };
        sign(&leaf, &key, Serial::from_random([9; 20]), now(), ca)
    }

    #[test]
    fn what_no_signature_covers_may_not_be_changed() {
        let even = |der: &CertificateDer<'_>| der.last().unwrap().is_multiple_of(2);
        let mut roots = std::iter::repeat_with(|| root(10, &[]).certificate().der.clone());
        let der = roots.find(even).unwrap();
        let whole = Certificate::from_der(&der).unwrap();
        assert!(whole.is_signed_by(&whole));
        let (_, x509) = X509Certificate::from_der(&der).unwrap();
        // The number of bits that do not count, and the tag of the algorithm's identifier.
        let bits = der.len() - x509.signature_value.data.len() - 1;
        for (at, octet) in [(bits, 1), (bits - 12, 7)] {
            let mut other = der.to_vec();
            other[at] = octet;
            let other = Certificate::from_der(&other.into()).unwrap();
            assert!(!other.is_signed_by(&whole), "{octet}");
        }
    }

    #[test]
    fn what_is_signed_reads_back() {
        let ca = root(3650, &[]);
        assert_eq!(
            ca.certificate().subject,
            "CN=Test CA G1,O=Example\\, Inc.,C=DE"
        );
        let leaf = leaf(&ca, Kind::Broker, &["kafka1", "10.0.0.1", "::1"]).unwrap();
        assert_eq!(leaf.subject, "CN=kafka1");
        assert_eq!(leaf.issuer, ca.certificate().subject);
        let tagged: Vec<String> = leaf.hosts.iter().map(Host::tagged).collect();
        assert_eq!(tagged, ["DNS:kafka1", "IP:10.0.0.1", "IP:::1"]);
        assert_eq!(
            leaf.not_before,
            time::macros::datetime!(2026-11-21 11:00 UTC)
        );
        assert_eq!(leaf.serial, Serial::from_random([9; 20]).to_string());
    }

    #[test]
    fn only_the_key_of_a_ca_makes_its_signature() {
        let (ca, other) = (root(10, &[]), root(10, &[]));
        let leaf = leaf(&ca, Kind::Broker, &["kafka1"]).unwrap();
        assert!(leaf.is_signed_by(ca.certificate()));
        assert!(!leaf.is_signed_by(other.certificate()));
        // The name of a CA and its key's identifier are copied easily.
        assert!(other.certificate().subject == ca.certificate().subject);
        let mut der = leaf.der.to_vec();
        let name = der.windows(6).rposition(|w| w == b"kafka1").unwrap();
        der[name + 5] = b'2';
        let altered = Certificate::from_der(&CertificateDer::from(der)).unwrap();
        assert!(altered.is_issued_by(ca.certificate()) && !altered.is_signed_by(ca.certificate()));
        assert_ne!(altered.fingerprint(), leaf.fingerprint());
        assert_eq!(altered.key_fingerprint(), leaf.key_fingerprint());
    }

    #[test]
    fn the_kind_of_key_is_read_from_the_certificate() {
        for algorithm in KeyAlgorithm::ALL
            .into_iter()
            .filter(|a| *a != KeyAlgorithm::Rsa4096)
        {
            let key = algorithm.generate().unwrap();
            let subject = "CN=a".parse().unwrap();
            let serial = Serial::from_random([1; 20]);
            let request = AuthorityRequest {
                subject: &subject,
                days: 1,
                path_len: 0,
                name_constraints: &[],
                serial,
                now: now(),
            };
            let der = self_signed(&request, &key).unwrap();
            assert_eq!(Certificate::from_der(&der).unwrap().key, Some(algorithm));
        }
    }

    #[test]
    fn a_leaf_never_outlives_its_ca() {
        let ca = root(30, &[]);
        let leaf = leaf(&ca, Kind::Client, &[]).unwrap();
        assert_eq!(leaf.not_after, ca.certificate().not_after);
    }

    #[test]
    fn name_constraints_are_kept() {
        let ca = root(3650, &["example.com".parse().unwrap()]);
        assert!(leaf(&ca, Kind::Broker, &["kafka1.example.com", "10.0.0.1"]).is_ok());
        let refused = leaf(&ca, Kind::Broker, &["kafka1"]).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "`kafka1` is outside the CA's name constraints (example.com)"
        );
    }

    #[test]
    fn a_broker_without_hosts_and_an_expired_ca_are_refused() {
        assert!(matches!(
            leaf(&root(3650, &[]), Kind::Broker, &[]),
            Err(PkiError::NoHost(_))
        ));
        assert!(matches!(
            leaf(&root(0, &[]), Kind::Broker, &["a"]),
            Err(PkiError::AuthorityExpired(_))
        ));
    }

    #[test]
    fn a_foreign_key_is_no_authority() {
        let ca = root(10, &[]);
        let other = KeyAlgorithm::EcdsaP256.generate().unwrap();
        assert!(matches!(
            Authority::new(ca.certificate().clone(), other),
            Err(PkiError::KeyMismatch(_))
        ));
    }

    #[test]
    fn no_altered_octet_of_a_certificate_panics() {
        let ca = root(10, &[]);
        let url = "http://pki.example.com/kafka.crl".parse().unwrap();
        let ca = ca.naming(Some(url));
        let leaf = leaf(&ca, Kind::Broker, &["kafka1", "10.0.0.1"]).unwrap();
        assert_eq!(leaf.crl_urls, ["http://pki.example.com/kafka.crl"]);
        for at in 0..leaf.der.len() {
            for octet in [0, 1, 0x30, 0x7f, 0x80, 0x84, 0xff] {
                let mut der = leaf.der.to_vec();
                der[at] = octet;
                let _ = Certificate::from_der(&CertificateDer::from(der.clone()));
                der.truncate(at);
                let _ = Certificate::from_der(&CertificateDer::from(der));
            }
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0usize..400, to: u8) {
            let _ = Certificate::from_der(&CertificateDer::from(bytes));
            let ca = root(10, &[]);
            let mut der = ca.certificate().der.to_vec();
            if let Some(byte) = der.get_mut(at) {
                *byte = to;
            }
            let _ = Certificate::from_der(&CertificateDer::from(der));
        }
    }
}
