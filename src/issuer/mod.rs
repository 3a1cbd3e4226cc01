//! Issuers: a request in, a certificate and its chain out. One file per issuer, and one line in [`ENGINES`].
//!
//! An issuer may sign locally or remotely, at once or after a while, and may refuse; it determines serial number and
//! chain. Whatever it has signed is recorded before anyone else sees it.

mod answer;
mod far;
mod http;
mod jose;
pub mod local;
pub mod pkcs11;
mod resolver;
mod step_ca;
mod token;
mod vault;

use std::{
    borrow::Cow,
    collections::HashSet,
    path::{Path, PathBuf},
};

use rcgen::{KeyPair, PublicKeyData, SignatureAlgorithm, SubjectPublicKeyInfo};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};
use time::OffsetDateTime;

use crate::{
    keystore::pem,
    pki::{
        Certificate, CrlUrl, DnError, KeyUriError, LeafSpec, PkiError, RevocationList, SealError,
        Serial,
    },
    policy::IssuerSettings,
    random::{self, NoRandomness},
    secret::{Secret, SecretBytes},
    state::{FileSpec, Inventory, Lock, OutDir, Record, StateError, read_record, write_atomic},
};
pub use far::{FarError, Why};

/// Every issuer; the first whose file is in `ca/` is the one that signs.
pub const ENGINES: &[Engine] = &[
    local::ENGINE,
    pkcs11::ENGINE,
    step_ca::ENGINE,
    vault::ENGINE,
];

/// One entry of the table.
#[derive(Debug)]
pub struct Engine {
    /// The policy's word for it.
    pub name: &'static str,
    /// Its file in `ca/`: the key that it signs with, or where that is.
    pub file: &'static str,
    /// Reads that file; returns the secret that it needs to sign.
    wanted: fn(&Path, &[u8]) -> Result<Option<Wanted>, IssuerError>,
    /// As [`Closed::open`].
    open: fn(&Closed, &Certificate, &[Certificate], Option<&Secret>) -> Opened,
    /// As [`Closed::authorities`], for an external issuer.
    authorities: Option<Authorities>,
}

type Authorities = fn(&Path, &[u8]) -> Result<Vec<Certificate>, IssuerError>;

/// An issuer that is ready to sign.
pub type Opened = Result<Box<dyn Issuer>, IssuerError>;

/// A secret that an issuer needs to sign, and where it is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// The passphrase that seals the CA key.
    Passphrase,
    /// The credential for an external issuer.
    Credential {
        /// Its description.
        what: &'static str,
        /// The file that contains it, if the policy names one.
        file: Option<PathBuf>,
        /// The policy's word for that file.
        setting: &'static str,
        /// The environment variable that contains it otherwise.
        variable: &'static str,
    },
}

/// A requested certificate.
pub struct CertificateRequest<'a> {
    /// The content of the certificate.
    pub leaf: &'a LeafSpec,
    key: SubjectKey<'a>,
}

/// The key that a certificate is requested for.
enum SubjectKey<'a> {
    Here(&'a KeyPair),
    /// Elsewhere: its public key, and its owner's request (PKCS#10, DER).
    Elsewhere(SubjectPublicKeyInfo, &'a [u8]),
}

impl PublicKeyData for SubjectKey<'_> {
    fn der_bytes(&self) -> &[u8] {
        match self {
            Self::Here(pair) => pair.der_bytes(),
            Self::Elsewhere(key, _) => key.der_bytes(),
        }
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        match self {
            Self::Here(pair) => PublicKeyData::algorithm(*pair),
            Self::Elsewhere(key, _) => key.algorithm(),
        }
    }
}

impl<'a> CertificateRequest<'a> {
    /// Requests a certificate for a key that is here.
    pub fn new(leaf: &'a LeafSpec, key: &'a KeyPair) -> Self {
        let key = SubjectKey::Here(key);
        Self { leaf, key }
    }

    /// Requests a certificate for a key that is elsewhere, with the request (PKCS#10, DER) that its owner made.
    pub fn elsewhere(leaf: &'a LeafSpec, key: SubjectPublicKeyInfo, pkcs10: &'a [u8]) -> Self {
        let key = SubjectKey::Elsewhere(key, pkcs10);
        Self { leaf, key }
    }

    /// The key that it is for.
    pub fn public_key(&self) -> &impl PublicKeyData {
        &self.key
    }

