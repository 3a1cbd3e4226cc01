//! Path building from a leaf to a trusted certificate, through the certificates that were sent with it.

use x509_parser::{
    error::X509Error,
    prelude::{FromDer, X509Certificate},
};

use super::{Certificate, Details};

/// The maximum number of signature checks, whatever was sent.
const MOST_CHECKS: usize = 100;
/// The maximum length of a path.
const LONGEST: usize = 10;

/// Where a path ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathEnd {
    /// At a trusted certificate.
    Trusted,
    /// At a self-signed certificate that is not trusted.
    Untrusted,
    /// At a certificate whose issuer is missing.
    Missing,
    /// At a certificate whose issuer is known by name, but with another key: another CA of the same name.
    OtherKey,
    /// At a certificate that was signed with an unsupported algorithm.
    Unchecked,
}

/// A path up from a leaf.
#[derive(Debug)]
pub struct TrustPath<'a> {
    /// The leaf first.
    pub certificates: Vec<&'a Certificate>,
    /// Where it ends.
    pub end: PathEnd,
}

struct Search<'a> {
    trusted: &'a [Certificate],
    sent: &'a [Certificate],
    checks: usize,
    /// The longest path that does not end at a trusted certificate.
    best: Option<TrustPath<'a>>,
}

/// Finds a path from the first of these to a trusted certificate; if there is none, returns the longest path.
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
    let parsed = (
        X509Certificate::from_der(&certificate.der),
        X509Certificate::from_der(&ca.der),
    );
    let (Ok((_, mine)), Ok((_, theirs))) = parsed else {
        return Signed::No;
    };
    match mine.verify_signature(Some(theirs.public_key())) {
        Ok(()) => Signed::Yes,
        Err(X509Error::SignatureUnsupportedAlgorithm) => Signed::Unknown,
        // The library does not accept keys below 2048 bits, so it is unknown whether this one signed.
        Err(_) if Details::of(&ca.der).is_ok_and(|ca| ca.key.weak.is_some()) => Signed::Unknown,
        Err(_) => Signed::No,
    }
}
