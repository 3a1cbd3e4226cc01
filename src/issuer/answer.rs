//! Whether an external CA's answer matches the request. The answer is not trusted.

use std::collections::BTreeSet;

use rustls_pki_types::CertificateDer;
use time::{Duration, OffsetDateTime};

use super::{
    CertificateRequest, Issued, IssuerError,
    far::{Who, Why, shown},
};
use crate::pki::{Certificate, Host, Kind, LeafSpec};

/// How far ahead another machine's clock may be.
const SKEW: Duration = Duration::HOUR;
/// The longest serial number that RFC 5280 §4.1.2.2 allows, in hex digits.
const MAX_SERIAL: usize = 40;

/// What is wrong with an answer, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    what: String,
    hint: &'static str,
}

impl Wrong {
    fn new(what: impl Into<String>) -> Self {
        let hint = "its answer was discarded; check which server answers at `url` in the policy";
        Self {
            what: what.into(),
            hint,
        }
    }

    fn hint(self, hint: &'static str) -> Self {
        Self { hint, ..self }
    }

    /// As an error about the issuer that answered.
    pub(super) fn of(self, who: &Who, leaf: &LeafSpec) -> IssuerError {
        let what = format!(
            "gave an answer for {} that cannot be accepted: {}",
            leaf.name, self.what
        );
        who.fails(Why::BadAnswer, what, self.hint)
    }
}

/// How to make it sign what was requested.
const TEMPLATE: &str = "its template or role changes requests: configure it to take subject, hosts and usages from the request";

/// The certificate, if it is the one that was requested. The rest of its chain is already known.
pub(super) fn checked(
    request: &CertificateRequest<'_>,
    answer: &CertificateDer<'_>,
    signer: &Certificate,
    behind: &[Certificate],
    now: OffsetDateTime,
) -> Result<Issued, Wrong> {
    let certificate = Certificate::from_der(answer).map_err(|e| Wrong::new(e.to_string()))?;
    if certificate.public_key_info != request.public_key_info() {
        return Err(Wrong::new("the certificate is for another key"));
    }
    if !certificate.is_issued_by(signer) || !certificate.is_signed_by(signer) {
        let what = format!(
            "the certificate is not signed by {}, like earlier ones, but by {}",
            signer.subject,
            shown(certificate.issuer.exact())
        );
        return Err(Wrong::new(what).hint(
            "the CA there was replaced, another one answers, or the role's issuer_ref names another: clients trust the one in ca/; to start with the new one, choose another --out",
        ));
    }
    matches(&certificate, request.leaf).map_err(|what| Wrong::new(what).hint(TEMPLATE))?;
    let (serial, begin, end) = (
        &certificate.serial,
        certificate.not_before,
        certificate.not_after,
    );
    if serial.len() > MAX_SERIAL || serial.bytes().all(|b| b == b'0') {
        return Err(Wrong::new("the certificate's serial number is not valid"));
    }
    if begin > now + SKEW {
        let what = format!("the certificate is not valid before {begin}, which is in the future");
        return Err(Wrong::new(what).hint("correct the clocks of both machines"));
    }
    if end <= now {
        let what = format!("the certificate expired on {end}");
        return Err(Wrong::new(what).hint("correct the clocks of both machines"));
    }
    let chain = std::iter::once(&certificate).chain(behind);
    Ok(Issued {
        chain: chain.map(|c| c.der.clone()).collect(),
        certificate,
    })
}

/// Whether a certificate has the requested content.
fn matches(certificate: &Certificate, leaf: &LeafSpec) -> Result<(), String> {
    let subject = format!("CN={}", leaf.name);
    if certificate.subject != subject {
        return Err(format!(
            "the certificate's subject is {}, but must be {subject}",
            shown(certificate.subject.exact())
        ));
    }
    let has: BTreeSet<&Host> = certificate.hosts.iter().collect();
    let missing: Vec<String> = leaf
        .hosts
        .iter()
        .filter(|h| !has.contains(h))
        .map(ToString::to_string)
        .collect();
    if !missing.is_empty() {
        return Err(format!(
            "the certificate does not name {}",
            missing.join(", ")
        ));
    }
    let more: Vec<String> = certificate
        .hosts
        .iter()
        .filter(|h| !leaf.hosts.contains(h))
        .map(ToString::to_string)
        .collect();
    if !more.is_empty() && !leaf.is_named_alone(&certificate.hosts) {
        return Err(format!(
            "the certificate also names {}, which was not requested",
            shown(&more.join(", "))
        ));
    }
    if certificate.is_ca {
        return Err("the certificate is a CA certificate".to_owned());
    }
    if !certificate.digital_signature {
        return Err("the certificate lacks the key usage digitalSignature".to_owned());
    }
    let server = leaf.kind == Kind::Broker;
    if !certificate.client_auth || server && !certificate.server_auth {
        let needed = if server {
            "serverAuth and clientAuth"
        } else {
            "clientAuth"
        };
        return Err(format!(
            "the certificate lacks the extended key usage that a {} needs, {needed}",
            leaf.kind.name()
        ));
    }
    Ok(())
}
