//! The inventory: whether lines of it were lost or changed, and whose directories are there.

use std::collections::{BTreeSet, HashSet};

use super::{Doctor, Fault, FaultCode, RESTORE};
use crate::{
    bootstrap::{BootstrapError, ca::Ca, forgotten, lists},
    issuer::local,
    pki::{IdentityName, Kind},
    state::{Inventory, Record},
};

impl Doctor<'_> {
    /// Whether lines of the inventory were lost or changed, as far as other files show it.
    pub(super) fn inventory(
        &self,
        ca: &Ca,
        inventory: &Inventory,
        faults: &mut Vec<Fault>,
    ) -> Result<(), BootstrapError> {
        let mut found = |message: String| {
            faults.push(Fault::new(FaultCode::Inventory, None, message, RESTORE));
        };
        let file = self.out.ca_file(Inventory::FILE).display().to_string();
        let records = inventory.records();
        // A CA elsewhere may have been replaced by itself.
        let is_own = ca.issuer.engine() == local::NAME;
        if is_own && !records.iter().any(|record| record.kind == Kind::Ca) {
            found(format!("{file} has no record of the CA"));
        }
        match forgotten::check(self.out, &ca.trust, inventory, self.now) {
            Err(error @ BootstrapError::Forgotten { .. }) => found(error.to_string()),
            checked => checked?,
        }
        let leaves = || {
            let is_leaf = |r: &&Record| matches!(r.kind, Kind::Broker | Kind::Client);
            records.iter().filter(is_leaf)
        };
        let mut seen = HashSet::with_capacity(records.len());
        let mut serials = leaves().map(|r| (r.issuer.as_str(), r.serial.as_str()));
        if let Some((_, serial)) = serials.find(|serial| !seen.insert(*serial)) {
            found(format!(
                "{file} has two records of the serial number {serial}"
            ));
        }
        if let Some(record) = leaves().find(|r| r.name.parse::<IdentityName>().is_err()) {
            found(format!(
                "{file} has the name `{}`, which no identity can have",
                record.name
            ));
        }
        Ok(())
    }

    /// Every directory that looks like an identity's, and what is in the place of one.
    pub(super) fn names(&self, inventory: &Inventory) -> Result<Vec<IdentityName>, BootstrapError> {
        let mut names: BTreeSet<IdentityName> = self.out.identities()?.into_iter().collect();
        let recorded = inventory
            .current()
            .filter_map(|record| record.name.parse().ok());
        let is_there = |name: &IdentityName| self.out.identity(name).symlink_metadata().is_ok();
        names.extend(recorded.filter(is_there));
        Ok(names.into_iter().collect())
    }

    /// What the CRLs can never say, as [`lists::unpublished`].
    ///
    /// # Errors
    /// If the directory cannot be read.
    pub fn unpublished(&self) -> Result<Option<String>, BootstrapError> {
        let (trust, inventory) = (Ca::trust(self.out)?, Inventory::read(self.out)?);
        lists::unpublished(self.out, &trust, &inventory, self.now)
    }

    /// Identities with a valid certificate whose directories are not here: they may have been moved to their machines.
    ///
    /// # Errors
    /// If the directory cannot be read.
    pub fn absent(&self) -> Result<Vec<IdentityName>, BootstrapError> {
        let inventory = Inventory::read(self.out)?;
        let there = self.names(&inventory)?;
        let lasting = inventory.current().filter(|record| {
            let is_revoked = inventory.revocation(&record.serial).is_some();
            !record.external && !is_revoked && record.not_after > self.now
        });
        let names = lasting.filter_map(|record| record.name.parse().ok());
        Ok(names
            .filter(|name| there.binary_search(name).is_err())
            .collect())
    }
}
