//! Plain-language versions of librdkafka's messages, which contain threads, connection states and lines of OpenSSL's
//! source that do not help a user of kpki.

/// A librdkafka message in plain words, with the server if the message names one.
pub(super) fn plain(text: &str) -> String {
    let text = text.trim();
    // `[thrd:ssl://localhost:9093/bootstrap]: ssl://localhost:9093/bootstrap: …`
    let thread = text.strip_prefix("[thrd:");
    let thread = thread.and_then(|t| t.split_once("]: "));
    let text = thread.map_or(text, |(_, rest)| rest);
    let (server, text) = server(text);
    let text = text.split(" (after ").next().unwrap_or(text);
    let said = meaning(text);
    match server {
        Some(server) => format!("{server}: {said}"),
        None => said,
    }
}

/// `ssl://localhost:9093/bootstrap: …`
fn server(text: &str) -> (Option<&str>, &str) {
    const PROTOCOLS: [&str; 4] = ["plaintext://", "ssl://", "sasl_plaintext://", "sasl_ssl://"];
    for protocol in PROTOCOLS {
        if let Some((server, rest)) = text
            .strip_prefix(protocol)
            .and_then(|rest| rest.split_once(": "))
        {
            return (Some(server.split('/').next().unwrap_or(server)), rest);
        }
    }
    // Without a protocol: `localhost:9093/1: …`, where it is plaintext.
    match text.split_once(": ") {
        Some((server, rest)) if is_server(server) => (server.split('/').next(), rest),
        _ => (None, text),
    }
}

fn is_server(text: &str) -> bool {
    text.split_once('/').is_some_and(|(address, id)| {
        let number = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
        (id == "bootstrap" || number(id))
            && address
                .rsplit_once(':')
                .is_some_and(|(_, port)| number(port))
    })
}

/// What failed, from the state of the connection.
fn missing_in(state: &str) -> &'static str {
    match state {
        s if s.starts_with("SSL_HANDSHAKE") => {
            "accepted the connection but does not answer with TLS"
        }
        s if s.starts_with("APIVERSION_QUERY") => "accepted the connection but does not answer",
        s if s.starts_with("AUTH_") => "does not answer the login",
        s if s.starts_with("CONNECT") => "does not answer; does a firewall block the port?",
        _ => "it does not answer",
    }
}

/// The meaning of known messages.
fn known(text: &str) -> Option<&'static str> {
    let failed = text.strip_prefix("Failed while ");
    let text = failed.or(text.strip_prefix("Timed out ")).unwrap_or(text);
    let has = |part: &str| text.contains(part);
    let begins = |start: &str| text.starts_with(start);
    Some(match () {
        () if has("wrong version number") => "it does not answer with TLS",
        () if has("alert bad certificate") => "it rejects the certificate as bad",
        () if has("alert certificate unknown") => "it does not accept the certificate",
        () if has("alert unknown ca") => "it does not know the certificate's CA",
        () if has("alert certificate expired") => "it rejects the certificate as expired",
        () if has("alert certificate required") => {
            "it requires a certificate, but the client has none"
        }
        () if has("alert handshake failure") => {
            "it has no protocol version, cipher or certificate in common with this client"
        }
        () if has("alert protocol version") => {
            "it does not support the TLS versions of this client"
        }
        () if has("invalid credentials") => "the user or password is wrong",
        () if begins("waiting for controller") => {
            "no broker could be reached that forwards changes to the controller"
        }
        () if begins("waiting for broker") => "the broker that was to answer could not be reached",
        () if begins("waiting for response from broker: Local: Broker transport failure") => {
            "the connection ended before the answer came"
        }
        () if begins("waiting for response from broker") => {
            "the request was sent, but there was no answer"
        }
        () if begins("Local: Timed out") => "no answer came",
        () if begins("Local: Broker transport failure") => "the connection ended",
        () if begins("Local: Bad message format") => "the answer cannot be read",
        () if begins("Disconnected: requesting ApiVersion") => {
            "it closed the connection immediately, as a listener that requires TLS does"
        }
        () if begins("Disconnected: verify that security.protocol") => {
            "it closed the connection immediately, as a listener that requires a login (SASL) does"
        }
        () if begins("Disconnected") => "it closed the connection",
        () if begins("Receive failed: Disconnected") => "it closed the connection",
        () if begins("SSL handshake failed: Disconnected") => {
            "it closed the connection during the TLS handshake, as a listener without TLS does"
        }
        () if begins("Broker did not provide a certificate") => "it has no certificate",
        () => return None,
    })
}

