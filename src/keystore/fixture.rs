//! Keys and chains for the tests of this room.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
};
use rustls_pki_types::CertificateDer;

use crate::secret::Secret;

/// A leaf's key and its chain: leaf, intermediate, root.
pub struct Identity {
    pub key: Vec<u8>,
    pub chain: Vec<CertificateDer<'static>>,
}

/// A fresh identity called `name`, issued through an intermediate.
pub fn identity(name: &str) -> Identity {
    let root = CertifiedIssuer::self_signed(ca("Root"), KeyPair::generate().unwrap()).unwrap();
    let inter = CertifiedIssuer::signed_by(ca("Intermediate"), KeyPair::generate().unwrap(), &root)
        .unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = params(name).signed_by(&key, &inter).unwrap();
    Identity {
        key: key.serialize_der(),
        chain: vec![
            leaf.der().clone(),
            inter.as_ref().der().clone(),
            root.as_ref().der().clone(),
        ],
    }
}

/// A password as kpki makes them.
pub fn password() -> Secret {
    Secret::new("abcdefghijklmnopqrstuvwxyz012345".into())
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn ca(name: &str) -> CertificateParams {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}
