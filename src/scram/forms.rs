//! A credential as text: for Kafka's tools, for ZooKeeper and as JSON.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;

use super::{Credential, Mechanism, ScramError};
use crate::secret::Secret;

/// `kpki scram derive --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields are those of the documented JSON")]
pub struct CredentialJson {
    pub user: String,
    pub mechanism: &'static str,
    pub iterations: u32,
    pub salt: String,
    pub stored_key: String,
    pub server_key: String,
    pub kafka: String,
}

/// What must be written to ZooKeeper for a user, and how brokers are notified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ZookeeperUser {
    /// The user's node: `/config/users/alice`.
    pub path: String,
    /// The node's content. It replaces the existing content, including the user's quotas.
    pub data: String,
    /// Where to create a *sequential* node to notify the brokers: ZooKeeper appends ten digits to its name.
    pub change_path: String,
    /// The content of that node.
    pub change: String,
}

impl Credential {
    /// The stored form, `salt=…,stored_key=…,server_key=…,iterations=…` (`ScramCredentialUtils.credentialToString`).
    pub fn kafka(&self) -> String {
        format!(
            "salt={},stored_key={},server_key={},iterations={}",
            STANDARD.encode(&self.salt),
            STANDARD.encode(&*self.stored_key),
            STANDARD.encode(&*self.server_key),
            self.iterations
        )
    }

    /// The credential as [`kraft_argument`].
    ///
    /// # Errors
    /// As for that.
    pub fn kraft_argument(&self) -> Result<Secret, ScramError> {
        let (salt, salted) = (&self.salt, &self.salted_password);
        kraft_argument(&self.user, self.mechanism, self.iterations, salt, salted)
    }

    /// The documented JSON of `scram derive`.
    pub fn json(&self) -> CredentialJson {
        CredentialJson {
            user: self.user.clone(),
            mechanism: self.mechanism.name(),
            iterations: self.iterations,
            salt: STANDARD.encode(&self.salt),
            stored_key: STANDARD.encode(&*self.stored_key),
            server_key: STANDARD.encode(&*self.server_key),
            kafka: self.kafka(),
        }
    }
}

/// The value of `kafka-storage format --add-scram`, with the salted password in place of the password:
/// `SCRAM-SHA-512=[name=alice,iterations=8192,salt="…",saltedpassword="…"]`. As secret as the password.
///
/// # Errors
/// A user name that the tool would split or cut (`org.apache.kafka.metadata.storage.ScramParser`):
/// it splits at every comma, quoted or not, and has no escapes; Kafka 3.5 to 3.8 also remove every double quote.
/// Names with control characters are refused because the arguments are stored one per line.
pub fn kraft_argument(
    user: &str,
    mechanism: Mechanism,
    iterations: u32,
    salt: &[u8],
    salted_password: &[u8],
) -> Result<Secret, ScramError> {
    let refuse = |why| Err(ScramError::NotForAddScram(user.to_owned(), why));
    if user.contains(',') {
        return refuse("it splits its argument at every comma");
    }
    if user.contains('"') {
        return refuse("it removes double quotes");
    }
    if user.chars().any(char::is_control) {
        return refuse("the name contains a control character");
    }
    // Kafka before 3.9 splits at every `=` outside of quotes, so an unusual name is quoted.
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-');
    let quote = if user.chars().all(plain) { "" } else { "\"" };
    Ok(Secret::new(format!(
        "{mechanism}=[name={quote}{user}{quote},iterations={iterations},salt=\"{}\",saltedpassword=\"{}\"]",
        STANDARD.encode(salt),
        *zeroize::Zeroizing::new(STANDARD.encode(salted_password)),
    )))
}

/// The ZooKeeper form of credentials: one node per user with all of its mechanisms, in the given order;
/// of two credentials for the same user and mechanism, the later one is used.
pub fn zookeeper(credentials: &[Credential]) -> Vec<ZookeeperUser> {
    let mut users: Vec<&str> = Vec::new();
    for credential in credentials {
        if !users.contains(&credential.user.as_str()) {
            users.push(&credential.user);
        }
    }
    let node = |user: &str| {
        let of_user = credentials.iter().filter(|c| c.user == user);
        // A JSON map is sorted by key, and keeps the last of two values.
        let config: serde_json::Map<_, _> = of_user
            .map(|c| (c.mechanism.name().to_owned(), c.kafka().into()))
            .collect();
        let config = serde_json::Value::from(config);
        let name = sanitize(user);
        // `name` and the credentials are ASCII without quotes or backslashes, so they need no JSON escapes.
        ZookeeperUser {
            path: format!("/config/users/{name}"),
            data: format!("{{\"version\":1,\"config\":{config}}}"),
            change_path: "/config/changes/config_change_".to_owned(),
            change: format!("{{\"version\":2,\"entity_path\":\"users/{name}\"}}"),
        }
    };
    users.into_iter().map(node).collect()
}

