//! The public part of a CA: what clients trust, what signs leaves, and the shared truststore.

use std::collections::BTreeSet;

use rustls_pki_types::CertificateDer;

use super::BootstrapError;
use crate::{
    issuer::local::{NewCa, SUFFIX},
    keystore::{StoreError, StoreProfile, pem, pkcs12},
    pki::{Certificate, Dn},
    random::{self, NoRandomness},
    secret::Secret,
    state::{Inventory, Lock, OutDir, Record, Rotation, StateError, read_record, write_atomic},
};

/// The alias of the CA in truststores.
const ALIAS: &str = "caroot";

/// The truststore of each profile, if there is one.
pub(super) type Truststores = [Option<Vec<u8>>; 2];

/// The certificates of one CA in a series of rotations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lineage {
    /// What clients trust.
    pub root: Certificate,
    /// The intermediates: first the one that signs leaves.
    pub intermediates: Vec<Certificate>,
}

impl Lineage {
    /// The signing CA is also bound by the constraints of the CAs above it.
    pub(super) fn new(root: Certificate, mut intermediates: Vec<Certificate>) -> Self {
        if let Some((signer, above)) = intermediates.split_first_mut() {
            let above: Vec<_> = above.iter().chain([&root]).cloned().collect();
            *signer = signer.clone().below(&above);
        }
        Self {
            root,
            intermediates,
        }
    }

    /// The certificate whose key signs leaves.
    pub fn signer(&self) -> &Certificate {
        self.intermediates.first().unwrap_or(&self.root)
    }

    /// True if kpki made the root together with the intermediate below it, so that the root's key is not someone else's,
    /// such as a company's.
    pub(super) fn has_own_root(&self) -> bool {
        match &self.intermediates[..] {
            [signer] => {
                is_made_for(&self.root, signer) && signer.not_before == self.root.not_before
            }
            _ => false,
        }
    }
}

/// True if the intermediate is named as kpki names one below a root of its own.
fn is_made_for(root: &Certificate, signer: &Certificate) -> bool {
    let [root, signer] = [root, signer].map(|ca| ca.subject.exact().parse::<Dn>().ok());
    let named = root.and_then(|dn| dn.with_suffix(SUFFIX).ok());
    named.is_some() && named == signer
}

/// The public side of a CA.
#[derive(Debug, Clone)]
pub struct Trust {
    /// The current root.
    pub root: Certificate,
    /// Other roots that clients trust.
    pub(super) others: Vec<Certificate>,
    /// The intermediates: first the one that signs leaves.
    pub(super) intermediates: Vec<Certificate>,
    /// Of the other roots, the CA that signed before or will sign next: its leaves are valid too.
    pub(super) standby: Option<Lineage>,
    /// The password of the truststore.
    pub truststore_password: Secret,
}

impl Trust {
    /// For a CA that is about to be created.
    ///
    /// # Errors
    /// If the operating system provides no random numbers.
    pub fn new(new: &NewCa) -> Result<Self, NoRandomness> {
        Self::of(new.root.clone(), new.intermediates.clone())
    }

    /// For a CA with this root, and these intermediates between it and the leaves.
    ///
    /// # Errors
    /// If the operating system provides no random numbers.
    pub fn of(root: Certificate, intermediates: Vec<Certificate>) -> Result<Self, NoRandomness> {
        let Lineage {
            root,
            intermediates,
        } = Lineage::new(root, intermediates);
        Ok(Self {
            root,
            others: Vec::new(),
            standby: None,
            intermediates,
            truststore_password: random::password()?,
        })
    }

    /// The certificate that represents the CA: its root, unless the root belongs to someone else, such as a company.
    pub fn own(&self) -> &Certificate {
        let signer = self.signer();
        match self.intermediates.is_empty() || is_made_for(&self.root, signer) {
            true => &self.root,
            false => signer,
        }
    }

