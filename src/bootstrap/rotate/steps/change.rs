//! A change of the CA, and what follows from it: the truststores and certificates of every identity.

use std::cell::Cell;

use super::{Outcome, Rotating, Tools};
use crate::{
    bootstrap::{
        BATCH, BootstrapError, Errors,
        renew::{Candidate, Renewal, renew},
        restore,
        rotate::work::{Leaf, Place, Wanted},
        slot::CERTIFICATE,
        trust::{Trust, Truststores, truststore_name},
    },
    issuer::{Issuer, IssuerError},
    keystore::StoreProfile,
    pki::{IdentityName, PkiError},
    state::{Event, FileSpec, Owners, Phase, Record, Rotation, RotationStep, Staging},
};

impl Rotating<'_> {
    /// Writes what an interrupted command did not.
    pub(super) fn settle(&mut self, tools: Tools<'_>) -> Result<Outcome, Errors> {
        let prepared = self.prepare(&self.ca.trust)?;
        let issuer = match prepared.candidates.is_empty() {
            true => None,
            false => Some(self.ca.open_issuer(tools.passphrase)?),
        };
        let outcome = self.write(tools, prepared, issuer.as_deref())?;
        Ok(Outcome {
            finished_only: true,
            ..outcome
        })
    }

    /// Records a change, makes it in one step, and then writes the files that follow from it.
    pub(in super::super) fn change(
        &mut self,
        tools: Tools<'_>,
        target: Trust,
        change: Change,
    ) -> Result<Outcome, Errors> {
        let prepared = self.prepare(&target)?;
        let issuer = change.issuer.as_deref();
        if !prepared.candidates.is_empty() {
            let signer = target.signer();
            if issuer.is_none() {
                return Err(IssuerError::NotOpened.into());
            }
            if signer.not_after <= self.now {
                return Err(PkiError::AuthorityExpired(signer.not_after.date().to_string()).into());
            }
        }
        let mut files = change.files;
        let (state, generation) = match change.phase {
            Some((phase, from, generation)) => {
                files.push(Rotation::new(phase, from, generation, self.now).file());
                (phase.word(), generation)
            }
            None => {
                files.push(FileSpec::gone(Rotation::FILE));
                (Rotation::OVER, target.generation(&self.inventory))
            }
        };
        files.push(FileSpec::public(CERTIFICATE, target.own_pem()));
        for profile in [StoreProfile::Jdk, StoreProfile::Legacy] {
            if let Some(store) = &prepared.stores[profile as usize] {
                files.push(FileSpec::secret(truststore_name(profile), store.clone()));
            }
        }
        let step = RotationStep {
            at: self.now,
            state: state.to_owned(),
            generation,
        };
        // Where the files cannot be written, nothing is recorded.
        let staging = Staging::begin(self.out, tools.lock, None)?;
        staging.add("ca", &files)?;
        if !change.records.is_empty() {
            self.inventory.append(tools.lock, change.records)?;
        }
        let event = Event::Rotation(step);
        self.inventory.append_event(tools.lock, event)?;
        staging.commit()?;
        self.write(tools, prepared, issuer)
    }

    /// Updates every identity to match the CA.
    fn write(
        &mut self,
        tools: Tools<'_>,
        prepared: Prepared,
        issuer: Option<&dyn Issuer>,
    ) -> Result<Outcome, Errors> {
        let Prepared {
            trust, candidates, ..
        } = prepared;
        let all = trust.len() + candidates.len();
        let mut done = 0;
        for batch in trust.chunks(BATCH) {
            let staging = Staging::begin(self.out, tools.lock, None)?;
            for (name, files) in batch {
                staging.check(name.as_str(), files.iter().map(|f| f.name.as_str()))?;
                staging.add(name.as_str(), files)?;
            }
            staging.commit()?;
            done += batch.len();
            (tools.progress)(done, all);
        }
        if !candidates.is_empty() {
            let issuer = issuer.ok_or(IssuerError::NotOpened)?;
            let before = Cell::new(done);
            let progress = |n: usize| {
                before.set(before.get() + n);
                (tools.progress)(before.get(), all);
            };
            let (inventory, now) = (&mut self.inventory, self.now);
            let (out, lock) = (self.out, tools.lock);
            let renewed = renew(out, lock, inventory, issuer, &candidates, now, &progress)?;
            if let Some((_, error)) = renewed.refused.into_iter().next() {
                return Err(error.into());
            }
        }
        let distrust = candidates.iter().filter_map(Candidate::distrust);
        Ok(Outcome {
            trust: trust.len(),
            leaves: candidates.len(),
            distrust: distrust.map(str::to_owned).collect(),
            ..Outcome::default()
        })
    }

    /// Finds what must be written if the CA is as in `target`, and everything that prevents it.
    fn prepare(&self, target: &Trust) -> Result<Prepared, Errors> {
        let stores = self.stores(target)?;
        let owners = Owners::read(self.out, None)?;
        let renewal = Renewal {
            new_key: false,
            hosts: Vec::new(),
            days: None,
            profile: None,
            now: self.now,
        };
        let signer = self.ca.trust.signer();
        let (mut trust, mut candidates, mut errors) = (Vec::new(), Vec::new(), Vec::new());
        for place in self.places(target, &stores)? {
            let Place {
                name, leaf, files, ..
            } = place;
            errors.extend(place.trouble);
            let read =
                || Candidate::read(self.out, &self.inventory, &owners, signer, &name, &renewal);
            if leaf == Leaf::Stale {
                match read() {
                    Ok(candidate) => candidates.push(candidate),
                    Err(error) => errors.push(error),
                }
            }
            if !files.is_empty() {
                trust.push((name, files));
            }
        }
        match errors.is_empty() {
            true => Ok(Prepared {
                stores,
                trust,
                candidates,
            }),
            false => Err(Errors(errors)),
        }
    }

    /// The truststores that contain what a CA trusts.
    pub(super) fn stores(&self, trust: &Trust) -> Result<Truststores, BootstrapError> {
        let [jdk, legacy] = restore::kept_truststores(trust, self.out)?;
        let jdk = match jdk {
            Some(store) => store,
            None => trust.encode_truststore(StoreProfile::Jdk)?,
        };
        let legacy = match legacy {
            None if Trust::has_legacy_truststore(self.out) => {
                Some(trust.encode_truststore(StoreProfile::Legacy)?)
            }
            kept => kept,
        };
        Ok([Some(jdk), legacy])
    }

    pub(super) fn places(
        &self,
        trust: &Trust,
        stores: &Truststores,
    ) -> Result<Vec<Place<'_>>, BootstrapError> {
        let wanted = Wanted {
            out: self.out,
            trust,
            stores,
            inventory: &self.inventory,
            now: self.now,
        };
        wanted.places()
    }
}

/// A change of the CA.
pub struct Change {
    /// Its files, besides those that follow from what it trusts.
    pub files: Vec<FileSpec>,
    /// The certificates that are new with it.
    pub records: Vec<Record>,
    /// The rotation's new phase and generations.
    pub phase: Option<(Phase, u32, u32)>,
    /// The new issuer, if it changes.
    pub issuer: Option<Box<dyn Issuer>>,
}

/// What follows from a change of the CA.
struct Prepared {
    stores: Truststores,
    trust: Vec<(IdentityName, Vec<FileSpec>)>,
    candidates: Vec<Candidate>,
}
