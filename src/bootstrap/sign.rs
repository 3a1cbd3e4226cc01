//! Certificates for keys that never leave their machines.

use rcgen::PublicKeyData;
use rustls_pki_types::CertificateDer;
use time::OffsetDateTime;

use super::{BootstrapError, folded::Folded, revoke, trust::Trust};
use crate::{
    issuer::{self, CertificateRequest, Issued, Issuer, IssuerError},
    pki::{Approved, Certificate, IdentityName, Kind, sha256},
    policy::LAYOUTS,
    state::{Inventory, Lock, OutDir, Record, read_plain},
};

/// Every reason why a name can get no certificate, whatever the request contains. With `anew`, a new key may replace a
/// revoked one.
pub fn check(
    out: &OutDir,
    inventory: &Inventory,
    name: &IdentityName,
    kind: Kind,
    anew: bool,
) -> Result<Vec<BootstrapError>, BootstrapError> {
    let mut wrong = Vec::new();
    wrong.extend(revoke::check(inventory, name.as_str(), anew).err());
    let mut known = out.identities()?;
    known.extend(inventory.current().filter_map(|r| r.name.parse().ok()));
    wrong.extend(Folded::new(&known).clash(name));
    if let Some(record) = inventory.latest(name.as_str()) {
        if record.kind != kind {
            wrong.push(BootstrapError::OtherKind {
                name: name.to_string(),
                was: record.kind,
                wanted: kind,
            });
        } else if !record.external && has_store(out, name)? {
            wrong.push(BootstrapError::KeyHere(name.to_string()));
        }
    }
    Ok(wrong)
}

/// Whether an identity's directory contains a keystore that was made here.
fn has_store(out: &OutDir, name: &IdentityName) -> Result<bool, BootstrapError> {
    for names in LAYOUTS.iter().map(|layout| layout.files(name.as_str())) {
        if read_plain(&out.identity(name).join(&names.keystore))?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The revocation of any certificate of the same key: no other is signed for such a key.
pub fn revoked_key(inventory: &Inventory, approved: &Approved) -> Result<(), BootstrapError> {
    let key = sha256(&approved.key.subject_public_key_info());
    let mut records = inventory.records().iter();
    let revocation = records.find_map(|record| {
        let is_same = record.key_sha256.as_ref() == Some(&key);
        inventory.revocation(&record.serial).filter(|_| is_same)
    });
    match revocation {
        Some(revocation) => Err(BootstrapError::Revoked(revocation.clone())),
        None => Ok(()),
    }
}

/// Another identity whose certificate is for the same key.
pub fn same_key<'a>(inventory: &'a Inventory, approved: &Approved) -> Option<&'a Record> {
    let key = sha256(&approved.key.subject_public_key_info());
    let mut others = inventory.current();
    others.find(|r| r.name != approved.leaf.name.as_str() && r.key_sha256.as_ref() == Some(&key))
}

/// Every CA, whose key no leaf may share.
pub fn cas(trust: &Trust) -> Vec<&Certificate> {
    trust.trusted().chain(trust.intermediates()).collect()
}

/// A certificate that was signed and recorded, with its chain.
#[derive(Debug)]
pub struct Signed {
    /// Its record.
    pub record: Record,
    /// The leaf and the intermediates.
    pub chain: Vec<CertificateDer<'static>>,
}

/// Has an approved request signed; the certificate is recorded before it leaves the CA.
pub fn sign(
    approved: &Approved,
    issuer: &dyn Issuer,
    inventory: &mut Inventory,
    lock: &Lock,
    now: OffsetDateTime,
) -> Result<Signed, BootstrapError> {
    let Approved {
        leaf, key, pkcs10, ..
    } = approved;
    let request = CertificateRequest::elsewhere(leaf, key.clone(), pkcs10);
    let answers = issuer::issue(issuer, &[request], inventory, lock, now)?;
    let answer = answers.into_iter().next();
    let Issued { certificate, chain } = answer.ok_or(IssuerError::NotOpened)??;
    let record = inventory.by_serial(&certificate.serial).cloned();
    Ok(Signed {
        record: record.ok_or(IssuerError::NotOpened)?,
        chain,
    })
}
