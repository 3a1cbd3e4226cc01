//! A CA whose key is in a token, which signs without disclosing it.

use rcgen::{PublicKeyData, SubjectPublicKeyInfo};
use rustls_pki_types::CertificateRevocationListDer;
use time::OffsetDateTime;

use super::{
    CertificateRequest, Closed, Engine, Issued, Issuer, IssuerError, Wanted,
    far::{Why, kept},
    fresh_serial,
    local::CaSpec,
    token::{Token, TokenKey},
};
use crate::{
    pki::{
        Authority, AuthorityRequest, Certificate, KeyUri, PkiError, RevocationList, self_signed,
        sign,
    },
    policy::Pkcs11Settings,
    secret::Secret,
};

/// Its entry in the table.
pub(super) const ENGINE: Engine = Engine {
    name: "pkcs11",
    file: "pkcs11.json",
    wanted: |path, bytes| {
        let settings: Pkcs11Settings = kept(path, bytes)?;
        Ok(Some(Wanted::Credential {
            what: "the token's PIN",
            file: uri(&settings)?.pin_file,
            setting: "pin-source",
            variable: "KPKI_PKCS11_PIN",
        }))
    },
    open: |closed, signer, behind, pin| {
        let token = token(closed, pin)?;
        let key = SubjectPublicKeyInfo::from_der(&signer.public_key_info);
        let key = key.map_err(IssuerError::NotAKey)?;
        let key = token.key_of(key.algorithm(), key.der_bytes().to_vec())?;
        Ok(Box::new(Pkcs11 {
            authority: Authority::new(signer.clone(), key)?.naming(closed.crl_url.clone()),
            behind: behind.to_vec(),
        }))
    },
    authorities: None,
};

fn uri(settings: &Pkcs11Settings) -> Result<KeyUri, IssuerError> {
    settings.uri.parse().map_err(IssuerError::KeyUri)
}

fn token(closed: &Closed, pin: Option<&Secret>) -> Result<Token, IssuerError> {
    let settings: Pkcs11Settings = kept(&closed.path, &closed.bytes)?;
    let pin = pin.ok_or(IssuerError::NotOpened)?;
    Token::open(&uri(&settings)?, pin)
}

/// Makes a root with the key that the URI names, which is created in the token if it does not exist.
///
/// # Errors
/// If the token cannot be used, or the root cannot be made.
pub fn make(
    closed: &Closed,
    spec: &CaSpec,
    pin: &Secret,
    now: OffsetDateTime,
) -> Result<Certificate, IssuerError> {
    let key = token(closed, Some(pin))?.key_or_new(spec.key)?;
    let request = AuthorityRequest {
        subject: &spec.subject.with_generation(1)?,
        days: spec.days,
        path_len: 0,
        name_constraints: &spec.name_constraints,
        serial: fresh_serial()?,
        now,
    };
    let root = self_signed(&request, &key).map_err(|e| of_token(&key, e))?;
    let root = Certificate::from_der(&root)?;
    check(&key, &root, &root)?;
    Ok(root)
}

/// What went wrong, with the token's reason if known.
fn of_token(key: &TokenKey, error: PkiError) -> IssuerError {
    key.failure().unwrap_or_else(|| error.into())
}

/// A token's signature is only trusted once verified: the URI may name another key than the CA's.
fn check(
    key: &TokenKey,
    certificate: &Certificate,
    signer: &Certificate,
) -> Result<(), IssuerError> {
    if certificate.is_signed_by(signer) {
        return Ok(());
    }
    Err(key.who().fails(
        Why::Settings,
        format!("signs with a different key from that of {}", signer.subject),
        "the URI must name the key that the CA was made with: add id=, or check whether the token was replaced",
    ))
}

/// A CA with a session that is logged in to its token.
struct Pkcs11 {
    authority: Authority<TokenKey>,
    behind: Vec<Certificate>,
}

impl Issuer for Pkcs11 {
    fn sign(
        &self,
        requests: &[CertificateRequest<'_>],
        now: OffsetDateTime,
    ) -> Vec<Result<Issued, IssuerError>> {
        let signed = requests.iter().map(|request| {
            let (key, signer) = (self.authority.key(), self.authority.certificate());
            let public = request.public_key();
            let certificate = sign(request.leaf, public, fresh_serial()?, now, &self.authority)
                .map_err(|e| of_token(key, e))?;
            check(key, &certificate, signer)?;
            let chain = std::iter::once(&certificate).chain(&self.behind);
            Ok(Issued {
                chain: chain.map(|c| c.der.clone()).collect(),
                certificate,
            })
        });
        signed.collect()
    }

    fn sign_crl(
        &self,
        list: &RevocationList,
    ) -> Result<CertificateRevocationListDer<'static>, IssuerError> {
        let signed = list.sign(&self.authority);
        signed.map_err(|e| of_token(self.authority.key(), e))
    }
}
