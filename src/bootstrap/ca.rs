//! The CA on disk: made once, opened with its passphrase.

use std::path::{Path, PathBuf};

use rcgen::KeyPair;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::random::{self, NoRandomness};
use crate::{
    keystore::{StoreError, StoreProfile, pem, pkcs12},
    pki::{
        Authority, AuthorityRequest, Certificate, Dn, DnError, KeyAlgorithm, KeyProtection, Kind,
        NameConstraint, PkiError, SealError, SealedKey, Serial, self_signed, subordinate,
    },
    secret::{Secret, SecretBytes},
    state::{FileSpec, Lock, OutDir, Record, Staging, StateError, read_optional, write_atomic},
};

/// The CA certificates that clients trust.
pub(super) const CERTIFICATE: &str = "ca.crt";
/// The sealed key that signs.
pub(super) const KEY: &str = "ca.key";
/// The root's sealed key, where an intermediate signs; to be taken off this machine.
const ROOT_KEY: &str = "root.key";
/// The intermediate's certificate.
const INTERMEDIATE: &str = "intermediate.crt";
/// The password of the truststore, one for all identities as the store's bytes are.
pub(super) const TRUSTSTORE_PASSWORD: &str = "truststore.password";
/// The alias of the CA in truststores.
const ALIAS: &str = "caroot";

