//! What happens to one member.

use time::OffsetDateTime;

use super::{
    BootstrapError,
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

/// One member and what happens to it.
#[derive(Debug)]
pub struct Step<'a> {
    /// Who.
    pub member: Member<'a>,
    /// What.
    pub action: Action,
    /// Why it gets a new certificate, if it does.
    pub reason: Option<String>,
    /// The revocation of its certificate: then it gets no other.
    pub revoked: Option<Revocation>,
    /// Why it needs a certificate for which only a request from elsewhere can be used, if it does.
    pub waits: Option<String>,
    /// How long a certificate is valid whose key is elsewhere, if it gets a new key here.
    pub elsewhere_until: Option<OffsetDateTime>,
    /// Files of kpki in its directory that the policy no longer needs. They are never deleted.
    pub superfluous: Vec<String>,
    /// Its password and credentials, if it logs in with SCRAM.
    pub scram: Option<ScramState>,
    /// The certificate that it should have.
    pub(super) leaf: Option<LeafSpec>,
    /// The key that stays where a certificate is signed.
    pub(super) key: Option<SecretBytes>,
    /// The password of its stores, which is new if there was none.
    pub(super) password: Option<Secret>,
    /// What there is.
    pub(super) disk: OnDisk,
    /// How its stores are encoded.
    pub(super) profile: StoreProfile,
    /// Every file that is written.
    pub(super) files: Vec<Planned>,
    /// The same, with what its reader must do.
    pub changes: Vec<FileChange>,
    /// In a dry run, what would be refused.
    pub(super) refused: Vec<BootstrapError>,
    /// The hosts that its new certificate no longer names.
    pub lost_hosts: Vec<Host>,
    /// Files that are right but not on record, because an older kpki wrote them.
    pub(super) adopted: Option<Writing>,
}

impl Step<'_> {
    /// True if a certificate must be signed.
    pub fn signs(&self) -> bool {
        self.leaf.is_some() && !matches!(self.action, Action::Update | Action::Keep)
    }

    /// What must be done for all of it.
    pub fn needs(&self) -> Needs {
        let each = self.changes.iter().map(|change| change.needs);
        each.max().unwrap_or(Needs::Nothing)
    }
}
