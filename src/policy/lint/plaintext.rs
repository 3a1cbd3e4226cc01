//! `plaintext-listener`, `sasl-plaintext-listener`, `plaintext-between-brokers`: unencrypted traffic.

use super::{Findings, Subject};
use crate::{document::Severity, pki::Host, policy::SecurityProtocol};

lint! {
    PlaintextListener = "plaintext-listener", "a listener with neither encryption nor authentication; a warning where `bind_address` is a loopback address";
    SaslPlaintextListener = "sasl-plaintext-listener", "a listener that takes passwords without encryption; a warning where `bind_address` is a loopback address";
    PlaintextBetweenBrokers = "plaintext-between-brokers", "brokers that replicate every record without encryption";
}

fn run(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(policy) = subject.policy else { return };
    let cluster = &policy.cluster;
    // Traffic to a loopback address stays on the machine.
    let severity = match &cluster.bind_address {
        Some(Host::Ip(ip)) if ip.is_loopback() => Severity::Warning,
        Some(Host::Dns(name)) if name == "localhost" => Severity::Warning,
        _ => Severity::Error,
    };
    let places = policy.places.listeners.iter();
    for (listener, place) in cluster.listeners.iter().zip(places) {
        let name = &listener.name;
        let (code, message) = match listener.protocol {
            SecurityProtocol::Plaintext => (
                Found::PlaintextListener,
                format!(
                    "{name} has neither encryption nor authentication: every client is User:ANONYMOUS, and anyone on the network can read every record"
                ),
            ),
            SecurityProtocol::SaslPlaintext => (
                Found::SaslPlaintextListener,
                format!(
                    "{name} has no encryption: anyone on the network can read every record, guess passwords offline from a login, and take over a connection"
                ),
            ),
            SecurityProtocol::Ssl | SecurityProtocol::SaslSsl => continue,
        };
        findings.add(
            severity,
            code,
            place,
            message,
            "make its protocol SSL or SASL_SSL; for a listener that only this machine uses, set bind_address to 127.0.0.1",
        );
        let brokers = policy.brokers.iter().filter(|b| b.role.is_broker());
        if *name == cluster.inter_broker_listener && brokers.count() > 1 {
            let said = policy.places.inter_broker_listener.as_ref();
            findings.add(
                severity,
                Found::PlaintextBetweenBrokers,
                said.unwrap_or(place),
                format!("brokers replicate every partition over {name}, which has no encryption"),
                "set inter_broker_listener to a listener with protocol SSL",
            );
        }
    }
}
