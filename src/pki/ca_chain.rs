//! An existing CA: finds the chain of the signing key among any certificates, and checks that the CA can be used.
//! Whatever Java, OpenSSL or Kafka would refuse later is refused now, all errors at once.

use std::collections::HashSet;

use time::{Duration, OffsetDateTime};
use x509_parser::{
    extensions::{GeneralName, ParsedExtension},
    prelude::{FromDer, X509Certificate},
    public_key::PublicKey,
};

use super::{Certificate, leaf::LEAF_DAYS, rsa};
use crate::printable::Name;

/// The maximum number of certificates that are searched.
const MAX_POOL: usize = 64;
/// Java's servers accept chains of at most eight certificates (`jdk.tls.server.maxInboundCertificateChainLength`),
/// including the leaf but not the root.
const MAX_INTERMEDIATES: usize = 7;
/// The usual validity of a leaf; kpki warns about a CA that expires sooner.
const LEAF_LIFE: Duration = Duration::days(LEAF_DAYS as i64);

/// Why a CA is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainProblem {
    /// None of the certificates belongs to the key; with one that is no CA's, if there is such a one.
    #[error("none of the certificates belongs to the key{}", .0.as_ref().map_or(String::new(), |leaf| format!(
        ": `{leaf}` is not a CA certificate (basicConstraints without CA:TRUE)"
    )))]
    OtherKey(Option<Name>),
    /// The chain does not reach a root.
    #[error("the chain ends at `{subject}`: the certificate of its issuer `{issuer}` is missing")]
    NoIssuer {
        /// The last certificate.
        subject: Name,
        /// The missing one.
        issuer: Name,
    },
    /// The issuer's name matches, but not its key.
    #[error("`{subject}` names `{issuer}` as its issuer, but was not signed with that CA's key")]
    NotSigned {
        /// The certificate.
        subject: Name,
        /// The issuer that it names.
        issuer: Name,
    },
    /// More than any CA needs.
    #[error("there are more than {MAX_POOL} certificates")]
    TooMany,
    /// Longer than Java accepts.
    #[error(
        "there are {0} CAs between a leaf and the root; Java's servers accept at most {MAX_INTERMEDIATES}"
    )]
    TooDeep(usize),
    /// A certificate that cannot be used in its place in the chain.
    #[error("`{subject}` {why}")]
    Unfit {
        /// Whose certificate.
        subject: Name,
        /// What is wrong with it.
        why: String,
    },
}

/// The chain of a CA that can sign leaves.
#[derive(Debug)]
pub struct CaChain {
    /// The signing CA first, the root last; a root that signs leaves itself is alone.
    pub certificates: Vec<Certificate>,
    /// What users should know before they use it.
    pub remarks: Vec<String>,
    /// The subjects of the certificates that are not part of the chain.
    pub left_out: Vec<Name>,
}

struct Node<'a> {
    certificate: &'a Certificate,
    x509: X509Certificate<'a>,
}

impl Node<'_> {
    fn is_issued_by(&self, other: &Self) -> bool {
        self.x509.issuer().as_raw() == other.x509.subject().as_raw()
    }

    fn is_self_signed(&self) -> bool {
        self.is_issued_by(self) && self.certificate.is_signed_by(self.certificate)
    }

    fn unfit(&self, why: impl Into<String>) -> ChainProblem {
        ChainProblem::Unfit {
            subject: self.certificate.subject.clone(),
            why: why.into(),
        }
    }
}

impl CaChain {
    /// Finds the chain of the CA with this key (SubjectPublicKeyInfo, DER) among certificates in any order.
    ///
    /// # Errors
    /// Every reason why it cannot be used.
    pub fn find(
        key_info: &[u8],
        pool: &[Certificate],
        now: OffsetDateTime,
    ) -> Result<Self, Vec<ChainProblem>> {
        let mut seen = HashSet::new();
        let pool: Vec<&Certificate> = pool.iter().filter(|c| seen.insert(&c.der)).collect();
        if pool.len() > MAX_POOL {
            return Err(vec![ChainProblem::TooMany]);
        }
        let nodes = pool.iter().filter_map(|certificate| {
            // They have been parsed before.
            let (_, x509) = X509Certificate::from_der(&certificate.der).ok()?;
            Some(Node { certificate, x509 })
        });
        let nodes: Vec<Node<'_>> = nodes.collect();
        let path = path(key_info, &nodes).map_err(|problem| vec![problem])?;
        let chain: Vec<&Node<'_>> = path.iter().filter_map(|at| nodes.get(*at)).collect();
        let problems = check(&chain, now);
        if !problems.is_empty() {
            return Err(problems);
        }
        let others = nodes
            .iter()
            .enumerate()
            .filter(|(at, _)| !path.contains(at));
        Ok(Self {
            certificates: chain.iter().map(|node| node.certificate.clone()).collect(),
            remarks: remarks(&chain, now),
            left_out: others
                .map(|(_, node)| node.certificate.subject.clone())
                .collect(),
        })
    }
}

