//! The CA rotation: whether its record matches the files, and certificates that the wrong CA has signed.

use std::collections::BTreeSet;

use super::{Doctor, FIX, Fault, FaultCode, RESTORE, locked};
use crate::{
    bootstrap::{
        BootstrapError,
        brought::{self, AwaitedKey},
        ca::Ca,
        sign,
        slot::{CERTIFICATE, Slot},
    },
    issuer::local,
    pki::IdentityName,
    printable::Printable,
    state::{Event, FileSpec, Inventory, OutDir, Phase, Rotation, RotationStep, read_record},
};

/// What the checks read.
struct There<'a> {
    out: &'a OutDir,
    ca: &'a Ca,
    inventory: &'a Inventory,
}

impl Doctor<'_> {
    pub(super) fn rotation(
        &self,
        ca: &Ca,
        inventory: &Inventory,
        faults: &mut Vec<Fault>,
    ) -> Result<(), BootstrapError> {
        let there = There {
            out: self.out,
            ca,
            inventory,
        };
        let rotation = match Rotation::read(self.out) {
            Ok(rotation) => rotation,
            Err(error) => {
                faults.push(fault(error.to_string(), RESTORE));
                return Ok(());
            }
        };
        faults.extend(match &rotation {
            Some(rotation) => there.running(rotation)?,
            None => there.over()?,
        });
        if let Err(error) = brought::pending(self.out) {
            let what = format!(
                "{error}; the answer to the request can still be installed (kpki rotate-ca start --install-cert FILE); this drops the request"
            );
            faults.push(fault(what, "kpki rotate-ca abort"));
        }
        // Seen before the answer arrives, the key may still be in a backup.
        let key = AwaitedKey::find(self.out)?;
        if let Some(Err(error)) = key.map(|key| key.is_sealed(self.out)) {
            let what = format!(
                "{error}; restore it from a backup made since the request, if there is one; this drops the request"
            );
            faults.push(fault(what, "kpki rotate-ca abort"));
        }
        if let (Some(standby), true) = (&ca.trust.standby, faults.is_empty())
            && (self.passphrase.is_some() || ca.issuer.wanted().is_none())
            && let path = self.out.ca_file(&Slot::Standby.names().key)
            && let Some(key) = read_record(&path)?
        {
            let issuer = ca.issuer.with_key(path, key.into());
            let behind = &standby.intermediates;
            if let Err(error) = issuer.open(standby.signer(), behind, self.passphrase) {
                faults.push(locked(&error));
            }
        }
        Ok(())
    }

    /// Certificates that were signed by another generation of the CA than the current one.
    pub(super) fn leaves(
        &self,
        ca: &Ca,
        inventory: &Inventory,
        faults: &mut Vec<Fault>,
    ) -> Result<(), BootstrapError> {
        let phase = Rotation::read(self.out)?.map(|rotation| rotation.phase);
        // An external issuer may replace its CA by itself.
        if ca.issuer.engine() != local::NAME {
            return Ok(());
        }
        let signer = &ca.trust.signer().subject;
        let others: Vec<&str> = inventory
            .authorities()
            .map(|record| record.subject.as_str())
            .filter(|subject| *subject != *signer)
            .collect();
        if others.is_empty() {
            return Ok(());
        }
        let disowned = ca.trust.disowned(inventory);
        let there = self.out.identities()?;
        let there: BTreeSet<&str> = there.iter().map(IdentityName::as_str).collect();
        // Most of them may be elsewhere, with their directories.
        for record in inventory.current() {
            let (name, is_there) = (&record.name, there.contains(&*record.name));
            if !others.contains(&record.issuer.as_str())
                || inventory.revocation(&record.serial).is_some()
                || record.not_after <= self.now
            {
                continue;
            }
            let is_trusted = !disowned.contains(&*record.issuer);
            let rotates = matches!(phase, Some(Phase::Trusting | Phase::Reissuing));
            let sign = || format!("kpki {}", sign::command_again(record));
            let (why, command) = match (record.external || !is_there, phase) {
                // The rotation waits for its owner's request, or it stays valid below a root that others share.
                (true, _) if is_trusted && (rotates || !is_there) => continue,
                (true, _) if is_trusted => ("no longer signs", sign()),
                (true, _) => ("is no longer trusted", sign()),
                (false, Some(Phase::Retiring)) => {
                    ("no longer signs", "kpki rotate-ca finish".to_owned())
                }
                (false, Some(_)) => ("does not sign now", "kpki rotate-ca next".to_owned()),
                (false, None) => ("no longer signs", format!("kpki renew {name}")),
            };
            let removed = match record.external || is_there {
                true => String::new(),
                false => format!("; if the identity was removed, kpki revoke {name} ends this"),
            };
            let message = format!(
                "the certificate of {name} was signed by {}, which {why}{removed}",
                Printable(&record.issuer)
            );
            faults.push(Fault::new(
                FaultCode::Rotation,
                Some(name),
                message,
                command,
            ));
        }
        Ok(())
    }
}

