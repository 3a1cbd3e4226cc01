//! Listeners: their names, protocols and ports, and that every client has one that accepts it.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{Declared, ports};
use crate::{
    acl::ANONYMOUS,
    document::{FormCode, Report, Span, Spanned, value_or},
    policy::{
        Auth, CONTROLLER, ClientAuth, Listener, Mode, PolicyCode, SecurityProtocol, TLS_PORT,
        names::each_once,
        raw::{RawCluster, RawListener},
    },
    scram::Mechanism,
};

/// On which keys it depends whom a listener accepts.
const WAYS_IN: &[&str] = &[
    "cluster.listeners.client_auth",
    "cluster.listeners.mechanisms",
];

/// The listeners of every broker.
pub(super) struct Listeners {
    pub all: Vec<Listener>,
    pub inter_broker: String,
    pub controller_port: u16,
}

/// Checks the listeners, fills in the defaults, and chooses the controllers' port.
pub(super) fn listeners(
    report: &mut Report,
    raw: &RawCluster,
    mode: Mode,
    declared: &Declared<'_>,
) -> Listeners {
    let all = match &raw.listeners {
        Some(raw) => explicit(report, raw),
        None => default_listeners(declared),
    };
    every_way_in(report, raw.listeners.as_deref(), &all, declared);
    let inter_broker = inter_broker(report, raw, &all);
    let controller_port = ports::ports(report, raw, mode, &all, declared);
    ports::bootstrap(report, raw, &all, declared);
    Listeners {
        all,
        inter_broker,
        controller_port,
    }
}

fn default_listeners(declared: &Declared<'_>) -> Vec<Listener> {
    let mut all = vec![Listener {
        name: "SSL".to_owned(),
        port: TLS_PORT,
        protocol: SecurityProtocol::Ssl,
        client_auth: ClientAuth::Required,
        mechanisms: Vec::new(),
    }];
    let used: BTreeSet<Mechanism> = declared.mechanisms().collect();
    if !used.is_empty() {
        all.push(Listener {
            name: "SASL_SSL".to_owned(),
            port: 9094,
            protocol: SecurityProtocol::SaslSsl,
            client_auth: ClientAuth::None,
            mechanisms: used.into_iter().collect(),
        });
    }
    all
}

fn explicit(report: &mut Report, raw: &[Spanned<RawListener>]) -> Vec<Listener> {
    let mut names: HashMap<String, Span> = HashMap::new();
    let mut ports: HashMap<u16, Span> = HashMap::new();
    let mut all = Vec::new();
    for listener in raw {
        name(report, &mut names, &listener.name);
        if let Some(first) = ports.insert(listener.port.value, listener.port.span) {
            let message = format!("two listeners have the port {}", listener.port.value);
            report
                .error(PolicyCode::DuplicatePort, listener.port.span, message)
                .label("again here")
                .note(first, "first here");
        }
        all.push(one(report, listener));
    }
    all
}

fn name(report: &mut Report, names: &mut HashMap<String, Span>, raw: &Spanned<String>) {
    let letters = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if raw.is_empty() || !raw.chars().all(letters) {
        // Container images pass listener names in environment variables, where other characters are lost.
        let message = format!("`{}` is not a valid name of a listener", raw.value);
        report
            .error(PolicyCode::BadListenerName, raw.span, message)
            .hint("a listener's name must consist of letters, digits and `_`");
    }
    // Kafka takes names in upper case and reads `listener.name.<lower case>.…`.
    let folded = raw.to_ascii_uppercase();
    if folded == CONTROLLER {
        let message = "`CONTROLLER` is the listener of the KRaft controllers";
        report
            .error(PolicyCode::ReservedName, raw.span, message)
            .hint("choose another name: kpki adds this listener itself");
    }
    if let Some(first) = names.insert(folded, raw.span) {
        let message = format!("two listeners are named `{}`", raw.value);
        report
            .error(PolicyCode::DuplicateName, raw.span, message)
            .label("again here")
            .note(first, "first here");
    }
}

fn one(report: &mut Report, raw: &Spanned<RawListener>) -> Listener {
    let protocol = raw.protocol.value;
    let named = protocol.kafka_name();
    match &raw.mechanisms {
        Some(mechanisms) if !protocol.is_sasl() => {
            let message = format!("`mechanisms` has no effect on {named}");
            report
                .error(PolicyCode::NoEffect, mechanisms.span, message)
                .note(raw.protocol.span, "the protocol")
                .hint("remove it, or make the protocol SASL_SSL");
        }
        None if protocol.is_sasl() => {
            let message = format!("a {named} listener needs `mechanisms`");
            report
                .error(FormCode::MissingKey, raw.span, message)
                .unless_lost_here()
                .hint("add mechanisms: [SCRAM-SHA-512]");
        }
        Some(mechanisms) => each_once(report, mechanisms),
        None => {}
    }
    if let Some(auth) = &raw.client_auth
        && !protocol.is_tls()
    {
        let message = format!("`client_auth` has no effect on {named}");
        report
            .error(PolicyCode::NoEffect, auth.span, message)
            .note(raw.protocol.span, "the protocol")
            .hint("remove it, or make the protocol SSL");
    }
    let auth_default = match protocol {
        SecurityProtocol::Ssl => ClientAuth::Required,
        _ => ClientAuth::None,
    };
    let mechanisms = raw.mechanisms.iter().flat_map(|all| &all.value);
    Listener {
        name: raw.name.to_ascii_uppercase(),
        port: raw.port.value,
        protocol,
        client_auth: value_or(&raw.client_auth, auth_default),
        mechanisms: mechanisms.map(|m| m.value).collect(),
    }
}

