//! A CA that kpki did not create: imported with its key, or an intermediate with a certificate from a company's CA.

use rcgen::{KeyPair, PublicKeyData};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use time::OffsetDateTime;
use x509_parser::{certification_request::X509CertificationRequest, prelude::FromDer};

use super::{
    BootstrapError, Errors,
    ca::{Ca, CaError, commit},
    trust::Trust,
};
use crate::{
    deeds::did,
    issuer::local::{self, NewCa},
    keystore::{StoreError, pem},
    pki::{
        CaChain, Certificate, Dn, KeyAlgorithm, KeyProtection, PkiError, SealedKey, ca_request,
        rfc2253,
    },
    printable::Name,
    random,
    secret::{Secret, SecretBytes},
    state::{
        CA_REQUEST, CA_REQUEST_KEY, FileSpec, Lock, OutDir, Rotation, Staging, StateError,
        read_record,
    },
};

/// A CA from elsewhere that is valid and not yet stored.
pub struct Brought {
    /// The CA with its key.
    pub ca: NewCa,
    /// Its public certificates.
    pub trust: Trust,
    /// What users should know before they use it.
    pub remarks: Vec<String>,
    /// The subjects of certificates that are not part of its chain.
    pub left_out: Vec<Name>,
}

/// Finds the CA of a key (PKCS#8, DER) among certificates in any order, and checks that it can be used to sign.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read(
    pkcs8: &[u8],
    certificates: &[CertificateDer<'_>],
    now: OffsetDateTime,
) -> Result<Brought, Errors> {
    read_with(pkcs8, certificates, now, |_| Vec::new())
}

