//! One way for every identity: key → request → issuer → certificate → stores.

use rayon::prelude::*;
use rcgen::{KeyPair, PublicKeyData};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::BootstrapError;
use crate::{
    issuer::{self, CertificateRequest, Issued, Issuer, IssuerError},
    keystore::{
        StoreProfile, pem,
        pkcs12::{self, KeyEntry},
    },
    pki::{self, Certificate, IdentityName, KeyAlgorithm, LeafSpec, PkiError},
    policy::FileNames,
    secret::{Secret, SecretBytes},
    state::{FileSpec, Inventory, Lock, OutDir, Record, digest_of, read_plain},
};

/// A key with its certificate, and the password of the stores that contain them.
#[derive(Debug)]
pub struct Credentials {
    /// The leaf.
    pub certificate: Certificate,
    /// The leaf and, where there is one, the intermediate.
    pub chain: Vec<CertificateDer<'static>>,
    /// PKCS#8 DER.
    pub key: SecretBytes,
    /// The password of the keystore and of the key in it.
    pub password: Secret,
}

/// An identity's files on disk.
#[derive(Debug, Default)]
pub struct OnDisk {
    /// Its leaf and the rest of its chain.
    pub chain: Vec<CertificateDer<'static>>,
    /// The leaf, read.
    pub certificate: Option<Certificate>,
    /// PKCS#8 DER.
    pub key: Option<SecretBytes>,
    /// The password of its stores.
    pub password: Option<Secret>,
}

impl OnDisk {
    /// Reads an identity's key, certificate and password, as far as they exist.
    pub fn read(
        out: &OutDir,
        name: &IdentityName,
        names: &FileNames,
    ) -> Result<Self, BootstrapError> {
        let dir = out.identity(name);
        let mut found = Self::default();
        let path = dir.join(&names.certificate);
        if let Some(text) = read_plain(&path)? {
            let damaged = |e| BootstrapError::damaged(&path, e);
            found.chain = pem::parse_certificates(&text).map_err(damaged)?;
            if let Some(leaf) = found.chain.first() {
                let leaf = Certificate::from_der(leaf);
                found.certificate = Some(leaf.map_err(|e| BootstrapError::damaged(&path, e))?);
            }
        }
        let path = dir.join(&names.key);
        if let Some(text) = read_plain(&path)?.map(Zeroizing::new) {
            let key = pem::parse_key(&text).map_err(|e| BootstrapError::damaged(&path, e))?;
            found.key = Some(key.to_vec().into());
        }
        found.password = read_secret(out, name, &names.password)?;
        Ok(found)
    }

    /// Refuses a password that no store can have, before anything is signed.
    pub fn check_password(
        &self,
        out: &OutDir,
        name: &IdentityName,
        names: &FileNames,
    ) -> Result<(), BootstrapError> {
        let checked = self.password.as_ref().map(pkcs12::check_password);
        checked
            .unwrap_or(Ok(()))
            .map_err(|source| BootstrapError::Password {
                name: name.to_string(),
                file: out
                    .identity(name)
                    .join(&names.password)
                    .display()
                    .to_string(),
                source,
            })
    }

    /// The public key of the existing key, as SubjectPublicKeyInfo.
    fn public_key(&self) -> Option<Vec<u8>> {
        let pair = KeyPair::try_from(&PrivatePkcs8KeyDer::from(&**self.key.as_ref()?)).ok()?;
        Some(pair.subject_public_key_info())
    }

    /// True if key and certificate exist and match.
    pub fn belongs_together(&self) -> bool {
        let certificate = self.certificate.as_ref();
        certificate.is_some_and(|c| self.public_key().as_ref() == Some(&c.public_key_info))
    }

    /// True if the existing certificate is the recorded one, signed by `signer`.
    pub fn is_recorded(&self, record: &Record, signer: &Certificate) -> bool {
        let mut certificate = self.certificate.iter();
        certificate.any(|c| record.is_of(c, signer))
    }

    /// The existing key, if the recorded certificate was signed for it and it has the right algorithm: anyone who can
    /// write to the directory could put another key there to have it signed.
    pub fn kept_key(
        &self,
        record: &Record,
        signer: &Certificate,
        wanted: KeyAlgorithm,
    ) -> Option<SecretBytes> {
        let public = self.public_key()?;
        let certificate = self.certificate.as_ref();
        let recorded = match &record.key_sha256 {
            Some(sha256) => *sha256 == pki::sha256(&public),
            None => {
                self.is_recorded(record, signer)
                    && certificate.is_some_and(|c| c.public_key_info == public)
            }
        };
        let kind = record.key.or(certificate.and_then(|c| c.key));
        self.key
            .clone()
            .filter(|_| recorded && kind == Some(wanted))
    }