    /// The request as PKCS#10 (DER): its owner's, or one made here that names subject and hosts.
    ///
    /// # Errors
    /// If it cannot be signed with the local key.
    pub fn pkcs10(&self) -> Result<Cow<'a, [u8]>, PkiError> {
        match self.key {
            SubjectKey::Here(pair) => Ok(self.leaf.request(pair)?.to_vec().into()),
            SubjectKey::Elsewhere(_, pkcs10) => Ok(pkcs10.into()),
        }
    }

    /// The same, as SubjectPublicKeyInfo.
    fn public_key_info(&self) -> Vec<u8> {
        self.key.subject_public_key_info()
    }

    /// The request for external issuers, PEM, made for `leaf` if its key is here.
    fn pkcs10_pem(&self, leaf: &LeafSpec) -> Result<String, PkiError> {
        let key = match &self.key {
            SubjectKey::Here(pair) => SubjectKey::Here(pair),
            SubjectKey::Elsewhere(key, pkcs10) => SubjectKey::Elsewhere(key.clone(), pkcs10),
        };
        Ok(pem::request(&CertificateRequest { leaf, key }.pkcs10()?))
    }
}

/// A certificate that was signed.
#[derive(Debug)]
pub struct Issued {
    /// The leaf.
    pub certificate: Certificate,
    /// The leaf and the intermediates, as servers send them.
    pub chain: Vec<CertificateDer<'static>>,
}

/// A CA that can sign.
pub trait Issuer: Sync {
    /// Answers each request separately, in order. Only to be called by [`issue`], which keeps the record.
    fn sign(
        &self,
        requests: &[CertificateRequest<'_>],
        now: OffsetDateTime,
    ) -> Vec<Result<Issued, IssuerError>>;

    /// Signs a CRL. Only to be called by [`crate::bootstrap::revoke`], which keeps the CRL numbers.
    ///
    /// # Errors
    /// [`IssuerError::OwnList`] if the issuer only signs its own.
    fn sign_crl(
        &self,
        _list: &RevocationList,
    ) -> Result<CertificateRevocationListDer<'static>, IssuerError> {
        Err(IssuerError::OwnList)
    }
}