/// The shortest path from a certificate of the key to a self-signed one. Every certificate is visited once, so that the
/// search is bounded.
fn path(key_info: &[u8], nodes: &[Node<'_>]) -> Result<Vec<usize>, ChainProblem> {
    let is_signer = |at: &usize| nodes[*at].certificate.public_key_info == key_info;
    let mut ways: Vec<Vec<usize>> = (0..nodes.len())
        .filter(is_signer)
        .map(|at| vec![at])
        .collect();
    let other_key = || {
        let mut leaves = nodes.iter().filter(|node| !node.certificate.is_ca);
        ChainProblem::OtherKey(leaves.next().map(|leaf| leaf.certificate.subject.clone()))
    };
    if ways.is_empty() {
        return Err(other_key());
    }
    let mut seen: HashSet<usize> = ways.iter().flatten().copied().collect();
    let mut begun = 0;
    let mut unsigned = None;
    while let Some(way) = ways.get(begun).cloned() {
        begun += 1;
        let Some(node) = way.last().and_then(|at| nodes.get(*at)) else {
            continue;
        };
        if node.is_self_signed() {
            return Ok(way);
        }
        for (at, issuer) in nodes.iter().enumerate() {
            if seen.contains(&at) || !node.is_issued_by(issuer) {
                continue;
            }
            if !node.certificate.is_signed_by(issuer.certificate) {
                unsigned = Some(ChainProblem::NotSigned {
                    subject: node.certificate.subject.clone(),
                    issuer: issuer.certificate.subject.clone(),
                });
                continue;
            }
            seen.insert(at);
            ways.push([&way[..], &[at]].concat());
        }
    }
    let last = ways.iter().max_by_key(|way| way.len());
    let last = last.and_then(|way| nodes.get(*way.last()?));
    Err(match (unsigned, last) {
        (Some(problem), _) => problem,
        (None, Some(last)) if last.is_issued_by(last) => {
            last.unfit("claims to be self-signed, but its signature does not match its key")
        }
        (None, Some(last)) => ChainProblem::NoIssuer {
            subject: last.certificate.subject.clone(),
            issuer: last.certificate.issuer.clone(),
        },
        (None, None) => other_key(),
    })
}

/// Everything that is wrong with a chain whose signatures have been verified.
fn check(chain: &[&Node<'_>], now: OffsetDateTime) -> Vec<ChainProblem> {
    let mut problems = Vec::new();
    let intermediates = chain.len() - 1;
    if intermediates > MAX_INTERMEDIATES {
        problems.push(ChainProblem::TooDeep(intermediates));
    }
    for (below, node) in chain.iter().enumerate() {
        let (is_root, subject) = (below == intermediates, node.x509.subject());
        let mut wrong = Vec::new();
        if subject.iter_rdn().next().is_none() {
            wrong.push("has no subject".to_owned());
        }
        let lower = &chain[..below];
        if lower
            .iter()
            .any(|other| other.x509.subject().as_raw() == subject.as_raw())
        {
            wrong.push(
                "is the subject of two certificates in the chain, which Java could not distinguish"
                    .to_owned(),
            );
        }
        if node.certificate.not_before > now {
            wrong.push(format!(
                "is not valid before {}",
                node.certificate.not_before
            ));
        }
        if node.certificate.not_after <= now {
            wrong.push(format!("expired on {}", node.certificate.not_after.date()));
        }
        wrong.extend(weakness(node));
        let algorithm = node.x509.signature_algorithm.algorithm.to_id_string();
        if !is_root && ["1.2.840.113549.1.1.5", "1.3.14.3.2.29"].contains(&&*algorithm) {
            wrong.push("is signed with SHA-1, which Java and OpenSSL refuse".to_owned());
        }
        extensions(node, below, is_root, &mut wrong);
        problems.extend(wrong.into_iter().map(|why| node.unfit(why)));
    }
    problems
}

/// Why a key is weak, or not supported by every client.
fn weakness(node: &Node<'_>) -> Option<String> {
    match node.x509.public_key().parsed() {
        Ok(PublicKey::RSA(rsa)) => {
            let bits = rsa::bits(&rsa);
            let large = || format!("has an RSA key of {bits} bits; at most 8192 are supported");
            match rsa::weakness(&rsa) {
                Some(weakness) => Some(format!("has a weak key: {weakness}")),
                None => (bits > 8192).then(large),
            }
        }
        Ok(PublicKey::EC(_)) => {
            let parameters = node.x509.public_key().algorithm.parameters.as_ref();
            let curve = parameters
                .and_then(|p| p.as_oid().ok())
                .map(|oid| oid.to_id_string());
            match curve.as_deref() {
                Some("1.2.840.10045.3.1.7" | "1.3.132.0.34" | "1.3.132.0.35") => None,
                Some("1.2.840.10045.3.1.1" | "1.3.132.0.33") => {
                    Some("has a weak key: an elliptic curve of less than 256 bits".to_owned())
                }
                other => Some(format!(
                    "has a key on {}; supported are P-256, P-384 and P-521",
                    other.map_or("a custom curve".to_owned(), |oid| format!(
                        "the curve {oid}"
                    ))
                )),
            }
        }
        _ => Some("has a key that is neither RSA nor ECDSA".to_owned()),
    }
}

/// Checks the extensions of a CA that has `below` CAs below it.
fn extensions(node: &Node<'_>, below: usize, is_root: bool, wrong: &mut Vec<String>) {
    let (mut is_ca, mut seen) = (false, HashSet::new());
    for extension in node.x509.extensions() {
        let oid = extension.oid.to_id_string();
        if !seen.insert(oid.clone()) {
            wrong.push(format!("has the extension {oid} twice"));
        }
        match extension.parsed_extension() {
            ParsedExtension::BasicConstraints(basic) => {
                is_ca = basic.ca;
                if let Some(most) = basic.path_len_constraint
                    && (most as usize) < below
                {
                    wrong.push(format!(
                        "allows {most} CAs below it (path length), but there are {below}"
                    ));
                }
            }
            ParsedExtension::KeyUsage(usage) if !usage.key_cert_sign() => {
                wrong.push("may not sign certificates (its keyUsage lacks keyCertSign)".to_owned());
            }
            ParsedExtension::ExtendedKeyUsage(usage)
                if !(is_root || usage.any || usage.server_auth && usage.client_auth) =>
            {
                wrong.push("is not for both TLS servers and clients (extendedKeyUsage)".to_owned());
            }
            ParsedExtension::NameConstraints(constraints) => {
                let trees = constraints
                    .permitted_subtrees
                    .iter()
                    .chain(&constraints.excluded_subtrees);
                let mut trees = trees.flatten();
                if trees.any(|tree| matches!(tree.base, GeneralName::DirectoryName(_))) {
                    wrong.push(
                        "constrains the subjects below it (directoryName), but kpki uses only CN=<name>".to_owned(),
                    );
                }
            }
            ParsedExtension::ParseError { .. } => {
                wrong.push(format!("has an extension {oid} that cannot be read"));
            }
            ParsedExtension::UnsupportedExtension { .. } if extension.critical && !is_root => {
                wrong.push(format!(
                    "has the critical extension {oid}, which Java and OpenSSL do not support"
                ));
            }
            _ => {}
        }
    }
    if !is_ca {
        wrong.push("is not a CA certificate (basicConstraints without CA:TRUE)".to_owned());
    }
}

fn remarks(chain: &[&Node<'_>], now: OffsetDateTime) -> Vec<String> {
    let mut remarks = Vec::new();
    let earliest = chain.iter().min_by_key(|node| node.certificate.not_after);
    if let Some(Node { certificate, .. }) = earliest.copied()
        && certificate.not_after < now + LEAF_LIFE
    {
        remarks.push(format!(
            "{} expires on {}; no certificate below it can be valid for longer",
            certificate.subject,
            certificate.not_after.date()
        ));
    }
    for node in chain {
        let limits = node
            .certificate
            .name_limits
            .iter()
            .filter(|limits| !limits.is_empty());
        remarks.extend(limits.map(|limits| {
            format!(
                "{} can only sign for these names: {limits}",
                node.certificate.subject
            )
        }));
    }
    let usage = chain
        .first()
        .and_then(|signer| signer.x509.key_usage().ok()?);
    if usage.is_some_and(|usage| !usage.value.crl_sign()) {
        remarks.push("its keyUsage lacks cRLSign, so kpki crl cannot sign a CRL".to_owned());
    }
    remarks
}
