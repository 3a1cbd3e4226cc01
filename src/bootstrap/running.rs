//! What a running node should serve once it has loaded the directory that is here.

use std::collections::{BTreeMap, BTreeSet};

use super::{BootstrapError, Cause, identity::OnDisk, nodes};
use crate::{
    config::{NodeFacts, Properties},
    keystore::pem,
    pki::{Certificate, IdentityName},
    policy::{CONTROLLER, FileNames, LAYOUTS},
    printable::Name,
    state::{Inventory, OutDir, Written, read_plain},
};

/// A node with its directory.
#[derive(Debug)]
pub struct RunningNode {
    /// Its name.
    pub name: IdentityName,
    /// What its configuration commits it to.
    pub facts: NodeFacts,
    /// Its leaf.
    pub certificate: Certificate,
    /// Whether that is the last one that was signed.
    pub is_latest: bool,
    /// The subject of the root CA of its chain.
    pub root: Name,
    /// The subjects of the CAs that it trusts.
    pub trusted: BTreeSet<Name>,
    /// The path of its keystore according to its configuration.
    pub keystore: Option<String>,
    /// Full principals of the super users.
    pub super_users: Vec<String>,
}

impl RunningNode {
    /// Reads a node's directory.
    ///
    /// # Errors
    /// If there is none, or one of its files is missing or damaged.
    pub fn read(
        out: &OutDir,
        inventory: &Inventory,
        name: &IdentityName,
        facts: NodeFacts,
    ) -> Result<Self, BootstrapError> {
        let dir = out.identity(name);
        let damaged = |file: &str, source: Cause| BootstrapError::Damaged {
            file: dir.join(file).display().to_string(),
            source,
        };
        let unknown = || BootstrapError::Unknown {
            name: name.to_string(),
            out: out.root().display().to_string(),
        };
        let names = names(out, name)?.ok_or_else(unknown)?;
        let disk = OnDisk::read(out, name, &names)?;
        let certificate = disk
            .certificate
            .ok_or_else(|| damaged(&names.certificate, "it is missing".into()))?;
        let read = |file: &str| -> Result<Vec<u8>, BootstrapError> {
            read_plain(&dir.join(file))?.ok_or_else(|| damaged(file, "it is missing".into()))
        };
        let mut trusted = BTreeSet::new();
        let parsed = pem::parse_certificates(&read(&names.ca)?);
        for der in parsed.map_err(|e| damaged(&names.ca, e.into()))? {
            let ca = Certificate::from_der(&der).map_err(|e| damaged(&names.ca, e.into()))?;
            trusted.insert(ca.subject);
        }
        let last = disk.chain.last().map(Certificate::from_der).transpose();
        let last = last.map_err(|e| damaged(&names.certificate, e.into()))?;
        let properties = Properties::parse(&read(&names.server_properties)?)
            .map_err(|e| damaged(&names.server_properties, e.into()))?;
        let record = inventory.latest(name.as_str());
        Ok(Self {
            name: name.clone(),
            facts,
            is_latest: record.is_some_and(|record| {
                let sha256 = record.sha256.as_ref();
                record.serial == certificate.serial
                    && sha256.is_none_or(|sha256| *sha256 == certificate.fingerprint())
            }),
            root: last.map(|last| last.issuer).unwrap_or_default(),
            certificate,
            trusted,
            keystore: properties
                .get("ssl.keystore.location")
                .map(|path| path.trim().to_owned()),
            super_users: properties
                .get("super.users")
                .map(|users| {
                    users
                        .split(';')
                        .map(|user| user.trim().to_owned())
                        .collect()
                })
                .unwrap_or_default(),
        })
    }
}

/// True if a node is a dedicated KRaft controller.
pub fn is_controller_alone(facts: &NodeFacts) -> bool {
    let mut listeners = facts.listeners.keys();
    !facts.listeners.is_empty() && listeners.all(|name| name == CONTROLLER)
}

/// Every node that has a directory here.
///
/// # Errors
/// If the record of what was written, or a directory, cannot be read.
pub fn nodes(out: &OutDir) -> Result<BTreeMap<IdentityName, NodeFacts>, BootstrapError> {
    let written = Written::read(out)?;
    let recorded: BTreeMap<&str, &NodeFacts> = written.nodes().collect();
    let mut nodes = BTreeMap::new();
    for name in out.identities()? {
        let facts = match recorded.get(name.as_str()) {
            Some(facts) => Some((*facts).clone()),
            // What was recorded as something else is not a node of an older kpki.
            None if written.of(name.as_str()).is_some() => None,
            None => nodes::unrecorded(out, &name)?,
        };
        nodes.extend(facts.map(|facts| (name, facts)));
    }
    Ok(nodes)
}

/// The names of the files in a node's directory, in the layout that its keystore has.
fn names(out: &OutDir, name: &IdentityName) -> Result<Option<FileNames>, BootstrapError> {
    for layout in LAYOUTS {
        let names = layout.files(name.as_str());
        if read_plain(&out.identity(name).join(&names.keystore))?.is_some() {
            return Ok(Some(names));
        }
    }
    Ok(None)
}