/// Why a CA could not be made, opened or used.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// There is one already.
    #[error("a CA exists already in {0}")]
    Exists(String),
    /// There is none.
    #[error("there is no CA in {0}")]
    Missing(String),
    /// There is one, but a part of it is gone.
    #[error("the CA in {dir} is incomplete: {file} is missing")]
    Incomplete {
        /// The CA's directory.
        dir: String,
        /// What is not there.
        file: &'static str,
    },
    /// A certificate of it that cannot be read.
    #[error("{file} is damaged: {reason}")]
    Damaged {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The root's key is that of the CA itself.
    #[error("the CA in {0} has no intermediate, so its root has no key of its own")]
    NoRootKey(String),
    /// The root's key was taken off this machine.
    #[error("the root's key is not here: there is no {0}")]
    RootKeyAway(String),
    /// Another process changed it between reading and writing.
    #[error("the CA in {0} was changed by another command meanwhile")]
    Changed(String),
    /// The sealed key holds something else than a key.
    #[error("the sealed key holds no usable private key")]
    NotAKey,
    /// A sealed key that cannot be used.
    #[error("{path}: {source}")]
    Sealed {
        /// The key file.
        path: PathBuf,
        /// Why.
        source: SealError,
    },
    /// A subject that cannot be written.
    #[error(transparent)]
    Subject(#[from] DnError),
    /// The disk.
    #[error(transparent)]
    State(#[from] StateError),
    /// Certificates.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// Stores.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Randomness.
    #[error(transparent)]
    Random(#[from] NoRandomness),
}

/// What a new CA shall be.
#[derive(Debug)]
pub struct CaSpec {
    /// Its subject, to which the generation is added.
    pub subject: Dn,
    /// The kind of its key.
    pub key: KeyAlgorithm,
    /// Days that it is valid.
    pub days: u32,
    /// Whether an intermediate shall sign in its place.
    pub intermediate: bool,
    /// What it may sign for; empty: everything.
    pub name_constraints: Vec<NameConstraint>,
}

/// A CA as it is on disk, its key still sealed.
#[derive(Debug)]
pub struct Ca {
    dir: String,
    /// What clients trust, the current root first.
    pub trusted: Vec<Certificate>,
    /// The intermediate, where there is one.
    pub intermediate: Option<Certificate>,
    /// The password of the truststore.
    pub truststore_password: Secret,
    sealed: SealedKey,
    sealed_text: SecretBytes,
}

impl Ca {
    /// True where there is a CA, or any part of one: over such a part no new one is made.
    ///
    /// # Errors
    /// When that cannot be seen, as with a link to a disk that is not there.
    pub fn exists(out: &OutDir) -> Result<bool, CaError> {
        Ok(!out.is_ca_empty()?)
    }

    /// Makes a CA. It appears whole, with its inventory, or not at all. Its key comes back open, as deriving the key
    /// to it once more takes longer than everything else.
    ///
    /// # Errors
    /// When there is one, or it cannot be made or written.
    pub fn create(
        out: &OutDir,
        lock: &Lock,
        spec: &CaSpec,
        protection: &KeyProtection,
        now: OffsetDateTime,
    ) -> Result<(Self, Authority<KeyPair>), CaError> {
        if Self::exists(out)? {
            return Err(CaError::Exists(out.ca().display().to_string()));
        }
        let subject = spec.subject.with_generation(1)?;
        let key = generate(spec.key)?;
        let request = |subject, path_len, serial| AuthorityRequest {
            subject,
            days: spec.days,
            path_len,
            name_constraints: &spec.name_constraints,
            serial,
            now,
        };
        let root_request = request(&subject, u8::from(spec.intermediate), fresh_serial()?);
        let root = Certificate::from_der(&self_signed(&root_request, &key)?)?;
        let mut records = vec![Record::of("ca", Kind::Ca, &root)];
        let mut files = vec![FileSpec::public(
            CERTIFICATE,
            pem::certificates(std::slice::from_ref(&root.der)),
        )];
        let signing_key = if spec.intermediate {
            let online = generate(spec.key)?;
            let name = subject.with_suffix(" Intermediate")?;
            let issuer = Authority::new(root.clone(), &key)?;
            let below = subordinate(&request(&name, 0, fresh_serial()?), &online, &issuer)?;
            let below = Certificate::from_der(&below)?;
            records.push(Record::of("intermediate", Kind::Intermediate, &below));
            files.push(FileSpec::public(
                INTERMEDIATE,
                pem::certificates(std::slice::from_ref(&below.der)),
            ));
            files.push(FileSpec::secret(
                ROOT_KEY,
                seal(&key, protection)?.as_bytes(),
            ));
            online
        } else {
            key
        };
        files.push(FileSpec::secret(
            KEY,
            seal(&signing_key, protection)?.as_bytes(),
        ));
        let password = random::password()?;
        files.push(FileSpec::secret(
            TRUSTSTORE_PASSWORD,
            format!("{}\n", password.expose()),
        ));
        files.push(FileSpec::secret(
            truststore_name(StoreProfile::Jdk),
            encode_truststore(std::slice::from_ref(&root), &password, StoreProfile::Jdk)?,
        ));
        let lines: String = records.iter().map(Record::to_line).collect();
        // First, so that not even an abandoned directory holds a key without its record.
        files.insert(0, FileSpec::secret("inventory.jsonl", lines));
        let staging = Staging::begin(out, lock, None)?;
        staging.add("ca", &files)?;
        staging.commit()?;
        let ca = Self::open(out)?;
        let authority = Authority::new(ca.signing_certificate()?.clone(), signing_key)?;
        Ok((ca, authority))
    }

    /// Reads the CA; its key stays sealed.
    ///
    /// # Errors
    /// When there is none, or a part of it is missing or damaged.
    pub fn open(out: &OutDir) -> Result<Self, CaError> {
        let dir = out.ca().display().to_string();
        out.check()?;
        if !Self::exists(out)? {
            return Err(CaError::Missing(dir));
        }
        let need = |file: &'static str| {
            read_optional(&out.ca_file(file))?.ok_or(CaError::Incomplete {
                dir: dir.clone(),
                file,
            })
        };
        let certificates = |file: &str, bytes: &[u8]| -> Result<Vec<Certificate>, CaError> {
            let damaged = |reason: String| CaError::Damaged {
                file: out.ca_file(file).display().to_string(),
                reason,
            };
            pem::parse_certificates(bytes)
                .map_err(|e| damaged(e.to_string()))?
                .iter()
                .map(|der| Certificate::from_der(der).map_err(|e| damaged(e.to_string())))
                .collect()
        };
        let trusted = certificates(CERTIFICATE, &need(CERTIFICATE)?)?;
        if !out.ca_file("inventory.jsonl").exists() {
            return Err(CaError::Incomplete {
                dir,
                file: "inventory.jsonl",
            });
        }
        let intermediate = match read_optional(&out.ca_file(INTERMEDIATE))? {
            Some(bytes) => certificates(INTERMEDIATE, &bytes)?.into_iter().next(),
            None if out.ca_file(ROOT_KEY).exists() => {
                return Err(CaError::Incomplete {
                    dir,
                    file: INTERMEDIATE,
                });
            }
            None => None,
        };
        let sealed_text = SecretBytes::from(need(KEY)?);
        let sealed = String::from_utf8_lossy(&sealed_text);
        let sealed = SealedKey::parse(&sealed).map_err(|source| CaError::Sealed {
            path: out.ca_file(KEY),
            source,
        })?;
        let password = Zeroizing::new(need(TRUSTSTORE_PASSWORD)?);
        let truststore_password =
            Secret::new(String::from_utf8_lossy(&password).trim_end().to_owned());
        if truststore_password.expose().is_empty() {
            return Err(CaError::Incomplete {
                dir,
                file: TRUSTSTORE_PASSWORD,
            });
        }
        Ok(Self {
            trusted,
            intermediate,
            truststore_password,
            sealed,
            sealed_text,
            dir,
        })
    }

    /// True where a passphrase is needed to sign.
    pub fn needs_passphrase(&self) -> bool {
        self.sealed.needs_passphrase()
    }

    /// The certificate whose key signs leaves.
    pub fn signer(&self) -> Option<&Certificate> {
        self.intermediate.as_ref().or(self.trusted.first())
    }

    /// The same, of a CA that cannot do without.
    ///
    /// # Errors
    /// When `ca.crt` holds no certificate.
    pub fn signing_certificate(&self) -> Result<&Certificate, CaError> {
        self.signer().ok_or_else(|| CaError::Incomplete {
            dir: self.dir.clone(),
            file: CERTIFICATE,
        })
    }

    /// Opens the key.
    ///
    /// # Errors
    /// When the passphrase is wrong or missing, or key and certificate do not belong together.
    pub fn unseal(&self, passphrase: Option<&Secret>) -> Result<Authority<KeyPair>, CaError> {
        let key = self.key_pkcs8(passphrase)?;
        let pair =
            KeyPair::try_from(&PrivatePkcs8KeyDer::from(&*key)).map_err(|_| CaError::NotAKey)?;
        Ok(Authority::new(self.signing_certificate()?.clone(), pair)?)
    }

    /// The key itself, PKCS#8 DER.
    ///
    /// # Errors
    /// When the passphrase is wrong or missing.
    pub fn key_pkcs8(&self, passphrase: Option<&Secret>) -> Result<SecretBytes, CaError> {
        let path = Path::new(&self.dir).join(KEY);
        self.sealed
            .open(passphrase)
            .map_err(|source| CaError::Sealed { path, source })
    }

    /// Refuses to go on where another process changed the CA since it was read.
    ///
    /// # Errors
    /// [`CaError::Changed`].
    pub fn check_unchanged(&self, out: &OutDir, _lock: &Lock) -> Result<(), CaError> {
        let now = read_optional(&out.ca_file(KEY))?.map(SecretBytes::from);
        if now.as_ref() == Some(&self.sealed_text) {
            Ok(())
        } else {
            Err(CaError::Changed(self.dir.clone()))
        }
    }

    /// A leaf's chain as servers send it: the leaf, then the intermediate, without the root.
    pub fn chain(&self, leaf: &Certificate) -> Vec<CertificateDer<'static>> {
        std::iter::once(leaf)
            .chain(&self.intermediate)
            .map(|c| c.der.clone())
            .collect()
    }

    /// What clients trust, as PEM.
    pub fn trusted_pem(&self) -> String {
        let ders: Vec<_> = self.trusted.iter().map(|c| c.der.clone()).collect();
        pem::certificates(&ders)
    }

    /// The truststore, where it was encoded before and still holds what is trusted.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn kept_truststore(
        &self,
        out: &OutDir,
        profile: StoreProfile,
    ) -> Result<Option<Vec<u8>>, CaError> {
        let Some(bytes) = read_optional(&out.ca_file(truststore_name(profile)))? else {
            return Ok(None);
        };
        let Ok(contents) = pkcs12::open(&bytes, &self.truststore_password) else {
            return Ok(None);
        };
        let same = contents.trusted.len() == self.trusted.len()
            && self
                .trusted
                .iter()
                .all(|c| contents.trusted.iter().any(|t| t.cert == c.der));
        Ok(same.then_some(bytes))
    }

    /// True where the legacy truststore was ever asked for.
    pub fn has_legacy_truststore(out: &OutDir) -> bool {
        out.ca_file(truststore_name(StoreProfile::Legacy)).exists()
    }

    /// The root's sealed key, which an intermediate makes needless from day to day.
    ///
    /// # Errors
    /// When it is not there, or the passphrase is wrong.
    pub fn root_key_pkcs8(&self, passphrase: Option<&Secret>) -> Result<SecretBytes, CaError> {
        let (path, text) = self.sealed_root_key()?;
        SealedKey::parse(&String::from_utf8_lossy(&text))
            .and_then(|sealed| sealed.open(passphrase))
            .map_err(|source| CaError::Sealed { path, source })
    }

    /// The file with the root's sealed key, before anybody is asked for a passphrase.
    ///
    /// # Errors
    /// When it is not there.
    pub fn sealed_root_key(&self) -> Result<(PathBuf, SecretBytes), CaError> {
        let path = Path::new(&self.dir).join(ROOT_KEY);
        match read_optional(&path)? {
            Some(text) => Ok((path, text.into())),
            None if self.intermediate.is_none() => Err(CaError::NoRootKey(self.dir.clone())),
            None => Err(CaError::RootKeyAway(path.display().to_string())),
        }
    }

    /// The truststore, the same bytes for every identity: encoded once and kept.
    ///
    /// # Errors
    /// When it cannot be encoded or kept.
    pub fn truststore(
        &self,
        out: &OutDir,
        _lock: &Lock,
        profile: StoreProfile,
    ) -> Result<Vec<u8>, CaError> {
        let path = out.ca_file(truststore_name(profile));
        if let Some(bytes) = self.kept_truststore(out, profile)? {
            return Ok(bytes);
        }
        let bytes = encode_truststore(&self.trusted, &self.truststore_password, profile)?;
        write_atomic(&path, &bytes, 0o600, None)?;
        Ok(bytes)
    }
}

