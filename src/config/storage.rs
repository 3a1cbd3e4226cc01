//! `format-storage.args`: the arguments for formatting a KRaft node's disk, including SCRAM users.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use super::ConfigError;
use crate::{scram::ScramError, secret::Secret};

/// The name of the file in every layout.
pub const STORAGE_ARGS: &str = "format-storage.args";

/// The arguments of `kafka-storage`, one per line, `format` first. `config` is the path of `server.properties` on the
/// broker's machine; `add_scram` are users in the form of [`crate::scram::Credential::kraft_argument`]. Every node of a
/// cluster gets the same cluster id and credentials.
///
/// The tool reads such a file itself (argparse4j's `@`), which keeps the salted passwords off the command line:
/// `bin/kafka-storage.sh @format-storage.args`. The tool prints the stored keys, so its output is secret too.
///
/// # Errors
/// If the path has a line break, or a user name cannot be passed to the tool.
pub fn storage_args(
    cluster_id: &str,
    config: &str,
    add_scram: impl Iterator<Item = Result<Secret, ScramError>>,
) -> Result<Secret, ConfigError> {
    if config.contains(['\n', '\r']) {
        return Err(ConfigError::Unwritable {
            file: STORAGE_ARGS,
            key: "--config".to_owned(),
            why: "contains a line break",
        });
    }
    let mut text = Zeroizing::new(format!(
        "format\n--cluster-id\n{cluster_id}\n--config\n{config}\n"
    ));
    for argument in add_scram {
        text.push_str("--add-scram\n");
        text.push_str(argument?.expose());
        text.push('\n');
    }
    Ok(Secret::new(std::mem::take(&mut *text)))
}

/// The cluster id in such a text.
pub fn formatted_for(args: &str) -> Option<String> {
    let mut lines = args.lines();
    lines.find(|line| *line == "--cluster-id")?;
    let id = lines.next()?.trim();
    is_cluster_id(id).then(|| id.to_owned())
}

/// True for 22 characters of URL-safe base64.
pub fn is_cluster_id(text: &str) -> bool {
    let letter = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    text.len() == 22 && text.bytes().all(letter)
}

/// A new cluster id from random octets, in the format of `org.apache.kafka.common.Uuid`: 22 characters of URL-safe
/// base64. Like Kafka's, it is a random UUID (RFC 9562 §5.4), so it is never one that Kafka reserves, and does not
/// begin with a dash, which command lines would interpret as an option.
pub fn cluster_id(mut random: [u8; 16]) -> String {
    random[6] = random[6] & 0x0f | 0x40;
    random[8] = random[8] & 0x3f | 0x80;
    if random[0] >> 2 == 0b11_1110 {
        random[0] &= 0x7f;
    }
    URL_SAFE_NO_PAD.encode(random)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use std::iter;

    use crate::scram::{Credential, Mechanism};

    #[test]
    fn one_argument_a_line() {
        let credential = |user: &str| {
            Credential::derive(
                user,
                &Secret::new("pencil".into()),
                Mechanism::Sha256,
                4096,
                b"salt",
            )
            .unwrap()
        };
        let credentials = [credential("alice"), credential("kafka 1")];
        let text = storage_args(
            "WGk4T2nDQoW1xxxxxxxxxx",
            "/opt/ssl/server.properties",
            credentials.iter().map(Credential::kraft_argument),
        )
        .unwrap();
        let lines: Vec<&str> = text.expose().lines().collect();
        assert_eq!(
            lines[..5],
            [
                "format",
                "--cluster-id",
                "WGk4T2nDQoW1xxxxxxxxxx",
                "--config",
                "/opt/ssl/server.properties"
            ]
        );
        assert_eq!(lines.len(), 9);
        let id = formatted_for(text.expose());
        assert_eq!(id.as_deref(), Some("WGk4T2nDQoW1xxxxxxxxxx"));
        for (at, credential) in [(5, &credentials[0]), (7, &credentials[1])] {
            assert_eq!(lines[at], "--add-scram");
            assert_eq!(lines[at + 1], credential.kraft_argument().unwrap().expose());
        }
        assert!(text.expose().ends_with("]\n"));
    }

    #[test]
    fn what_would_break_the_lines_is_refused() {
        assert!(storage_args("x", "/a\nb", iter::empty()).is_err());
        let comma = Credential::derive(
            "a,b",
            &Secret::new("x".into()),
            Mechanism::Sha256,
            4096,
            b"s",
        )
        .unwrap();
        let error = storage_args("x", "/a", iter::once(comma.kraft_argument())).unwrap_err();
        assert!(error.to_string().contains("comma"), "{error}");
    }

    #[test]
    fn cluster_ids_are_random_uuids() {
        assert_eq!(cluster_id([0; 16]), "AAAAAAAAQACAAAAAAAAAAA");
        assert_eq!(cluster_id([0xf8; 16]), "ePj4-Pj4SPi4-Pj4-Pj4-A");
    }

    proptest! {
        #[test]
        fn cluster_ids_are_22_characters_and_no_option(random in any::<[u8; 16]>()) {
            let id = cluster_id(random);
            prop_assert_eq!(id.len(), 22);
            prop_assert!(!id.starts_with('-'));
            prop_assert_eq!(URL_SAFE_NO_PAD.decode(id).unwrap().len(), 16);
        }
    }
}
