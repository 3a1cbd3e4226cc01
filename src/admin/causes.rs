//! Which error it is that a broker's or librdkafka's code and text stand for.

use super::{
    error::{AdminError, EntryError},
    messages::plain,
    raw::{BrokerError, code},
};
use crate::acl::Operation;

impl From<BrokerError> for EntryError {
    fn from(error: BrokerError) -> Self {
        match error.code {
            code::UNSUPPORTED_FEATURE => Self::Unsupported(error.text),
            // The broker forwarded it and heard nothing from the controller.
            code::REQUEST_TIMED_OUT => Self::Unanswered(error.text),
            _ => Self::Refused {
                code: error.code,
                text: needed(error.text),
            },
        }
    }
}

/// What a broker says is missing, without the request's insides (`AuthHelper.authorizeClusterOperation`).
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
    // Those below zero are librdkafka's own.
    let text = match kafka < 0 {
        true => plain(&text),
        false => text,
    };
    match kafka {
        code::CLUSTER_AUTHORIZATION_FAILED => AdminError::NotAuthorized {
            what,
            text: needed(text),
        },
        code::SECURITY_DISABLED => AdminError::SecurityDisabled { what },
        code::TIMED_OUT | code::TIMED_OUT_QUEUE | code::REQUEST_TIMED_OUT => AdminError::TimedOut {
            what,
            servers: servers.to_owned(),
            text,
        },
        code::TRANSPORT => AdminError::ConnectionLost {
            what,
            servers: servers.to_owned(),
            text,
        },
        code::UNSUPPORTED_FEATURE => AdminError::Unsupported { what, text },
        code => AdminError::Refused { what, code, text },
    }
}

/// Whether the broker ended the connection with a TLS alert. In TLS 1.3 one about the client's certificate comes after the
/// handshake, as an error of the transport.
pub(super) fn is_alert(error: &BrokerError) -> bool {
    error.text.contains("SSL alert number")
}

/// Why no connection came about, from what happened meanwhile; the most telling cause wins.
pub(super) fn connection(
    servers: &str,
    x509_error: i32,
    happened: &[BrokerError],
    timed_out: BrokerError,
) -> AdminError {
    // Where only one is asked, it is named once.
    let plain = |text: &str| {
        let text = plain(text);
        let alone = text
            .strip_prefix(servers)
            .and_then(|t| t.strip_prefix(": "));
        alone.map_or(text.clone(), str::to_owned)
    };
    let servers = servers.to_owned();
    if let Some(error) = certificate(&servers, x509_error) {
        return error;
    }
    let raw = |wanted: i32| {
        let last = happened.iter().rev().find(|e| e.code == wanted);
        last.map(|e| &*e.text)
    };
    let last = |wanted: i32| raw(wanted).map(plain);
    if let Some(text) = last(code::AUTHENTICATION) {
        return AdminError::Authentication { servers, text };
    }
    let alert = happened.iter().rev().find(|e| is_alert(e));
    if let Some(BrokerError { text: said, .. }) = alert {
        let text = plain(said);
        return match said.contains("certificate") || said.contains("unknown ca") {
            true => AdminError::ClientCertificate { servers, text },
            false => AdminError::Tls { servers, text },
        };
    }
    if let (Some(text), Some(said)) = (last(code::SSL), raw(code::SSL)) {
        return match said.contains("wrong version number") || said.contains("PLAINTEXT broker") {
            true => AdminError::WrongProtocol { servers, text },
            false => AdminError::Tls { servers, text },
        };
    }
    if let Some(text) = last(code::RESOLVE) {
        return AdminError::UnknownHost { servers, text };
    }
    // A TLS alert read as the length of a Kafka message.
    if let Some(text) = last(code::BAD_MSG) {
        return AdminError::WrongProtocol { servers, text };
    }
    match (last(code::TRANSPORT), raw(code::TRANSPORT)) {
        (Some(text), Some(said))
            if ["handshake", "PLAINTEXT", "Disconnected"]
                .iter()
                .any(|w| said.contains(w)) =>
        {
            AdminError::WrongProtocol { servers, text }
        }
        (Some(text), _) => AdminError::Unreachable { servers, text },
        // librdkafka's own word for it is of a controller, of which nobody has spoken yet.
        (None, _) if timed_out.is_silence() => AdminError::TimedOut {
            what: "connecting",
            servers,
            text: "it takes connections and does not answer".to_owned(),
        },
        (None, _) => AdminError::TimedOut {
            what: "connecting",
            servers,
            text: plain(&timed_out.text),
        },
    }
}

/// OpenSSL's `X509_V_ERR_*`.
fn certificate(servers: &str, x509_error: i32) -> Option<AdminError> {
    let servers = servers.to_owned();
    let untrusted = |text: &str| AdminError::Untrusted {
        servers: servers.clone(),
        text: text.to_owned(),
    };
    Some(match x509_error {
        0 => return None,
        9 => AdminError::NotYetValid { servers },
        10 => AdminError::Expired { servers },
        62 | 64 => AdminError::WrongHostName { servers },
        18 => untrusted("it is self-signed"),
        19 => untrusted("its chain ends in another root"),
        2 | 20 | 21 => untrusted("its issuer is not known"),
        7 => untrusted("its signature is not its issuer's"),
        23 => untrusted("it is revoked"),
        other => untrusted(&format!("OpenSSL's verification error {other}")),
    })
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
