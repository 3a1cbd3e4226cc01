//! What a CA shows to the world: whom clients trust, whom leaves are signed by, and the truststore that all share.

use rustls_pki_types::CertificateDer;

use super::ca::CaError;
use crate::{
    issuer::{Signer, local::NewCa},
    keystore::{StoreError, StoreProfile, pem, pkcs12},
    pki::Certificate,
    random,
    secret::Secret,
    state::{Lock, OutDir, read_optional, write_atomic},
};

/// The alias of the CA in truststores.
const ALIAS: &str = "caroot";

/// The truststore of each profile, where there is one.
pub(super) type Truststores = [Option<Vec<u8>>; 2];

/// The public side of a CA.
#[derive(Debug)]
pub struct Trust {
    /// What clients trust, the current root first.
    pub trusted: Vec<Certificate>,
    /// The certificate whose key signs leaves.
    signer: Certificate,
    /// The same, where it is not the root.
    intermediate: Option<Certificate>,
    /// The password of the truststore.
    pub truststore_password: Secret,
}

impl Trust {
    /// Of a CA whose root is the first that is trusted; `None` where nothing is.
    pub(super) fn new(
        trusted: Vec<Certificate>,
        intermediate: Option<Certificate>,
        truststore_password: Secret,
    ) -> Option<Self> {
        Some(Self {
            signer: intermediate.as_ref().or(trusted.first())?.clone(),
            trusted,
            intermediate,
            truststore_password,
        })
    }

    /// Of a CA that is about to be made.
    pub(super) fn of(new: &NewCa) -> Result<Self, CaError> {
        Ok(Self {
            trusted: vec![new.root.clone()],
            signer: new.intermediate.as_ref().unwrap_or(&new.root).clone(),
            intermediate: new.intermediate.clone(),
            truststore_password: random::password()?,
        })
    }

    /// The current root.
    pub fn root(&self) -> &Certificate {
        self.trusted.first().unwrap_or(&self.signer)
    }

    /// The certificate whose key signs leaves.
    pub fn signer(&self) -> &Certificate {
        &self.signer
    }

    /// What its issuer has to know to sign.
    pub(super) fn as_signer(&self) -> Signer<'_> {
        Signer {
            certificate: &self.signer,
            behind: self.intermediate.as_ref(),
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
    fn kept_truststore(
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

    /// Those of both profiles.
    ///
    /// # Errors
    /// When one cannot be read.
    pub(super) fn kept_truststores(&self, out: &OutDir) -> Result<Truststores, CaError> {
        let kept = |profile| self.kept_truststore(out, profile);
        Ok([kept(StoreProfile::Jdk)?, kept(StoreProfile::Legacy)?])
    }

    /// True where the legacy truststore was ever asked for.
    pub fn has_legacy_truststore(out: &OutDir) -> bool {
        out.ca_file(truststore_name(StoreProfile::Legacy)).exists()
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
        if let Some(bytes) = self.kept_truststore(out, profile)? {
            return Ok(bytes);
        }
        let bytes = self.encode_truststore(profile)?;
        write_atomic(&out.ca_file(truststore_name(profile)), &bytes, 0o600, None)?;
        Ok(bytes)
    }

    pub(super) fn encode_truststore(&self, profile: StoreProfile) -> Result<Vec<u8>, StoreError> {
        let aliases: Vec<String> = (1..=self.trusted.len())
            .map(|at| match at {
                1 => ALIAS.to_owned(),
                _ => format!("{ALIAS}-{at}"),
            })
            .collect();
        let entries: Vec<_> = aliases
            .iter()
            .zip(&self.trusted)
            .map(|(alias, c)| (alias.as_str(), c.der.clone()))
            .collect();
        pkcs12::truststore(&entries, &self.truststore_password, profile)
    }
}

pub(super) fn truststore_name(profile: StoreProfile) -> &'static str {
    match profile {
        StoreProfile::Jdk => "truststore.p12",
        StoreProfile::Legacy => "truststore-legacy.p12",
    }
}
