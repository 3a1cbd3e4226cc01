//! Certificates for keys that never leave their machines.

use std::collections::{BTreeMap, BTreeSet};

use rcgen::PublicKeyData;
use rustls_pki_types::CertificateDer;
use time::OffsetDateTime;

use super::{BootstrapError, elsewhere, folded::Folded, revoke, trust::Trust};
use crate::{
    acl::Principal,
    config::NodeFacts,
    issuer::{self, CertificateRequest, Issued, Issuer, IssuerError},
    pki::{
        Approved, Certificate, Host, IdentityName, Kind, LeafSpec, Reason, is_named_alone,
        principal::MappingRules, sha256,
    },
    policy::LAYOUTS,
    shell::quote,
    state::{Inventory, Lock, OutDir, Record, Revocation, Written, read_plain},
};

/// Every reason why a name can get no certificate, whatever the request contains. With `anew`, a new key may replace a
/// revoked one.
pub fn check(
    out: &OutDir,
    inventory: &Inventory,
    name: &IdentityName,
    kind: Kind,
    anew: bool,
) -> Result<Vec<BootstrapError>, BootstrapError> {
    let mut wrong = Vec::new();
    wrong.extend(revoke::check(inventory, name.as_str(), anew).err());
    let mut known = out.identities()?;
    known.extend(inventory.current().filter_map(|r| r.name.parse().ok()));
    wrong.extend(Folded::new(&known).clash(name));
    if let Some(record) = inventory.latest(name.as_str()) {
        if record.kind != kind {
            wrong.push(BootstrapError::OtherKind {
                name: name.to_string(),
                was: record.kind,
                wanted: kind,
            });
        } else if !record.external && has_store(out, name)? {
            wrong.push(BootstrapError::KeyHere(name.to_string()));
        }
    }
    Ok(wrong)
}

/// Whether an identity's directory contains a keystore that was made here.
fn has_store(out: &OutDir, name: &IdentityName) -> Result<bool, BootstrapError> {
    for names in LAYOUTS.iter().map(|layout| layout.files(name.as_str())) {
        if read_plain(&out.identity(name).join(&names.keystore))?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The kind of the first certificate of a name: what its directory was written for. `None` if that was for no
/// certificate.
pub fn first_kind(out: &OutDir, name: &IdentityName) -> Result<Option<Kind>, BootstrapError> {
    if !out.identity(name).exists() {
        return Ok(Some(Kind::Broker));
    }
    let written = Written::read(out)?;
    let Some(entry) = written.of(name.as_str()) else {
        return Ok(None);
    };
    if entry.is_recorded(&elsewhere::request_file(name)) {
        return Ok(Some(Kind::Broker));
    }
    // For a key that is elsewhere, `up` writes the password of a keystore, but no keystore.
    let mut layouts = LAYOUTS.iter().map(|layout| layout.files(name.as_str()));
    let waits = layouts
        .find(|names| entry.is_recorded(&names.password) && !entry.is_recorded(&names.keystore));
    Ok(
        waits.map(|names| match entry.is_recorded(&names.server_properties) {
            true => Kind::Broker,
            false => Kind::Client,
        }),
    )
}

/// Hosts in a request that its sender may not have.
#[derive(Debug, thiserror::Error)]
pub enum Unsaid {
    /// Names and hosts of other identities, each with one of those.
    #[error("it names hosts of other identities: {}", .0.iter().map(|(host, of)| format!("{host} of {of}")).collect::<Vec<_>>().join(", "))]
    OfOthers(BTreeMap<Host, String>),
    /// Hosts that the identity did not have before.
    #[error("it names hosts that the last certificate of {name} does not: {}", .hosts.join(", "))]
    More {
        /// The identity.
        name: IdentityName,
        /// The hosts.
        hosts: Vec<String>,
    },
    /// A name that had no certificate, but whose principal has every right.
    #[error("whoever has a certificate of {name} is the super user `{principal}`")]
    SuperUser {
        /// The name.
        name: IdentityName,
        /// Its principal.
        principal: Principal,
    },
    /// A name that is no identity, but has the principal of one.
    #[error(
        "whoever has a certificate of {name} has the principal `{principal}`, which is that of {of}"
    )]
    SamePrincipal {
        /// The name.
        name: IdentityName,
        /// Its principal.
        principal: Principal,
        /// The identity that has it.
        of: String,
    },
}

/// What the operator has said about a request.
#[derive(Debug, Clone, Copy)]
pub struct Said {
    /// The name.
    pub name: bool,
    /// The hosts.
    pub hosts: bool,
}

