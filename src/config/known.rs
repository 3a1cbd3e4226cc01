//! The settings whose values may be shown, whoever wrote them: a list, because what is secret can be called anything.

/// Settings of Kafka's that never are secret: those that kpki writes itself, and other common ones.
#[rustfmt::skip]
const VALUES: &[&str] = &[
    "acks", "advertised.host.name", "advertised.listeners", "advertised.port", "allow.everyone.if.no.acl.found",
    "authorizer.class.name", "auto.offset.reset", "bootstrap.servers", "broker.id", "broker.rack", "client.id",
    "client.rack", "compression.type", "controller.listener.names", "controller.quorum.bootstrap.servers",
    "controller.quorum.voters", "group.id", "host.name", "inter.broker.listener.name",
    "inter.broker.protocol.version", "isolation.level", "listener.security.protocol.map", "listeners",
    "log.cleanup.policy", "log.dir", "log.dirs", "log.message.format.version", "log.message.timestamp.type",
    "metadata.broker.list", "metadata.log.dir", "node.id", "port", "process.roles", "replica.selector.class",
    "sasl.enabled.mechanisms", "sasl.mechanism", "sasl.mechanism.controller.protocol",
    "sasl.mechanism.inter.broker.protocol", "sasl.mechanisms", "security.inter.broker.protocol", "security.protocol",
    "ssl.ca.location", "ssl.certificate.location", "ssl.cipher.suites", "ssl.client.auth", "ssl.enabled.protocols",
    "ssl.endpoint.identification.algorithm", "ssl.key.location", "ssl.keystore.location", "ssl.keystore.type",
    "ssl.principal.mapping.rules", "ssl.protocol", "ssl.truststore.location", "ssl.truststore.type", "super.users",
    "zookeeper.connect",
];

/// The first words of Kafka's settings of which numbers and truth values are shown.
#[rustfmt::skip]
const NUMBERS: &[&str] = &[
    "auto", "background", "batch", "buffer", "compression", "connections", "controlled", "controller", "default",
    "delete", "delivery", "enable", "fetch", "group", "heartbeat", "leader", "linger", "log", "max", "message",
    "metadata", "min", "num", "offset", "offsets", "queued", "quota", "receive", "reconnect", "replica",
    "replication", "request", "retries", "retry", "send", "session", "share", "socket", "topic", "transaction",
    "transactional", "unclean", "zookeeper",
];

/// Names in kpki's YAML and JSON.
#[rustfmt::skip]
const DOCUMENTS: &[&str] = &[
    "bootstrap-servers", "ca", "certificate", "key-store-location", "key-store-type", "mechanism", "protocol",
    "trust-store-location", "trust-store-type",
];

/// Parts of a line after which its value is secret: names of Kafka's settings of type PASSWORD, JAAS options, keys in
/// PEM, common names of passwords, and escapes, which could spell any of them.
const SECRET: [&str; 10] = [
    "pass",
    "pwd",
    "secret",
    "jaas",
    "credential",
    "token",
    "user.info",
    "key=",
    "-----begin",
    "\\u",
];

/// No word of a setting's name is longer, but lines of keys and tokens are.
const LONGEST_WORD: usize = 40;

/// Whether a line looks secret. The words of an absolute path do not count: `/etc/kafka/secrets` is a common one.
pub(super) fn is_secret(line: &str) -> bool {
    let text = line.to_ascii_lowercase().replace(" =", "=");
    // A password in a URL is between `://` and `@`.
    let in_url = text
        .split_once("://")
        .is_some_and(|(_, rest)| rest.contains('@'));
    let words = text.split_inclusive(|c| " =:\"',".contains(c));
    let words: String = words.filter(|word| !is_path(word)).collect();
    in_url
        || text.contains("=[") && text.contains("salt")
        || SECRET.iter().any(|word| words.contains(word))
}

/// Whether a word, up to what ends it, is an absolute path of several parts.
fn is_path(word: &str) -> bool {
    let path = word.trim_end_matches([' ', '=', ':', '"', '\'', ',']);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    let parts = path.strip_prefix('/').map(|rest| rest.split('/'));
    parts.is_some_and(|mut parts| parts.clone().count() > 1 && parts.all(|part| !part.is_empty()))
        && path.chars().all(is_plain)
}

/// Whether a setting's value may be shown.
pub(super) fn is_plain(name: &str, value: &str) -> bool {
    let name = bare(name);
    let in_url = value.contains("://") && value.contains(['@', '?']);
    let is_number = value.len() <= 20 && value.parse::<f64>().is_ok_and(f64::is_finite);
    let is_simple = is_number || matches!(value, "true" | "false");
    let is_numeric = || is_name(name) && NUMBERS.contains(&name.split('.').next().unwrap_or(name));
    !in_url && !is_secret(value) && (VALUES.contains(&name) || is_simple && is_numeric())
}

/// The same for YAML and JSON.
pub(super) fn is_plain_in_document(name: &str, value: &str) -> bool {
    is_plain(name, value) || DOCUMENTS.contains(&name) && is_plain("listeners", value)
}

/// Whether something is a setting's name, which a password is not: Kafka's, or words in lower case and short numbers with
/// dots between them.
pub(super) fn is_name(name: &str) -> bool {
    let name = bare(name);
    let is_part = |word: &str| match word.bytes().all(|b| b.is_ascii_digit()) {
        true => word.len() <= 3,
        false => !word.contains(|c: char| c.is_ascii_uppercase() || c.is_ascii_digit()),
    };
    VALUES.contains(&name) || name == "retries" || is_dotted(name) && name.split('.').all(is_part)
}

/// A name without the prefixes of listeners and of Quarkus.
fn bare(name: &str) -> &str {
    let name = name.strip_prefix("kafka.").unwrap_or(name);
    let of_listener = name
        .strip_prefix("listener.name.")
        .and_then(|rest| rest.split_once('.'));
    match of_listener {
        Some((listener, setting)) if is_word(listener) => setting,
        _ => name,
    }
}

/// Words with dots between them, which base64 has not.
pub(super) fn is_dotted(name: &str) -> bool {
    name.contains('.') && name.split('.').all(is_word)
}

fn is_word(word: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    (1..=LONGEST_WORD).contains(&word.len()) && word.chars().all(plain)
}