impl There<'_> {
    /// Checks a rotation that is in progress.
    fn running(&self, rotation: &Rotation) -> Result<Option<Fault>, BootstrapError> {
        let trust = &self.ca.trust;
        let signs = match rotation.phase {
            Phase::Trusting => rotation.from,
            Phase::Reissuing | Phase::Retiring => rotation.generation,
        };
        let is = trust.generation(self.inventory);
        if is != signs {
            let message = format!(
                "{} says that generation {signs} of the CA signs, but {} is generation {is}",
                self.shown(Rotation::FILE),
                self.shown(CERTIFICATE)
            );
            return Ok(Some(fault(message, RESTORE)));
        }
        if rotation.phase != Phase::Retiring {
            let names = Slot::Standby.names();
            for file in [&names.root, &names.key] {
                if !self.out.ca_file(file).exists() {
                    let message = format!(
                        "{} is missing, so the rotation can be neither continued nor aborted",
                        self.shown(file)
                    );
                    return Ok(Some(fault(message, RESTORE)));
                }
            }
            if let Some(standby) = &trust.standby
                && trust.trusted().all(|root| root.der != standby.root.der)
            {
                let message = format!(
                    "{} lacks {}, which must be trusted as well",
                    self.shown(CERTIFICATE),
                    standby.root.subject
                );
                let both = trust.with(standby.clone());
                let file = FileSpec::public(CERTIFICATE, both.own_pem());
                return Ok(Some(fault(message, FIX).repaired_by(vec![file])));
            }
        }
        let said = self.said();
        if said.is_some_and(|s| s.state == rotation.phase.word()) {
            return Ok(None);
        }
        let said = said.map_or(Rotation::OVER, |step| step.state.as_str());
        let message = format!(
            "{} says that the rotation is {}, but the inventory says `{said}`, because a step was interrupted",
            self.shown(Rotation::FILE),
            rotation.phase.word(),
        );
        let truth = self.event(rotation.phase.word(), rotation.generation, rotation.since);
        Ok(Some(fault(message, FIX).recorded_by(truth)))
    }

    /// Checks that no rotation left anything behind.
    fn over(&self) -> Result<Option<Fault>, BootstrapError> {
        let said = self.said();
        let standby = Slot::Standby.names();
        let stands_by = [&standby.root, &standby.key]
            .iter()
            .all(|file| self.out.ca_file(file).exists());
        let retired = self.retired()?;
        if let Some(step) = said.filter(|step| step.state != Rotation::OVER) {
            let is = self.ca.trust.generation(self.inventory);
            let phase = match (stands_by, is == step.generation) {
                (true, true) => Some(Phase::Reissuing),
                (true, false) => Some(Phase::Trusting),
                (false, true) if !retired.is_empty() => Some(Phase::Retiring),
                (false, _) => None,
            };
            let from = self.inventory.generations().and_then(|(_, from)| from);
            let Some(phase) = phase else {
                let message = format!(
                    "the inventory says that the rotation is {}, but none is in progress, because a step was interrupted",
                    step.state
                );
                let truth = self.event(Rotation::OVER, is, step.at);
                return Ok(Some(fault(message, FIX).recorded_by(truth)));
            };
            let lost = Rotation::new(phase, from.unwrap_or(1), step.generation, step.at);
            let message = format!(
                "{} is missing, but the rotation is {}",
                self.shown(Rotation::FILE),
                phase.word()
            );
            return Ok(Some(fault(message, FIX).repaired_by(vec![lost.file()])));
        }
        let left = Slot::Standby.clear().into_iter().map(|file| file.name);
        let left: Vec<String> = left
            .filter(|file| self.out.ca_file(file).exists())
            .chain(retired)
            .collect();
        let Some(first) = left.first() else {
            return Ok(None);
        };
        let message = format!(
            "{} was left behind by a finished rotation: {}",
            self.shown(first),
            left.join(", ")
        );
        if said.is_none() {
            // Not kpki's files, so kpki does not remove them.
            let shown = self.out.ca().display().to_string();
            let message = format!("{first} in {shown} does not belong to a recorded rotation");
            let path = self.out.ca_file(first).display().to_string();
            let path = crate::shell::quote(&path).into_owned();
            return Ok(Some(fault(message, &format!("mv {path} {path}.old"))));
        }
        let mut files: Vec<FileSpec> = left.into_iter().map(FileSpec::gone).collect();
        let alone = self.ca.trust.alone();
        files.push(FileSpec::public(CERTIFICATE, alone.own_pem()));
        Ok(Some(fault(message, FIX).repaired_by(files)))
    }

    /// The last recorded step.
    fn said(&self) -> Option<&RotationStep> {
        let mut events = self.inventory.events().iter().rev();
        events.find_map(|event| match event {
            Event::Rotation(step) => Some(step),
            _ => None,
        })
    }

    fn event(&self, state: &str, generation: u32, at: time::OffsetDateTime) -> Event {
        Event::Rotation(RotationStep {
            at,
            state: state.to_owned(),
            generation,
        })
    }

    /// The files of earlier CAs.
    fn retired(&self) -> Result<Vec<String>, BootstrapError> {
        let records = self.inventory.authorities();
        let slots = records.map(|record| Slot::Retired(record.generation()));
        let mut files: Vec<String> = slots
            .flat_map(|slot| slot.clear().into_iter().map(|file| file.name))
            .filter(|file| self.out.ca_file(file).exists())
            .collect();
        files.sort();
        files.dedup();
        Ok(files)
    }

    fn shown(&self, file: &str) -> String {
        self.out.ca_file(file).display().to_string()
    }
}

fn fault(message: String, command: &str) -> Fault {
    Fault::new(FaultCode::Rotation, None, message, command)
}