/// The same with further reasons to refuse the certificate of the key.
pub(super) fn read_with(
    pkcs8: &[u8],
    certificates: &[CertificateDer<'_>],
    now: OffsetDateTime,
    refuse: impl Fn(&Certificate) -> Vec<BootstrapError>,
) -> Result<Brought, Errors> {
    let key =
        KeyPair::try_from(&PrivatePkcs8KeyDer::from(pkcs8)).map_err(|_| StoreError::UnfitKey)?;
    let pool = certificates.iter().map(Certificate::from_der);
    let pool = pool.collect::<Result<Vec<_>, _>>()?;
    let key_info = key.subject_public_key_info();
    let signer = pool.iter().find(|c| c.public_key_info == key_info);
    let refused = signer.map(refuse).unwrap_or_default();
    let chain = match CaChain::find(&key_info, &pool, now) {
        Ok(chain) if refused.is_empty() => chain,
        Ok(_) => return Err(Errors(refused)),
        Err(found) => {
            let found = found.into_iter().map(BootstrapError::from);
            return Err(Errors(found.chain(refused).collect()));
        }
    };
    let ca = NewCa::brought(chain.certificates, pkcs8, now)?;
    Ok(Brought {
        trust: Trust::new(&ca)?,
        ca,
        remarks: chain.remarks,
        left_out: chain.left_out,
    })
}

/// A pending certificate request, of a new CA or of the next one.
#[derive(Debug)]
pub struct Request {
    /// PEM.
    pub pem: String,
    /// The requested subject.
    pub subject: String,
    /// The algorithm of its key, if kpki makes keys with it.
    pub key: Option<KeyAlgorithm>,
}

/// The pending request, if there is one.
///
/// # Errors
/// If it cannot be read.
pub fn pending(out: &OutDir) -> Result<Option<Request>, BootstrapError> {
    if !out.ca_file(CA_REQUEST_KEY).exists() {
        return Ok(None);
    }
    out.check()?;
    let path = out.ca_file(CA_REQUEST);
    let dir = out.ca().display().to_string();
    let text = read_record(&path)?.ok_or(CaError::Incomplete {
        dir,
        file: CA_REQUEST,
    })?;
    let damaged = |source| CaError::Damaged {
        file: path.display().to_string(),
        source,
    };
    let der = pem::parse_request(&text).map_err(|e| damaged(e.into()))?;
    let (subject, key) = match X509CertificationRequest::from_der(&der) {
        Ok((
            _,
            X509CertificationRequest {
                certification_request_info: asked,
                ..
            },
        )) => (
            rfc2253(asked.subject.as_raw()),
            KeyAlgorithm::of(&asked.subject_pki),
        ),
        Err(_) => return Err(damaged("it is not a certificate request".into()).into()),
    };
    Ok(Some(Request {
        pem: pem::request(&der),
        subject: subject.map_err(|e| damaged(e.into()))?,
        key,
    }))
}

/// Creates the key of a new intermediate CA and its certificate request.
///
/// # Errors
/// If there is already a CA, or they cannot be created or written.
pub fn request(
    out: &OutDir,
    lock: &Lock,
    subject: &Dn,
    key: KeyAlgorithm,
    protection: &KeyProtection,
) -> Result<Request, BootstrapError> {
    if Ca::exists(out)? {
        return Err(CaError::Exists(out.ca().display().to_string()).into());
    }
    write_request(out, lock, subject, key, protection)
}

/// Creates a key and a certificate request. Both are written together, the key sealed.
pub(super) fn write_request(
    out: &OutDir,
    lock: &Lock,
    subject: &Dn,
    key: KeyAlgorithm,
    protection: &KeyProtection,
) -> Result<Request, BootstrapError> {
    let pair = key.generate().map_err(PkiError::from)?;
    let pem = pem::request(&ca_request(subject, &pair)?);
    let sealed = SealedKey::seal(
        pair.serialized_der(),
        protection,
        random::octets()?,
        random::octets()?,
    );
    let sealed = sealed.map_err(local::sealed(&out.ca_file(CA_REQUEST_KEY)))?;
    let files = [
        FileSpec::secret(CA_REQUEST_KEY, sealed.as_bytes()),
        FileSpec::public(CA_REQUEST, pem.as_bytes()),
    ];
    let staging = Staging::begin(out, lock, None)?;
    staging.add("ca", &files)?;
    staging.commit()?;
    did("asked for", "the certificate of a CA");
    Ok(Request {
        pem,
        subject: subject.to_string(),
        key: Some(key),
    })
}

/// The sealed key of the pending request.
#[derive(Debug)]
pub struct AwaitedKey(SecretBytes);

impl AwaitedKey {
    /// Reads that of a new CA.
    ///
    /// # Errors
    /// [`CaError::NoRequest`], or [`CaError::Exists`] if the CA is complete.
    pub fn read(out: &OutDir) -> Result<Self, BootstrapError> {
        out.check()?;
        let dir = || out.ca().display().to_string();
        if !Ca::waits(out) && Ca::exists(out)? {
            return Err(CaError::Exists(dir()).into());
        }
        Ok(Self::find(out)?.ok_or_else(|| CaError::NoRequest(dir()))?)
    }

    /// Reads it, whether it is of a new CA or of the next one.
    pub(super) fn find(out: &OutDir) -> Result<Option<Self>, StateError> {
        let sealed = read_record(&out.ca_file(CA_REQUEST_KEY))?;
        Ok(sealed.map(|sealed| Self(sealed.into())))
    }

    /// True if it is sealed with a passphrase.
    ///
    /// # Errors
    /// If it is damaged.
    pub fn is_sealed(&self, out: &OutDir) -> Result<bool, BootstrapError> {
        let key = SealedKey::parse(&String::from_utf8_lossy(&self.0));
        let key = key.map_err(local::sealed(&out.ca_file(CA_REQUEST_KEY)))?;
        Ok(key.needs_passphrase())
    }

    /// Opens it and returns PKCS#8, DER.
    ///
    /// # Errors
    /// If the passphrase is wrong.
    pub fn open(
        &self,
        out: &OutDir,
        passphrase: Option<&Secret>,
    ) -> Result<SecretBytes, BootstrapError> {
        Ok(local::unseal(
            &out.ca_file(CA_REQUEST_KEY),
            &self.0,
            passphrase,
        )?)
    }

    /// Stores the CA that this key belongs to, and removes the request.
    ///
    /// # Errors
    /// If another command did so in the meantime, or it cannot be written.
    pub fn install(
        self,
        out: &OutDir,
        lock: &Lock,
        brought: &Brought,
    ) -> Result<(), BootstrapError> {
        let Self(sealed) = Self::read(out)?;
        if sealed != self.0 {
            return Err(CaError::NoRequest(out.ca().display().to_string()).into());
        }
        let mut files = vec![FileSpec::secret(local::KEY, sealed.to_vec())];
        files.extend(no_request());
        let records = brought.ca.records(Rotation::FIRST);
        commit(out, lock, &brought.trust, &records, files)
    }
}

/// Removes a request and its key.
pub(super) fn no_request() -> [FileSpec; 2] {
    [CA_REQUEST, CA_REQUEST_KEY].map(FileSpec::gone)
}
