//! Brokers, clients and users: their names, hosts and authentication.

use std::collections::HashMap;

use super::{
    properties::{interpreted, properties, rack},
    quorum,
};
use crate::{
    document::{Report, Span, Spanned, value_or},
    pki::{Host, IdentityName, KeyAlgorithm, NameError},
    policy::{
        Auth, Broker, Client, ClientFormat, Mode, PolicyCode, ScramUser, decides_for_client,
        decides_for_node,
        names::{each_once, no_repeats},
        raw::{RawAuth, RawBroker, RawClient, RawLeafKey, RawUser, RawUserAuth},
    },
    scram::{DEFAULT_ITERATIONS, Mechanism},
};

/// The names of all identities in lower case, because some file systems and Java's keystores ignore case.
#[derive(Default)]
pub(super) struct Names(HashMap<String, (Span, &'static str)>);

impl Names {
    /// A valid name that no other identity has; anything else is reported.
    fn claim(
        &mut self,
        report: &mut Report,
        raw: &Spanned<String>,
        kind: &'static str,
    ) -> Option<IdentityName> {
        let name: IdentityName = match raw.parse() {
            Ok(name) => name,
            Err(error) => {
                let hint = match error {
                    NameError::Reserved(_) => "choose another name",
                    _ => {
                        "a name must begin with a letter, a digit or `_`, and consist of at most 64 letters, digits, `.`, `_` and `-`"
                    }
                };
                report
                    .error(PolicyCode::BadName, raw.span, error.to_string())
                    .hint(hint);
                return None;
            }
        };
        if let Some((first, whose)) = self.0.get(&name.folded()) {
            let message = if *whose == kind {
                format!("two {kind}s are named `{name}`")
            } else {
                format!("a {kind} has the same name as a {whose}, `{name}`")
            };
            report
                .error(PolicyCode::DuplicateName, raw.span, message)
                .label("again here")
                .note(*first, "first here")
                .hint("choose another name: names must be unique over brokers, clients and users, ignoring case");
            return None;
        }
        self.0.insert(name.folded(), (raw.span, kind));
        Some(name)
    }
}

/// Hosts for a certificate.
fn hosts(report: &mut Report, raw: &[Spanned<String>]) -> Vec<Host> {
    let mut hosts = Vec::new();
    for text in raw {
        match text.parse::<Host>() {
            Ok(Host::Ip(ip)) if ip.is_unspecified() || ip.is_multicast() => {
                let message = format!("`{ip}` is not an address that a client can connect to");
                report.error(PolicyCode::BadHost, text.span, message);
            }
            Ok(host) => hosts.push((host, text.span)),
            Err(error) => {
                report.error(PolicyCode::BadHost, text.span, error.to_string());
            }
        }
    }
    no_repeats(report, hosts.iter().map(|(host, span)| (host, *span)));
    hosts.into_iter().map(|(host, _)| host).collect()
}

/// The algorithm of a key that kpki makes; `None` for an external key.
fn key(raw: Option<RawLeafKey>) -> Option<KeyAlgorithm> {
    Some(match raw {
        None | Some(RawLeafKey::EcdsaP256) => KeyAlgorithm::EcdsaP256,
        Some(RawLeafKey::EcdsaP384) => KeyAlgorithm::EcdsaP384,
        Some(RawLeafKey::Rsa2048) => KeyAlgorithm::Rsa2048,
        Some(RawLeafKey::Rsa3072) => KeyAlgorithm::Rsa3072,
        Some(RawLeafKey::Rsa4096) => KeyAlgorithm::Rsa4096,
        Some(RawLeafKey::External) => return None,
    })
}

/// The brokers, each with the span of its name.
pub(super) fn brokers(
    report: &mut Report,
    names: &mut Names,
    mode: Mode,
    raw: &[Spanned<RawBroker>],
) -> Vec<(Broker, Span)> {
    let mut ids: HashMap<u32, Span> = HashMap::new();
    let mut brokers = Vec::new();
    for broker in raw {
        let name = names.claim(report, &broker.name, "broker");
        if let Some(id) = &broker.id
            && let Some(first) = ids.insert(id.value, id.span)
        {
            let message = format!("two brokers have the id {}", id.value);
            report
                .error(PolicyCode::DuplicateId, id.span, message)
                .label("again here")
                .note(first, "first here")
                .hint("give each broker its own `id`, or remove the key: kpki then chooses an id and keeps it");
        }
        let hosts = match (&broker.hosts, broker.name.parse::<Host>()) {
            (Some(raw), _) => hosts(report, raw),
            (None, Ok(host)) => vec![host],
            (None, Err(error)) => {
                // An invalid name, already reported.
                if name.is_some() {
                    report
                        .error(PolicyCode::BadHost, broker.name.span, error.to_string())
                        .unless_lost_here()
                        .hint("list the broker's host names or addresses under `hosts`; its name is not a valid host name");
                }
                Vec::new()
            }
        };
        if let (Some(first), Some(raw)) = (hosts.first(), &broker.hosts)
            && first.is_wildcard()
        {
            let message = format!("`{first}` is not a host that a client can connect to");
            report
                .error(PolicyCode::BadHost, raw[0].span, message)
                .unless_lost_here()
                .hint("the first of `hosts` is advertised to clients: write a full host name or an address");
        }
        let role = quorum::role(report, mode, broker);
        let rack = rack(report, broker.rack.as_ref());
        let properties = properties(report, broker.properties.as_ref(), decides_for_node);
        if let Some(name) = name {
            let validated = Broker {
                name,
                id: broker.id.as_ref().map(|id| id.value),
                hosts,
                port_offset: value_or(&broker.port_offset, 0),
                key: key(broker.key),
                role,
                rack,
                properties,
                source: report.source(broker.span),
            };
            brokers.push((validated, broker.name.span));
        }
    }
    brokers
}

/// A way to authenticate.
pub(super) fn auth(raw: RawAuth) -> Auth {
    match raw {
        RawAuth::Tls => Auth::Tls,
        RawAuth::ScramSha256 => Auth::Scram(Mechanism::Sha256),
        RawAuth::ScramSha512 => Auth::Scram(Mechanism::Sha512),
        RawAuth::None => Auth::None,
    }
}

/// A client, without its roles, which are added later.
pub(super) fn client(
    report: &mut Report,
    names: &mut Names,
    raw: &Spanned<RawClient>,
) -> Option<Client> {
    let name = names.claim(report, &raw.name, "client");
    let auth: Vec<Auth> = match &raw.auth {
        None => vec![Auth::Tls],
        Some(list) => {
            each_once(report, &list.0);
            list.0.iter().map(|a| auth(a.value)).collect()
        }
    };
    if let Some(iterations) = &raw.iterations
        && auth.iter().all(|a| !matches!(a, Auth::Scram(_)))
    {
        let message = "`iterations` has no effect without SCRAM";
        report
            .error(PolicyCode::NoEffect, iterations.span, message)
            .unless_lost_here()
            .hint("remove it, or add scram-sha-512 to `auth`");
    }
    let hosts = match &raw.hosts {
        Some(raw) => hosts(report, raw),
        None => raw.name.parse().into_iter().collect(),
    };
    let formats = match &raw.formats {
        None => vec![ClientFormat::ALL[0]],
        Some(list) => {
            each_once(report, &list.0);
            list.0.iter().map(|f| f.value).collect()
        }
    };
    if let (Some(roles), true) = (&raw.roles, auth.iter().all(|a| *a == Auth::None))
        && !roles.is_empty()
    {
        let message = format!(
            "the roles of `{}` have no effect: with `auth: none`, it is User:ANONYMOUS",
            raw.name.value
        );
        report
            .error(PolicyCode::Nobody, roles.span, message)
            .unless_lost_here()
            .hint("set `auth` to tls or scram-sha-512, or write acls for User:ANONYMOUS");
    }
    let properties = properties(report, raw.properties.as_ref(), decides_for_client);
    interpreted(report, raw);
    Some(Client {
        name: name?,
        hosts,
        auth,
        formats,
        key: key(raw.key),
        iterations: value_or(&raw.iterations, DEFAULT_ITERATIONS),
        roles: Vec::new(),
        properties,
        scope: None,
        source: report.source(raw.span),
    })
}

/// A SCRAM user's mechanism.
pub(super) fn user_mechanism(raw: RawUserAuth) -> Mechanism {
    match raw {
        RawUserAuth::ScramSha256 => Mechanism::Sha256,
        RawUserAuth::ScramSha512 => Mechanism::Sha512,
    }
}

/// A SCRAM user.
pub(super) fn user(
    report: &mut Report,
    names: &mut Names,
    raw: &Spanned<RawUser>,
) -> Option<ScramUser> {
    let name = names.claim(report, &raw.name, "user");
    each_once(report, &raw.auth.0);
    Some(ScramUser {
        name: name?,
        mechanisms: raw.auth.0.iter().map(|a| user_mechanism(a.value)).collect(),
        iterations: raw.iterations.unwrap_or(DEFAULT_ITERATIONS),
        source: report.source(raw.span),
    })
}
