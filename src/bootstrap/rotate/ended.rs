//! A CA whose rotation is about to end, while the root that it is below stays trusted: what it has signed stays valid,
//! but without its key there is no further CRL.

use super::{AcceptedAgain, steps::Rotating};
use crate::{
    bootstrap::{BootstrapError, ca, trust::Lineage},
    pki::Kind,
};

impl Rotating<'_> {
    /// True if nothing that anybody trusts changes at the end of the rotation, so that nothing has to be confirmed.
    pub fn changes_no_trust(&self) -> Result<bool, BootstrapError> {
        Ok(ca::retired(self.out, &self.ca.trust)?.is_some())
    }

    /// The certificates that no CRL would name any more if the rotation ended now.
    pub fn accepted_again(&self) -> Result<Option<AcceptedAgain>, BootstrapError> {
        let retired = ca::retired(self.out, &self.ca.trust)?;
        Ok(retired.and_then(|(_, retired)| self.revoked_below(&retired)))
    }

    /// The same if the CA that does not sign were discarded now.
    pub(super) fn accepted_without_standby(&self) -> Option<AcceptedAgain> {
        let trust = &self.ca.trust;
        let standby = trust.standby.as_ref().filter(|_| trust.shares_root());
        self.revoked_below(standby?)
    }

    /// What such a CA has signed and is revoked.
    fn revoked_below(&self, ca: &Lineage) -> Option<AcceptedAgain> {
        let signer = &ca.signer().subject;
        // The root goes on signing its own CRL.
        if *signer == self.ca.trust.root.subject {
            return None;
        }
        let lasting = self.inventory.revoked().filter(|record| {
            let is_leaf = matches!(record.kind, Kind::Broker | Kind::Client);
            is_leaf && record.issuer == *signer && record.not_after > self.now
        });
        let mut lasting: Vec<_> = lasting.collect();
        lasting.sort_by_key(|record| (&record.name, record.not_after));
        let until = lasting.iter().map(|record| record.not_after).max()?;
        Some(AcceptedAgain {
            ca: signer.clone(),
            certificates: lasting
                .iter()
                .map(|r| format!("{} ({}, until {})", r.name, r.serial, r.not_after.date()))
                .collect(),
            until,
        })
    }
}
