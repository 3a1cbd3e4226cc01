//! The path from a leaf to a trusted certificate, through the certificates that came with it.

use x509_parser::error::X509Error;

use super::{Certificate, Details};

/// How many signatures are checked at most.
const MOST_CHECKS: usize = 100;
/// The longest path that is followed.
const LONGEST: usize = 10;

/// How a path ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathEnd {
    /// Its last certificate is trusted.
    Trusted,
    /// Its last certificate is self-signed, and not trusted.
    Untrusted,
    /// The issuer of its last certificate is missing.
    Missing,
    /// There is an issuer of the right name, but its key did not sign the last certificate: another CA of the same name.
    OtherKey,
    /// The last certificate's signature algorithm is not supported here.
    Unchecked,
}

/// A path.
#[derive(Debug)]
pub struct TrustPath<'a> {
    /// The leaf first.
    pub certificates: Vec<&'a Certificate>,
    /// How it ends.
    pub end: PathEnd,
}

struct Search<'a> {
    trusted: &'a [Certificate],
    sent: &'a [Certificate],
    checks: usize,
    /// The longest path that is not trusted.
    best: Option<TrustPath<'a>>,
}

/// Finds a path from the first of these to a trusted certificate, or else the longest path.
pub fn trust_path<'a>(
    sent: &'a [Certificate],
    trusted: &'a [Certificate],
) -> Option<TrustPath<'a>> {
    let leaf = sent.first()?;
    let mut search = Search {
        trusted,
        sent,
        checks: 0,
        best: None,
    };
    let found = search.from(&mut vec![leaf]);
    found.or(search.best)
}

impl<'a> Search<'a> {
    fn from(&mut self, path: &mut Vec<&'a Certificate>) -> Option<TrustPath<'a>> {
        let last = *path.last()?;
        if self.trusted.iter().any(|t| t.der == last.der) {
            return Some(TrustPath {
                certificates: path.clone(),
                end: PathEnd::Trusted,
            });
        }
        let mut end = match last.subject == last.issuer {
            true => PathEnd::Untrusted,
            false => PathEnd::Missing,
        };
        let candidates = self.trusted.iter().chain(self.sent);
        for ca in candidates.filter(|ca| ca.subject == last.issuer && ca.der != last.der) {
            if self.checks == MOST_CHECKS || path.len() == LONGEST || path.contains(&ca) {
                continue;
            }
            self.checks += 1;
            match signed(last, ca) {
                Signed::Yes => {
                    path.push(ca);
                    let found = self.from(path);
                    path.pop();
                    if found.is_some() {
                        return found;
                    }
                }
                Signed::Unknown => end = PathEnd::Unchecked,
                Signed::No if end != PathEnd::Unchecked => end = PathEnd::OtherKey,
                Signed::No => {}
            }
        }
        if self
            .best
            .as_ref()
            .is_none_or(|best| best.certificates.len() < path.len())
        {
            let certificates = path.clone();
            self.best = Some(TrustPath { certificates, end });
        }
        None
    }
}

enum Signed {
    Yes,
    No,
    Unknown,
}

fn signed(certificate: &Certificate, ca: &Certificate) -> Signed {
    match certificate.verify(ca) {
        Ok(()) => Signed::Yes,
        Err(X509Error::SignatureUnsupportedAlgorithm) => Signed::Unknown,
        // The library does not support RSA keys below 2048 bits.
        Err(_) if Details::of(&ca.der).is_ok_and(|ca| ca.key.weak.is_some()) => Signed::Unknown,
        Err(_) => Signed::No,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

    use super::*;

    fn named(name: &str) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    }

    /// A certificate of `name` by the CA `by`, with a key of its own or that of the CA.
    fn signed(name: &str, by: &str, key: &KeyPair, ca: &KeyPair) -> Certificate {
        let der = named(name)
            .signed_by(key, &Issuer::new(named(by), ca))
            .unwrap();
        Certificate::from_der(der.der()).unwrap()
    }

    fn end(sent: &[Certificate], trusted: &[Certificate]) -> (PathEnd, usize) {
        let path = trust_path(sent, trusted).unwrap();
        (path.end, path.certificates.len())
    }

    #[test]
    fn ways_up_end_where_they_end() {
        let [leaf_key, sub_key, root_key, other_key] =
            std::array::from_fn(|_| KeyPair::generate().unwrap());
        let root = signed("root", "root", &root_key, &root_key);
        let sub = signed("sub", "root", &sub_key, &root_key);
        let leaf = signed("leaf", "sub", &leaf_key, &sub_key);
        let other = signed("root", "root", &other_key, &other_key);
        // A cross-signed intermediate that leads nowhere stands first.
        let astray = signed("sub", "elsewhere", &sub_key, &other_key);
        let trusted = [root.clone()];
        let chain = [leaf.clone(), astray, sub.clone(), root.clone()];
        assert_eq!(end(&chain, &trusted), (PathEnd::Trusted, 3));
        assert_eq!(end(&chain[..1], &trusted), (PathEnd::Missing, 1));
        assert_eq!(
            end(&chain[..1], std::slice::from_ref(&leaf)),
            (PathEnd::Trusted, 1)
        );
        assert_eq!(
            end(&[leaf.clone(), sub.clone()], &[other]),
            (PathEnd::OtherKey, 2)
        );
        assert_eq!(end(&[leaf, sub, root], &[]), (PathEnd::Untrusted, 3));
    }

    #[test]
    fn signatures_of_p521_and_sha512_are_checked() {
        let generate = |algorithm| KeyPair::generate_for(algorithm).unwrap();
        let root_key = generate(&rcgen::PKCS_ECDSA_P521_SHA512);
        let leaf_key = generate(&rcgen::PKCS_ECDSA_P256_SHA256);
        let root = signed("root", "root", &root_key, &root_key);
        let leaf = signed("leaf", "root", &leaf_key, &root_key);
        assert_eq!(end(&[leaf], &[root]), (PathEnd::Trusted, 2));
    }

    /// Certificates that have all signed each other have more ways than anybody could try.
    #[test]
    fn no_chain_takes_long() {
        let key = KeyPair::generate().unwrap();
        let all: Vec<Certificate> = (0..60).map(|_| signed("a", "a", &key, &key)).collect();
        let path = trust_path(&all, &[]).unwrap();
        assert!(path.certificates.len() <= LONGEST);
    }
}
