//! The certificates of brokers and clients.

use rcgen::{
    CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose, PublicKeyData, SanType,
    SerialNumber, SigningKey,
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{Authority, CLOCK_SKEW, Certificate, Dn, Host, IdentityName, PkiError, Serial, end};

/// What a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A CA: the root.
    Ca,
    /// A CA below the root.
    Intermediate,
    /// A broker: a TLS server that is also a client of other brokers.
    Broker,
    /// A client.
    Client,
}

impl Kind {
    /// The word of the inventory and of `list --json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ca => "ca",
            Self::Intermediate => "intermediate",
            Self::Broker => "broker",
            Self::Client => "client",
        }
    }
}

/// What a leaf certificate is made from.
#[derive(Debug)]
pub struct LeafRequest<'a> {
    /// Its CN.
    pub name: &'a IdentityName,
    /// [`Kind::Broker`] or [`Kind::Client`].
    pub kind: Kind,
    /// The subjectAltName; a broker needs at least one.
    pub hosts: &'a [Host],
    /// Days from now until its end, cut at the CA's end.
    pub days: u32,
    /// Its serial number.
    pub serial: Serial,
    /// The time of signing.
    pub now: OffsetDateTime,
}

/// Signs a leaf certificate for a public key.
///
/// # Errors
/// When the CA has expired, a host is outside its constraints, or a broker has no host.
pub fn sign(
    request: &LeafRequest<'_>,
    key: &impl PublicKeyData,
    is_rsa: bool,
    authority: &Authority<impl SigningKey>,
) -> Result<Certificate, PkiError> {
    let ca = &authority.certificate;
    if ca.not_after <= request.now {
        return Err(PkiError::AuthorityExpired(ca.not_after.to_string()));
    }
    if request.kind == Kind::Broker && request.hosts.is_empty() {
        return Err(PkiError::NoHost(request.name.to_string()));
    }
    for host in request.hosts {
        ca.check_permitted(host, request.kind)?;
    }
    // Without a dNSName, OpenSSL holds a CN that looks like a host name against the constraints as well.
    if !request.hosts.iter().any(|h| matches!(h, Host::Dns(_)))
        && request.name.as_str().contains('.')
        && let Ok(host) = request.name.as_str().parse::<Host>()
    {
        ca.check_permitted(&host, request.kind)?;
    }
    let mut params = CertificateParams::default();
    params.distinguished_name = Dn::common_name(request.name.as_str())?.to_rcgen();
    params.serial_number = Some(SerialNumber::from_slice(request.serial.as_bytes()));
    params.not_before = (request.now - CLOCK_SKEW).truncate_to_second();
    // A chain with an outlived CA is refused anyway, and tools that watch the leaf alone would not see it coming.
    params.not_after = end(request.now, request.days)?.min(ca.not_after);
    params.is_ca = IsCa::ExplicitNoCa;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    if is_rsa && request.kind == Kind::Broker {
        // TLS 1.2's RSA key exchange (RFC 5246 §7.4.2) encrypts to the server's key; for a client's purpose the usage
        // is inconsistent (RFC 5280 §4.2.1.12).
        params.key_usages.push(KeyUsagePurpose::KeyEncipherment);
    }
    // A broker also connects to other brokers and controllers, with the same certificate.
    params.extended_key_usages = match request.kind {
        Kind::Broker => {
            vec![
                ExtendedKeyUsagePurpose::ServerAuth,
                ExtendedKeyUsagePurpose::ClientAuth,
            ]
        }
        _ => vec![ExtendedKeyUsagePurpose::ClientAuth],
    };
    for host in request.hosts {
        params.subject_alt_names.push(match host {
            Host::Ip(ip) => SanType::IpAddress(*ip),
            Host::Dns(name) => SanType::DnsName(name.as_str().try_into()?),
        });
    }
    Certificate::from_der(params.signed_by(key, &authority.issuer)?.der())
}
