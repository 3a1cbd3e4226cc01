//! `kpki verify`: compares what listeners serve with the CA, the inventory, the policy and the identities' files.

mod files;
mod standing;
mod trusted;
mod visitor;

use std::time::Duration;

use time::OffsetDateTime;

use super::{BootstrapError, revoke::revoked_identities};
use crate::{
    config::{Endpoint, endpoints},
    pki::IdentityName,
    policy::{Client, NodeRole, ValidatedPolicy},
    probe::{self, Expected, Guest, Login, Question, Says, Served, Sighting, Speaks, Verdict},
    random,
    scram::Mechanism,
    state::{Inventory, OutDir},
};
pub use files::readable;
pub use standing::{Is, Standing, needs_restart, standing};
pub use trusted::Trusted;
pub use visitor::{TruststoreError, Visitor};

/// What listeners are compared with.
pub struct Judge<'a> {
    /// What is trusted.
    pub trusted: &'a Trusted,
    /// The certificates that this CA signed.
    pub inventory: Option<&'a Inventory>,
    /// The kpki command line for hints.
    pub kpki: &'a str,
    /// How long to wait for each listener.
    pub timeout: Duration,
    /// The current time.
    pub now: OffsetDateTime,
}

/// The result for a listener of a policy.
#[derive(Debug)]
pub struct Answer {
    /// Its broker or controller.
    pub node: IdentityName,
    /// Its name and address.
    pub at: Endpoint,
    /// The result.
    pub verdict: Verdict,
}

/// One listener, and the client that connects to it.
struct Visit<'a> {
    address: &'a str,
    tls: bool,
    kafka: bool,
    visitor: Option<&'a Visitor>,
    user: Option<(&'a Visitor, Vec<Mechanism>)>,
    /// Whether it is a dedicated controller, which cannot be reloaded.
    controller: bool,
    expected: Expected<'a>,
}

