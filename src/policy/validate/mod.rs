//! The checks of a policy beyond its schema.
//!
//! Each check reports what is wrong and continues, so that one run finds everything. A policy is returned only if
//! nothing was reported.

mod access;
mod ca;
mod cluster;
mod collisions;
mod grants;
mod identities;
mod issuer;
mod listeners;
mod mapping;
mod ports;
mod properties;
mod quorum;
mod scope;

use collisions::{Everyone, Grantee};
use grants::{Grants, Place};
use identities::Names;
use scope::{Origin, Scope};

use super::{
    Auth, Broker, Client, Mode, Places, Policy, ScramUser, ValidatedPolicy,
    principals::Principals,
    raw::{Included, RawAcl, RawCa, RawClient, RawCluster, RawPolicy, RawTest, RawUser},
    roles,
};
use crate::{
    acl::KafkaVersion,
    document::{Report, Source, Span, Spanned},
    scram::Mechanism,
};

/// Everyone that the policy declares.
struct Declared<'a> {
    /// The brokers, with the spans of their names.
    brokers: Vec<(Broker, Span)>,
    clients: Vec<Client>,
    users: Vec<ScramUser>,
    /// The same clients as in the files, each with its origin.
    raw_clients: Vec<(&'a Spanned<RawClient>, Origin<'a>)>,
    raw_users: &'a [Spanned<RawUser>],
}

impl Declared<'_> {
    /// Each authentication method of a client or user: its name, the method, and the span.
    fn auths(&self) -> impl Iterator<Item = (&str, Auth, Span)> {
        let clients = self.raw_clients.iter().flat_map(|(client, _)| {
            let name = client.name.as_str();
            match &client.auth {
                None => vec![(name, Auth::Tls, client.name.span)],
                Some(list) => {
                    let each = list.0.iter();
                    each.map(|a| (name, identities::auth(a.value), a.span))
                        .collect()
                }
            }
        });
        let users = self.raw_users.iter().flat_map(|user| {
            user.auth.0.iter().map(|a| {
                let mechanism = identities::user_mechanism(a.value);
                (user.name.as_str(), Auth::Scram(mechanism), a.span)
            })
        });
        clients.chain(users)
    }

    /// The SCRAM mechanisms in use.
    fn mechanisms(&self) -> impl Iterator<Item = Mechanism> {
        self.auths().filter_map(|(_, auth, _)| match auth {
            Auth::Scram(mechanism) => Some(mechanism),
            _ => None,
        })
    }
}

/// The sections that included files can have too.
struct Part<'a> {
    origin: Origin<'a>,
    clients: &'a [Spanned<RawClient>],
    acls: &'a [Spanned<RawAcl>],
    tests: &'a [Spanned<RawTest>],
}

/// Checks a policy with its included files. `None` if anything was reported.
pub(super) fn policy(
    report: &mut Report,
    main: &RawPolicy,
    included: &[Included],
) -> Option<ValidatedPolicy> {
    let default = RawCluster::default();
    let raw_cluster = main.cluster.as_ref().unwrap_or(&default);
    let (mode, version) = cluster::mode_and_version(report, raw_cluster);
    let entries = main.include.iter().flatten();
    let scopes: Vec<Option<Scope>> = entries
        .map(|entry| scope::scope(report, version, entry))
        .collect();
    let parts = parts(main, included, &scopes);
    let mapping = mapping::rules(report, raw_cluster);
    let principals = Principals(&mapping);
    let mut grants = Grants::new(version, principals);

    let declared = declared(report, mode, version, main, &parts, &mut grants);
    let mut acls = Vec::new();
    let mut grantees = Vec::new();
    let mut tests = Vec::new();
    for part in &parts {
        let scope = part.origin.scope();
        for raw in part.acls {
            if let Some(mut entry) = access::acl(report, version, raw) {
                entry.scope = scope.map(|scope| scope.prefix.clone());
                entry.own = !part.origin.is_included();
                grants.acl(report, part.place(raw.span), &entry);
                grantees.push(Grantee {
                    principal: entry.principal.clone(),
                    span: raw.principal.span,
                    scope,
                });
                acls.push(entry);
            }
        }
        let checked = part.tests.iter();
        tests.extend(checked.filter_map(|raw| access::test(report, version, raw)));
    }
    let manage = main.manage.as_ref();
    let manage = manage.map(|raw| access::manage(report, version, raw));
    let bindings = grants.bindings;
    let cluster = cluster::cluster(report, raw_cluster, mode, version, &mapping, &declared);
    let everyone = Everyone {
        raw: raw_cluster,
        cluster: &cluster,
        principals,
        declared: &declared,
        grantees: &grantees,
    };
    collisions::check(report, &everyone);
    let default = RawCa::default();
    let ca = ca::ca(report, main.ca.as_ref().unwrap_or(&default), raw_cluster);
    if !report.is_clean() {
        return None;
    }
    Some(ValidatedPolicy(Policy {
        cluster,
        ca: ca?,
        brokers: declared.brokers.into_iter().map(|(b, _)| b).collect(),
        clients: declared.clients,
        users: declared.users,
        acls,
        manage,
        tests,
        bindings,
        places: places(report, raw_cluster),
    }))
}