fn meaning(text: &str) -> String {
    if let Some(state) = text.strip_prefix("Connection setup timed out in state ") {
        return missing_in(state).to_owned();
    }
    // `Connect to ipv4#127.0.0.1:9093 failed: Connection refused`
    if let Some((address, why)) = text
        .strip_prefix("Connect to ")
        .and_then(|rest| rest.split_once(" failed: "))
    {
        let address = address.split_once('#').map_or(address, |(_, a)| a);
        return match why {
            "Connection refused" => format!("connection refused: nothing listens on {address}"),
            why => format!("no connection to {address}: {why}"),
        };
    }
    // `Failed to resolve 'host:9093': Name or service not known`
    let unresolved = text.strip_prefix("Failed to resolve '");
    if let Some((_, why)) = unresolved.and_then(|rest| rest.split_once("': ")) {
        return why.to_owned();
    }
    if let Some(words) = known(text) {
        return words.to_owned();
    }
    if let Some(mechanisms) = text.split("supported mechanisms: ").nth(1) {
        return format!("it does not offer this sasl.mechanism; it offers {mechanisms}");
    }
    // OpenSSL's: `SSL handshake failed: error:0A000438:SSL routines::tlsv1 alert internal error: …`
    if let Some((_, reason)) = text.split_once("SSL routines:") {
        let reason = reason.trim_start_matches(':');
        let reason = reason.split(':').next().unwrap_or(reason);
        return format!("OpenSSL says: {}", reason.trim());
    }
    text.trim_start_matches("Local: ")
        .trim_start_matches("Broker: ")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_has_to_know_librdkafka() {
        let cases = [
            (
                "ssl://localhost:9093/bootstrap: Connect to ipv4#127.0.0.1:9093 failed: Connection refused (after 0ms in state CONNECT)",
                "localhost:9093: connection refused: nothing listens on 127.0.0.1:9093",
            ),
            (
                "[thrd:ssl://localhost:9093/bootstrap]: ssl://localhost:9093/bootstrap: Connection setup timed out in state SSL_HANDSHAKE (after 4005ms in state SSL_HANDSHAKE)",
                "localhost:9093: accepted the connection but does not answer with TLS",
            ),
            (
                "Failed while waiting for controller: Local: Timed out",
                "no broker could be reached that forwards changes to the controller",
            ),
            (
                "[thrd:127.0.0.1:9092/1]: 127.0.0.1:9092/1: Disconnected: requesting ApiVersion: might be caused by incorrect security.protocol configuration (connecting to a SSL listener?) or broker version is < 0.10 (see api.version.request) (after 3ms in state APIVERSION_QUERY)",
                "127.0.0.1:9092: it closed the connection immediately, as a listener that requires TLS does",
            ),
            (
                "ssl://b:1/bootstrap: SSL handshake failed: ssl/record/rec_layer_s3.c:912:ssl3_read_bytes error:0A000412:SSL routines::sslv3 alert bad certificate: SSL alert number 42",
                "b:1: it rejects the certificate as bad",
            ),
            (
                "ssl://b:1/bootstrap: SSL handshake failed: error:0A000438:SSL routines::tlsv1 alert internal error:ssl/record.c:1600:SSL alert number 80",
                "b:1: OpenSSL says: tlsv1 alert internal error",
            ),
            (
                "no-such-host.invalid:9093/bootstrap: Failed to resolve 'no-such-host.invalid:9093': Name or service not known (after 12ms in state CONNECT)",
                "no-such-host.invalid:9093: Name or service not known",
            ),
            (
                "sasl_ssl://b:1/1: SASL authentication error: Authentication failed during authentication due to invalid credentials with SASL mechanism SCRAM-SHA-512 (after 5ms in state AUTH_REQ)",
                "b:1: the user or password is wrong",
            ),
            (
                "sasl_ssl://b:1/1: SASL PLAIN mechanism handshake failed: Broker: Unsupported SASL mechanism: broker's supported mechanisms: SCRAM-SHA-512",
                "b:1: it does not offer this sasl.mechanism; it offers SCRAM-SHA-512",
            ),
            ("Topic 'a: b' is odd", "Topic 'a: b' is odd"),
            ("", ""),
        ];
        for (theirs, ours) in cases {
            assert_eq!(plain(theirs), ours, "{theirs}");
        }
    }
}
