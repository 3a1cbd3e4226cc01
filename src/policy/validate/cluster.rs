//! The `cluster` section, without its listeners and mapping rules.

use super::{
    Declared, listeners,
    properties::{interpreter, properties},
    quorum::{self, MODE},
};
use crate::{
    acl::{KafkaVersion, Principal},
    document::{FormCode, Report, Spanned, nearest, value_or},
    pki::{Host, principal::MappingRules},
    policy::{
        Auth, Cluster, LAYOUTS, Layout, Mode, PolicyCode, decides_for_node, names, raw::RawCluster,
    },
};

/// The metadata mode and Kafka's version.
pub(super) fn mode_and_version(report: &mut Report, raw: &RawCluster) -> (Mode, KafkaVersion) {
    let mode = value_or(&raw.mode, Mode::Kraft);
    let default = match mode {
        Mode::Kraft => KafkaVersion::ASSUMED,
        Mode::Zookeeper => KafkaVersion::LAST_ZOOKEEPER,
    };
    let Some(text) = &raw.kafka_version else {
        return (mode, default);
    };
    let version: KafkaVersion = match text.parse() {
        Ok(version) => version,
        Err(_) => {
            let message = format!("`{}` is not a Kafka version", text.value);
            report
                .error(PolicyCode::BadVersion, text.span, message)
                .hint("write it as \"4.3\"");
            return (mode, default);
        }
    };
    if !version.is_known() {
        let message = format!("kpki does not know Kafka {version}");
        report
            .error(PolicyCode::BadVersion, text.span, message)
            .hint(format!("kpki knows {}", KafkaVersion::known()));
        return (mode, default);
    }
    match mode {
        Mode::Kraft if version < KafkaVersion::FIRST_KRAFT => {
            let message = format!(
                "KRaft needs Kafka {} or later, not {version}",
                KafkaVersion::FIRST_KRAFT
            );
            let draft = report
                .error(PolicyCode::ModeAndVersion, text.span, message)
                .unless_lost(MODE);
            match &raw.mode {
                Some(mode) => draft
                    .note(mode.span, "the mode")
                    .hint("write mode: zookeeper"),
                None => draft.hint("write mode: zookeeper; the default is kraft"),
            };
        }
        Mode::Zookeeper if version > KafkaVersion::LAST_ZOOKEEPER => {
            let message = format!(
                "Kafka {version} does not support ZooKeeper; the last version that does is {}",
                KafkaVersion::LAST_ZOOKEEPER
            );
            let draft = report
                .error(PolicyCode::ModeAndVersion, text.span, message)
                .unless_lost(MODE);
            let draft = match &raw.mode {
                Some(mode) => draft.note(mode.span, "the mode"),
                None => draft,
            };
            draft.hint("write mode: kraft, or an older kafka_version");
        }
        _ => {}
    }
    (mode, version)
}

/// The `cluster` section.
pub(super) fn cluster(
    report: &mut Report,
    raw: &RawCluster,
    mode: Mode,
    version: KafkaVersion,
    mapping: &MappingRules,
    declared: &Declared<'_>,
) -> Cluster {
    if mode == Mode::Kraft {
        quorum::both_kinds(report, declared);
    }
    let listeners = listeners::listeners(report, raw, mode, declared);
    let super_users = raw.super_users.as_deref().unwrap_or_default();
    names::each_once(report, super_users);
    let super_users = super_users
        .iter()
        .filter_map(|user| super_user(report, version, user))
        .collect();
    Cluster {
        name: name(report, raw),
        bootstrap_servers: bootstrap_servers(report, raw),
        admin: admin(report, raw, declared),
        mode,
        zookeeper_connect: zookeeper_connect(report, raw, mode, declared),
        kafka_version: version,
        install_dir: install_dir(report, raw.install_dir.as_ref(), declared),
        log_dir: log_dir(report, raw.log_dir.as_ref()),
        bind_address: bind_address(report, raw.bind_address.as_ref()),
        super_users,
        allow_everyone_if_no_acl_found: value_or(&raw.allow_everyone_if_no_acl_found, false),
        principal_mapping_rules: mapping.clone(),
        listeners: listeners.all,
        inter_broker_listener: listeners.inter_broker,
        controller_port: listeners.controller_port,
        layout: layout(report, raw.layout.as_ref()),
        owner: owner(report, raw.owner.as_ref()),
        properties: properties(report, raw.properties.as_ref(), decides_for_node),
    }
}

