//! The CA's key on this machine, sealed under a passphrase in `ca/ca.key`.

use std::path::Path;

use rayon::prelude::*;
use rcgen::KeyPair;
use rustls_pki_types::{CertificateRevocationListDer, PrivatePkcs8KeyDer};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::{
    CertificateRequest, Engine, Issued, Issuer, IssuerError, Wanted, crl_url_file, fresh_serial,
};
use crate::{
    pki::{
        Authority, AuthorityRequest, Certificate, CrlUrl, Dn, KeyAlgorithm, KeyProtection, Kind,
        LeafSpec, NameConstraint, PkiError, RevocationList, SealError, SealedKey, self_signed,
        sign, subordinate,
    },
    random,
    secret::{Secret, SecretBytes},
    state::{FileSpec, Record},
};

/// The sealed key that signs.
pub const KEY: &str = "ca.key";
/// The sealed root key, if an intermediate signs; to be taken off this machine.
pub const ROOT_KEY: &str = "root.key";

/// What stands behind the root's CN in that of an intermediate.
pub const SUFFIX: &str = " Intermediate";

/// Its name, beside those of the external issuers in the policy.
pub const NAME: &str = "local";

/// Its entry in the table.
pub(super) const ENGINE: Engine = Engine {
    name: NAME,
    file: KEY,
    wanted: |path, bytes| match parse(bytes) {
        Ok(key) => Ok(key.needs_passphrase().then_some(Wanted::Passphrase)),
        Err(source) => Err(sealed(path)(source)),
    },
    open: |closed, signer, behind, passphrase| {
        let key = unseal(&closed.path, &closed.bytes, passphrase)?;
        let key =
            KeyPair::try_from(&PrivatePkcs8KeyDer::from(&*key)).map_err(IssuerError::NotAKey)?;
        Ok(Box::new(Local::new(signer, behind, key, &closed.crl_url)?))
    },
    authorities: None,
};

/// A CA whose key is open.
struct Local {
    authority: Authority<KeyPair>,
    behind: Vec<Certificate>,
}

impl Local {
    fn new(
        signer: &Certificate,
        behind: &[Certificate],
        key: KeyPair,
        crl_url: &Option<CrlUrl>,
    ) -> Result<Self, IssuerError> {
        Ok(Self {
            authority: Authority::new(signer.clone(), key)?.naming(crl_url.clone()),
            behind: behind.to_vec(),
        })
    }

    fn sign_one(
        &self,
        request: &CertificateRequest<'_>,
        now: OffsetDateTime,
    ) -> Result<Issued, IssuerError> {
        let (leaf, key) = (request.leaf, request.public_key());
        let certificate = sign(leaf, key, fresh_serial()?, now, &self.authority)?;
        let chain = std::iter::once(&certificate).chain(&self.behind);
        Ok(Issued {
            chain: chain.map(|c| c.der.clone()).collect(),
            certificate,
        })
    }
}

impl Issuer for Local {
    fn sign(
        &self,
        requests: &[CertificateRequest<'_>],
        now: OffsetDateTime,
    ) -> Vec<Result<Issued, IssuerError>> {
        let requests = requests.par_iter();
        requests.map(|r| self.sign_one(r, now)).collect()
    }

    fn sign_crl(
        &self,
        list: &RevocationList,
    ) -> Result<CertificateRevocationListDer<'static>, IssuerError> {
        Ok(list.sign(&self.authority)?)
    }
}

/// The parameters of a new CA.
#[derive(Debug)]
pub struct CaSpec {
    /// Its subject, to which the generation is appended.
    pub subject: Dn,
    /// Its generation, from 1.
    pub generation: u32,
    /// The kind of its key.
    pub key: KeyAlgorithm,
    /// Days that it is valid.
    pub days: u32,
    /// Whether an intermediate signs for it.
    pub intermediate: bool,
    /// The domains that it may sign for; empty: all.
    pub name_constraints: Vec<NameConstraint>,
}

/// A new CA that has not been written yet: nobody trusts it, and its keys are not sealed yet.
pub struct NewCa {
    /// The root's certificate.
    pub root: Certificate,
    /// What stands between a leaf and the root, where something does: first the one that signs.
    pub intermediates: Vec<Certificate>,
    /// The key that signs.
    key: KeyPair,
    /// The root key, if it is a different one.
    root_key: Option<KeyPair>,
    /// The CRL URL for its certificates.
    pub crl_url: Option<CrlUrl>,
}