impl Judge<'_> {
    /// Checks the listener at an address.
    ///
    /// # Errors
    /// If the operating system provides no random numbers.
    pub fn address(
        &self,
        address: &str,
        server_name: &str,
        visitor: Option<&Visitor>,
    ) -> Result<Verdict, BootstrapError> {
        let says = visitor.and_then(Visitor::says);
        let visit = Visit {
            address,
            tls: says.is_none_or(|says| says.tls),
            // Only Kafka has a login.
            kafka: visitor.is_some_and(|v| v.password.is_some()),
            visitor,
            user: visitor
                .filter(|v| v.password.is_some())
                .map(|v| (v, v.mechanisms.clone())),
            controller: false,
            expected: Expected {
                says,
                ..self.expected(server_name)
            },
        };
        self.visit(&visit)
    }

    /// Checks all listeners of a policy in parallel, as `visitor`, or else as the policy's admin or another client.
    ///
    /// # Errors
    /// If an address cannot be determined, or files of an identity cannot be read.
    pub fn policy(
        &self,
        policy: &ValidatedPolicy,
        out: &OutDir,
        visitor: Option<Visitor>,
    ) -> Result<Vec<Answer>, BootstrapError> {
        let guests = match visitor {
            Some(visitor) => vec![visitor],
            None => guests(policy, out, self.inventory)?,
        };
        let mut places = Vec::new();
        for node in &policy.brokers {
            let own = match guests.iter().any(Visitor::has_certificate) {
                false if out.identity(&node.name).is_dir() => Some(Visitor::read(out, &node.name)?),
                _ => None,
            };
            let own = std::sync::Arc::new(own);
            for at in endpoints(&policy.cluster, node)? {
                places.push((node, at, own.clone()));
            }
        }
        let file = &policy.places.file.file;
        let visits: Vec<Visit<'_>> = places
            .iter()
            .map(|(node, at, own)| {
                let shows = guests
                    .iter()
                    .chain(own.as_ref())
                    .find(|g| g.has_certificate());
                let user = guests.iter().find_map(|g| {
                    let common = g.mechanisms.iter().copied();
                    let common: Vec<_> = common.filter(|m| at.mechanisms.contains(m)).collect();
                    (g.password.is_some() && !common.is_empty()).then_some((g, common))
                });
                Visit {
                    address: &at.address,
                    tls: at.protocol.is_tls(),
                    kafka: true,
                    visitor: shows,
                    user,
                    controller: node.role == NodeRole::Controller,
                    expected: Expected {
                        says: Some(Says {
                            tls: at.protocol.is_tls(),
                            sasl: Some(at.protocol.is_sasl()),
                            who: "the policy",
                        }),
                        mechanisms: &at.mechanisms,
                        owner: Some(node.name.as_str()),
                        policy: Some(file),
                        ..self.expected(&at.host)
                    },
                }
            })
            .collect();
        let verdicts = probe::each(&visits, |visit| self.visit(visit));
        let verdicts: Vec<Verdict> = verdicts.into_iter().collect::<Result<_, _>>()?;
        drop(visits);
        Ok(places
            .into_iter()
            .zip(verdicts)
            .map(|((node, at, _), verdict)| Answer {
                node: node.name.clone(),
                at,
                verdict,
            })
            .collect())
    }

    fn expected<'a>(&'a self, server_name: &'a str) -> Expected<'a> {
        Expected {
            server_name,
            trusted: &self.trusted.certificates,
            known: &self.trusted.known,
            trusted_from: &self.trusted.from,
            says: None,
            kafka: false,
            mechanisms: &[],
            guest: None,
            user: None,
            owner: None,
            remedy: None,
            request: None,
            policy: None,
            kpki: self.kpki,
            now: self.now,
        }
    }

    fn visit(&self, visit: &Visit<'_>) -> Result<Verdict, BootstrapError> {
        let Visit { visitor, user, .. } = visit;
        let mut expected = visit.expected;
        expected.kafka = visit.kafka;
        let remedy = visitor.and_then(|v| v.remedy(self));
        expected.guest = visitor.map(|v| Guest {
            name: v.name.as_str(),
            shows: v.has_certificate(),
            remedy: remedy.as_deref(),
        });
        expected.user = user
            .as_ref()
            .map(|(user, mechanisms)| (user.name.as_str(), &mechanisms[..]));
        let login = match user {
            Some((user, mechanisms)) => user.password.as_ref().map(|password| {
                Ok::<_, random::NoRandomness>(Login {
                    user: user.name.as_str(),
                    password,
                    mechanisms,
                    nonce: random::octets()?,
                })
            }),
            None => None,
        };
        let trusts = |served: &Served| probe::trusts(served, &expected);
        let question = Question {
            address: visit.address,
            server_name: expected.server_name,
            tls: visit.tls,
            kafka: visit.kafka,
            identity: visitor.and_then(Visitor::identity),
            login: login.transpose()?,
            trusts: &trusts,
        };
        let seen = probe::look(&question, self.timeout);
        Ok(self.judge(&seen, expected, visit.controller))
    }

    fn judge(&self, seen: &Sighting, expected: Expected<'_>, controller: bool) -> Verdict {
        let leaf = match &seen.speaks {
            Speaks::Tls(served) => served.leaf().ok(),
            _ => None,
        };
        let leaf = leaf.as_ref();
        let standing = leaf.and_then(|leaf| standing(self.inventory?, expected.owner, leaf));
        let remedy = standing.as_ref().map(|s| s.remedy(self, controller));
        let request = standing
            .as_ref()
            .and_then(|s| s.request(expected.server_name));
        let owner = standing.as_ref().map(|s| s.latest.name.as_str());
        let expected = Expected {
            owner: expected.owner.or(owner),
            remedy: remedy.as_deref(),
            request: request.as_deref(),
            ..expected
        };
        let mut verdict = probe::judge(seen, &expected);
        if let (Some(standing), Some(remedy)) = (standing, &remedy) {
            verdict.add(standing.check(remedy, self.now));
        }
        verdict
    }
}

/// The clients to connect as: the admin, and for each SCRAM mechanism that it does not have, the first client with it.
fn guests(
    policy: &ValidatedPolicy,
    out: &OutDir,
    inventory: Option<&Inventory>,
) -> Result<Vec<Visitor>, BootstrapError> {
    // A cluster is right to refuse these.
    let revoked = inventory.map_or(Vec::new(), revoked_identities);
    let is_revoked = |client: &&Client| revoked.iter().any(|r| r.name == client.name.as_str());
    let is_admin = |client: &&Client| Some(&client.name) == policy.cluster.admin.as_ref();
    let admin = policy.clients.iter().filter(is_admin);
    let others = policy.clients.iter().filter(|client| !is_admin(client));
    let mut guests: Vec<Visitor> = Vec::new();
    for client in admin.chain(others).filter(|client| !is_revoked(client)) {
        let lacks = |auth: &crate::policy::Auth| match auth {
            crate::policy::Auth::Scram(m) => guests.iter().all(|g| !g.mechanisms.contains(m)),
            crate::policy::Auth::Tls => guests.is_empty(),
            crate::policy::Auth::None => false,
        };
        if client.auth.iter().any(lacks) && out.identity(&client.name).exists() {
            guests.push(Visitor::read(out, &client.name)?);
        }
    }
    Ok(guests)
}