pub(super) fn truststore_name(profile: StoreProfile) -> &'static str {
    match profile {
        StoreProfile::Jdk => "truststore.p12",
        StoreProfile::Legacy => "truststore-legacy.p12",
    }
}

fn encode_truststore(
    trusted: &[Certificate],
    password: &Secret,
    profile: StoreProfile,
) -> Result<Vec<u8>, StoreError> {
    let aliases: Vec<String> = (0..trusted.len())
        .map(|at| {
            if at == 0 {
                ALIAS.to_owned()
            } else {
                format!("{ALIAS}-{}", at + 1)
            }
        })
        .collect();
    let entries: Vec<_> = aliases
        .iter()
        .zip(trusted)
        .map(|(alias, c)| (alias.as_str(), c.der.clone()))
        .collect();
    pkcs12::truststore(&entries, password, profile)
}

fn generate(key: KeyAlgorithm) -> Result<KeyPair, CaError> {
    Ok(key.generate().map_err(PkiError::from)?)
}

/// A CA that is new has no inventory to check against.
fn fresh_serial() -> Result<Serial, CaError> {
    Ok(Serial::from_random(random::octets()?))
}

fn seal(key: &KeyPair, protection: &KeyProtection) -> Result<Zeroizing<String>, CaError> {
    SealedKey::seal(
        key.serialized_der(),
        protection,
        random::octets()?,
        random::octets()?,
    )
    .map_err(|source| CaError::Sealed {
        path: KEY.into(),
        source,
    })
}
