//! Maps the code and text of a broker or librdkafka to an error.

use super::{
    error::{AdminError, EntryError, Said},
    messages::plain,
    raw::{BrokerError, code},
};
use crate::acl::Operation;

impl From<BrokerError> for EntryError {
    fn from(error: BrokerError) -> Self {
        match error.code {
            code::UNSUPPORTED_FEATURE => Self::Unsupported(error.text),
            // The broker forwarded it, and got no answer from the controller.
            code::REQUEST_TIMED_OUT => Self::Unanswered(error.text),
            _ => Self::Refused {
                code: error.code,
                text: needed(error.text),
            },
        }
    }
}

/// What a broker reports as missing, without the request's internals (`AuthHelper.authorizeClusterOperation`).
fn needed(text: String) -> String {
    let operation = text
        .strip_prefix("Request Request(")
        .and_then(|rest| rest.strip_suffix(" permission."))
        .and_then(|rest| rest.rsplit_once(" needs "))
        .and_then(|(_, word)| word.parse::<Operation>().ok());
    match operation {
        Some(operation) => format!("it needs {operation} on the cluster"),
        None => text,
    }
}

/// The request's error as a whole.
pub(super) fn request(what: &'static str, servers: &str, error: BrokerError) -> AdminError {
    let BrokerError { code: kafka, text } = error;
    // Negative codes are librdkafka's own.
    let text = match kafka < 0 {
        true => plain(&text),
        false => text,
    };
    let servers = servers.to_owned();
    match kafka {
        code::CLUSTER_AUTHORIZATION_FAILED => AdminError::NotAuthorized(what, needed(text)),
        code::SECURITY_DISABLED => AdminError::SecurityDisabled(what),
        code::TIMED_OUT | code::TIMED_OUT_QUEUE | code::REQUEST_TIMED_OUT => {
            AdminError::TimedOut(what, Said { servers, text })
        }
        code::TRANSPORT => AdminError::ConnectionLost(what, Said { servers, text }),
        code::UNSUPPORTED_FEATURE => AdminError::Unsupported(what, text),
        code => AdminError::Refused { what, code, text },
    }
}

/// Whether the broker ended the connection with a TLS alert. In TLS 1.3, an alert about the client's certificate comes
/// after the handshake, as a transport error.
pub(super) fn is_alert(error: &BrokerError) -> bool {
    error.text.contains("SSL alert number")
}

/// Why no connection was established, from the events in the meantime; the most specific cause wins.
pub(super) fn connection(
    servers: &str,
    x509_error: i32,
    happened: &[BrokerError],
    timed_out: BrokerError,
) -> AdminError {
    if let Some(error) = certificate(servers, x509_error) {
        return error;
    }
    let said = |text: &str| {
        let text = plain(text);
        // A single server is named only once.
        let alone = text.strip_prefix(servers);
        let alone = alone.and_then(|t| t.strip_prefix(": "));
        Said {
            servers: servers.to_owned(),
            text: alone.unwrap_or(&text).to_owned(),
        }
    };
    let raw = |wanted: i32| {
        let last = happened.iter().rev().find(|e| e.code == wanted);
        last.map(|e| &*e.text)
    };
    let last = |wanted: i32| raw(wanted).map(said);
    if let Some(said) = last(code::AUTHENTICATION) {
        return AdminError::Authentication(said);
    }
    if let Some(alert) = happened.iter().rev().find(|e| is_alert(e)) {
        let of_certificate = ["certificate", "unknown ca"];
        return match of_certificate.iter().any(|w| alert.text.contains(w)) {
            true => AdminError::ClientCertificate(said(&alert.text)),
            false => AdminError::Tls(said(&alert.text)),
        };
    }
    if let Some(text) = raw(code::SSL) {
        let other = ["wrong version number", "PLAINTEXT broker"];
        return match other.iter().any(|w| text.contains(w)) {
            true => AdminError::WrongProtocol(said(text)),
            false => AdminError::Tls(said(text)),
        };
    }
    if let Some(said) = last(code::RESOLVE) {
        return AdminError::UnknownHost(said);
    }
    // A TLS alert read as the length of a Kafka message.
    if let Some(said) = last(code::BAD_MSG) {
        return AdminError::WrongProtocol(said);
    }
    if let Some(text) = raw(code::TRANSPORT) {
        let other = ["handshake", "PLAINTEXT", "Disconnected"];
        return match other.iter().any(|w| text.contains(w)) {
            true => AdminError::WrongProtocol(said(text)),
            false => AdminError::Unreachable(said(text)),
        };
    }
    AdminError::TimedOut(
        "connecting",
        match timed_out.is_silence() {
            // librdkafka's own text mentions a controller, which would confuse the user here.
            true => said("it accepts connections but does not answer"),
            false => said(&timed_out.text),
        },
    )
}

/// OpenSSL's `X509_V_ERR_*`.
fn certificate(servers: &str, x509_error: i32) -> Option<AdminError> {
    let servers = servers.to_owned();
    let text = match x509_error {
        0 => return None,
        9 => return Some(AdminError::NotYetValid(servers)),
        10 => return Some(AdminError::Expired(servers)),
        62 | 64 => return Some(AdminError::WrongHostName(servers)),
        18 => "it is self-signed".to_owned(),
        19 => "its chain ends at another root".to_owned(),
        2 | 20 | 21 => "its issuer is unknown".to_owned(),
        7 => "its signature was not made by its issuer".to_owned(),
        23 => "it is revoked".to_owned(),
        other => format!("OpenSSL's verification error {other}"),
    };
    Some(AdminError::Untrusted(Said { servers, text }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_controller_that_is_not_heard_of_leaves_open_what_it_did() {
        let silent = || BrokerError::new(code::REQUEST_TIMED_OUT, "x".into());
        assert!(request("writing", "localhost:9093", silent()).leaves_open());
        assert!(matches!(silent().into(), EntryError::Unanswered(_)));
    }

    #[test]
    fn a_missing_right_is_told_without_the_brokers_objects() {
        let said = |text: &str| needed(text.to_owned());
        let long = "Request Request(processor=0, session=org.apache.kafka.network.Session@1, \
                    envelope=Some(Request(processor=0, envelope=None))) needs ALTER permission.";
        assert_eq!(said(long), "it needs Alter on the cluster");
        for other in ["", "Request Request(", "no", "x needs ALTER permission."] {
            assert_eq!(said(other), other);
        }
    }
}
