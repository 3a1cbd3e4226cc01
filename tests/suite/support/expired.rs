//! A certificate of the right CA that has ended.

use std::path::PathBuf;

use kpki::{
    bootstrap::ca::Ca,
    issuer::CertificateRequest,
    keystore::{StoreProfile, pkcs12},
    pki::{KeyAlgorithm, Kind, LeafSpec},
    secret::Secret,
    state::OutDir,
};

use super::kpki::Kpki;

/// A client's key store with the password `expired`, whose certificate ended yesterday.
pub fn key_store(kpki: &Kpki, client: &str) -> PathBuf {
    let ca = Ca::open(&OutDir::new(kpki.path("out"))).unwrap();
    let passphrase = Secret::new("a passphrase of the tests".into());
    let issuer = ca.open_issuer(Some(&passphrase)).unwrap();
    let key = KeyAlgorithm::EcdsaP256.generate().unwrap();
    let leaf = LeafSpec {
        name: client.parse().unwrap(),
        kind: Kind::Client,
        hosts: vec![],
        key: KeyAlgorithm::EcdsaP256,
        days: 1,
    };
    let then = time::OffsetDateTime::now_utc() - time::Duration::days(2);
    let mut answers = issuer.sign(&[CertificateRequest::new(&leaf, &key)], then);
    let issued = answers.remove(0).unwrap();
    let entry = pkcs12::KeyEntry {
        alias: client,
        key_pkcs8: key.serialized_der(),
        chain: &issued.chain,
    };
    let password = Secret::new("expired".into());
    let store = pkcs12::keystore(&entry, &password, StoreProfile::Jdk).unwrap();
    let path = kpki.path("expired.p12");
    std::fs::write(&path, store).unwrap();
    path
}