impl NewCa {
    /// Makes keys and certificates.
    pub fn make(spec: &CaSpec, now: OffsetDateTime) -> Result<Self, IssuerError> {
        let generate = || spec.key.generate().map_err(PkiError::from);
        let subject = spec.subject.with_generation(spec.generation)?;
        let key = generate()?;
        let request = |subject, path_len, serial| AuthorityRequest {
            subject,
            days: spec.days,
            path_len,
            name_constraints: &spec.name_constraints,
            serial,
            now,
        };
        let below = u8::from(spec.intermediate);
        let root = self_signed(&request(&subject, below, fresh_serial()?), &key)?;
        let mut ca = Self {
            root: Certificate::from_der(&root)?,
            intermediates: Vec::new(),
            key,
            root_key: None,
            crl_url: None,
        };
        if spec.intermediate {
            let name = subject.with_suffix(SUFFIX)?;
            let request = request(&name, 0, fresh_serial()?);
            let (online, issuer) = (generate()?, Authority::new(ca.root.clone(), &ca.key)?);
            let der = subordinate(&request, &online, &issuer)?;
            ca.intermediates.push(Certificate::from_der(&der)?);
            ca.root_key = Some(std::mem::replace(&mut ca.key, online));
        }
        Ok(ca)
    }

    /// Somebody else's CA: its certificates, the one that signs first and the root last, and its key (PKCS#8, DER).
    ///
    /// # Errors
    /// When key and certificate do not belong together, or what it signs would not be of that CA for everybody.
    pub fn brought(
        mut certificates: Vec<Certificate>,
        pkcs8: &[u8],
        now: OffsetDateTime,
    ) -> Result<Self, IssuerError> {
        let key = KeyPair::try_from(&PrivatePkcs8KeyDer::from(pkcs8));
        let key = key.map_err(IssuerError::NotAKey)?;
        let root = certificates.pop().ok_or(IssuerError::NotOpened)?;
        let ca = Self {
            root,
            intermediates: certificates,
            key,
            root_key: None,
            crl_url: None,
        };
        let signer = ca.signer();
        let leaf = LeafSpec {
            name: "trial".parse().map_err(|_| IssuerError::NotOpened)?,
            kind: Kind::Client,
            hosts: Vec::new(),
            key: KeyAlgorithm::EcdsaP256,
            days: 1,
        };
        let authority = Authority::new(signer.clone(), &ca.key)?;
        let its_key = leaf.key.generate().map_err(PkiError::from)?;
        let trial = sign(&leaf, &its_key, fresh_serial()?, now, &authority)?;
        match trial.is_issued_by(signer) && trial.is_signed_by(signer) {
            true => Ok(ca),
            false => Err(PkiError::KeyMismatch(signer.subject.clone()).into()),
        }
    }

    /// The certificate whose key signs.
    pub fn signer(&self) -> &Certificate {
        self.intermediates.first().unwrap_or(&self.root)
    }

    /// The inventory's lines for its certificates, as those of this generation of the CA.
    pub fn records(&self, generation: u32) -> Vec<Record> {
        authorities(&self.root, &self.intermediates, generation)
    }

    /// The issuer's files: its keys, and its other settings.
    pub fn seal(&self, protection: &KeyProtection) -> Result<Vec<FileSpec>, IssuerError> {
        let seal = |file: &str, key: &KeyPair| {
            let (salt, nonce) = (random::octets()?, random::octets()?);
            let text: Zeroizing<String> =
                SealedKey::seal(key.serialized_der(), protection, salt, nonce)
                    .map_err(sealed(Path::new(file)))?;
            Ok(FileSpec::secret(file, text.as_bytes()))
        };
        let root = self.root_key.as_ref().map(|key| seal(ROOT_KEY, key));
        let url = self.crl_url.as_ref().map(|url| Ok(crl_url_file(url)));
        let keys = root.into_iter().chain([seal(KEY, &self.key)]);
        keys.chain(url).collect()
    }

    /// Returns its key opened, because key derivation takes longer than everything else.
    pub fn into_issuer(self) -> Result<Box<dyn Issuer>, IssuerError> {
        let (signer, below) = (self.signer().clone(), &self.intermediates);
        Ok(Box::new(Local::new(
            &signer,
            below,
            self.key,
            &self.crl_url,
        )?))
    }
}

/// The inventory's lines for the certificates of a CA. The one that signs has the plain name.
pub fn authorities(
    root: &Certificate,
    intermediates: &[Certificate],
    generation: u32,
) -> Vec<Record> {
    let below = intermediates.iter().zip(1..).map(|(certificate, at)| {
        let name = match at {
            1 => "intermediate".to_owned(),
            _ => format!("intermediate-{at}"),
        };
        Record::of(&name, Kind::Intermediate, certificate)
    });
    let root = Record::of("ca", Kind::Ca, root);
    let all = std::iter::once(root).chain(below);
    all.map(|record| Record {
        generation: Some(generation),
        ..record
    })
    .collect()
}

/// The PKCS#8 key in a file like `ca/ca.key`.
pub fn unseal(
    path: &Path,
    bytes: &[u8],
    passphrase: Option<&Secret>,
) -> Result<SecretBytes, IssuerError> {
    parse(bytes)
        .and_then(|key| key.open(passphrase))
        .map_err(sealed(path))
}

fn parse(bytes: &[u8]) -> Result<SealedKey, SealError> {
    SealedKey::parse(&String::from_utf8_lossy(bytes))
}

/// Why a sealed key cannot be used, with its file.
pub fn sealed(path: &Path) -> impl FnOnce(SealError) -> IssuerError + use<> {
    let path = path.to_owned();
    |source| IssuerError::Sealed { path, source }
}
