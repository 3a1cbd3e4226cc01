//! The certificates of brokers and clients.

use rcgen::{
    CertificateParams, CrlDistributionPoint, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose,
    PublicKeyData, SanType, SerialNumber, SigningKey,
};
use rustls_pki_types::CertificateSigningRequestDer;
use time::OffsetDateTime;

use super::{
    Authority, CLOCK_SKEW, Certificate, Dn, Host, IdentityName, KeyAlgorithm, Kind, PkiError,
    Serial, end,
};

/// The usual validity of an identity's certificate, in days.
pub const LEAF_DAYS: u32 = 397;

/// The parameters of an identity's certificate.
#[derive(Debug, Clone)]
pub struct LeafSpec {
    /// Its CN.
    pub name: IdentityName,
    /// [`Kind::Broker`] or [`Kind::Client`].
    pub kind: Kind,
    /// The subjectAltName; a broker needs at least one.
    pub hosts: Vec<Host>,
    /// Its key algorithm.
    pub key: KeyAlgorithm,
    /// Validity in days from signing, limited by the CA's expiry.
    pub days: u32,
}

/// True if the only host is the identity's own name and none was requested: external issuers may not support
/// certificates without one.
pub fn is_named_alone(name: &IdentityName, requested: &[Host], hosts: &[Host]) -> bool {
    let own = |host: &str| host.eq_ignore_ascii_case(name.as_str());
    requested.is_empty() && matches!(hosts, [Host::Dns(only)] if own(only))
}

impl LeafSpec {
    /// [`is_named_alone`], for the certificate that was requested.
    pub fn is_named_alone(&self, hosts: &[Host]) -> bool {
        is_named_alone(&self.name, &self.hosts, hosts)
    }

    /// A request (PKCS#10) for it, signed with its key: only subject and hosts, because the issuer decides the rest of
    /// the certificate.
    ///
    /// # Errors
    /// If a name cannot be encoded, or the key cannot sign.
    pub fn request(
        &self,
        key: &impl SigningKey,
    ) -> Result<CertificateSigningRequestDer<'static>, PkiError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = Dn::common_name(self.name.as_str())?.to_rcgen();
        params.subject_alt_names = self.alt_names()?;
        Ok(params.serialize_request(key)?.der().clone())
    }

    fn alt_names(&self) -> Result<Vec<SanType>, PkiError> {
        let names = self.hosts.iter().map(|host| match host {
            Host::Ip(ip) => Ok(SanType::IpAddress(*ip)),
            Host::Dns(name) => Ok(SanType::DnsName(name.as_str().try_into()?)),
        });
        names.collect()
    }
}

/// Signs a leaf certificate for a public key.
///
/// # Errors
/// If the CA has expired, a host is outside its constraints, or a broker has no host.
pub fn sign(
    leaf: &LeafSpec,
    key: &impl PublicKeyData,
    serial: Serial,
    now: OffsetDateTime,
    authority: &Authority<impl SigningKey>,
) -> Result<Certificate, PkiError> {
    let ca = &authority.certificate;
    if ca.not_after <= now {
        return Err(PkiError::AuthorityExpired(ca.not_after.date().to_string()));
    }
    if leaf.kind == Kind::Broker && leaf.hosts.is_empty() {
        return Err(PkiError::NoHost(leaf.name.to_string()));
    }
    for host in &leaf.hosts {
        ca.check_permitted(host, leaf.kind)?;
    }
    // Without a dNSName, OpenSSL also checks a CN that looks like a host name against the constraints.
    if !leaf.hosts.iter().any(|h| matches!(h, Host::Dns(_)))
        && leaf.name.as_str().contains('.')
        && let Ok(host) = leaf.name.as_str().parse::<Host>()
    {
        ca.check_permitted(&host, leaf.kind)?;
    }
    let mut params = CertificateParams::default();
    params.distinguished_name = Dn::common_name(leaf.name.as_str())?.to_rcgen();
    params.serial_number = Some(SerialNumber::from_slice(serial.as_bytes()));
    params.not_before = (now - CLOCK_SKEW).truncate_to_second();
    // A chain with an expired CA is refused anyway, and tools that only monitor the leaf would not notice.
    params.not_after = end(now, leaf.days)?.min(ca.not_after);
    params.is_ca = IsCa::ExplicitNoCa;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    if leaf.key.is_rsa() && leaf.kind == Kind::Broker {
        // TLS 1.2's RSA key exchange (RFC 5246 §7.4.2) encrypts to the server's key; for a client's purpose the usage
        // is inconsistent (RFC 5280 §4.2.1.12).
        params.key_usages.push(KeyUsagePurpose::KeyEncipherment);
    }
    // A broker also connects to other brokers and controllers, with the same certificate.
    params.extended_key_usages = match leaf.kind {
        Kind::Broker => {
            vec![
                ExtendedKeyUsagePurpose::ServerAuth,
                ExtendedKeyUsagePurpose::ClientAuth,
            ]
        }
        _ => vec![ExtendedKeyUsagePurpose::ClientAuth],
    };
    params.subject_alt_names = leaf.alt_names()?;
    // RFC 5280 §4.2.1.13.
    let lists = authority.crl_url.iter().map(|url| CrlDistributionPoint {
        uris: vec![url.to_string()],
    });
    params.crl_distribution_points = lists.collect();
    let signed = params.signed_by(key, &authority.issuer)?;
    Certificate::from_der(&authority.in_own_name(signed.der())?.into())
}
