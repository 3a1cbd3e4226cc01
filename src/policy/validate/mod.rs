//! What a policy means: every check that looks at more than a value's type.
//!
//! Each check reports what is wrong and goes on with the rest, so that one run finds everything. The policy exists
//! only if nothing was reported.

mod access;
mod cluster;
mod identities;
mod listeners;
mod roles;
mod words;

use std::collections::HashSet;

use identities::Names;
pub(super) use words::no_repeats;

use super::{
    Auth, Broker, Client, PolicyBinding, ScramUser, ValidatedPolicy,
    bindings::Expander,
    raw::{RawClient, RawIncluded, RawPolicy, RawUser},
    report::Report,
    spanned::Spanned,
    text::Span,
};
use crate::{
    acl::{Binding, KafkaVersion, PatternType, RawBinding, ResourceType},
    scram::Mechanism,
};

/// Everyone that the policy declares.
struct Declared<'a> {
    /// The brokers, with the spans of their names.
    brokers: Vec<(Broker, Span)>,
    clients: Vec<Client>,
    users: Vec<ScramUser>,
    raw_clients: Vec<&'a Spanned<RawClient>>,
    raw_users: &'a [Spanned<RawUser>],
}

impl Declared<'_> {
    /// Every way to authenticate that a client or user is said to have: its name, the way, and where it is said.
    fn auths(&self) -> impl Iterator<Item = (&str, Auth, Span)> {
        let clients = self.raw_clients.iter().flat_map(|client| {
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

/// The part of a policy that may stand in several files: the main one, and those that it includes.
struct Part<'a> {
    scope: Option<&'a Spanned<String>>,
    clients: &'a [Spanned<RawClient>],
    acls: &'a [Spanned<super::raw::RawAcl>],
    tests: &'a [Spanned<super::raw::RawTest>],
}

/// Checks a policy with the files that it includes. `None` when something was reported.
pub(super) fn policy(
    report: &mut Report,
    main: &RawPolicy,
    included: &[RawIncluded],
) -> Option<ValidatedPolicy> {
    let parts = parts(main, included);
    let raw_cluster = main.cluster.as_ref();
    let default_cluster = super::raw::RawCluster::default();
    let raw_cluster = raw_cluster.unwrap_or(&default_cluster);
    let (mode, version) = cluster::mode_and_version(report, raw_cluster);

    let mut names = Names::default();
    let brokers = identities::brokers(
        report,
        &mut names,
        main.brokers.as_deref().unwrap_or_default(),
    );
    let mut expander = Expander::default();
    let mut seen = HashSet::new();
    let mut bindings = Vec::new();
    let mut clients = Vec::new();
    for part in &parts {
        if let Some(scope) = part.scope {
            words::scope(report, version, scope);
        }
        let scope = part.scope.map(|scope| scope.value.clone());
        for raw in part.clients {
            let client = identities::client(report, &mut names, raw);
            let mut checked = Vec::new();
            for raw_role in raw.roles.iter().flat_map(|roles| &roles.value) {
                let Some(role) = roles::role(report, version, raw_role) else {
                    continue;
                };
                // A client whose name is wrong, which was reported, is nobody's principal.
                if let Some(client) = &client {
                    let principal = format!("User:{}", client.name);
                    let expanded = expander.role(&principal, &role.kind);
                    let mut grant = Grant {
                        report,
                        version,
                        scope: part.scope,
                        span: raw_role.span,
                    };
                    grant.all(expanded, &mut seen, &mut bindings);
                }
                checked.push(role);
            }
            clients.extend(client.map(|client| Client {
                roles: checked,
                scope: scope.clone(),
                ..client
            }));
        }
    }
    let raw_users = main.users.as_deref().unwrap_or_default();
    let users = raw_users
        .iter()
        .filter_map(|raw| identities::user(report, &mut names, raw))
        .collect();
    let mut acls = Vec::new();
    let mut tests = Vec::new();
    for part in &parts {
        for raw in part.acls {
            let Some(mut entry) = access::acl(report, version, raw) else {
                continue;
            };
            entry.scope = part.scope.map(|scope| scope.value.clone());
            let expanded = expander.acl(&entry);
            let mut grant = Grant {
                report,
                version,
                scope: part.scope,
                span: raw.span,
            };
            grant.all(expanded, &mut seen, &mut bindings);
            acls.push(entry);
        }
        for raw in part.tests {
            tests.extend(access::test(report, version, raw));
        }
    }
    let manage = main
        .manage
        .as_ref()
        .map(|raw| access::manage(report, version, raw));
    let declared = Declared {
        brokers,
        clients,
        users,
        raw_clients: parts.iter().flat_map(|part| part.clients).collect(),
        raw_users,
    };
    let cluster = cluster::cluster(report, raw_cluster, mode, version, &declared);
    let default_ca = super::raw::RawCa::default();
    let ca = cluster::ca(report, main.ca.as_ref().unwrap_or(&default_ca), raw_cluster);
    if !report.is_clean() {
        return None;
    }
    Some(ValidatedPolicy {
        cluster,
        ca: ca?,
        brokers: declared
            .brokers
            .into_iter()
            .map(|(broker, _)| broker)
            .collect(),
        clients: declared.clients,
        users: declared.users,
        acls,
        manage,
        tests,
        bindings,
    })
}

fn parts<'a>(main: &'a RawPolicy, included: &'a [RawIncluded]) -> Vec<Part<'a>> {
    let first = Part {
        scope: None,
        clients: main.clients.as_deref().unwrap_or_default(),
        acls: main.acls.as_deref().unwrap_or_default(),
        tests: main.tests.as_deref().unwrap_or_default(),
    };
    let others = included.iter().map(|file| Part {
        scope: file.scope.as_ref().map(|scope| &scope.prefix),
        clients: file.clients.as_deref().unwrap_or_default(),
        acls: file.acls.as_deref().unwrap_or_default(),
        tests: file.tests.as_deref().unwrap_or_default(),
    });
    std::iter::once(first).chain(others).collect()
}

/// Bindings that a role or an acl at `span` grants.
struct Grant<'a, 'b> {
    report: &'a mut Report,
    version: KafkaVersion,
    scope: Option<&'b Spanned<String>>,
    span: Span,
}

impl Grant<'_, '_> {
    /// Adds those bindings that are not there yet; a second origin of the same right adds nothing.
    fn all(
        &mut self,
        expanded: Vec<RawBinding>,
        seen: &mut HashSet<RawBinding>,
        bindings: &mut Vec<PolicyBinding>,
    ) {
        self.outside(&expanded);
        for raw in expanded {
            if !seen.insert(raw.clone()) {
                continue;
            }
            match Binding::new(raw, self.version) {
                Ok(binding) => bindings.push(PolicyBinding {
                    binding,
                    source: self.report.source(self.span),
                }),
                // The names were checked; this is a name that the role makes of them.
                Err(problem) => {
                    self.report
                        .error(problem.code(), self.span, problem.to_string())
                        .hint(problem.hint());
                }
            }
        }
    }

    fn inside(&self, binding: &RawBinding) -> bool {
        let Some(scope) = self.scope else {
            return true;
        };
        let named = matches!(
            binding.resource_type,
            ResourceType::Topic | ResourceType::Group | ResourceType::TransactionalId
        );
        named && binding.name.starts_with(scope.as_str())
    }

    /// Reports what of the bindings is outside of the file's scope.
    fn outside(&mut self, bindings: &[RawBinding]) {
        let Some(scope) = self.scope else {
            return;
        };
        let mut outside: Vec<String> = Vec::new();
        for binding in bindings.iter().filter(|binding| !self.inside(binding)) {
            let prefix = match binding.pattern_type {
                PatternType::Literal => "",
                PatternType::Prefixed => " prefix",
            };
            let what = format!("{}{prefix} `{}`", binding.resource_type, binding.name);
            if !outside.contains(&what) {
                outside.push(what);
            }
        }
        if !outside.is_empty() {
            let message = format!(
                "this reaches {}, outside of the file's scope `{}`",
                outside.join(", "),
                scope.value
            );
            self.report
                .error("outside-scope", self.span, message)
                .note(scope.span, "the scope")
                .hint("move it to the policy itself, or choose names inside of the scope");
        }
    }
}
