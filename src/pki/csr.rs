//! Certificate requests (PKCS#10, RFC 2986) for keys that are elsewhere. A request may ask for anything: only its key
//! is taken, and those of its names that the profile allows.

mod names;

use std::collections::HashSet;

use pkcs8::{
    der::{
        Decode, Reader, SliceReader, Tag, Tagged,
        asn1::{AnyRef, BitStringRef},
    },
    spki::AlgorithmIdentifierRef,
};
use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PublicKeyData, SubjectPublicKeyInfo};
use x509_parser::{
    certification_request::X509CertificationRequest,
    cri_attributes::ParsedCriAttribute,
    error::X509Error,
    extensions::{GeneralName, ParsedExtension, X509Extension},
    prelude::FromDer,
    public_key::{PublicKey, RSAPublicKey},
};

use super::{
    Certificate, Host, HostError, IdentityName, KeyAlgorithm, Kind, LeafSpec, NameError, PkiError,
    rfc2253, rsa,
};

use crate::printable::Name;
use names::{SHOWN, general_name, host, shown};

/// The maximum number of hosts in a request.
const MAX_HOSTS: usize = 100;

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CsrProblem {
    /// Bytes that are not exactly one request.
    #[error("it is not a certificate request (PKCS#10, DER)")]
    Malformed,
    /// A key that kpki does not know.
    #[error(
        "its key is {0}; supported are ECDSA on P-256 and P-384, and RSA of 2048, 3072 or 4096 bits"
    )]
    UnknownKey(String),
    /// A key that can be broken.
    #[error("its key is weak: {0}")]
    WeakKey(String),
    /// The key of a CA, which a leaf must not share.
    #[error("its key is the key of the CA `{0}`")]
    KeyOfCa(Name),
    /// The sender may not have the key.
    #[error("its signature was not made with its key, so the sender may not have that key")]
    WrongSignature,
    /// A signature that cannot be checked, or proves nothing.
    #[error("it is signed with {0}; use SHA-256 or SHA-384")]
    SignatureAlgorithm(String),
    /// It asks for a CA certificate.
    #[error("it asks for a CA certificate ({0})")]
    WantsCa(&'static str),
    /// An extension that cannot be read, or occurs twice.
    #[error("its extension {0} {1}")]
    BadExtension(String, &'static str),
    /// No name, and none was given.
    #[error("its subject has no CN, so the identity is not known")]
    NoName,
    /// Several names.
    #[error("its subject has several CNs")]
    ManyNames,
    /// An invalid identity name.
    #[error("its CN is not a valid identity name: {0}")]
    BadName(#[from] NameError),
    /// A different name from the requested one.
    #[error("its CN is `{found}`, not `{wanted}`")]
    OtherName {
        /// The name in the request.
        found: String,
        /// The requested name.
        wanted: String,
    },
    /// A name that kpki does not put into certificates.
    #[error("it names `{0}`, {1}")]
    BadHost(String, &'static str),
    /// No host name at all.
    #[error(transparent)]
    NotAHost(#[from] HostError),
    /// Too many.
    #[error("it names more than {MAX_HOSTS} hosts")]
    ManyHosts,
    /// A host that the CA may not sign for; a broker without any.
    #[error(transparent)]
    Pki(#[from] PkiError),
}

/// A parsed request; nothing in it is trusted yet.
#[derive(Debug)]
pub struct Csr<'a> {
    der: &'a [u8],
    parsed: X509CertificationRequest<'a>,
}

/// What the operator specifies when signing a request.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The identity; `None`: the request's CN.
    pub name: Option<&'a IdentityName>,
    /// The kind of certificate.
    pub kind: Kind,
    /// The hosts for the certificate; `None`: for a broker, those in the request.
    pub hosts: Option<&'a [Host]>,
    /// Validity in days.
    pub days: u32,
}

/// A request that may be signed, and the certificate for it.
#[derive(Debug)]
pub struct Approved {
    /// The certificate's parameters.
    pub leaf: LeafSpec,
    /// The key that it is for.
    pub key: SubjectPublicKeyInfo,
    /// The whole request, DER.
    pub pkcs10: Vec<u8>,
    /// The names in it that are not used, as text.
    pub left_out: Vec<String>,
}

impl<'a> Csr<'a> {
    /// Reads a request.
    pub fn from_der(der: &'a [u8]) -> Result<Self, CsrProblem> {
        match X509CertificationRequest::from_der(der) {
            Ok(([], parsed))
                if parsed.certification_request_info.version.0 == 0 && is_strict(der) =>
            {
                Ok(Self { der, parsed })
            }
            _ => Err(CsrProblem::Malformed),
        }
    }

    /// Its CN as an identity's name.
    pub fn name(&self) -> Result<IdentityName, CsrProblem> {
        let subject = &self.parsed.certification_request_info.subject;
        let mut names = subject.iter_common_name();
        let name = names.next().ok_or(CsrProblem::NoName)?;
        if names.next().is_some() {
            return Err(CsrProblem::ManyNames);
        }
        let text = name.as_str().map_err(|_| CsrProblem::NoName)?;
        text.parse()
            .map_err(|error| match text.chars().count() > SHOWN {
                true => NameError::TooLong(shown(text)).into(),
                false => CsrProblem::from(error),
            })
    }

    /// Checks the whole request and returns every error. `signer` is the CA that will sign, one of `cas`.
    pub fn approve(
        &self,
        asked: Asked<'_>,
        signer: &Certificate,
        cas: &[&Certificate],
    ) -> Result<Approved, Vec<CsrProblem>> {
        let mut wrong = Vec::new();
        let key = self.key().and_then(|found| match self.check_signature() {
            Ok(()) => Ok(found),
            Err(problem) => Err(problem),
        });
        let key = key.map_err(|problem| wrong.push(problem)).ok();
        let info = &self.parsed.certification_request_info;
        if let Some(ca) = cas
            .iter()
            .find(|ca| ca.public_key_info == info.subject_pki.raw)
        {
            wrong.push(CsrProblem::KeyOfCa(ca.subject.clone()));
        }
        let names = self.names(&mut wrong);
        let name = match (asked.name, self.name()) {
            (Some(wanted), Ok(found)) if found != *wanted => {
                wrong.push(CsrProblem::OtherName {
                    found: found.to_string(),
                    wanted: wanted.to_string(),
                });
                None
            }
            (Some(wanted), Ok(_) | Err(CsrProblem::NoName)) => Some(wanted.clone()),
            (None, Ok(found)) => Some(found),
            (_, Err(problem)) => {
                wrong.push(problem);
                None
            }
        };
        let mut left_out = Vec::new();
        let hosts = match asked.hosts {
            Some(hosts) => {
                left_out.extend(names.iter().map(general_name));
                hosts.to_vec()
            }
            None => {
                if names.len() > MAX_HOSTS {
                    wrong.push(CsrProblem::ManyHosts);
                }
                let mut hosts: Vec<Host> = Vec::new();
                for name in names.iter().take(MAX_HOSTS) {
                    match host(name) {
                        Err(problem) => wrong.push(problem),
                        Ok(host) if asked.kind != Kind::Broker => left_out.push(host.to_string()),
                        Ok(host) if hosts.contains(&host) => {}
                        Ok(host) => hosts.push(host),
                    }
                }
                hosts
            }
        };
        left_out.retain(|text| hosts.iter().all(|host| host.to_string() != *text));
        for host in &hosts {
            let permitted = signer.check_permitted(host, asked.kind);
            wrong.extend(permitted.err().map(CsrProblem::from));
        }
        if let (Kind::Broker, true, Some(name)) = (asked.kind, hosts.is_empty(), &name)
            && names.is_empty()
        {
            wrong.push(PkiError::NoHost(name.to_string()).into());
        }
        let subject = &info.subject;
        if subject.iter_attributes().count() > subject.iter_common_name().count()
            && let Ok(subject) = rfc2253(subject.as_raw())
        {
            left_out.push(shown(&subject));
        }
        match (name, key) {
            (Some(name), Some((key, algorithm))) if wrong.is_empty() => Ok(Approved {
                leaf: LeafSpec {
                    name,
                    kind: asked.kind,
                    hosts,
                    key: algorithm,
                    days: asked.days,
                },
                key,
                pkcs10: self.der.to_vec(),
                left_out,
            }),
            _ => Err(wrong),
        }
    }

    /// The key, if its algorithm is one that kpki supports.
    fn key(&self) -> Result<(SubjectPublicKeyInfo, KeyAlgorithm), CsrProblem> {
        let info = &self.parsed.certification_request_info.subject_pki;
        let unknown = || {
            let parameters = info.algorithm.parameters.as_ref();
            let curve = parameters.and_then(|p| p.as_oid().ok());
            CsrProblem::UnknownKey(match curve {
                Some(curve) => format!("of {} on {}", info.algorithm.algorithm, curve),
                None => format!("of {}", info.algorithm.algorithm),
            })
        };
        let key = SubjectPublicKeyInfo::from_der(info.raw).map_err(|_| unknown())?;
        let algorithm = match info.parsed() {
            Ok(PublicKey::RSA(rsa)) => rsa_algorithm(&rsa)?,
            Ok(PublicKey::EC(_)) if *key.algorithm() == PKCS_ECDSA_P256_SHA256 => {
                KeyAlgorithm::EcdsaP256
            }
            Ok(PublicKey::EC(_)) if *key.algorithm() == PKCS_ECDSA_P384_SHA384 => {
                KeyAlgorithm::EcdsaP384
            }
            _ => return Err(unknown()),
        };
        Ok((key, algorithm))
    }

    /// Proof that the sender has the key (RFC 2986 §3).
    fn check_signature(&self) -> Result<(), CsrProblem> {
        let algorithm = self.parsed.signature_algorithm.algorithm.to_id_string();
        // sha1WithRSAEncryption, in both forms: the owner of the key can use a better one.
        if matches!(algorithm.as_str(), "1.2.840.113549.1.1.5" | "1.3.14.3.2.29") {
            return Err(CsrProblem::SignatureAlgorithm("SHA-1".to_owned()));
        }
        if self.parsed.signature_value.unused_bits != 0 {
            return Err(CsrProblem::WrongSignature);
        }
        self.parsed.verify_signature().map_err(|error| match error {
            X509Error::SignatureUnsupportedAlgorithm => {
                CsrProblem::SignatureAlgorithm(format!("the algorithm {algorithm}"))
            }
            _ => CsrProblem::WrongSignature,
        })
    }

    /// The names that its extensions request; anything else is either refused or ignored.
    fn names(&self, wrong: &mut Vec<CsrProblem>) -> Vec<GeneralName<'_>> {
        let attributes = self.parsed.certification_request_info.attributes().iter();
        let requests: Vec<&[X509Extension<'_>]> = attributes
            .filter_map(|attribute| match attribute.parsed_attribute() {
                ParsedCriAttribute::ExtensionRequest(request) => Some(&request.extensions[..]),
                _ => None,
            })
            .collect();
        let bad = |extension: &X509Extension<'_>, why| {
            CsrProblem::BadExtension(extension.oid.to_id_string(), why)
        };
        let (mut names, mut seen) = (Vec::new(), HashSet::new());
        for extension in requests.into_iter().flatten() {
            if !seen.insert(extension.oid.clone()) {
                wrong.push(bad(extension, "occurs twice"));
                continue;
            }
            match extension.parsed_extension() {
                ParsedExtension::ParseError { .. } => {
                    wrong.push(bad(extension, "cannot be read"));
                }
                ParsedExtension::BasicConstraints(constraints) if constraints.ca => {
                    wrong.push(CsrProblem::WantsCa("CA:TRUE"));
                }
                ParsedExtension::KeyUsage(usage) if usage.key_cert_sign() || usage.crl_sign() => {
                    wrong.push(CsrProblem::WantsCa("keyUsage"));
                }
                ParsedExtension::SubjectAlternativeName(san) => {
                    names.extend(san.general_names.iter().cloned());
                }
                _ => {}
            }
        }
        names
    }
}

/// True if the encoding around the signed part is strict DER: the parser that reads the rest is lenient there.
fn is_strict(der: &[u8]) -> bool {
    let parse = || -> pkcs8::der::Result<bool> {
        let mut reader = SliceReader::new(der)?;
        let good = reader.sequence(|parts| -> pkcs8::der::Result<bool> {
            let info = AnyRef::decode(parts)?;
            AlgorithmIdentifierRef::decode(parts)?;
            let signature = BitStringRef::decode(parts)?;
            Ok(info.tag() == Tag::Sequence && signature.unused_bits() == 0)
        })?;
        reader.finish()?;
        Ok(good)
    };
    parse().unwrap_or(false)
}

/// The algorithm of an RSA key that is strong enough.
fn rsa_algorithm(key: &RSAPublicKey<'_>) -> Result<KeyAlgorithm, CsrProblem> {
    if let Some(weakness) = rsa::weakness(key) {
        return Err(CsrProblem::WeakKey(weakness));
    }
    match rsa::bits(key) {
        2048 => Ok(KeyAlgorithm::Rsa2048),
        3072 => Ok(KeyAlgorithm::Rsa3072),
        4096 => Ok(KeyAlgorithm::Rsa4096),
        bits => Err(CsrProblem::UnknownKey(format!("RSA of {bits} bits"))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn request() -> Vec<u8> {
        let leaf = LeafSpec {
            name: "kafka1".parse().unwrap(),
            kind: Kind::Broker,
            hosts: vec![
                "kafka1.example.com".parse().unwrap(),
                "10.0.0.1".parse().unwrap(),
            ],
            key: KeyAlgorithm::EcdsaP256,
            days: 1,
        };
        let key = leaf.key.generate().unwrap();
        leaf.request(&key).unwrap().to_vec()
    }

    fn approve(der: &[u8]) -> Result<Approved, Vec<CsrProblem>> {
        let key = KeyAlgorithm::EcdsaP256.generate().unwrap();
        let request = super::super::AuthorityRequest {
            subject: &"CN=CA".parse().unwrap(),
            days: 10,
            path_len: 0,
            name_constraints: &[],
            serial: super::super::Serial::from_random([7; 20]),
            now: time::macros::datetime!(2026-11-21 12:00 UTC),
        };
        let ca = super::super::self_signed(&request, &key).unwrap();
        let ca = Certificate::from_der(&ca).unwrap();
        let asked = Asked {
            name: None,
            kind: Kind::Broker,
            hosts: None,
            days: 30,
        };
        let csr = Csr::from_der(der).map_err(|problem| vec![problem])?;
        csr.approve(asked, &ca, &[&ca])
    }

    #[test]
    fn what_is_asked_for_is_what_is_approved() {
        let approved = approve(&request()).unwrap();
        assert_eq!(approved.leaf.name.as_str(), "kafka1");
        let hosts: Vec<String> = approved.leaf.hosts.iter().map(Host::tagged).collect();
        assert_eq!(hosts, ["DNS:kafka1.example.com", "IP:10.0.0.1"]);
        assert!(approved.left_out.is_empty());
    }

    /// Every octet of a request is either under its signature, or part of how that is written.
    #[test]
    fn a_request_with_any_octet_changed_is_refused() {
        let good = request();
        for at in 0..good.len() {
            for change in [0x01, 0x80, 0xff] {
                let mut bad = good.clone();
                bad[at] ^= change;
                assert!(approve(&bad).is_err(), "octet {at} ^ {change:#x}");
            }
            assert!(approve(&good[..at]).is_err(), "the first {at} octets");
        }
        assert!(approve(&[&good[..], b"\0"].concat()).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            at in 0usize..300,
            cut in 0usize..300,
        ) {
            let _ = approve(&bytes);
            let mut der = request();
            let at = at.min(der.len());
            let end = (at + cut).min(der.len());
            der.splice(at..end, bytes);
            let _ = approve(&der);
        }
    }
}