/// Has certificates signed, and records every one of them before it leaves the CA.
///
/// # Errors
/// If the record cannot be written, or a serial number repeats: then no certificate leaves. A request that the issuer
/// refuses is an error in its place among the answers.
pub fn issue(
    issuer: &dyn Issuer,
    requests: &[CertificateRequest<'_>],
    inventory: &mut Inventory,
    lock: &Lock,
    now: OffsetDateTime,
) -> Result<Vec<Result<Issued, IssuerError>>, IssuerError> {
    let answers = issuer.sign(requests, now);
    let mut serials = HashSet::new();
    let mut records = Vec::new();
    for (request, answer) in requests.iter().zip(&answers) {
        let Ok(Issued { certificate, .. }) = answer else {
            continue;
        };
        if inventory.has_serial(&certificate.serial) || !serials.insert(&certificate.serial) {
            return Err(IssuerError::SerialTwice(certificate.serial.clone()));
        }
        let leaf = request.leaf;
        let mut record = Record::of(leaf.name.as_str(), leaf.kind, certificate);
        record.external = matches!(request.key, SubjectKey::Elsewhere(..));
        records.push(record);
    }
    if !records.is_empty() {
        inventory.append(lock, records)?;
    }
    Ok(answers)
}

/// 158 random bits: [`issue`] would detect a repetition.
fn fresh_serial() -> Result<Serial, IssuerError> {
    Ok(Serial::from_random(random::octets()?))
}

/// An issuer as stored in `ca/`: it must be opened before it signs.
#[derive(Debug)]
pub struct Closed {
    engine: &'static Engine,
    path: PathBuf,
    bytes: SecretBytes,
    wanted: Option<Wanted>,
    /// The CRL URL in its certificates.
    crl_url: Option<CrlUrl>,
}

/// The file in `ca/` that contains it.
const CRL_URL: &str = "crl.url";

impl Closed {
    /// Finds the issuer of an output directory; `None` if there is none.
    pub fn read(out: &OutDir) -> Result<Option<Self>, IssuerError> {
        for engine in ENGINES {
            let path = out.ca_file(engine.file);
            if let Some(bytes) = read_record(&path)?.map(SecretBytes::from) {
                return Self::new(engine, out, bytes).map(Some);
            }
        }
        Ok(None)
    }

    fn new(engine: &'static Engine, out: &OutDir, bytes: SecretBytes) -> Result<Self, IssuerError> {
        let path = out.ca_file(engine.file);
        Ok(Self {
            wanted: (engine.wanted)(&path, &bytes)?,
            engine,
            path,
            bytes,
            crl_url: read_crl_url(out)?,
        })
    }

    /// The external issuer that a policy names, in the form stored in `ca/`.
    ///
    /// # Errors
    /// If it cannot be written as text.
    pub fn of(out: &OutDir, settings: &IssuerSettings) -> Result<Self, IssuerError> {
        let (engine, bytes) = match settings {
            IssuerSettings::Pkcs11(settings) => (&pkcs11::ENGINE, far::keep(settings)),
            IssuerSettings::StepCa(settings) => (&step_ca::ENGINE, far::keep(settings)),
            IssuerSettings::Vault(settings) => (&vault::ENGINE, far::keep(settings)),
        };
        let bytes = bytes.map_err(|e| IssuerError::Damaged {
            path: out.ca_file(engine.file),
            reason: e.to_string(),
        })?;
        Self::new(engine, out, bytes.into())
    }

    /// Its file.
    pub fn file(&self) -> FileSpec {
        FileSpec::secret(self.engine.file, &*self.bytes)
    }

    /// The same, with a CRL URL in its certificates.
    pub fn naming(self, crl_url: Option<CrlUrl>) -> Self {
        Self { crl_url, ..self }
    }

    /// The files of a new CA.
    pub fn files(&self) -> Vec<FileSpec> {
        [self.file()]
            .into_iter()
            .chain(self.crl_url_file())
            .collect()
    }

    /// The CRL distribution point in its certificates.
    pub fn crl_url(&self) -> Option<&CrlUrl> {
        self.crl_url.as_ref()
    }

    /// The file that stores it.
    pub fn crl_url_file(&self) -> Option<FileSpec> {
        self.crl_url.as_ref().map(crl_url_file)
    }

    /// The policy's word for the issuer; the key in `ca.key` is [`local::NAME`].
    pub fn engine(&self) -> &'static str {
        self.engine.name
    }

    /// The certificates of an issuer's CA: the one whose key signs leaves first, the root last.
    ///
    /// # Errors
    /// If it does not answer, or they do not lead to a root.
    pub fn authorities(&self) -> Result<Vec<Certificate>, IssuerError> {
        let Some(ask) = self.engine.authorities else {
            return Ok(Vec::new());
        };
        ask(&self.path, &self.bytes)
    }

    /// Whether its CA is elsewhere, and so is its CRL.
    pub fn keeps_its_own_list(&self) -> bool {
        self.engine.authorities.is_some()
    }

    /// The secret that is needed to open it.
    pub fn wanted(&self) -> Option<&Wanted> {
        self.wanted.as_ref()
    }

    /// Sets the CRL URL for future certificates, or removes it.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn keep_crl_url(
        &mut self,
        out: &OutDir,
        _lock: &Lock,
        url: Option<&CrlUrl>,
    ) -> Result<(), StateError> {
        if self.crl_url.as_ref() != url {
            let text = url.map_or(String::new(), CrlUrl::to_kept);
            write_atomic(&out.ca_file(CRL_URL), text.as_bytes(), 0o600, None)?;
            self.crl_url = url.cloned();
        }
        Ok(())
    }

    /// The same with another key, from another file beside it.
    pub fn with_key(&self, path: PathBuf, bytes: SecretBytes) -> Self {
        Self {
            engine: self.engine,
            path,
            bytes,
            wanted: self.wanted.clone(),
            crl_url: self.crl_url.clone(),
        }
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens it for signing with the key of `signer`. `behind` is the rest of the chain after a leaf.
    pub fn open(
        &self,
        signer: &Certificate,
        behind: &[Certificate],
        passphrase: Option<&Secret>,
    ) -> Opened {
        (self.engine.open)(self, signer, behind, passphrase)
    }

    /// Refuses to continue if another process changed it since it was read.
    pub fn check_unchanged(&self, _lock: &Lock) -> Result<(), IssuerError> {
        let now = read_record(&self.path)?.map(SecretBytes::from);
        if now.as_ref() == Some(&self.bytes) {
            return Ok(());
        }
        let dir = self.path.parent().unwrap_or(&self.path);
        Err(IssuerError::Changed(dir.to_owned()))
    }
}

/// What [`Closed::keep_crl_url`] wrote. Anything else in there was not written by kpki, and must not be signed.
fn read_crl_url(out: &OutDir) -> Result<Option<CrlUrl>, StateError> {
    let text = read_record(&out.ca_file(CRL_URL))?.unwrap_or_default();
    Ok(CrlUrl::from_kept(&String::from_utf8_lossy(&text)))
}

fn crl_url_file(url: &CrlUrl) -> FileSpec {
    FileSpec::secret(CRL_URL, url.to_kept())
}

