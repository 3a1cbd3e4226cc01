//! librdkafka's texts in plain words. They name threads, states of its machinery and lines of OpenSSL's source, which
//! help nobody who uses kpki.

/// What it says of the state in which a connection was, in words for what the other side did not do.
const STATES: [(&str, &str); 6] = [
    (
        "SSL_HANDSHAKE",
        "took the connection and does not answer in TLS",
    ),
    (
        "APIVERSION_QUERY",
        "took the connection and does not answer",
    ),
    ("AUTH_HANDSHAKE", "does not answer the login"),
    ("AUTH_LEGACY", "does not answer the login"),
    ("AUTH_REQ", "does not answer the login"),
    (
        "CONNECT",
        "does not answer; is the port open in every firewall between?",
    ),
];

/// Begin of a text, and what it means.
const MEANINGS: [(&str, &str); 16] = [
    (
        "Failed while waiting for controller",
        "no broker could be talked to that the cluster would send changes to",
    ),
    (
        "Timed out waiting for controller",
        "no broker could be talked to that the cluster would send changes to",
    ),
    (
        "Failed while waiting for broker",
        "the broker that was to answer could not be talked to",
    ),
    (
        "Timed out waiting for broker",
        "the broker that was to answer could not be talked to",
    ),
    (
        "Failed while waiting for response from broker: Local: Broker transport failure",
        "the connection ended before the answer came",
    ),
    (
        "Failed while waiting for response from broker",
        "the request was sent, and no answer came",
    ),
    (
        "Timed out waiting for response from broker",
        "the request was sent, and no answer came",
    ),
    ("Local: Timed out", "no answer came"),
    ("Local: Broker transport failure", "the connection ended"),
    ("Local: Bad message format", "the answer cannot be read"),
    (
        "Disconnected: requesting ApiVersion",
        "it ended the connection at once, as a listener does that wants TLS",
    ),
    (
        "Disconnected: verify that security.protocol",
        "it ended the connection at once, as a listener does that wants a login (SASL)",
    ),
    ("Disconnected", "it ended the connection"),
    ("Receive failed: Disconnected", "it ended the connection"),
    (
        "SSL handshake failed: Disconnected",
        "it ended the connection during the TLS handshake, as a listener without TLS does",
    ),
    (
        "Broker did not provide a certificate",
        "it has no certificate",
    ),
];

/// Inside of a text, and what it means.
const INSIDE: [(&str, &str); 9] = [
    ("wrong version number", "it does not answer in TLS"),
    (
        "alert bad certificate",
        "it says that the certificate is bad",
    ),
    (
        "alert certificate unknown",
        "it says that it cannot accept the certificate",
    ),
    (
        "alert unknown ca",
        "it says that it does not know the certificate's CA",
    ),
    (
        "alert certificate expired",
        "it says that the certificate has expired",
    ),
    (
        "alert certificate required",
        "it wants a certificate, and the client has none",
    ),
    (
        "alert handshake failure",
        "it found no protocol version, cipher or certificate in common with this client",
    ),
    (
        "alert protocol version",
        "it does not speak the TLS versions of this client",
    ),
    ("invalid credentials", "user or password is wrong"),
];

/// The same in plain words, with the server where the text names one.
pub(super) fn plain(text: &str) -> String {
    let text = text.trim();
    // `[thrd:ssl://localhost:9093/bootstrap]: ssl://localhost:9093/bootstrap: …`
    let text = match text
        .strip_prefix("[thrd:")
        .and_then(|t| t.split_once("]: "))
    {
        Some((_, rest)) => rest,
        None => text,
    };
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

fn meaning(text: &str) -> String {
    if let Some(state) = text.strip_prefix("Connection setup timed out in state ") {
        let known = STATES.iter().find(|(name, _)| state.starts_with(name));
        return known
            .map_or("it does not answer", |(_, words)| *words)
            .to_owned();
    }
    // `Connect to ipv4#127.0.0.1:9093 failed: Connection refused`
    if let Some((address, why)) = text
        .strip_prefix("Connect to ")
        .and_then(|rest| rest.split_once(" failed: "))
    {
        let address = address
            .split_once('#')
            .map_or(address, |(_, address)| address);
        return match why {
            "Connection refused" => format!("connection refused: nothing listens on {address}"),
            why => format!("no connection to {address}: {why}"),
        };
    }
    // `Failed to resolve 'host:9093': Name or service not known`
    if let Some((_, why)) = text
        .strip_prefix("Failed to resolve '")
        .and_then(|rest| rest.split_once("': "))
    {
        return why.to_owned();
    }
    if let Some((_, words)) = INSIDE.iter().find(|(part, _)| text.contains(part)) {
        return (*words).to_owned();
    }
    if let Some((_, words)) = MEANINGS.iter().find(|(begin, _)| text.starts_with(begin)) {
        return (*words).to_owned();
    }
    if let Some(mechanisms) = text.split("supported mechanisms: ").nth(1) {
        return format!("it has no such sasl.mechanism; it has {mechanisms}");
    }
    // OpenSSL's: `SSL handshake failed: error:0A000438:SSL routines::tlsv1 alert internal error: …`
    if let Some(reason) = text
        .split_once("SSL routines:")
        .map(|(_, rest)| rest.trim_start_matches(':'))
    {
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
                "localhost:9093: took the connection and does not answer in TLS",
            ),
            (
                "Failed while waiting for controller: Local: Timed out",
                "no broker could be talked to that the cluster would send changes to",
            ),
            (
                "[thrd:127.0.0.1:9092/1]: 127.0.0.1:9092/1: Disconnected: requesting ApiVersion: might be caused by incorrect security.protocol configuration (connecting to a SSL listener?) or broker version is < 0.10 (see api.version.request) (after 3ms in state APIVERSION_QUERY)",
                "127.0.0.1:9092: it ended the connection at once, as a listener does that wants TLS",
            ),
            (
                "ssl://b:1/bootstrap: SSL handshake failed: ssl/record/rec_layer_s3.c:912:ssl3_read_bytes error:0A000412:SSL routines::sslv3 alert bad certificate: SSL alert number 42",
                "b:1: it says that the certificate is bad",
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
                "b:1: user or password is wrong",
            ),
            (
                "sasl_ssl://b:1/1: SASL PLAIN mechanism handshake failed: Broker: Unsupported SASL mechanism: broker's supported mechanisms: SCRAM-SHA-512",
                "b:1: it has no such sasl.mechanism; it has SCRAM-SHA-512",
            ),
            ("Topic 'a: b' is odd", "Topic 'a: b' is odd"),
            ("", ""),
        ];
        for (theirs, ours) in cases {
            assert_eq!(plain(theirs), ours, "{theirs}");
        }
    }
}