    /// All three parts, if they exist.
    pub fn credentials(&self) -> Option<Credentials> {
        Some(Credentials {
            certificate: self.certificate.clone()?,
            chain: self.chain.clone(),
            key: self.key.clone()?,
            password: self.password.clone()?,
        })
    }
}

/// Reads a one-line secret from an identity's directory.
pub fn read_secret(
    out: &OutDir,
    name: &IdentityName,
    file: &str,
) -> Result<Option<Secret>, BootstrapError> {
    let path = out.identity(name).join(file);
    let Some(bytes) = read_plain(&path)?.map(Zeroizing::new) else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| BootstrapError::damaged(&path, "not UTF-8 text"))?;
    let text = text.trim_end_matches(['\n', '\r']);
    Ok((!text.is_empty()).then(|| Secret::new(text.to_owned())))
}

/// An identity that is to get a certificate, with what it keeps.
#[derive(Debug)]
pub struct Applicant<'a> {
    /// The content of the certificate.
    pub leaf: &'a LeafSpec,
    /// The key that is kept.
    pub key: Option<SecretBytes>,
    /// The password of the stores.
    pub password: Secret,
}

/// Makes or keeps the keys and has their certificates signed and recorded. Refused requests get an error in their
/// place.
pub fn enrol(
    applicants: Vec<Applicant<'_>>,
    issuer: &dyn Issuer,
    inventory: &mut Inventory,
    lock: &Lock,
    now: OffsetDateTime,
) -> Result<Vec<Result<Credentials, IssuerError>>, BootstrapError> {
    let pair = |applicant: &Applicant<'_>| match &applicant.key {
        Some(der) => KeyPair::try_from(&PrivatePkcs8KeyDer::from(&**der)),
        None => applicant.leaf.key.generate(),
    };
    let pairs: Vec<KeyPair> = applicants
        .par_iter()
        .map(pair)
        .collect::<Result<_, _>>()
        .map_err(PkiError::from)?;
    let requests: Vec<CertificateRequest<'_>> = applicants
        .iter()
        .zip(&pairs)
        .map(|(applicant, pair)| CertificateRequest::new(applicant.leaf, pair))
        .collect();
    let answers = issuer::issue(issuer, &requests, inventory, lock, now)?;
    let made = answers.into_iter().zip(applicants).zip(&pairs);
    let made = made.map(|((answer, applicant), pair)| {
        let Issued { certificate, chain } = answer?;
        Ok(Credentials {
            certificate,
            chain,
            key: applicant
                .key
                .unwrap_or_else(|| SecretBytes::from(pair.serialized_der())),
            password: applicant.password,
        })
    });
    Ok(made.collect())
}

impl Credentials {
    /// The keystore. Its bytes differ at each encoding.
    pub fn keystore(
        &self,
        name: &IdentityName,
        names: &FileNames,
        profile: StoreProfile,
    ) -> Result<FileSpec, BootstrapError> {
        let entry = KeyEntry {
            alias: name.as_str(),
            key_pkcs8: &self.key,
            chain: &self.chain,
        };
        let bytes = pkcs12::keystore(&entry, &self.password, profile)?;
        Ok(FileSpec {
            made_from: Some(self.made_from(profile)),
            ..FileSpec::secret(&names.keystore, bytes)
        })
    }

    /// The digest of everything that the keystore is made from: if two digests agree, so do the stores, whatever their
    /// bytes.
    pub fn made_from(&self, profile: StoreProfile) -> String {
        let profile: &[u8] = match profile {
            StoreProfile::Jdk => b"jdk",
            StoreProfile::Legacy => b"legacy",
        };
        let mut parts = vec![profile, &self.key, self.password.expose().as_bytes()];
        parts.extend(self.chain.iter().map(|der| der.as_ref()));
        digest_of(&parts)
    }

    /// PEM files and password file, the same bytes every time.
    pub fn texts(&self, names: &FileNames) -> Result<[FileSpec; 4], BootstrapError> {
        let pem = pem::keystore(&self.key, &self.chain)?;
        Ok([
            key_file(names, &self.key)?,
            FileSpec::public(&names.certificate, pem::certificates(&self.chain)),
            FileSpec::secret(&names.pem, pem.expose().as_bytes()),
            FileSpec::password(&names.password, &self.password),
        ])
    }
}

/// The file with a key.
pub(super) fn key_file(names: &FileNames, key: &[u8]) -> Result<FileSpec, BootstrapError> {
    let pem = pem::key(key)?;
    Ok(FileSpec::secret(&names.key, pem.expose().as_bytes()))
}
