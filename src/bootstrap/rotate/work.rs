//! Compares what every identity has with the CA's current state.

use std::collections::BTreeSet;

use rayon::prelude::*;
use time::OffsetDateTime;

use crate::{
    bootstrap::{
        BootstrapError,
        edits::{Edit, Evidence},
        identity::OnDisk,
        trust::{Trust, Truststores},
    },
    keystore::StoreProfile,
    pki::{IdentityName, Kind},
    policy::{FileNames, LAYOUTS, Layout},
    state::{FileSpec, Inventory, OutDir, Owners, Record, Written, WrittenEntry, read_plain},
};

/// What to do about a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaf {
    /// Nothing: there is none, the signing CA issued it, or it was revoked or has expired.
    Right,
    /// It is re-issued.
    Stale,
    /// Its key is not here, so its owner must request a new one.
    Elsewhere,
}

/// One identity.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub name: IdentityName,
    /// The last certificate that it got.
    pub record: Option<&'a Record>,
    /// The files that do not match what the CA trusts.
    pub files: Vec<FileSpec>,
    pub leaf: Leaf,
    /// Whether it has a truststore, as a client with a password only has as well.
    trusts: bool,
    /// Why nothing can be written there.
    pub trouble: Option<BootstrapError>,
}

impl Place<'_> {
    /// True if something must be written.
    pub fn is_unfinished(&self) -> bool {
        !self.files.is_empty() || self.leaf == Leaf::Stale
    }
}

/// What identities are compared with.
pub(super) struct Wanted<'a, 'i> {
    pub out: &'a OutDir,
    pub trust: &'a Trust,
    /// The truststores that contain what it trusts.
    pub stores: &'a Truststores,
    pub inventory: &'i Inventory,
    pub now: OffsetDateTime,
}

impl<'i> Wanted<'_, 'i> {
    /// Every identity that uses the CA.
    pub fn places(&self) -> Result<Vec<Place<'i>>, BootstrapError> {
        let there = self.out.identities()?;
        let written = Written::read(self.out)?;
        let owners = Owners::read(self.out, None)?;
        let known: BTreeSet<&str> = there.iter().map(IdentityName::as_str).collect();
        let records = self.inventory.records().iter();
        let away = records.filter(|record| {
            !known.contains(record.name.as_str())
                && matches!(record.kind, Kind::Broker | Kind::Client)
                && self.inventory.latest(&record.name) == Some(record)
                && record.not_after > self.now
                && self.inventory.revocation(&record.serial).is_none()
        });
        // What they trust is to be replaced as well, wherever they are.
        let place = |record: &'i Record| {
            Some(Place {
                name: record.name.parse().ok()?,
                record: Some(record),
                files: Vec::new(),
                leaf: self.away(record),
                trusts: false,
                trouble: None,
            })
        };
        let away: Vec<Place<'i>> = away.filter_map(place).collect();
        let places = there.into_par_iter().map(|name| {
            let record = self.inventory.latest(name.as_str());
            let found = self.look(&name, record, written.of(name.as_str()), &owners);
            let place = Place {
                name,
                record,
                files: Vec::new(),
                leaf: Leaf::Right,
                trusts: false,
                trouble: None,
            };
            match found {
                Ok((files, leaf, trusts)) => Place {
                    files,
                    leaf,
                    trusts,
                    ..place
                },
                Err(error) => Place {
                    trouble: Some(error),
                    ..place
                },
            }
        });
        let mut places: Vec<Place<'i>> = places.collect();
        places.retain(|p| p.record.is_some() || p.trusts || p.trouble.is_some());
        places.extend(away);
        places.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(places)
    }

    /// For a certificate whose key is not here.
    fn away(&self, record: &Record) -> Leaf {
        let over = record.not_after <= self.now;
        let signed = record.issuer == self.trust.signer().subject;
        match over || signed || self.inventory.revocation(&record.serial).is_some() {
            true => Leaf::Right,
            false => Leaf::Elsewhere,
        }
    }

    fn look(
        &self,
        name: &IdentityName,
        record: Option<&Record>,
        entry: Option<&WrittenEntry>,
        owners: &Owners,
    ) -> Result<(Vec<FileSpec>, Leaf, bool), BootstrapError> {
        self.out.check_identity(name, owners)?;
        let read = |file: &str| read_plain(&self.out.identity(name).join(file));
        let layouts = LAYOUTS.iter().map(|layout| layout.files(name.as_str()));
        // Where its certificate was signed for a request, its owner made the keystore.
        let is_external = record.is_some_and(|record| record.external);
        let (mut with_trust, mut with_key) = (Vec::new(), Vec::new());
        for names in layouts {
            if let Some(store) = read(&names.truststore)? {
                with_trust.push((names.clone(), store));
            }
            if let Some(store) = read(&names.keystore)?.filter(|_| !is_external) {
                with_key.push((names, store));
            }
        }
        let leaf = self.leaf(name, record, with_key.first().map(|(names, _)| names))?;
        // A keystore without a truststore beside it has lost that one.
        if with_trust.is_empty() {
            with_trust = with_key;
            with_trust.truncate(1);
        }
        let mut files = Vec::new();
        for (names, store) in &with_trust {
            let profile = StoreProfile::of(store);
            if let Some(wanted) = &self.stores[profile as usize] {
                let spec = FileSpec::secret(&names.truststore, wanted.clone());
                self.differing(name, names, entry, spec, &mut files)?;
            }
        }
        // Its name is the same in every layout.
        let names = Layout::DEFAULT.files(name.as_str());
        let trusts = !with_trust.is_empty() || read(&names.ca)?.is_some();
        if trusts {
            let spec = FileSpec::public(&names.ca, self.trust.trusted_pem());
            self.differing(name, &names, entry, spec, &mut files)?;
        }
        Ok((files, leaf, trusts))
    }

    /// Notes a file that is not as it should be, unless it was edited.
    fn differing(
        &self,
        name: &IdentityName,
        names: &FileNames,
        entry: Option<&WrittenEntry>,
        spec: FileSpec,
        files: &mut Vec<FileSpec>,
    ) -> Result<(), BootstrapError> {
        let file = self.out.identity(name).join(&spec.name);
        let old = read_plain(&file)?.filter(|bytes| !bytes.is_empty());
        if old.as_deref() == Some(&*spec.bytes) {
            return Ok(());
        }
        let evidence = Evidence {
            entry,
            trust: self.trust,
            disk: &OnDisk::default(),
            names,
        };
        let path = format!("{name}/{}", spec.name);
        if let Some(old) = &old
            && let Some(edit @ Edit::ForeignCa(_)) =
                evidence.edit(&path, &spec.name, old, Some(&spec.bytes))
        {
            let shown = file.display().to_string();
            return Err(BootstrapError::Edited { path, shown, edit });
        }
        files.push(spec);
        Ok(())
    }

    fn leaf(
        &self,
        name: &IdentityName,
        record: Option<&Record>,
        names: Option<&FileNames>,
    ) -> Result<Leaf, BootstrapError> {
        let (Some(record), Some(names)) = (record, names) else {
            return Ok(record.map_or(Leaf::Right, |record| self.away(record)));
        };
        if self.inventory.revocation(&record.serial).is_some() {
            return Ok(Leaf::Right);
        }
        let signer = self.trust.signer();
        // The record is on the disk before the certificate, so both must agree.
        let right = record.issuer == signer.subject
            && OnDisk::read(self.out, name, names)?.is_recorded(record, signer);
        Ok(match right {
            true => Leaf::Right,
            false => Leaf::Stale,
        })
    }
}