fn name(report: &mut Report, raw: &RawCluster) -> String {
    let Some(name) = &raw.name else {
        return "kafka".to_owned();
    };
    if name.trim().is_empty() || name.chars().any(char::is_control) {
        let message = "the cluster's name is empty or contains control characters";
        report
            .error(PolicyCode::BadName, name.span, message)
            .hint("give a display name, or remove the key");
    }
    name.value.clone()
}

fn bootstrap_servers(report: &mut Report, raw: &RawCluster) -> Vec<String> {
    let servers = raw.bootstrap_servers.as_deref().unwrap_or_default();
    names::each_once(report, servers);
    for server in servers {
        address(report, server, "bootstrap server", &server.value);
    }
    servers.iter().map(|s| s.value.clone()).collect()
}

/// `host:port`, an IPv6 host in brackets.
fn address(report: &mut Report, whole: &Spanned<String>, kind: &str, text: &str) {
    let fault = match text.rsplit_once(':') {
        None => Some("it has no port".to_owned()),
        Some((host, port)) => match (host.parse::<Host>(), port.parse::<u16>()) {
            (Err(error), _) => Some(error.to_string()),
            (Ok(host), _) if host.is_wildcard() => Some("it must name one host".to_owned()),
            (Ok(Host::Ip(_)), _) if host.contains(':') && !host.starts_with('[') => {
                Some("an IPv6 address must be in brackets".to_owned())
            }
            (_, Err(_) | Ok(0)) => Some(format!(
                "the port must be a number from 1 to 65535, not `{port}`"
            )),
            _ => None,
        },
    };
    if let Some(fault) = fault {
        let message = format!("`{}` is not a {kind}: {fault}", whole.value);
        report
            .error(PolicyCode::BadAddress, whole.span, message)
            .hint("write host:port");
    }
}

fn admin(
    report: &mut Report,
    raw: &RawCluster,
    declared: &Declared<'_>,
) -> Option<crate::pki::IdentityName> {
    let wanted = raw.admin.as_ref()?;
    let Some(client) = declared
        .clients
        .iter()
        .find(|c| c.name.as_str() == wanted.value)
    else {
        let names = declared.clients.iter().map(|c| c.name.as_str());
        let hint = match (kind_of(wanted, declared), nearest(wanted, names)) {
            (Some(kind), _) => format!("it is a {kind}: name a client"),
            (None, Some(meant)) => format!("did you mean `{meant}`?"),
            (None, None) => format!("add `- name: {}` under clients", wanted.value),
        };
        let message = format!("no client is named `{}`", wanted.value);
        report
            .error(PolicyCode::UnknownClient, wanted.span, message)
            .unless_lost(&["clients.name"])
            .hint(hint);
        return None;
    };
    if client.auth.iter().all(|auth| *auth == Auth::None) {
        let message = format!(
            "the admin `{}` does not authenticate, so it would be User:ANONYMOUS",
            wanted.value
        );
        report
            .error(PolicyCode::Nobody, wanted.span, message)
            .unless_lost(&["clients.auth"])
            .hint("set `auth: tls` or `auth: scram-sha-512` on this client");
    }
    Some(client.name.clone())
}

