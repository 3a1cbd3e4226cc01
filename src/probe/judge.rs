//! Compares what was seen of a listener with what is expected. Pure: certificates, names and the time are arguments.

mod certificate;
mod login;

use serde::Serialize;
use time::OffsetDateTime;

use super::{Check, ClientCert, Fault, ProbeError, Served, Sighting, Speaks};
use crate::{
    pki::{Certificate, Details},
    scram::Mechanism,
};

/// What is expected.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The host that the certificate should name.
    pub server_name: &'a str,
    /// What is trusted.
    pub trusted: &'a [Certificate],
    /// Intermediates that are known here, but not trusted.
    pub known: &'a [Certificate],
    /// Where the trusted certificates come from, for messages.
    pub trusted_from: &'a str,
    /// What the listener should speak.
    pub says: Option<Says<'a>>,
    /// Whether it must be Kafka.
    pub kafka: bool,
    /// The mechanisms that should be offered.
    pub mechanisms: &'a [Mechanism],
    /// The identity that connects.
    pub guest: Option<Guest<'a>>,
    /// The user to log in as, and its mechanisms.
    pub user: Option<(&'a str, &'a [Mechanism])>,
    /// The identity whose certificate should be served.
    pub owner: Option<&'a str>,
    /// How that identity gets to serve a good certificate.
    pub remedy: Option<&'a str>,
    /// If its key is elsewhere, the command, without `kpki`, that signs its next request and adds the host.
    pub request: Option<&'a str>,
    /// The policy's file, if there is one.
    pub policy: Option<&'a str>,
    /// The kpki command line for hints.
    pub kpki: &'a str,
    /// The current time.
    pub now: OffsetDateTime,
}

/// What a policy or a client's settings say about a listener.
#[derive(Debug, Clone, Copy)]
pub struct Says<'a> {
    /// Whether it speaks TLS.
    pub tls: bool,
    /// Whether it has SASL.
    pub sasl: Option<bool>,
    /// Who says so: `the policy`.
    pub who: &'a str,
}

/// An identity that connects.
#[derive(Debug, Clone, Copy)]
pub struct Guest<'a> {
    /// Its name.
    pub name: &'a str,
    /// Whether its certificate was used; otherwise it has none here.
    pub shows: bool,
    /// What to do if the listener does not accept that.
    pub remedy: Option<&'a str>,
}

/// The result for a listener, as printed by `--json`.
#[derive(Debug, Serialize)]
pub struct Verdict {
    /// Whether nothing is wrong.
    pub ok: bool,
    /// `TLSv1.3`; `None` without TLS.
    pub protocol: Option<String>,
    /// The cipher suite.
    pub cipher: Option<String>,
    /// As sent: the leaf first.
    pub chain: Vec<Details>,
    /// Every check.
    pub checks: Vec<Check>,
}

impl Verdict {
    /// Adds a check.
    pub fn add(&mut self, check: Check) {
        self.ok &= check.ok;
        self.checks.push(check);
    }

    /// The failed checks.
    pub fn faults(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| !check.ok)
    }
}

/// Checks what was seen.
pub fn judge(seen: &Sighting, expected: &Expected<'_>) -> Verdict {
    let mut verdict = Verdict {
        ok: true,
        protocol: None,
        cipher: None,
        chain: Vec::new(),
        checks: Vec::new(),
    };
    match &seen.speaks {
        Speaks::Nothing(error) => {
            verdict.add(connection(error));
            return verdict;
        }
        Speaks::Old(old, error) => {
            verdict.protocol = Some(old.version.replace("TLS ", "TLSv"));
            verdict.add(old_tls(old.version, error));
            return verdict;
        }
        Speaks::Plain => verdict.add(match expected.says {
            Some(Says { tls: false, .. }) => Check::good("protocol", "Kafka without TLS"),
            Some(Says { who, .. }) => Check::fault(
                "protocol",
                Fault::PlaintextPort,
                format!("the port speaks Kafka without TLS, but {who} says TLS"),
            ),
            None => Check::fault(
                "protocol",
                Fault::PlaintextPort,
                "the port speaks Kafka without TLS: everything sent there can be read in transit",
            ),
        }),
        Speaks::Tls(served) => {
            verdict.protocol = Some(served.protocol.to_owned());
            verdict.cipher = Some(served.cipher.clone());
            verdict.add(match expected.says {
                Some(Says {
                    tls: false, who, ..
                }) => Check::fault(
                    "protocol",
                    Fault::TlsPort,
                    format!("the port speaks TLS, but {who} says PLAINTEXT"),
                ),
                _ => Check::good(
                    "protocol",
                    format!("{}, {}", served.protocol, served.cipher),
                ),
            });
            for check in certificate::checks(served, expected, &mut verdict.chain) {
                verdict.add(check);
            }
            verdict.add(client_auth(seen, expected));
        }
    }
    match &seen.kafka {
        Some(kafka) => {
            for check in login::checks(kafka, expected) {
                verdict.add(check);
            }
        }
        None if expected.kafka && !matches!(seen.client, ClientCert::Refused(_)) => {
            let message = "the listener does not answer Kafka requests";
            verdict.add(Check::fault("kafka", Fault::NotKafka, message));
        }
        None => {}
    }
    verdict
}

