//! `roles` of the brokers: which nodes are controllers, and that there are some of either kind.

use super::Declared;
use crate::{
    document::Report,
    policy::{
        Mode, NodeRole, PolicyCode,
        names::each_once,
        raw::{RawBroker, RawNodeRole},
    },
};

/// What a node does.
pub(super) fn role(report: &mut Report, mode: Mode, raw: &RawBroker) -> NodeRole {
    let Some(roles) = &raw.roles else {
        return match mode {
            Mode::Kraft => NodeRole::Both,
            Mode::Zookeeper => NodeRole::Broker,
        };
    };
    if mode == Mode::Zookeeper {
        let message = "`roles` has no effect with ZooKeeper";
        report
            .error(PolicyCode::NoEffect, roles.span, message)
            .hint("remove it: every node is a broker");
        return NodeRole::Broker;
    }
    each_once(report, &roles.0);
    let has = |wanted| roles.0.iter().any(|role| role.value == wanted);
    match (has(RawNodeRole::Broker), has(RawNodeRole::Controller)) {
        (true, false) => NodeRole::Broker,
        (false, true) => NodeRole::Controller,
        _ => NodeRole::Both,
    }
}

/// Reports a cluster of nodes of which none is a controller, or none a broker.
pub(super) fn both_kinds(report: &mut Report, declared: &Declared<'_>) {
    let Some((_, first)) = declared.brokers.first() else {
        return;
    };
    let roles = || declared.brokers.iter().map(|(broker, _)| broker.role);
    if !roles().any(NodeRole::is_controller) {
        report
            .error(PolicyCode::NoController, *first, "no node is a controller; KRaft needs at least one")
            .hint("give one node, or better three, roles: [controller], or remove `roles` from a node that is to be both");
    }
    if !roles().any(NodeRole::is_broker) {
        let message = "every node is only a controller; none stores records";
        report
            .error(PolicyCode::NoBroker, *first, message)
            .hint("give the nodes that clients connect to roles: [broker]");
    }
}
