//! Ports: their range, brokers with the same address, and the controllers' port.

use std::collections::HashMap;

use super::{Declared, quorum::MODE};
use crate::{
    document::{FormCode, Report, Span},
    pki::Host,
    policy::{Broker, CONTROLLER, Listener, Mode, NodeRole, PolicyCode, raw::RawCluster},
};

/// The default port of the controllers.
const CONTROLLER_PORT: u16 = 9095;

/// On which keys the nodes' addresses depend; the default listeners depend on who authenticates how.
const ADDRESSES: &[&str] = &[
    "cluster.mode",
    "cluster.controller_port",
    "cluster.listeners.port",
    "brokers.hosts",
    "brokers.port_offset",
    "brokers.roles",
    "clients.auth",
    "users.auth",
];

/// Checks the ports, and chooses the controllers' port.
pub(super) fn ports(
    report: &mut Report,
    raw: &RawCluster,
    mode: Mode,
    all: &[Listener],
    declared: &Declared<'_>,
) -> u16 {
    let mut taken: HashMap<(String, u16), Span> = HashMap::new();
    let with = |role: fn(NodeRole) -> bool| {
        let nodes = declared.brokers.iter();
        nodes.filter(move |(broker, _)| role(broker.role))
    };
    for (broker, span) in with(NodeRole::is_broker) {
        for listener in all {
            claim(
                report,
                &mut taken,
                broker,
                *span,
                &listener.name,
                listener.port,
            );
        }
    }
    let free = |port: u16| {
        all.iter().all(|l| l.port != port)
            && with(NodeRole::is_controller).all(|(broker, _)| {
                let at = port.checked_add(broker.port_offset);
                at.is_some_and(|at| !taken.contains_key(&(address(broker), at)))
            })
    };
    let port = match &raw.controller_port {
        None => {
            let higher = CONTROLLER_PORT..=u16::MAX;
            let lower = (1..CONTROLLER_PORT).rev();
            let Some(port) = higher.chain(lower).find(|port| free(*port)) else {
                if let Some((_, span)) = declared.brokers.first() {
                    let message = "no port is free on every controller";
                    report
                        .error(FormCode::OutOfRange, *span, message)
                        .unless_lost(ADDRESSES)
                        .hint("make the brokers' port_offset smaller");
                }
                return 0;
            };
            port
        }
        Some(port) => {
            if mode == Mode::Zookeeper {
                let message = "`controller_port` has no effect with ZooKeeper";
                report
                    .error(PolicyCode::NoEffect, port.span, message)
                    .unless_lost(MODE)
                    .hint("remove it");
                return port.value;
            }
            // If no node is both broker and controller, the ports may be equal on different machines.
            let both = declared.brokers.is_empty()
                || with(NodeRole::is_controller).any(|(node, _)| node.role.is_broker());
            if let Some(listener) = all.iter().find(|l| both && l.port == port.value) {
                let message = format!(
                    "the controllers' port {} is that of the listener {}",
                    port.value, listener.name
                );
                report
                    .error(PolicyCode::DuplicatePort, port.span, message)
                    .unless_lost(ADDRESSES)
                    .hint("choose another port, or remove `controller_port`");
                return port.value;
            }
            port.value
        }
    };
    // A chosen port too: controllers on one machine with one offset have the same address, whichever port it is.
    for (broker, span) in with(NodeRole::is_controller) {
        claim(report, &mut taken, broker, *span, CONTROLLER, port);
    }
    port
}

/// Reports bootstrap servers on a broker's host with a port on which no broker listens. Other hosts may be load
/// balancers with their own ports.
pub(super) fn bootstrap(
    report: &mut Report,
    raw: &RawCluster,
    all: &[Listener],
    declared: &Declared<'_>,
) {
    for server in raw.bootstrap_servers.iter().flatten() {
        let Some((host, port)) = server.rsplit_once(':') else {
            continue;
        };
        // An invalid address was already reported.
        let (Ok(host), Ok(port)) = (host.parse::<Host>(), port.parse::<u16>()) else {
            continue;
        };
        let nodes = declared.brokers.iter().map(|(broker, _)| broker);
        let there: Vec<&Broker> = nodes.filter(|node| node.hosts.contains(&host)).collect();
        if there.is_empty() {
            continue;
        }
        let brokers = there.iter().filter(|node| node.role.is_broker());
        let mut open: Vec<u16> = brokers
            .flat_map(|broker| {
                let ports = all.iter().map(|l| l.port.checked_add(broker.port_offset));
                ports.flatten().collect::<Vec<_>>()
            })
            .collect();
        if open.contains(&port) {
            continue;
        }
        open.sort_unstable();
        open.dedup();
        let open: Vec<String> = open.iter().map(u16::to_string).collect();
        let hint = match open.as_slice() {
            [] => "the node there is only a controller, which accepts no clients".to_owned(),
            open => format!(
                "brokers there listen on {}: the port of each listener and the broker's port_offset",
                open.join(", ")
            ),
        };
        let message = format!("no listener of a broker at `{host}` has the port {port}");
        report
            .error(PolicyCode::NoSuchPort, server.span, message)
            .unless_lost(ADDRESSES)
            .hint(hint);
    }
}

/// The advertised host of a broker.
fn address(broker: &Broker) -> String {
    broker
        .hosts
        .first()
        .map_or_else(String::new, |host| host.tagged())
}

/// Records that a broker listens on a port; reports a port that is impossible or already in use.
fn claim(
    report: &mut Report,
    taken: &mut HashMap<(String, u16), Span>,
    broker: &Broker,
    span: Span,
    listener: &str,
    port: u16,
) {
    let Some(at) = port.checked_add(broker.port_offset) else {
        let message = format!(
            "port {port} of {listener} plus the port_offset {} of `{}` is more than 65535",
            broker.port_offset, broker.name
        );
        report
            .error(FormCode::OutOfRange, span, message)
            .unless_lost(ADDRESSES)
            .hint("make the offset smaller");
        return;
    };
    let Some(host) = broker.hosts.first() else {
        return;
    };
    if let Some(first) = taken.insert((address(broker), at), span)
        && first != span
    {
        let message = format!(
            "two brokers would have the address {}:{at}; this one is {listener} of `{}`",
            host.authority(),
            broker.name
        );
        report
            .error(PolicyCode::SameAddress, span, message)
            .unless_lost(ADDRESSES)
            .label("again here")
            .note(first, "first here")
            .hint("give each broker a different first entry in `hosts` or, on the same machine, a different `port_offset`");
    }
}