/// Reports clients and users that no listener accepts.
fn every_way_in(
    report: &mut Report,
    raw: Option<&[Spanned<RawListener>]>,
    all: &[Listener],
    declared: &Declared<'_>,
) {
    let by_certificate = declared.auths().filter(|(_, auth, _)| *auth == Auth::Tls);
    let by_certificate = by_certificate.map(|(who, ..)| who);
    // Whoever configures a user may have a certificate for it.
    let users = declared.users.iter().map(|user| user.name.as_str());
    let certified: HashSet<&str> = by_certificate.chain(users).collect();
    for (who, auth, span) in declared.auths() {
        let certificate = certified.contains(who);
        if all.iter().any(|l| l.admits(auth, certificate)) {
            continue;
        }
        if let Some(listener) = all.iter().find(|l| l.serves(auth)) {
            needs_certificate(report, raw, listener, (who, span));
            continue;
        }
        let (how, wanted) = match auth {
            Auth::Tls => (
                "by certificate".to_owned(),
                "protocol: SSL, client_auth: required".to_owned(),
            ),
            Auth::Scram(mechanism) => (
                format!("by {mechanism}"),
                format!("protocol: SASL_SSL, mechanisms: [{mechanism}]"),
            ),
            Auth::None => (
                "without authentication".to_owned(),
                "protocol: SSL, client_auth: none".to_owned(),
            ),
        };
        let message = format!("`{who}` cannot connect {how}: no listener accepts that");
        let draft = report
            .error(PolicyCode::NoListener, span, message)
            .unless_lost(WAYS_IN)
            .unless_lost_here();
        let draft = match raw.and_then(<[_]>::first) {
            Some(first) => draft.note(first.span, "the listeners begin here"),
            None => draft,
        };
        draft.hint(match raw {
            Some(_) => format!("add a listener with {wanted}, or change `auth`"),
            None => format!("change `auth`, or give all listeners in `cluster.listeners`, one of them with {wanted}"),
        });
    }
}

/// Reports a client with a password, for which every listener also requires a certificate.
fn needs_certificate(
    report: &mut Report,
    raw: Option<&[Spanned<RawListener>]>,
    listener: &Listener,
    (who, span): (&str, Span),
) {
    let message = format!(
        "`{who}` cannot connect with a password alone: the listener {} also requires a certificate",
        listener.name
    );
    let draft = report
        .error(PolicyCode::NoListener, span, message)
        .unless_lost(WAYS_IN)
        .unless_lost_here();
    let mut listeners = raw.into_iter().flatten();
    let place = listeners.find(|l| l.name.eq_ignore_ascii_case(&listener.name));
    let draft = match place {
        Some(place) => draft.note(place.span, "the listener"),
        None => draft,
    };
    draft.hint("add tls to its `auth`, or a listener with client_auth: none");
}

fn inter_broker(report: &mut Report, raw: &RawCluster, all: &[Listener]) -> String {
    let by_certificate = |l: &&Listener| l.serves(Auth::Tls);
    let default = all
        .iter()
        .find(by_certificate)
        .or_else(|| all.iter().find(|l| l.protocol.is_tls()))
        .or_else(|| all.first());
    let chosen = match &raw.inter_broker_listener {
        None => default,
        Some(wanted) => {
            let chosen = all.iter().find(|l| l.name.eq_ignore_ascii_case(wanted));
            if chosen.is_none() {
                let names: Vec<&str> = all.iter().map(|l| l.name.as_str()).collect();
                let message = format!("no listener is named `{}`", wanted.value);
                report
                    .error(PolicyCode::UnknownListener, wanted.span, message)
                    .unless_lost(&["cluster.listeners.name"])
                    .hint(format!("the listeners are {}", names.join(", ")));
            }
            chosen
        }
    };
    let Some(chosen) = chosen else {
        return String::new();
    };
    let mut super_users = raw.super_users.iter().flatten();
    let anonymous_may = value_or(&raw.allow_everyone_if_no_acl_found, false)
        || super_users.any(|user| user.value == ANONYMOUS);
    let known = chosen.serves(Auth::Tls) || !chosen.mechanisms.is_empty();
    // A default has no position, so the first listener is reported.
    let place = raw
        .inter_broker_listener
        .as_ref()
        .map(|wanted| wanted.span)
        .or_else(|| raw.listeners.as_ref()?.first().map(|l| l.span));
    if let (false, false, Some(place)) = (known, anonymous_may, place) {
        let message = format!(
            "on `{}`, brokers would be User:ANONYMOUS to each other, and be refused",
            chosen.name
        );
        report
            .error(PolicyCode::AnonymousBrokers, place, message)
            .unless_lost(WAYS_IN)
            .unless_lost(&["cluster.inter_broker_listener"])
            .unless_lost(&[
                "cluster.super_users",
                "cluster.allow_everyone_if_no_acl_found",
            ])
            .hint("use a listener with protocol: SSL, client_auth: required");
    }
    chosen.name.clone()
}
