//! `roles` of the brokers: which nodes are controllers, and that there are some of either kind.

use super::Declared;
use crate::{
    document::Report,
    policy::{
        Mode, NodeRole, PolicyCode,
        names::no_repeats,
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
        report
            .error(
                PolicyCode::NoEffect,
                roles.span,
                "`roles` has no effect with ZooKeeper",
            )
            .hint("remove it: every node is a broker");
        return NodeRole::Broker;
    }
    let each = roles.0.iter().map(|role| {
        let word = match role.value {
            RawNodeRole::Broker => "broker",
            RawNodeRole::Controller => "controller",
        };
        (word.to_owned(), role.span)
    });
    no_repeats(report, each);
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
            .error(PolicyCode::NoController, *first, "no node is a controller, and KRaft needs one at least")
            .hint("give one node, or better three, roles: [controller], or remove `roles` where a node shall be both");
    }
    if !roles().any(NodeRole::is_broker) {
        report
            .error(
                PolicyCode::NoBroker,
                *first,
                "every node is a controller alone, and none keeps records",
            )
            .hint("give the nodes that clients shall connect to roles: [broker]");
    }
}