/// What needs the operator's word: hosts of others, hosts that are new to a known identity, and a name that makes a
/// super user or another identity.
pub fn unsaid(
    out: &OutDir,
    inventory: &Inventory,
    leaf: &LeafSpec,
    said: Said,
) -> Result<Vec<Unsaid>, BootstrapError> {
    let last = inventory.latest(leaf.name.as_str());
    let known = out.identities()?;
    let written = Written::read(out)?;
    let nodes: BTreeMap<&str, &NodeFacts> = written
        .nodes()
        .filter(|(name, _)| known.iter().any(|there| there.as_str() == *name))
        .collect();
    let listed = nodes.get(leaf.name.as_str());
    let own = last.into_iter().flat_map(|last| &last.sans);
    let own = own.chain(listed.into_iter().flat_map(|own| &own.hosts));
    let own: Vec<Host> = own.filter_map(|san| Host::from_tagged(san)).collect();
    let had = |host: &Host| own.iter().any(|own| own.covers(host));
    // Java takes the CN for a host where the certificate names addresses only.
    let cn = leaf.name.as_str().parse::<Host>().ok();
    let cn = cn.filter(|_| last.is_none() && leaf.kind == Kind::Broker && !said.name);
    let cn = cn.filter(|cn| !(said.hosts && leaf.hosts.contains(cn)));
    let hosts = leaf.hosts.iter().filter(|_| !said.hosts);
    // No request asks for a wildcard.
    let asked: BTreeSet<&Host> = hosts.chain(&cn).filter(|host| !had(host)).collect();
    let mut of_others: BTreeMap<Host, String> = BTreeMap::new();
    let mut take = |theirs: &Host, other: &str| {
        // Every machine has the local ones for itself.
        let taken = asked.iter().filter(|h| !is_local(h) && theirs.covers(h));
        for host in taken.filter(|_| other != leaf.name.as_str()) {
            let of = of_others.entry((*host).clone());
            of.or_insert_with(|| other.to_owned());
        }
    };
    for name in &known {
        take(&Host::Dns(name.to_string()), name.as_str());
    }
    for (name, facts) in &nodes {
        let hosts = facts.hosts.iter();
        let hosts = hosts.filter_map(|san| Host::from_tagged(san));
        hosts.for_each(|host| take(&host, name));
    }
    for record in inventory.current() {
        take(&Host::Dns(record.name.clone()), &record.name);
        let hosts = record.sans.iter().filter_map(|san| Host::from_tagged(san));
        hosts.for_each(|host| take(&host, &record.name));
    }
    let more = asked.into_iter().filter(|h| !of_others.contains_key(h));
    let more: Vec<String> = more
        .filter(|_| last.is_some())
        .map(Host::to_string)
        .collect();
    let mut unsaid = Vec::new();
    if !of_others.is_empty() {
        unsaid.push(Unsaid::OfOthers(of_others));
    }
    if !more.is_empty() {
        unsaid.push(Unsaid::More {
            name: leaf.name.clone(),
            hosts: more,
        });
    }
    let is_new = || match known.contains(&leaf.name) {
        true => first_kind(out, &leaf.name).map(|kind| kind.is_none()),
        false => Ok(true),
    };
    if last.is_none() && !said.name && is_new()? {
        // Nodes of one cluster have the same.
        let facts: BTreeSet<(&String, &BTreeSet<String>)> = nodes
            .values()
            .filter_map(|facts| Some((facts.mapping_rules.as_ref()?, &facts.super_users)))
            .collect();
        let records = inventory.current().map(|record| record.name.as_str());
        let mut others: BTreeSet<&str> = known.iter().map(IdentityName::as_str).collect();
        others.extend(records);
        others.remove(leaf.name.as_str());
        let mut facts = facts.into_iter();
        unsaid.extend(facts.find_map(|facts| somebody(&leaf.name, facts, &others)));
    }
    Ok(unsaid)
}

fn is_local(host: &Host) -> bool {
    match host {
        Host::Dns(name) => name == "localhost",
        Host::Ip(ip) => ip.is_loopback(),
    }
}

/// The super user or the other identity that a certificate with this name makes, by a node's mapping rules.
fn somebody(
    name: &IdentityName,
    (rules, super_users): (&String, &BTreeSet<String>),
    others: &BTreeSet<&str>,
) -> Option<Unsaid> {
    let rules = MappingRules::from_property(rules).ok()?;
    let principal_of = |name: &str| {
        let mapped = rules.apply(&format!("CN={name}")).ok()?;
        Some(Principal::user(mapped.name))
    };
    let principal = principal_of(name.as_str())?;
    let name = name.clone();
    if super_users.contains(principal.as_str()) {
        return Some(Unsaid::SuperUser { name, principal });
    }
    // With a password, it is the name itself.
    let is_theirs = |other: &&&str| {
        principal == Principal::user(other) || principal_of(other).as_ref() == Some(&principal)
    };
    let of = others.iter().find(is_theirs)?.to_string();
    Some(Unsaid::SamePrincipal {
        name,
        principal,
        of,
    })
}

/// The hosts of an identity's last certificate that the new one will not have.
pub fn lost_hosts(inventory: &Inventory, leaf: &LeafSpec) -> Vec<Host> {
    let last = inventory.latest(leaf.name.as_str());
    let sans = last.iter().flat_map(|last| &last.sans);
    let had: Vec<Host> = sans.filter_map(|san| Host::from_tagged(san)).collect();
    match leaf.is_named_alone(&had) {
        true => Vec::new(),
        false => had
            .into_iter()
            .filter(|h| !leaf.hosts.contains(h))
            .collect(),
    }
}

