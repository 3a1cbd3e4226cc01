//! `sasl.jaas.config`: a login module with its options, in the syntax of JAAS.

use zeroize::Zeroizing;

use crate::secret::Secret;

/// Kafka's login module for SCRAM, for clients and brokers alike.
const SCRAM_LOGIN_MODULE: &str = "org.apache.kafka.common.security.scram.ScramLoginModule";

/// The value for a listener that only accepts logins.
pub(super) fn scram_server() -> String {
    format!("{SCRAM_LOGIN_MODULE} required;")
}

/// The value for a login, of a client or of a broker to its peers.
pub(super) fn scram_login(user: &str, password: &Secret) -> Zeroizing<String> {
    Zeroizing::new(format!(
        "{SCRAM_LOGIN_MODULE} required username={} password={};",
        *quoted(user),
        *quoted(password.expose())
    ))
}

/// A string as `java.io.StreamTokenizer` reads it, which Kafka's JaasConfig uses: a backslash begins an escape,
/// and a line break would end the string.
fn quoted(text: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(text.len() + 2));
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_backslashes_are_escaped() {
        let login = scram_login("a\"b", &Secret::new("c\\d;\n'".into()));
        assert_eq!(
            *login,
            "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"a\\\"b\" password=\"c\\\\d;\\n'\";"
        );
    }
}
