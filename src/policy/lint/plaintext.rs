//! `plaintext-listener`, `sasl-plaintext-listener`, `plaintext-between-brokers`: what crosses the network for all to read.

use super::{Finding, Lint, Subject};
use crate::{
    code::codes,
    document::Severity,
    pki::Host,
    policy::{Cluster, SecurityProtocol},
};

codes! {
    pub(super) enum Found {
        PlaintextListener = "plaintext-listener", "a listener with neither encryption nor authentication; a warning where `bind_address` is a loopback address";
        SaslPlaintextListener = "sasl-plaintext-listener", "a listener that takes passwords without encryption; a warning where `bind_address` is a loopback address";
        PlaintextBetweenBrokers = "plaintext-between-brokers", "brokers that copy every record to each other without encryption";
    }
}

pub(super) const LINT: Lint = Lint {
    codes: Found::CODES,
    run,
};

fn run(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let Some(policy) = subject.policy else { return };
    let cluster = &policy.cluster;
    // On a loopback address nobody else listens in.
    let severity = match is_loopback(cluster) {
        true => Severity::Warning,
        false => Severity::Error,
    };
    let places = policy.places.listeners.iter();
    for (listener, place) in cluster.listeners.iter().zip(places) {
        let name = &listener.name;
        let (code, message) = match listener.protocol {
            SecurityProtocol::Plaintext => (
                Found::PlaintextListener,
                format!(
                    "{name} has neither encryption nor authentication: whoever reaches it is User:ANONYMOUS, and whoever sees the network reads every record"
                ),
            ),
            SecurityProtocol::SaslPlaintext => (
                Found::SaslPlaintextListener,
                format!(
                    "{name} has no encryption: whoever sees the network reads every record, can guess passwords from a login at leisure, and can take over a connection"
                ),
            ),
            SecurityProtocol::Ssl | SecurityProtocol::SaslSsl => continue,
        };
        findings.push(Finding {
            code: code.into(),
            severity,
            message,
            hint: "make its protocol SSL or SASL_SSL; for a listener that only this machine uses, set bind_address to 127.0.0.1".to_owned(),
            source: place.clone(),
        });
        let brokers = policy.brokers.iter().filter(|b| b.role.is_broker());
        if *name == cluster.inter_broker_listener && brokers.count() > 1 {
            let said = policy.places.inter_broker_listener.as_ref();
            findings.push(Finding {
                code: Found::PlaintextBetweenBrokers.into(),
                severity,
                message: format!("brokers copy every partition to each other over {name}, which has no encryption"),
                hint: "set inter_broker_listener to a listener with protocol SSL".to_owned(),
                source: said.unwrap_or(place).clone(),
            });
        }
    }
}

/// Whether the brokers listen where only their own machine can connect.
fn is_loopback(cluster: &Cluster) -> bool {
    cluster
        .bind_address
        .as_ref()
        .is_some_and(|host| match host {
            Host::Ip(ip) => ip.is_loopback(),
            Host::Dns(name) => name == "localhost",
        })
}
