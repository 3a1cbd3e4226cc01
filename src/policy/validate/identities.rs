//! Brokers, clients and users: names that nobody shares, and how each can be reached and known.

use std::collections::HashMap;

use super::{
    properties::{properties, rack},
    quorum,
};
use crate::{
    document::{Report, Span, Spanned},
    pki::{Host, IdentityName, KeyAlgorithm, NameError},
    policy::{
        Auth, Broker, Client, ClientFormat, Mode, PolicyCode, ScramUser, decides_for_client,
        decides_for_node,
        names::no_repeats,
        raw::{RawAuth, RawBroker, RawClient, RawKey, RawUser, RawUserAuth},
    },
    scram::{DEFAULT_ITERATIONS, Mechanism},
};

/// The names of all identities, folded as file systems and Java's key stores do.
#[derive(Default)]
pub(super) struct Names(HashMap<String, (Span, &'static str)>);

impl Names {
    /// A name that no other identity has.
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
                        "a name begins with a letter, a digit or `_`, and has up to 64 letters, digits, `.`, `_` and `-`"
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
                format!("a {kind} is named `{name}` as a {whose} is")
            };
            report
                .error(PolicyCode::DuplicateName, raw.span, message)
                .label("again here")
                .note(*first, "first here")
                .hint("names are unique over brokers, clients and users, in upper and lower case alike");
            return None;
        }
        self.0.insert(name.folded(), (raw.span, kind));
        Some(name)
    }
}

/// A key's algorithm.
pub(super) fn key(raw: Option<RawKey>) -> KeyAlgorithm {
    match raw {
        None | Some(RawKey::EcdsaP256) => KeyAlgorithm::EcdsaP256,
        Some(RawKey::EcdsaP384) => KeyAlgorithm::EcdsaP384,
        Some(RawKey::Rsa2048) => KeyAlgorithm::Rsa2048,
        Some(RawKey::Rsa3072) => KeyAlgorithm::Rsa3072,
        Some(RawKey::Rsa4096) => KeyAlgorithm::Rsa4096,
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
    no_repeats(
        report,
        hosts.iter().map(|(host, span)| (host.tagged(), *span)),
    );
    hosts.into_iter().map(|(host, _)| host).collect()
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
            report
                .error(
                    PolicyCode::DuplicateId,
                    id.span,
                    format!("two brokers have the id {}", id.value),
                )
                .label("again here")
                .note(first, "first here")
                .hint("give every broker an `id` of its own, or leave it out: kpki chooses one and keeps it");
        }
        let hosts = match &broker.hosts {
            Some(raw) => hosts(report, raw),
            None => {
                match broker.name.parse::<Host>() {
                    Ok(host) => vec![host],
                    // A name that is wrong in itself has been reported.
                    Err(error) if name.is_some() => {
                        report
                        .error(PolicyCode::BadHost, broker.name.span, error.to_string())
                        .hint("say under `hosts` how the broker is reached: its name cannot be that");
                        Vec::new()
                    }
                    Err(_) => Vec::new(),
                }
            }
        };
        if let (Some(first), Some(raw)) = (hosts.first(), &broker.hosts)
            && first.is_wildcard()
        {
            report
                .error(
                    PolicyCode::BadHost,
                    raw[0].span,
                    format!("`{first}` is not a host that a client can connect to"),
                )
                .hint("the first of `hosts` is advertised to clients; put a whole name there");
        }
        let role = quorum::role(report, mode, broker);
        let rack = rack(report, broker.rack.as_ref());
        let properties = properties(report, broker.properties.as_ref(), decides_for_node);
        if let Some(name) = name {
            let validated = Broker {
                name,
                id: broker.id.as_ref().map(|id| id.value),
                hosts,
                port_offset: broker.port_offset.as_ref().map_or(0, |offset| offset.value),
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

/// A client, still without its roles.
pub(super) fn client(
    report: &mut Report,
    names: &mut Names,
    raw: &Spanned<RawClient>,
) -> Option<Client> {
    let name = names.claim(report, &raw.name, "client");
    let auth: Vec<Auth> = match &raw.auth {
        None => vec![Auth::Tls],
        Some(list) => {
            no_repeats(
                report,
                list.0.iter().map(|a| (format!("{:?}", a.value), a.span)),
            );
            list.0.iter().map(|a| auth(a.value)).collect()
        }
    };
    if let Some(iterations) = &raw.iterations
        && auth.iter().all(|a| !matches!(a, Auth::Scram(_)))
    {
        report
            .error(
                PolicyCode::NoEffect,
                iterations.span,
                "`iterations` has no effect without SCRAM",
            )
            .hint("remove it, or add scram-sha-512 to `auth`");
    }
    let hosts = match &raw.hosts {
        Some(raw) => hosts(report, raw),
        None => raw.name.parse().into_iter().collect(),
    };
    let formats = match &raw.formats {
        None => vec![ClientFormat::ALL[0]],
        Some(list) => {
            no_repeats(
                report,
                list.0.iter().map(|f| (f.value.name().to_owned(), f.span)),
            );
            list.0.iter().map(|f| f.value).collect()
        }
    };
    if let (Some(roles), true) = (&raw.roles, auth.iter().all(|a| *a == Auth::None))
        && !roles.is_empty()
    {
        report
            .error(
                PolicyCode::Nobody,
                roles.span,
                format!(
                    "the roles of `{}` would grant nothing: with `auth: none` it is User:ANONYMOUS",
                    raw.name.value
                ),
            )
            .hint("let it authenticate, by tls or scram-sha-512, or write acls for User:ANONYMOUS");
    }
    let properties = properties(report, raw.properties.as_ref(), decides_for_client);
    Some(Client {
        name: name?,
        hosts,
        auth,
        formats,
        key: key(raw.key),
        iterations: raw
            .iterations
            .as_ref()
            .map_or(DEFAULT_ITERATIONS, |i| i.value),
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
    no_repeats(
        report,
        raw.auth
            .0
            .iter()
            .map(|a| (format!("{:?}", a.value), a.span)),
    );
    Some(ScramUser {
        name: name?,
        mechanisms: raw.auth.0.iter().map(|a| user_mechanism(a.value)).collect(),
        iterations: raw.iterations.unwrap_or(DEFAULT_ITERATIONS),
        source: report.source(raw.span),
    })
}
