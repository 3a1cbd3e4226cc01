//! A policy without a file: identities of one kind that a command line names, held against the checks of every other.

use super::{
    ClientFormat, ValidatedPolicy,
    raw::{RawBroker, RawCa, RawClient, RawCluster, RawPolicy},
    validate,
};
use crate::{
    document::{Diagnostic, OneOrMany, Report, Span, Spanned},
    pki::{Host, IdentityName, KeyAlgorithm},
};

/// The most days that a policy can give a CA. How long the certificates are valid is for the CA that is there to say.
const MOST_DAYS: u32 = 36_500;

/// What is said about them.
#[derive(Debug)]
pub struct Identities {
    /// Their names, each with its SANs.
    pub names: Vec<(IdentityName, Vec<Host>)>,
    /// Brokers or clients.
    pub role: IdentityRole,
    /// Their keys.
    pub key: KeyAlgorithm,
    /// Days that their certificates are valid.
    pub valid_days: u32,
    /// Where their directories are mounted; `None`: where they are written.
    pub install_dir: Option<String>,
}

/// What the identities are.
#[derive(Debug)]
pub enum IdentityRole {
    /// Brokers of one cluster, numbered from 1 in their order.
    Brokers,
    /// Clients with certificates.
    Clients {
        /// Which configuration files they get.
        formats: Vec<ClientFormat>,
        /// `host:port` of the brokers.
        bootstrap_servers: Vec<String>,
    },
}

/// A value without a place of its own.
fn said<T>(value: T) -> Spanned<T> {
    let span = Span::default();
    Spanned { value, span }
}

fn all_said<T: ToString>(values: &[T]) -> Vec<Spanned<String>> {
    values.iter().map(|v| said(v.to_string())).collect()
}

impl Identities {
    /// The policy that these amount to.
    ///
    /// # Errors
    /// Everything that is wrong with them together.
    pub fn policy(&self) -> Result<ValidatedPolicy, Vec<Diagnostic>> {
        let mut cluster = RawCluster {
            install_dir: self.install_dir.clone().map(said),
            ..RawCluster::default()
        };
        let (mut brokers, mut clients) = (Vec::new(), Vec::new());
        for (id, (name, hosts)) in (1..).zip(&self.names) {
            let (name, hosts) = (said(name.to_string()), Some(all_said(hosts)));
            match &self.role {
                IdentityRole::Brokers => brokers.push(said(RawBroker {
                    name,
                    id: Some(said(id)),
                    hosts,
                    ..RawBroker::default()
                })),
                IdentityRole::Clients { formats, .. } => clients.push(said(RawClient {
                    name,
                    hosts,
                    formats: Some(OneOrMany(formats.iter().copied().map(said).collect())),
                    ..RawClient::default()
                })),
            }
        }
        if let IdentityRole::Clients {
            bootstrap_servers, ..
        } = &self.role
        {
            cluster.bootstrap_servers = Some(all_said(bootstrap_servers));
        }
        let raw = RawPolicy {
            cluster: Some(cluster),
            ca: Some(RawCa {
                valid_days: Some(said(MOST_DAYS)),
                leaf_valid_days: Some(said(self.valid_days)),
                renew_before_days: Some(said(self.valid_days / 2)),
                ..RawCa::default()
            }),
            brokers: Some(brokers),
            clients: Some(clients),
            ..RawPolicy::default()
        };
        let mut report = Report::default();
        report.add_file("the command line", "");
        let mut policy = validate::policy(&mut report, &raw, &[]).ok_or_else(|| report.finish())?;
        // Any kind of key will do.
        policy
            .0
            .brokers
            .iter_mut()
            .for_each(|b| b.key = Some(self.key));
        policy
            .0
            .clients
            .iter_mut()
            .for_each(|c| c.key = Some(self.key));
        Ok(policy)
    }
}