fn places(report: &Report, raw: &RawCluster) -> Places {
    fn one<T>(report: &Report, said: &Option<Spanned<T>>) -> Option<Source> {
        said.as_ref().map(|said| report.source(said.span))
    }
    fn all<T>(report: &Report, said: &Option<Vec<Spanned<T>>>) -> Vec<Source> {
        let said = said.iter().flatten();
        said.map(|one| report.source(one.span)).collect()
    }
    Places {
        file: report.source(Span::beginning(0)),
        admin: one(report, &raw.admin),
        super_users: all(report, &raw.super_users),
        allow_everyone: one(report, &raw.allow_everyone_if_no_acl_found),
        mapping_rules: all(report, &raw.principal_mapping_rules).into_iter().next(),
        listeners: all(report, &raw.listeners),
        inter_broker_listener: one(report, &raw.inter_broker_listener),
    }
}

/// Checks the brokers, clients and users; adds the rights of the clients' roles to `grants`.
fn declared<'a>(
    report: &mut Report,
    mode: Mode,
    version: KafkaVersion,
    main: &'a RawPolicy,
    parts: &[Part<'a>],
    grants: &mut Grants<'_>,
) -> Declared<'a> {
    let mut names = Names::default();
    let raw_brokers = main.brokers.as_deref().unwrap_or_default();
    let brokers = identities::brokers(report, &mut names, mode, raw_brokers);
    let mut clients = Vec::new();
    let mut raw_clients = Vec::new();
    for part in parts {
        let scope = part.origin.scope();
        for raw in part.clients {
            let mut client = identities::client(report, &mut names, raw);
            if let (Some(client), Some(scope)) = (&client, scope) {
                scope::client(report, scope, &client.name, raw.name.span);
            }
            for raw_role in raw.roles.iter().flat_map(|roles| &roles.value) {
                let role = roles::role(report, version, raw_role);
                // A client with an invalid name, already reported, has no principal.
                if let (Some(client), Some(role)) = (&mut client, role) {
                    grants.role(report, part.place(raw_role.span), client, &role);
                    client.roles.push(role);
                }
            }
            // An invalid or duplicate name was already reported.
            if client.is_some() {
                raw_clients.push((raw, part.origin));
            }
            clients.extend(client.map(|client| Client {
                scope: scope.map(|scope| scope.prefix.clone()),
                ..client
            }));
        }
    }
    let raw_users = main.users.as_deref().unwrap_or_default();
    let users = raw_users.iter();
    Declared {
        brokers,
        clients,
        users: users
            .filter_map(|raw| identities::user(report, &mut names, raw))
            .collect(),
        raw_clients,
        raw_users,
    }
}

impl<'a> Part<'a> {
    fn place(&self, span: Span) -> Place<'a> {
        Place {
            span,
            scope: self.origin.scope(),
        }
    }
}

fn parts<'a>(
    main: &'a RawPolicy,
    included: &'a [Included],
    scopes: &'a [Option<Scope>],
) -> Vec<Part<'a>> {
    let first = Part {
        origin: Origin::Policy,
        clients: main.clients.as_deref().unwrap_or_default(),
        acls: main.acls.as_deref().unwrap_or_default(),
        tests: main.tests.as_deref().unwrap_or_default(),
    };
    let others = included.iter().map(|file| Part {
        origin: Origin::Included(scopes.get(file.entry).and_then(Option::as_ref)),
        clients: file.raw.clients.as_deref().unwrap_or_default(),
        acls: file.raw.acls.as_deref().unwrap_or_default(),
        tests: file.raw.tests.as_deref().unwrap_or_default(),
    });
    std::iter::once(first).chain(others).collect()
}
