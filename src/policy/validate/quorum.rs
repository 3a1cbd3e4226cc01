//! `roles` of the brokers: which nodes are brokers and which are controllers; there must be at least one of each.

use super::Declared;
use crate::{
    document::Report,
    policy::{
        Mode, NodeRole, PolicyCode,
        names::each_once,
        raw::{RawBroker, RawNodeRole},
    },
};

/// On which key it depends what a cluster's nodes are.
pub(super) const MODE: &[&str] = &["cluster.mode"];

/// The roles of a node.
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
            .unless_lost(MODE)
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

/// Reports a cluster without a controller or without a broker.
pub(super) fn both_kinds(report: &mut Report, declared: &Declared<'_>) {
    let Some((_, first)) = declared.brokers.first() else {
        return;
    };
    let unread = &["cluster.mode", "brokers.roles"];
    let roles = || declared.brokers.iter().map(|(broker, _)| broker.role);
    if !roles().any(NodeRole::is_controller) {
        report
            .error(PolicyCode::NoController, *first, "no node is a controller; KRaft needs at least one")
            .unless_lost(unread)
            .hint("set roles: [controller] on one node, or better on three, or remove `roles` from a node that should be both");
    }
    if !roles().any(NodeRole::is_broker) {
        let message = "no node is a broker, so none can store records";
        report
            .error(PolicyCode::NoBroker, *first, message)
            .unless_lost(unread)
            .hint("set roles: [broker] on the nodes that clients connect to");
    }
}
