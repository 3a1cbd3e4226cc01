//! What the nodes of a policy serve: a handshake with each of their listeners, in parallel.

use std::time::Duration;

use super::{BootstrapError, files, identity::OnDisk};
use crate::{
    config::{Endpoint, tls_endpoints},
    pki::IdentityName,
    policy::{NodeRole, ValidatedPolicy},
    probe::{self, Identity, ProbeError, Served},
    state::OutDir,
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
