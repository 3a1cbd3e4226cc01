//! A CA that signs whatever the test wants, behind the interfaces of Vault and of step-ca, as their documents have them.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateSigningRequestParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SerialNumber,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use serde_json::{Value, json};

use crate::support::http::{Answer, Request, Server, json};
use crate::support::step_ca::provisioner;

/// The token that the server knows.
pub const TOKEN: &str = "hvs.a-token-of-the-tests";

/// A root, and the intermediate that signs.
pub struct Ca {
    pub root: Certificate,
    pub below: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

fn authority(name: &str) -> (CertificateParams, KeyPair) {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    params.not_after = rcgen::date_time_ymd(2055, 1, 1);
    (params, KeyPair::generate().unwrap())
}

impl Ca {
    pub fn new() -> Self {
        let (root, root_key) = authority("Far Root");
        let root = root.self_signed(&root_key).unwrap();
        let (below, key) = authority("Far Intermediate");
        let above = Issuer::from_ca_cert_der(root.der(), &root_key).unwrap();
        let below = below.signed_by(&key, &above).unwrap();
        let issuer = Issuer::from_ca_cert_der(below.der(), key).unwrap();
        Self {
            root,
            below,
            issuer,
        }
    }

    /// What an honest CA makes of a request, and a change of that; PEM.
    pub fn sign(&self, csr: &str, change: &dyn Fn(&mut CertificateParams)) -> String {
        let csr = CertificateSigningRequestParams::from_pem(csr).unwrap();
        self.sign_for(csr.params, &csr.public_key, change)
    }

    pub fn sign_for(
        &self,
        mut params: CertificateParams,
        key: &impl PublicKeyData,
        change: &dyn Fn(&mut CertificateParams),
    ) -> String {
        let now = time::OffsetDateTime::now_utc();
        params.not_before = now - time::Duration::MINUTE;
        params.not_after = now + time::Duration::days(30);
        // A number of its own, also for a key that was signed before.
        let serial = kpki::pki::Serial::from_random(kpki::random::octets().unwrap());
        params.serial_number = Some(SerialNumber::from_slice(serial.as_bytes()));
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        change(&mut params);
        params.signed_by(key, &self.issuer).unwrap().pem()
    }
}

/// What a server makes of a request that an honest one would sign: the request's text in, the answer out.
pub type Sign = dyn Fn(&Ca, &str) -> Answer + Send + Sync;

/// The request in the body that kpki sends.
fn csr_of(request: &Request) -> String {
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    body["csr"].as_str().unwrap().to_owned()
}

fn text(text: &str) -> Answer {
    Answer::Body(200, text.as_bytes().to_vec())
}

/// Vault's interface: <https://developer.hashicorp.com/vault/api-docs/secret/pki>.
pub fn vault(ca: Arc<Ca>, sign: Box<Sign>) -> Server {
    Server::start(vault_handler(ca, sign))
}

/// The same over TLS, with a certificate for this host.
pub fn vault_over_tls(ca: Arc<Ca>, sign: Box<Sign>, tls: &Ca, host: &str) -> Server {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![host.to_owned()]).unwrap();
    let leaf = tls.sign_for(params, &key, &|_| ());
    let leaf = CertificateDer::from_pem_slice(leaf.as_bytes()).unwrap();
    let chain = vec![leaf, tls.below.der().clone()];
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    Server::start_tls(chain, key, vault_handler(ca, sign))
}

fn vault_handler(
    ca: Arc<Ca>,
    sign: Box<Sign>,
) -> impl Fn(&Request) -> Answer + Send + Sync + 'static {
    move |request| match request.path.as_str() {
        // Without a line break at the end.
        "/v1/pki/ca/pem" => text(ca.below.pem().trim()),
        "/v1/pki/ca_chain" => text((ca.below.pem() + &ca.root.pem()).trim()),
        path if path.starts_with("/v1/pki/sign/") => {
            if request.header("x-vault-token") != Some(TOKEN) {
                return forbidden("invalid token");
            }
            sign(&ca, &csr_of(request))
        }
        // An engine without a CA.
        "/v1/empty/ca/pem" => Answer::Body(204, Vec::new()),
        // Every other path asks for a token first.
        _ => forbidden("permission denied"),
    }
}

/// As a real one says it, with a line for each of several errors.
fn forbidden(why: &str) -> Answer {
    let all = format!("2 errors occurred:\n\t* permission denied\n\t* {why}\n\n");
    json(403, &json!({"errors": [all]}))
}

pub fn vault_answer(certificate: &str) -> Value {
    json!({"data": {"certificate": certificate, "serial_number": "00", "ca_chain": []}, "warnings": null})
}

/// step-ca's, as `github.com/smallstep/certificates/api` has it.
pub fn step_ca(ca: Arc<Ca>, sign: Box<Sign>) -> Server {
    let provisioners = json!({"provisioners": [provisioner("kpki", "24h")], "nextCursor": ""});
    Server::start(move |request| match request.path.as_str() {
        path if path.starts_with("/root/") => json(200, &json!({"ca": ca.root.pem()})),
        "/intermediates" => json(200, &json!({"crts": [ca.below.pem()]})),
        path if path.starts_with("/provisioners") => json(200, &provisioners),
        "/1.0/sign" => sign(&ca, &csr_of(request)),
        _ => json(404, &json!({"status": 404, "message": "Not Found"})),
    })
}

pub fn step_answer(certificate: &str) -> Value {
    json!({"crt": certificate, "ca": "", "certChain": [certificate]})
}