/// What an identity whose key is elsewhere lacks according to its policy, by its last certificate.
pub fn lacks(
    last: Option<&Record>,
    name: &IdentityName,
    (kind, hosts): (Kind, &[Host]),
) -> Option<String> {
    let Some(last) = last.filter(|last| last.external && last.kind == kind) else {
        return Some("it has no certificate yet".to_owned());
    };
    let are = last.sans.iter().filter_map(|san| Host::from_tagged(san));
    let are: Vec<Host> = are.collect();
    let set = |hosts: &[Host]| -> BTreeSet<String> { hosts.iter().map(Host::tagged).collect() };
    let (were, shall_be) = (set(&are), set(hosts));
    if were == shall_be || is_named_alone(name, hosts, &are) {
        return None;
    }
    let list = |hosts: BTreeSet<String>| match hosts.is_empty() {
        true => "none".to_owned(),
        false => hosts.into_iter().collect::<Vec<_>>().join(" "),
    };
    Some(format!(
        "hosts change from {} to {}",
        list(were),
        list(shall_be)
    ))
}

/// The command, without `kpki`, that signs the request of an identity for exactly these hosts.
pub fn command(name: &str, kind: Kind, hosts: impl IntoIterator<Item = String>) -> String {
    let hosts = hosts.into_iter();
    let hosts: String = hosts
        .map(|host| format!(" --host {}", quote(&host)))
        .collect();
    let kind = kind.name();
    format!("sign {name}.csr --name {name} --{kind}{hosts} > {name}.crt")
}

/// The same for an identity that keeps the hosts of its last certificate.
pub fn command_again(record: &Record) -> String {
    let hosts = record.sans.iter().filter_map(|san| Host::from_tagged(san));
    command(
        &record.name,
        record.kind,
        hosts.map(|host| host.to_string()),
    )
}

/// The command, without `kpki`, after which a revoked identity has a good certificate again.
pub fn undone_by(record: &Record, revocation: &Revocation) -> String {
    let name = &record.name;
    match (revocation.reason, record.external) {
        (Reason::CertificateHold, _) => format!("revoke {name} --reason removeFromCRL"),
        (_, true) => command_again(record).replacen("sign", "sign --new-key", 1),
        (_, false) => format!("renew {name} --new-key"),
    }
}

/// The revocation of any certificate of the same key: no other is signed for such a key.
pub fn revoked_key(inventory: &Inventory, approved: &Approved) -> Result<(), BootstrapError> {
    let key = sha256(&approved.key.subject_public_key_info());
    let mut records = inventory.records().iter();
    let revocation = records.find_map(|record| {
        let is_same = record.key_sha256.as_ref() == Some(&key);
        inventory.revocation(&record.serial).filter(|_| is_same)
    });
    match revocation {
        Some(revocation) => Err(BootstrapError::Revoked(revocation.clone())),
        None => Ok(()),
    }
}

/// Another identity whose certificate is for the same key.
pub fn same_key<'a>(inventory: &'a Inventory, approved: &Approved) -> Option<&'a Record> {
    let key = sha256(&approved.key.subject_public_key_info());
    let mut others = inventory.current();
    others.find(|r| r.name != approved.leaf.name.as_str() && r.key_sha256.as_ref() == Some(&key))
}

/// Whether the identity's last certificate is for another key.
pub fn is_new_key(inventory: &Inventory, approved: &Approved) -> bool {
    let key = sha256(&approved.key.subject_public_key_info());
    let last = inventory.latest(approved.leaf.name.as_str());
    last.is_some_and(|last| last.key_sha256.as_ref().is_some_and(|known| *known != key))
}

/// Every CA, whose key no leaf may share.
pub fn cas(trust: &Trust) -> Vec<&Certificate> {
    trust.trusted().chain(trust.intermediates()).collect()
}

/// A certificate that was signed and recorded, with its chain.
#[derive(Debug)]
pub struct Signed {
    /// Its record.
    pub record: Record,
    /// The leaf and the intermediates.
    pub chain: Vec<CertificateDer<'static>>,
}

/// Has an approved request signed; the certificate is recorded before it leaves the CA.
pub fn sign(
    approved: &Approved,
    issuer: &dyn Issuer,
    inventory: &mut Inventory,
    lock: &Lock,
    now: OffsetDateTime,
) -> Result<Signed, BootstrapError> {
    let Approved {
        leaf, key, pkcs10, ..
    } = approved;
    let request = CertificateRequest::elsewhere(leaf, key.clone(), pkcs10);
    let answers = issuer::issue(issuer, &[request], inventory, lock, now)?;
    let answer = answers.into_iter().next();
    let Issued { certificate, chain } = answer.ok_or(IssuerError::NotOpened)??;
    let record = inventory.by_serial(&certificate.serial).cloned();
    Ok(Signed {
        record: record.ok_or(IssuerError::NotOpened)?,
        chain,
    })
}