/// Why no certificate was issued.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// Another process changed the CA between reading and writing.
    #[error("the CA in {0} was changed by another command in the meantime")]
    Changed(PathBuf),
    /// A sealed key that cannot be used.
    #[error("{path}: {source}")]
    Sealed {
        /// The key file.
        path: PathBuf,
        /// Why.
        source: SealError,
    },
    /// A key URI that cannot be used.
    #[error("the PKCS#11 URI of the CA's key cannot be used: {0}")]
    KeyUri(#[source] KeyUriError),
    /// The sealed content is not a key.
    #[error("the sealed key does not contain a usable private key")]
    NotAKey(#[source] rcgen::Error),
    /// An external issuer.
    #[error(transparent)]
    Far(Box<FarError>),
    /// The file of an external issuer.
    #[error("{path} is damaged: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Something must be signed, but the issuer was not opened.
    #[error("certificates must be signed, but the CA was not opened")]
    NotOpened,
    /// An external issuer, which keeps its own CRL.
    #[error("the external issuer of this CA keeps its own CRL, and signs no other")]
    OwnList,
    /// The same serial number for two certificates.
    #[error("the CA gave the serial number {0} twice")]
    SerialTwice(String),
    /// A subject that cannot be written.
    #[error(transparent)]
    Subject(#[from] DnError),
    /// Certificates.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// The disk.
    #[error(transparent)]
    State(#[from] StateError),
    /// Randomness.
    #[error(transparent)]
    Random(#[from] NoRandomness),
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{
        local::{CaSpec, NewCa},
        *,
    };
    use crate::pki::{KeyAlgorithm, Kind};

    type Answers = Vec<Result<Issued, IssuerError>>;

    /// An engine elsewhere: it answers as it likes.
    struct Elsewhere {
        local: Box<dyn Issuer>,
        answer: fn(Answers) -> Answers,
    }

    impl Issuer for Elsewhere {
        fn sign(&self, requests: &[CertificateRequest<'_>], now: OffsetDateTime) -> Answers {
            (self.answer)(self.local.sign(requests, now))
        }
    }

    /// What two requests become, and the names on record afterwards.
    fn ask(answer: fn(Answers) -> Answers) -> (Result<Vec<bool>, String>, Vec<String>) {
        let now = time::macros::datetime!(2026-11-21 12:00 UTC);
        let spec = CaSpec {
            subject: "CN=CA".parse().unwrap(),
            generation: 1,
            key: KeyAlgorithm::EcdsaP256,
            days: 10,
            intermediate: true,
            name_constraints: Vec::new(),
        };
        let local = NewCa::make(&spec, now).unwrap().into_issuer().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let out = OutDir::new(dir.path());
        std::fs::create_dir(out.ca()).unwrap();
        let lock = Lock::acquire(out.root(), Duration::ZERO, |_| ()).unwrap();
        let mut inventory = Inventory::read(&out).unwrap();
        let leaf = |name: &str| LeafSpec {
            name: name.parse().unwrap(),
            kind: Kind::Client,
            hosts: Vec::new(),
            key: KeyAlgorithm::EcdsaP256,
            days: 1,
        };
        let (a, b, key) = (leaf("a"), leaf("b"), spec.key.generate().unwrap());
        let requests = [
            CertificateRequest::new(&a, &key),
            CertificateRequest::new(&b, &key),
        ];
        let issuer = Elsewhere { local, answer };
        let answers = issue(&issuer, &requests, &mut inventory, &lock, now);
        let answers = answers.map(|all| all.iter().map(Result::is_ok).collect());
        let on_disk = Inventory::read(&out).unwrap();
        let names = on_disk.records().iter().map(|r| r.name.clone()).collect();
        (answers.map_err(|e| e.to_string()), names)
    }

    #[test]
    fn whatever_is_signed_is_on_record_and_who_is_refused_holds_up_nobody() {
        let (answers, names) = ask(|answers| answers);
        assert_eq!(
            (answers, names),
            (Ok(vec![true, true]), vec!["a".into(), "b".into()])
        );
        let (answers, names) = ask(|mut answers| {
            answers[0] = Err(IssuerError::NotOpened);
            answers
        });
        assert_eq!(
            (answers, names),
            (Ok(vec![false, true]), vec!["b".to_owned()])
        );
    }

    #[test]
    fn a_serial_number_that_comes_twice_leaves_with_nobody() {
        let (answers, names) = ask(|mut answers| {
            let Issued { certificate, chain } = answers[0].as_ref().unwrap();
            let (certificate, chain) = (certificate.clone(), chain.clone());
            assert_eq!(chain.len(), 2, "the leaf and the intermediate");
            answers[1] = Ok(Issued { certificate, chain });
            answers
        });
        assert!(answers.unwrap_err().contains("twice"));
        assert!(names.is_empty());
    }
}
