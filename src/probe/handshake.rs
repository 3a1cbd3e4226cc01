//! A TLS handshake that accepts any certificate, and leaves the connection open.

use std::{sync::Arc, time::Instant};

use rustls::{
    ClientConfig, ClientConnection, ProtocolVersion,
    client::Resumption,
    crypto::aws_lc_rs::default_provider,
    pki_types::{IpAddr, Ipv4Addr, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName},
    sign::CertifiedKey,
};

use super::{
    Identity, ProbeError, Served,
    wire::Wire,
    witness::{Applicant, Witness},
};
use crate::{pki::rfc2253, printable::Name};

/// The result of a handshake.
pub(super) struct Shaken {
    pub(super) served: Served,
    pub(super) wire: Wire,
    pub(super) connection: ClientConnection,
    /// The peer requested a certificate, and ended the handshake because of the answer.
    pub(super) refused: Option<ProbeError>,
}

/// Does a handshake with `address`, and keeps the peer's certificate even if the peer refuses the client.
pub(super) fn shake(
    address: &str,
    server_name: &str,
    identity: Option<Identity<'_>>,
    deadline: Instant,
) -> Result<Shaken, ProbeError> {
    let provider = Arc::new(default_provider());
    let key = match identity {
        None => None,
        Some(identity) => {
            let der = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(identity.key_pkcs8.to_vec()));
            let key = provider.key_provider.load_private_key(der);
            let key = key.map_err(|e| ProbeError::Identity(e.to_string()))?;
            Some(Arc::new(CertifiedKey::new(identity.chain.to_vec(), key)))
        }
    };
    let witness = Arc::new(Witness::new(provider.signature_verification_algorithms));
    let applicant = Arc::new(Applicant::new(key));
    let tls = |error: rustls::Error| ProbeError::Tls(error.to_string());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(tls)?
        .dangerous()
        .with_custom_certificate_verifier(witness.clone())
        .with_client_cert_resolver(applicant.clone());
    config.resumption = Resumption::disabled();
    // An IP address is not sent as SNI.
    let unnamed = ServerName::IpAddress(IpAddr::V4(Ipv4Addr::from([0, 0, 0, 0])));
    let name = ServerName::try_from(server_name.to_owned()).unwrap_or(unnamed);

    let mut wire = Wire::connect(address, deadline)?;
    let mut connection = ClientConnection::new(Arc::new(config), name).map_err(tls)?;
    let done = connection.complete_io(&mut wire);
    let asked = applicant.asked();
    let seen = witness.seen();
    let shaken = done.is_ok() && !connection.is_handshaking();
    let (Some(seen), Some(suite)) = (seen, connection.negotiated_cipher_suite()) else {
        return Err(wire.failure(done.err()));
    };
    // The certificate was received even if the peer refuses us.
    if !(shaken || seen.signed && asked.is_some()) {
        return Err(wire.failure(done.err()));
    }
    let refused = (!shaken).then(|| wire.failure(done.err()));
    let authorities = |asked: Vec<Vec<u8>>| {
        let names = asked
            .iter()
            .filter_map(|der| rfc2253(der).ok().map(Name::from));
        names.collect()
    };
    let served = Served {
        chain: seen.chain,
        protocol: match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
            _ => "TLSv1.2",
        },
        cipher: format!("{:?}", suite.suite()).replace("TLS13_", "TLS_"),
        client_authorities: asked.map(authorities),
        proved: seen.proved,
    };
    Ok(Shaken {
        served,
        wire,
        connection,
        refused,
    })
}