/// `org.apache.kafka.common.utils.Sanitizer.sanitize`: Java's URL encoding, with `*` and the space percent-encoded too.
fn sanitize(name: &str) -> String {
    let mut out = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn credential(user: &str, mechanism: Mechanism) -> Credential {
        Credential::derive(
            user,
            &Secret::new("pencil".into()),
            mechanism,
            4096,
            b"kpki-test-salt-1",
        )
        .unwrap()
    }

    /// The expected text was generated by the ScramFormatter and ScramCredentialUtils of Kafka 4.3.1.
    #[test]
    fn the_stored_form_is_kafkas() {
        assert_eq!(
            credential("alice", Mechanism::Sha256).kafka(),
            "salt=a3BraS10ZXN0LXNhbHQtMQ==,stored_key=gxkJKiit1/m8XGigcYidSrlWRO8j5gKqGZsAaaW3spg=,\
             server_key=REqY+1FmLsGKaEuK3+VDbM+bZmavTCjs+XnIghajTHM=,iterations=4096"
        );
    }

    #[test]
    fn the_storage_tool_gets_the_salted_password() {
        let argument = credential("alice", Mechanism::Sha256)
            .kraft_argument()
            .unwrap();
        // The salted password is that of Python's hashlib.pbkdf2_hmac.
        assert_eq!(
            argument.expose(),
            "SCRAM-SHA-256=[name=alice,iterations=4096,salt=\"a3BraS10ZXN0LXNhbHQtMQ==\",\
             saltedpassword=\"5fbbwHn/lZoazZWjkd2KMHhAVMptk+ZwFObNf1VDXVY=\"]"
        );
    }

    #[test]
    fn unusual_names_are_quoted_and_impossible_ones_refused() {
        for user in ["a=b", "a b", "a]", "[a", "\u{e9} \u{1f600}", " "] {
            let argument = credential(user, Mechanism::Sha256)
                .kraft_argument()
                .unwrap();
            assert!(
                argument
                    .expose()
                    .starts_with(&format!("SCRAM-SHA-256=[name=\"{user}\",iterations=")),
                "{user}"
            );
        }
        for (user, why) in [
            ("a,b", "comma"),
            ("\"a\"", "double quotes"),
            ("a\"b", "double quotes"),
            ("a\nb", "control character"),
        ] {
            let error = credential(user, Mechanism::Sha256)
                .kraft_argument()
                .unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        }
    }

    #[test]
    fn zookeeper_has_one_node_for_all_mechanisms_of_a_user() {
        let users = zookeeper(&[
            credential("a b*", Mechanism::Sha512),
            credential("bob", Mechanism::Sha256),
            credential("a b*", Mechanism::Sha256),
        ]);
        assert_eq!(users.len(), 2);
        assert_eq!(users[0].path, "/config/users/a%20b%2A");
        assert_eq!(
            users[0].change,
            r#"{"version":2,"entity_path":"users/a%20b%2A"}"#
        );
        assert_eq!(users[0].change_path, "/config/changes/config_change_");
        let data: serde_json::Value = serde_json::from_str(&users[0].data).unwrap();
        assert_eq!(data["version"], 1);
        for mechanism in Mechanism::ALL {
            assert_eq!(
                data["config"][mechanism.name()],
                credential("a b*", mechanism).kafka()
            );
        }
        assert_eq!(
            users[1].data,
            format!(
                r#"{{"version":1,"config":{{"SCRAM-SHA-256":"{}"}}}}"#,
                credential("bob", Mechanism::Sha256).kafka()
            )
        );
    }

    #[test]
    fn json_has_the_documented_fields() {
        let json = serde_json::to_value(credential("alice", Mechanism::Sha512).json()).unwrap();
        let keys: Vec<_> = json.as_object().unwrap().keys().cloned().collect();
        assert_eq!(
            keys,
            [
                "iterations",
                "kafka",
                "mechanism",
                "salt",
                "server_key",
                "stored_key",
                "user"
            ]
        );
        assert_eq!(json["mechanism"], "SCRAM-SHA-512");
        assert_eq!(json["salt"], "a3BraS10ZXN0LXNhbHQtMQ==");
    }

    proptest! {
        #[test]
        fn sanitized_names_are_plain_ascii(name in "\\PC{0,40}") {
            prop_assert!(sanitize(&name).bytes().all(|b| b.is_ascii_alphanumeric() || b"._-%".contains(&b)));
        }
    }
}