/// Whether it is safe to log in: the certificate is trusted, valid and names the host.
pub fn trusts(served: &Served, expected: &Expected<'_>) -> bool {
    let checks = certificate::checks(served, expected, &mut Vec::new());
    served.proved && checks.iter().all(|check| check.ok)
}

fn connection(error: &ProbeError) -> Check {
    let fault = match error {
        ProbeError::Address | ProbeError::UnknownHost(_) => Fault::UnknownHost,
        ProbeError::Refused => Fault::NoListener,
        ProbeError::Unreachable(_) | ProbeError::NoConnection => Fault::Unreachable,
        ProbeError::Silent => Fault::Silent,
        ProbeError::Slow => Fault::Stalled,
        ProbeError::NotTls(_) | ProbeError::Closed => Fault::NotTls,
        ProbeError::Cut
        | ProbeError::TooMuch
        | ProbeError::Alert(_)
        | ProbeError::Tls(_)
        | ProbeError::Identity(_) => Fault::HandshakeFailed,
    };
    Check::fault("connection", fault, error.to_string())
}

fn old_tls(version: &str, error: &ProbeError) -> Check {
    let fault = |message: String| Check::fault("protocol", Fault::OldTls, message);
    match version {
        "TLS 1.2" => fault(format!(
            "it speaks TLS 1.2, but has none of kpki's cipher suites (ECDHE with AES-GCM or ChaCha20-Poly1305): Java's clients may accept its older ones, many others do not ({error})"
        ))
        .hint(
            "remove ssl.cipher.suites from the listener, and restart the broker; openssl s_client -connect HOST:PORT shows its certificate",
        ),
        version => fault(format!(
            "it speaks only {version}, but clients need at least TLS 1.2 ({error})"
        )),
    }
}

fn client_auth(seen: &Sighting, expected: &Expected<'_>) -> Check {
    const CHECK: &str = "client_auth";
    let guest = expected.guest;
    let shown = guest.filter(|guest| guest.shows).map(|guest| guest.name);
    let check = match (&seen.client, shown) {
        (ClientCert::NotAsked, _) => Check::good(CHECK, "no client certificate is requested"),
        (ClientCert::Accepted, Some(name)) => {
            Check::good(CHECK, format!("the certificate of {name} was accepted"))
        }
        (ClientCert::Accepted, None) => Check::good(CHECK, "a client certificate is optional"),
        (ClientCert::Refused(why), Some(name)) => Check::fault(
            CHECK,
            Fault::CertificateRefused,
            format!("the certificate of {name} was refused: {why}"),
        ),
        (ClientCert::Refused(why), None) => {
            let none = guest.map_or("none was given".to_owned(), |guest| {
                format!("{} has none here", guest.name)
            });
            let message = format!("a client certificate is required, and {none}: {why}");
            Check::fault(CHECK, Fault::CertificateRequired, message)
        }
        (ClientCert::Unseen, _) => Check::good(
            CHECK,
            "a client certificate is requested; the listener did not show whether it accepts this one",
        ),
    };
    match guest.and_then(|guest| guest.remedy) {
        Some(remedy) if !check.ok => check.hint(remedy),
        _ => check,
    }
}
