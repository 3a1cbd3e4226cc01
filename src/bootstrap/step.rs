//! What shall happen to one member.

use super::{
    changes::{FileChange, Needs},
    identity::OnDisk,
    member::{Member, ScramState},
    planned::Planned,
};
use crate::{
    keystore::StoreProfile,
    pki::{Host, LeafSpec},
    plan::Action,
    secret::{Secret, SecretBytes},
    state::{Revocation, Writing},
};

/// One member with what shall happen to it.
#[derive(Debug)]
pub struct Step<'a> {
    /// Who.
    pub member: Member<'a>,
    /// What.
    pub action: Action,
    /// Why it gets another certificate, where it does.
    pub reason: Option<String>,
    /// What revoked its certificate: then it gets no other.
    pub revoked: Option<Revocation>,
    /// Files of kpki's in its directory that the policy no longer asks for. They are never deleted.
    pub superfluous: Vec<String>,
    /// Its password and credentials, where it logs in by SCRAM.
    pub scram: Option<ScramState>,
    /// The certificate that it shall have.
    pub(super) leaf: Option<LeafSpec>,
    /// The key that stays where a certificate is signed.
    pub(super) key: Option<SecretBytes>,
    /// The password of its stores, which is new where none was there.
    pub(super) password: Option<Secret>,
    /// What there is.
    pub(super) disk: OnDisk,
    /// How its stores are encoded.
    pub(super) profile: StoreProfile,
    /// Every file that is written.
    pub(super) files: Vec<Planned>,
    /// The same, with what its reader has to do for it.
    pub changes: Vec<FileChange>,
    /// The hosts that its new certificate no longer names.
    pub lost_hosts: Vec<Host>,
    /// Files that are right and not on record, as an older kpki wrote them.
    pub(super) adopted: Option<Writing>,
}

impl Step<'_> {
    /// True where a certificate has to be signed.
    pub fn signs(&self) -> bool {
        self.leaf.is_some() && !matches!(self.action, Action::Update | Action::Keep)
    }

    /// What has to be done for all of it.
    pub fn needs(&self) -> Needs {
        let each = self.changes.iter().map(|change| change.needs);
        each.max().unwrap_or(Needs::Nothing)
    }
}
