//! The steps of a rotation.

mod change;

use time::OffsetDateTime;

use super::{
    AcceptedAgain, RotationError,
    seen::{Ask, Seen, Step, see},
    work::{Leaf, Place},
};
use crate::{
    bootstrap::{
        BootstrapError, Errors,
        ca::Ca,
        due, lists,
        slot::{Sealed, Slot},
        trust::{Lineage, Trust},
    },
    issuer::local,
    pki::{CrlUrl, Kind},
    secret::Secret,
    state::{Inventory, Lock, OutDir, Phase, Rotation},
};

pub(super) use change::Change;

/// The result of a step.
#[derive(Debug, Default)]
pub struct Outcome {
    /// It only completed what was interrupted.
    pub finished_only: bool,
    /// The identities whose truststores were written.
    pub trust: usize,
    /// The identities that got a new certificate.
    pub leaves: usize,
    /// What was found in identities' directories and is not trusted.
    pub distrust: Vec<String>,
    /// Where the last step was not confirmed, if the command proceeded anyway.
    pub unseen: Vec<(String, &'static str)>,
    /// What is accepted again, if the command proceeded anyway.
    pub accepted_again: Option<AcceptedAgain>,
}

/// The context of a step.
#[derive(Clone, Copy)]
pub struct Tools<'a> {
    /// The lock.
    pub lock: &'a Lock,
    /// The CA passphrase, if it has one and the step signs.
    pub passphrase: Option<&'a Secret>,
    /// Proceed even if the last step was not confirmed everywhere.
    pub force: bool,
    /// Called with the number done and the total.
    pub progress: &'a dyn Fn(usize, usize),
}

/// The CA, and the state of its rotation.
pub struct Rotating<'a> {
    /// The output directory.
    pub out: &'a OutDir,
    pub(super) now: OffsetDateTime,
    /// The inventory.
    pub inventory: Inventory,
    /// The CA.
    pub ca: Ca,
    /// The rotation in progress.
    pub rotation: Option<Rotation>,
}

impl<'a> Rotating<'a> {
    /// Reads both.
    pub fn read(out: &'a OutDir, now: OffsetDateTime) -> Result<Self, BootstrapError> {
        Ok(Self {
            ca: Ca::open(out)?,
            rotation: Rotation::read(out)?,
            inventory: Inventory::read(out)?,
            out,
            now,
        })
    }

    /// The generation of the next CA, or of the current one.
    pub fn generation(&self) -> u32 {
        match &self.rotation {
            Some(rotation) => rotation.generation,
            None => self.current(),
        }
    }

    /// How far each identity is, as far as brokers answer.
    pub fn status(&self) -> Result<Vec<Seen>, BootstrapError> {
        self.seen(Ask::Brokers)
    }

    /// How far each identity is.
    pub fn seen(&self, ask: Ask) -> Result<Vec<Seen>, BootstrapError> {
        let stores = self.stores(&self.ca.trust)?;
        let places = self.places(&self.ca.trust, &stores)?;
        let rotation = self.rotation.as_ref().filter(|_| !self.is_only_prepared());
        Ok(see(self.out, &self.ca.trust, rotation, &places, ask))
    }

    /// True if a command was interrupted, and if certificates must be signed because of that.
    pub fn unfinished(&self) -> Result<(bool, bool), BootstrapError> {
        let stores = self.stores(&self.ca.trust)?;
        let places = self.places(&self.ca.trust, &stores)?;
        let stale = places.iter().any(|place| place.leaf == Leaf::Stale);
        Ok((places.iter().any(Place::is_unfinished), stale))
    }