    /// What clients trust, the current root first.
    pub fn trusted(&self) -> impl Iterator<Item = &Certificate> {
        std::iter::once(&self.root).chain(&self.others)
    }

    /// The intermediates, the one that signs leaves first.
    pub fn intermediates(&self) -> &[Certificate] {
        &self.intermediates
    }

    /// The certificate whose key signs leaves.
    pub fn signer(&self) -> &Certificate {
        self.intermediates.first().unwrap_or(&self.root)
    }

    /// The certificates of the signing CA.
    pub(super) fn lineage(&self) -> Lineage {
        Lineage {
            root: self.root.clone(),
            intermediates: self.intermediates.clone(),
        }
    }

    /// The same with another CA that is trusted but does not sign.
    pub(super) fn with(&self, standby: Lineage) -> Self {
        let mut trust = self.alone();
        // Two intermediates may be below the same root.
        if trust.trusted().all(|root| root.der != standby.root.der) {
            trust.others.push(standby.root.clone());
        }
        trust.standby = Some(standby);
        trust
    }

    /// The same with the signing and the other CA exchanged.
    pub(super) fn swapped(&self, standby: &Lineage) -> Self {
        let mut trust = self.alone();
        trust.root = standby.root.clone();
        trust.intermediates = standby.intermediates.clone();
        trust.with(self.lineage())
    }

    /// The same without the CA that does not sign.
    pub(super) fn alone(&self) -> Self {
        let mut trust = self.clone();
        if let Some(standby) = trust.standby.take() {
            trust.others.retain(|c| c.der != standby.root.der);
        }
        trust
    }