/// What has this name, if it is not a client.
fn kind_of(name: &str, declared: &Declared<'_>) -> Option<&'static str> {
    let mut brokers = declared.brokers.iter();
    if brokers.any(|(broker, _)| broker.name.as_str() == name) {
        return Some("broker");
    }
    let mut users = declared.users.iter();
    users
        .any(|user| user.name.as_str() == name)
        .then_some("user")
}

fn zookeeper_connect(
    report: &mut Report,
    raw: &RawCluster,
    mode: Mode,
    declared: &Declared<'_>,
) -> Vec<String> {
    match (&raw.zookeeper_connect, mode) {
        (None, Mode::Zookeeper) => {
            if let (Some(mode), false) = (&raw.mode, declared.brokers.is_empty()) {
                let message = "brokers with ZooKeeper need `zookeeper_connect`";
                report
                    .error(FormCode::MissingKey, mode.span, message)
                    .unless_lost(&["cluster.zookeeper_connect"])
                    .hint("add `zookeeper_connect: [localhost:2181]`, with your nodes");
            }
            Vec::new()
        }
        (None, Mode::Kraft) => Vec::new(),
        (Some(nodes), Mode::Kraft) => {
            let message = "`zookeeper_connect` has no effect with KRaft";
            report
                .error(PolicyCode::NoEffect, nodes.span, message)
                .unless_lost(MODE)
                .hint("remove it, or write mode: zookeeper");
            Vec::new()
        }
        (Some(nodes), Mode::Zookeeper) => {
            for (place, node) in (1..).zip(nodes.iter()) {
                // The last one may end with the path ("chroot") under which Kafka keeps its data.
                let host = match node.split_once('/') {
                    Some((host, _)) if place == nodes.len() => host,
                    _ => node.as_str(),
                };
                address(report, node, "ZooKeeper node", host);
            }
            nodes.iter().map(|node| node.value.clone()).collect()
        }
    }
}

fn directory(report: &mut Report, directory: &Spanned<String>) -> String {
    if directory.chars().any(char::is_control) {
        let message = format!(
            "`{}` contains a control character",
            directory.escape_debug()
        );
        report
            .error(PolicyCode::BadPath, directory.span, message)
            .hint("Kafka's configuration cannot contain such a path; remove the character");
    } else if !directory.starts_with('/') {
        let message = format!("`{}` is not an absolute path", directory.value);
        report
            .error(PolicyCode::BadPath, directory.span, message)
            .hint("begin it with `/`");
    }
    directory.value.clone()
}

/// A directory that the files of every client can name.
fn install_dir(
    report: &mut Report,
    raw: Option<&Spanned<String>>,
    declared: &Declared<'_>,
) -> Option<String> {
    let raw = raw?;
    let directory = directory(report, raw);
    let mut clients = declared.raw_clients.iter();
    let found = clients.find_map(|(client, _)| interpreter(client, &directory));
    if let Some((format, text, why)) = found {
        let message = format!("`{}` contains `{text}`, {why}", directory.escape_debug());
        report
            .error(PolicyCode::BadPath, raw.span, message)
            .note(format, "the format of a client")
            .hint("choose another directory, or remove the format");
    }
    Some(directory)
}

/// A single directory.
fn log_dir(report: &mut Report, raw: Option<&Spanned<String>>) -> Option<String> {
    let raw = raw?;
    let directory = directory(report, raw);
    if directory.contains(',') {
        let message = format!(
            "`{}` contains a comma, at which Kafka splits it into several directories",
            directory.escape_debug()
        );
        report
            .error(PolicyCode::BadPath, raw.span, message)
            .hint("write one directory");
    }
    Some(directory)
}

fn bind_address(report: &mut Report, raw: Option<&Spanned<String>>) -> Option<Host> {
    let text = raw?;
    match text.parse::<Host>() {
        Ok(host) if !host.is_wildcard() => Some(host),
        _ => {
            let message = format!(
                "`{}` is not an address that a broker can listen on",
                text.value
            );
            report.error(PolicyCode::BadHost, text.span, message).hint(
                "write an IP address without a port, or remove the key to listen on every interface",
            );
            None
        }
    }
}

fn super_user(
    report: &mut Report,
    version: KafkaVersion,
    raw: &Spanned<String>,
) -> Option<Principal> {
    if raw.contains(';') {
        let message = "a super user cannot contain `;`, at which Kafka splits super.users";
        report
            .error(PolicyCode::BadPrincipal, raw.span, message)
            .hint("write one entry for each user");
        return None;
    }
    if raw.contains('*') {
        let message = format!(
            "`{}` would be a single user with an asterisk in its name",
            raw.value
        );
        report
            .error(PolicyCode::NoWildcard, raw.span, message)
            .hint("name each super user; Kafka has no patterns for them");
        return None;
    }
    names::principal(report, version, raw)
}

fn layout(report: &mut Report, raw: Option<&Spanned<String>>) -> &'static Layout {
    let Some(raw) = raw else {
        return &Layout::DEFAULT;
    };
    Layout::named(raw).unwrap_or_else(|| {
        let names = || LAYOUTS.iter().map(|layout| layout.name);
        let hint = match nearest(raw, names()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("the layouts are {}", names().collect::<Vec<_>>().join(", ")),
        };
        let message = format!("no layout is named `{}`", raw.value);
        report
            .error(PolicyCode::UnknownLayout, raw.span, message)
            .hint(hint);
        &Layout::DEFAULT
    })
}

fn owner(report: &mut Report, raw: Option<&Spanned<String>>) -> Option<(u32, u32)> {
    let raw = raw?;
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten()
    };
    let owner = raw
        .split_once(':')
        .and_then(|(user, group)| Some((number(user)?, number(group)?)));
    if owner.is_none() {
        let message = format!("`{}` is not a valid owner", raw.value);
        report
            .error(PolicyCode::BadOwner, raw.span, message)
            .hint("write the numeric user and group ids: \"1000:1000\"");
    }
    owner
}
