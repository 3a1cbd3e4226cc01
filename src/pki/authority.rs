//! The certificates of a CA, and what is needed to sign with it.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, GeneralSubtree, IsCa, Issuer,
    KeyIdMethod, KeyUsagePurpose, NameConstraints, PublicKeyData, SerialNumber, SigningKey,
};
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer};
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{
    CLOCK_SKEW, Certificate, CrlUrl, Dn, NameConstraint, NotACertificate, PkiError, Serial, end,
    own_name::in_name,
};

/// A CA must live at least this many days: shorter ones leave no leaf time to be renewed.
pub const MIN_CA_LIFE: u32 = 1;

/// What a CA certificate is made from.
#[derive(Debug)]
pub struct AuthorityRequest<'a> {
    /// The full subject, including the generation.
    pub subject: &'a Dn,
    /// Validity in days from now.
    pub days: u32,
    /// How many further CAs may be below it in a chain.
    pub path_len: u8,
    /// The domains that it may sign for; empty: all.
    pub name_constraints: &'a [NameConstraint],
    /// Its serial number.
    pub serial: Serial,
    /// The time of signing.
    pub now: OffsetDateTime,
}

impl AuthorityRequest<'_> {
    /// RFC 5280 §4.2.1.9 (basicConstraints, critical), §4.2.1.3 (keyUsage, critical), §4.2.1.1 and §4.2.1.2 (key
    /// identifiers, which `openssl verify -x509_strict` asks for), §4.2.1.10 (name constraints, critical).
    fn params(&self) -> Result<CertificateParams, PkiError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = self.subject.to_rcgen();
        params.serial_number = Some(SerialNumber::from_slice(self.serial.as_bytes()));
        params.not_before = (self.now - CLOCK_SKEW).truncate_to_second();
        params.not_after = end(self.now, self.days)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(self.path_len));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.use_authority_key_identifier_extension = true;
        if !self.name_constraints.is_empty() {
            params.name_constraints = Some(NameConstraints {
                permitted_subtrees: self
                    .name_constraints
                    .iter()
                    .map(|c| GeneralSubtree::DnsName(c.to_string()))
                    .collect(),
                excluded_subtrees: Vec::new(),
            });
        }
        Ok(params)
    }
}

/// A root: a CA certificate signed with its own key.
pub fn self_signed(
    request: &AuthorityRequest<'_>,
    key: &impl SigningKey,
) -> Result<CertificateDer<'static>, PkiError> {
    Ok(request.params()?.self_signed(key)?.der().clone())
}

/// An intermediate: a CA certificate for `key` signed by `issuer`.
pub fn subordinate(
    request: &AuthorityRequest<'_>,
    key: &impl PublicKeyData,
    issuer: &Authority<impl SigningKey>,
) -> Result<CertificateDer<'static>, PkiError> {
    let mut params = request.params()?;
    params.not_after = params.not_after.min(issuer.certificate.not_after);
    Ok(params.signed_by(key, &issuer.issuer)?.der().clone())
}

/// A request (PKCS#10) for the certificate of an intermediate that signs leaves; whoever signs it may decide otherwise.
///
/// # Errors
/// When the key cannot sign.
pub fn ca_request(
    subject: &Dn,
    key: &impl SigningKey,
) -> Result<CertificateSigningRequestDer<'static>, PkiError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = subject.to_rcgen();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params.serialize_request(key)?.der().clone())
}

/// A CA that can sign: its certificate, the chain up to but without the root, and a key. The key is any
/// [`SigningKey`], which is the seam for tokens and remote signers.
pub struct Authority<S> {
    pub(super) certificate: Certificate,
    pub(super) issuer: Issuer<'static, S>,
    /// Its subject, DER.
    name: Vec<u8>,
    /// The CRL URL for leaves.
    pub(super) crl_url: Option<CrlUrl>,
}

impl<S: SigningKey> Authority<S> {
    /// Combines a CA certificate and its key.
    pub fn new(certificate: Certificate, key: S) -> Result<Self, PkiError> {
        if key.subject_public_key_info() != certificate.public_key_info {
            return Err(PkiError::KeyMismatch(certificate.subject));
        }
        let parsed = X509Certificate::from_der(&certificate.der);
        let (_, parsed) = parsed.map_err(NotACertificate::from)?;
        let name = parsed.subject().as_raw().to_vec();
        // The library reads no others.
        let plain = parsed
            .subject()
            .iter_rdn()
            .all(|part| part.iter().count() == 1);
        let issuer = match plain && Issuer::from_ca_cert_der(&certificate.der, &key).is_ok() {
            true => Issuer::from_ca_cert_der(&certificate.der, key)?,
            false => {
                let mut params = CertificateParams::default();
                params.distinguished_name = DistinguishedName::new();
                let id = certificate.subject_key_id.clone();
                params.key_identifier_method =
                    id.map_or(KeyIdMethod::Sha256, KeyIdMethod::PreSpecified);
                Issuer::new(params, key)
            }
        };
        Ok(Self {
            certificate,
            issuer,
            name,
            crl_url: None,
        })
    }

    /// What was signed, in the name of this CA to the letter.
    pub(super) fn in_own_name(&self, signed: &[u8]) -> Result<Vec<u8>, PkiError> {
        in_name(signed, &self.name, self.issuer.key())
    }

    /// The CA's key.
    pub fn key(&self) -> &S {
        self.issuer.key()
    }

    /// The same, with a CRL URL for its leaves.
    pub fn naming(self, crl_url: Option<CrlUrl>) -> Self {
        Self { crl_url, ..self }
    }

    /// The CA's own certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constraint_covers_its_domain_and_what_is_below() {
        let constraint: NameConstraint = ".Example.com".parse().unwrap();
        let permits = |host: &str| constraint.permits(&host.parse().unwrap());
        assert!(permits("example.com") && permits("a.b.example.com") && permits("*.example.com"));
        assert!(permits("10.0.0.1"));
        assert!(!permits("badexample.com") && !permits("example.org") && !permits("kafka1"));
        assert!("*.example.com".parse::<NameConstraint>().is_err());
        assert!("10.0.0.1".parse::<NameConstraint>().is_err());
    }
}