    /// True if the same CAs are trusted and the same one signs.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.trusted().eq(other.trusted())
            && self.intermediates == other.intermediates
            && self.standby == other.standby
    }

    /// True for a leaf of the signing CA, or of the one that is trusted beside it.
    pub(super) fn vouches_for(&self, leaf: &Certificate) -> bool {
        let other = self.standby.as_ref().map(Lineage::signer);
        leaf.is_issued_by(self.signer()) || other.is_some_and(|signer| leaf.is_issued_by(signer))
    }

    /// Which of the two has signed a leaf.
    pub(super) fn signer_of(&self, leaf: &Certificate) -> &Certificate {
        match self.standby.as_ref().map(Lineage::signer) {
            Some(other) if leaf.is_issued_by(other) => other,
            _ => self.signer(),
        }
    }

    /// True if the CA that signs and the other one are below the same root.
    pub(super) fn shares_root(&self) -> bool {
        let standby = self.standby.as_ref();
        standby.is_some_and(|standby| standby.root.der == self.root.der)
    }

    /// The subjects of the CAs on record that are neither trusted nor below one that is.
    pub(super) fn disowned<'i>(&self, inventory: &'i Inventory) -> BTreeSet<&'i str> {
        let mut accepted: BTreeSet<&str> = self.trusted().map(|c| c.subject.exact()).collect();
        loop {
            let rest = inventory.authorities();
            let rest = rest.filter(|ca| !accepted.contains(&*ca.subject));
            let (below, others): (Vec<&Record>, Vec<&Record>) =
                rest.partition(|ca| accepted.contains(&*ca.issuer));
            if below.is_empty() {
                return others.iter().map(|ca| &*ca.subject).collect();
            }
            accepted.extend(below.iter().map(|ca| &*ca.subject));
        }
    }

    /// The generation of the CA that signs.
    pub(super) fn generation(&self, inventory: &Inventory) -> u32 {
        inventory
            .generation_of(self.signer())
            .unwrap_or(Rotation::FIRST)
    }

    /// A leaf's chain as servers send it: the leaf, then the intermediates, without the root.
    pub fn chain(&self, leaf: &Certificate) -> Vec<CertificateDer<'static>> {
        let behind = match &self.standby {
            Some(standby) if leaf.is_issued_by(standby.signer()) => &standby.intermediates,
            _ => &self.intermediates,
        };
        let chain = std::iter::once(leaf).chain(behind);
        chain.map(|c| c.der.clone()).collect()
    }

    /// What clients trust, in an order that does not depend on which CA signs.
    fn in_order(&self) -> Vec<CertificateDer<'static>> {
        let mut trusted: Vec<_> = self.trusted().collect();
        trusted.sort_by_key(|c| (c.not_before, &c.serial));
        trusted.into_iter().map(|c| c.der.clone()).collect()
    }

    /// What clients trust, as PEM.
    pub fn trusted_pem(&self) -> String {
        pem::certificates(&self.in_order())
    }

    /// The same with the root of the signing CA first, for the CA's own directory.
    pub(super) fn own_pem(&self) -> String {
        let ders: Vec<_> = self.trusted().map(|c| c.der.clone()).collect();
        pem::certificates(&ders)
    }

    /// The truststore, if it was encoded before and still contains what is trusted.
    pub(super) fn kept_truststore(
        &self,
        out: &OutDir,
        profile: StoreProfile,
    ) -> Result<Option<Vec<u8>>, StateError> {
        let Some(bytes) = read_record(&out.ca_file(truststore_name(profile)))? else {
            return Ok(None);
        };
        Ok(self.is_in(&bytes).then_some(bytes))
    }

    /// True if a truststore contains exactly what is trusted.
    pub(super) fn is_in(&self, store: &[u8]) -> bool {
        let contents = pkcs12::open(store, &self.truststore_password);
        contents.is_ok_and(|contents| self.is_all(contents.trusted.iter().map(|t| &t.cert)))
    }

    /// True if a PEM text contains exactly what is trusted.
    pub(super) fn is_pem_of(&self, text: &[u8]) -> bool {
        pem::parse_certificates(text).is_ok_and(|certificates| self.is_all(certificates.iter()))
    }

    fn is_all<'c>(&self, found: impl Iterator<Item = &'c CertificateDer<'static>>) -> bool {
        let found: Vec<_> = found.collect();
        found.len() == 1 + self.others.len() && self.trusted().all(|c| found.contains(&&c.der))
    }

    /// Those of both profiles.
    pub(super) fn kept_truststores(&self, out: &OutDir) -> Result<Truststores, StateError> {
        let kept = |profile| self.kept_truststore(out, profile);
        Ok([kept(StoreProfile::Jdk)?, kept(StoreProfile::Legacy)?])
    }

    /// True if the legacy truststore was ever requested.
    pub fn has_legacy_truststore(out: &OutDir) -> bool {
        out.ca_file(truststore_name(StoreProfile::Legacy)).exists()
    }

    /// The truststore, the same bytes for every identity: encoded once and kept.
    pub fn truststore(
        &self,
        out: &OutDir,
        _lock: &Lock,
        profile: StoreProfile,
    ) -> Result<Vec<u8>, BootstrapError> {
        if let Some(bytes) = self.kept_truststore(out, profile)? {
            return Ok(bytes);
        }
        let bytes = self.encode_truststore(profile)?;
        write_atomic(&out.ca_file(truststore_name(profile)), &bytes, 0o600, None)?;
        Ok(bytes)
    }

    pub(super) fn encode_truststore(&self, profile: StoreProfile) -> Result<Vec<u8>, StoreError> {
        let aliases: Vec<String> = (1..=1 + self.others.len())
            .map(|at| match at {
                1 => ALIAS.to_owned(),
                _ => format!("{ALIAS}-{at}"),
            })
            .collect();
        let aliases = aliases.iter().map(String::as_str);
        let entries: Vec<_> = aliases.zip(self.in_order()).collect();
        pkcs12::truststore(&entries, &self.truststore_password, profile)
    }
}

pub(super) fn truststore_name(profile: StoreProfile) -> &'static str {
    match profile {
        StoreProfile::Jdk => "truststore.p12",
        StoreProfile::Legacy => "truststore-legacy.p12",
    }
}
