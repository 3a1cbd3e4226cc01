//! What the nodes of a policy serve, and whom they refuse: a handshake with each of their listeners, in parallel.

use std::time::Duration;

use super::{BootstrapError, files, identity::OnDisk};
use crate::{
    config::{Endpoint, tls_endpoints},
    pki::IdentityName,
    policy::{NodeRole, ValidatedPolicy},
    probe::{self, ClientCert, Identity, ProbeError, Question, Served, Speaks},
    state::{OutDir, Record},
};

/// A listener, and what it showed.
#[derive(Debug)]
pub struct Answer {
    /// The node.
    pub node: IdentityName,
    /// The node's role.
    pub role: NodeRole,
    /// Where it is.
    pub at: Endpoint,
    /// What it showed.
    pub served: Result<Served, ProbeError>,
}

/// Asks every TLS listener of a policy's nodes, each for at most `timeout`. If they request a certificate, the admin's
/// is sent, so that their logs do not fill up with refused handshakes.
///
/// # Errors
/// If an address is not known, or the admin's files cannot be read.
pub fn ask(
    policy: &ValidatedPolicy,
    out: &OutDir,
    timeout: Duration,
) -> Result<Vec<Answer>, BootstrapError> {
    let disk = match &policy.cluster.admin {
        Some(admin) => OnDisk::read(out, admin, &files::names(policy, admin))?,
        None => OnDisk::default(),
    };
    let key = disk.key.as_ref().filter(|_| disk.belongs_together());
    let identity = key.map(|key| Identity {
        key_pkcs8: key,
        chain: &disk.chain,
    });
    let mut targets = Vec::new();
    for node in &policy.brokers {
        let endpoints = tls_endpoints(&policy.cluster, node)?;
        targets.extend(endpoints.into_iter().map(|at| (node, at)));
    }
    let answers = probe::each(&targets, |(_, at)| {
        probe::served(&at.address, &at.host, identity, timeout)
    });
    let answers = targets.into_iter().zip(answers);
    Ok(answers
        .map(|((node, at), served)| Answer {
            node: node.name.clone(),
            role: node.role,
            at,
            served,
        })
        .collect())
}

/// Whether the cluster shows that an identity's certificate opens nothing: with it, kpki is let in at no listener of the
/// other nodes. False if one does not answer, or if the key is not here.
///
/// # Errors
/// If an address is not known.
pub fn refuse(
    policy: &ValidatedPolicy,
    out: &OutDir,
    record: &Record,
    timeout: Duration,
) -> Result<bool, BootstrapError> {
    let Ok(name) = record.name.parse::<IdentityName>() else {
        return Ok(false);
    };
    // What its owner may have done to its files is no fault of the cluster.
    let disk = OnDisk::read(out, &name, &files::names(policy, &name)).unwrap_or_default();
    let is_it = disk
        .certificate
        .as_ref()
        .is_some_and(|c| c.serial == record.serial);
    let key = disk
        .key
        .as_ref()
        .filter(|_| is_it && disk.belongs_together());
    let Some(key_pkcs8) = key else {
        return Ok(false);
    };
    let identity = Some(Identity {
        key_pkcs8,
        chain: &disk.chain,
    });
    let mut targets = Vec::new();
    for node in policy.brokers.iter().filter(|node| node.name != name) {
        targets.extend(tls_endpoints(&policy.cluster, node)?);
    }
    let refused = probe::each(&targets, |at| {
        let question = Question {
            address: &at.address,
            server_name: &at.host,
            tls: true,
            kafka: true,
            identity,
            login: None,
            trusts: &|_| false,
        };
        let seen = probe::look(&question, timeout);
        let closed = matches!(seen.client, ClientCert::Refused(_) | ClientCert::NotAsked);
        matches!(seen.speaks, Speaks::Tls(_)) && closed
    });
    Ok(!refused.is_empty() && refused.into_iter().all(|refused| refused))
}