    /// Takes the next step, or completes an interrupted one.
    pub fn next(mut self, tools: Tools<'_>) -> Result<Outcome, Errors> {
        if self.unfinished()?.0 {
            return self.settle(tools);
        }
        let rotation = self.running()?;
        if rotation.phase == Phase::Retiring {
            return Err(RotationError::NotYet(rotation.phase).into());
        }
        let unseen = self.check_seen(tools, Vec::new())?;
        let outcome = match rotation.phase {
            Phase::Trusting => self.swap(tools, Phase::Reissuing)?,
            _ => {
                let standby = self.standby()?;
                let old = self.sealed(Slot::Standby, &standby)?;
                let mut files = old.files(Slot::Retired(rotation.from));
                files.extend(Slot::Standby.clear());
                let change = Change {
                    files,
                    records: Vec::new(),
                    phase: Some((Phase::Retiring, rotation.from, rotation.generation)),
                    issuer: None,
                };
                self.change(tools, self.ca.trust.alone(), change)?
            }
        };
        Ok(Outcome { unseen, ..outcome })
    }

    /// Ends the rotation: the old CA's key is deleted permanently.
    pub fn finish(mut self, tools: Tools<'_>) -> Result<Outcome, Errors> {
        if self.unfinished()?.0 {
            return self.settle(tools);
        }
        let rotation = self.running()?;
        if rotation.phase != Phase::Retiring {
            return Err(RotationError::NotYet(rotation.phase).into());
        }
        let mut unseen = self.check_seen(tools, Vec::new())?;
        // Not trusted since the last step, so nothing is gained by a refusal.
        unseen.extend(self.cut_off(&self.ca.trust));
        let accepted_again = confirmed(self.accepted_again()?, tools)?;
        let change = Change {
            files: Slot::Retired(rotation.from).clear(),
            records: Vec::new(),
            phase: None,
            issuer: None,
        };
        let outcome = self.change(tools, self.ca.trust.clone(), change)?;
        Ok(Outcome {
            unseen,
            accepted_again,
            ..outcome
        })
    }

    fn running(&self) -> Result<Rotation, BootstrapError> {
        if self.rotation.is_none() {
            self.check_not_pending()?;
        }
        Ok(self.rotation.ok_or(RotationError::None)?)
    }

    /// Goes a step back.
    pub fn abort(mut self, tools: Tools<'_>) -> Result<Outcome, Errors> {
        let Some(rotation) = self.rotation else {
            return match self.unfinished()?.0 {
                true => self.settle(tools),
                false => Err(RotationError::None.into()),
            };
        };
        match rotation.phase {
            Phase::Retiring => Err(RotationError::TooLate.into()),
            Phase::Reissuing => self.swap(tools, Phase::Trusting),
            Phase::Trusting => {
                let (_, stale) = self.unfinished()?;
                if stale {
                    return self.settle(tools);
                }
                let other = self.standby()?;
                // First, as --force would pass over both.
                let accepted_again = confirmed(self.accepted_without_standby(), tools)?;
                let target = self.ca.trust.alone();
                // What it has signed may be in use.
                let in_use = lists::has_signed(&self.inventory, other.signer(), self.now);
                let unseen = match in_use {
                    true => self.check_seen(tools, self.cut_off(&target))?,
                    false => Vec::new(),
                };
                let change = Change {
                    files: Slot::Standby.clear(),
                    records: Vec::new(),
                    phase: None,
                    issuer: None,
                };
                let outcome = self.change(tools, target, change)?;
                Ok(Outcome {
                    unseen,
                    accepted_again,
                    ..outcome
                })
            }
        }
    }

    /// The signing CA and the standby CA change places, and the new signing CA re-issues every certificate.
    fn swap(&mut self, tools: Tools<'_>, to: Phase) -> Result<Outcome, Errors> {
        let Some(Rotation {
            from, generation, ..
        }) = self.rotation
        else {
            return Err(RotationError::None.into());
        };
        let standby = self.standby()?;
        let goes = self.sealed(Slot::Signer, &self.ca.trust.lineage())?;
        let comes = self.sealed(Slot::Standby, &standby)?;
        let key = self.out.ca_file(&Slot::Standby.names().key);
        let url = self.crl_url(&standby);
        let issuer = self.ca.issuer.with_key(key, comes.key.clone()).naming(url);
        let (signer, behind) = (standby.signer(), &standby.intermediates);
        let mut files = comes.files(Slot::Signer);
        files.extend(issuer.crl_url_file());
        let issuer = issuer.open(signer, behind, tools.passphrase)?;
        files.extend(goes.files(Slot::Standby));
        let change = Change {
            files,
            records: Vec::new(),
            phase: Some((to, from, generation)),
            issuer: Some(issuer),
        };
        self.change(tools, self.ca.trust.swapped(&standby), change)
    }

