//! A CA whose rotation is about to end, while the root that it is below stays trusted: what it has signed stays valid,
//! but without its key there is no further CRL.

use super::{AcceptedAgain, steps::Rotating};
use crate::{
    bootstrap::{BootstrapError, ca},
    pki::Kind,
};

impl Rotating<'_> {
    /// True if nothing that anybody trusts changes at the end of the rotation, so that nothing has to be confirmed.
    pub fn changes_no_trust(&self) -> Result<bool, BootstrapError> {
        Ok(ca::retired(self.out, &self.ca.trust)?.is_some())
    }

    /// The certificates that no CRL would name any more if the rotation ended now.
    pub fn accepted_again(&self) -> Result<Option<AcceptedAgain>, BootstrapError> {
        let Some((_, retired)) = ca::retired(self.out, &self.ca.trust)? else {
            return Ok(None);
        };
        let signer = &retired.signer().subject;
        // The root goes on signing its own CRL.
        if *signer == self.ca.trust.root.subject {
            return Ok(None);
        }
        let lasting = self.inventory.revoked().filter(|record| {
            let is_leaf = matches!(record.kind, Kind::Broker | Kind::Client);
            is_leaf && record.issuer == *signer && record.not_after > self.now
        });
        let mut lasting: Vec<_> = lasting.collect();
        lasting.sort_by_key(|record| (&record.name, record.not_after));
        let until = lasting.iter().map(|record| record.not_after).max();
        Ok(until.map(|until| AcceptedAgain {
            ca: signer.clone(),
            certificates: lasting
                .iter()
                .map(|r| format!("{} ({}, until {})", r.name, r.serial, r.not_after.date()))
                .collect(),
            until,
        }))
    }
}