    /// Whose certificates nobody accepts if these CAs are trusted. None of them is re-issued here: those that are were
    /// written before.
    fn cut_off(&self, target: &Trust) -> Vec<(String, &'static str)> {
        let lost = due::untrusted(&self.inventory, target, self.now).into_iter();
        let why = "its key is elsewhere, and its certificate is no longer trusted: sign a new request from its owner";
        lost.map(|record| (record.name.clone(), why)).collect()
    }

    /// Refuses to proceed if the last step is not confirmed on every broker, or the next one cuts off someone, unless
    /// forced.
    fn check_seen(
        &self,
        tools: Tools<'_>,
        cut_off: Vec<(String, &'static str)>,
    ) -> Result<Vec<(String, &'static str)>, Errors> {
        if self.is_only_prepared() {
            return Ok(Vec::new());
        }
        let retires = self.rotation.is_some_and(|r| r.phase == Phase::Reissuing);
        let seen = self.status()?;
        let is_broker = |s: &&Seen| s.kind == Some(Kind::Broker);
        let waits = |s: &&Seen| match s.step {
            Step::Done | Step::None => false,
            Step::Sign => retires,
            _ => s.kind == Some(Kind::Broker),
        };
        let missing: Vec<_> = seen.iter().filter(waits).collect();
        let none = seen.iter().filter(is_broker).count() == 0;
        let missing: Vec<_> = missing
            .iter()
            .map(|s| (s.name.to_string(), s.why))
            .chain(cut_off)
            .collect();
        let is_free = tools.force || self.changes_no_trust()?;
        match is_free || missing.is_empty() && !none {
            true => Ok(missing),
            false => Err(RotationError::NotEverywhere(missing).into()),
        }
    }

    /// Where the certificates of the next CA will say that its CRL is; `None` without a CRL URL, and once it signs.
    pub fn next_crl_url(&self) -> Option<CrlUrl> {
        let is_next = self.rotation?.phase == Phase::Trusting;
        let standby = self.ca.trust.standby.as_ref().filter(|_| is_next)?;
        self.crl_url(standby)
    }

    fn crl_url(&self, of: &Lineage) -> Option<CrlUrl> {
        let url = self.ca.issuer.crl_url()?;
        Some(url.of_generation(self.inventory.successor(of.signer())))
    }

    fn standby(&self) -> Result<Lineage, BootstrapError> {
        let standby = self.ca.trust.standby.clone();
        Ok(standby.ok_or_else(|| self.ca.incomplete("standby.crt"))?)
    }

    pub(super) fn sealed(&self, slot: Slot, lineage: &Lineage) -> Result<Sealed, BootstrapError> {
        let missing = match slot {
            Slot::Signer => local::KEY,
            Slot::Standby | Slot::Retired(_) => "standby.key",
        };
        let sealed = Sealed::read(self.out, slot, lineage)?;
        Ok(sealed.ok_or_else(|| self.ca.incomplete(missing))?)
    }

    /// The generation of the CA that signs.
    pub(super) fn current(&self) -> u32 {
        self.ca.trust.generation(&self.inventory)
    }
}

/// Refuses to let revoked certificates be accepted again, unless forced.
fn confirmed(
    found: Option<AcceptedAgain>,
    tools: Tools<'_>,
) -> Result<Option<AcceptedAgain>, RotationError> {
    match found {
        Some(found) if !tools.force => Err(RotationError::AcceptedAgain(found)),
        found => Ok(found),
    }
}
