//! `scram.json`: the credentials of an identity, stored beside its keystore.
//!
//! A node that is formatted later must get the same `--add-scram` lines, so salt and salted password are stored.
//! The salted password is enough to log in: the file is as sensitive as the password and has its mode.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{Credential, Mechanism, ScramError};
use crate::secret::Secret;

/// The version that this kpki writes; files with a higher version are refused.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    credentials: Vec<Entry>,
}

/// The two keys are not stored: they are derived from the salted password, so they cannot contradict it.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
struct Entry {
    user: String,
    mechanism: String,
    iterations: u32,
    salt: String,
    salted_password: String,
}

/// The text of `scram.json`.
pub fn write_file<'a>(credentials: impl IntoIterator<Item = &'a Credential>) -> Secret {
    let entry = |c: &Credential| Entry {
        user: c.user.clone(),
        mechanism: c.mechanism.name().to_owned(),
        iterations: c.iterations,
        salt: STANDARD.encode(&c.salt),
        salted_password: STANDARD.encode(&*c.salted_password),
    };
    let file = File {
        version: VERSION,
        credentials: credentials.into_iter().map(entry).collect(),
    };
    #[expect(
        clippy::expect_used,
        reason = "strings and numbers under string keys are always JSON"
    )]
    let mut text = serde_json::to_string_pretty(&file).expect("plain data is JSON");
    text.push('\n');
    Secret::new(text)
}

/// Reads what [`write_file`] wrote.
///
/// # Errors
/// [`ScramError::File`] if the text is not such a file, with the position but none of its content;
/// the errors of [`Credential::derive`] if Kafka would not accept an entry.
pub fn parse_file(text: &str) -> Result<Vec<Credential>, ScramError> {
    // serde_json's own message may quote a value, which may be secret.
    let file: File = serde_json::from_str(text).map_err(|e| {
        let (line, column) = (e.line(), e.column());
        ScramError::File(format!(
            "it is not as kpki wrote it, at line {line} column {column}"
        ))
    })?;
    if file.version != VERSION {
        return Err(ScramError::File(format!(
            "it has version {}, but this kpki only supports up to version {VERSION}; use a newer kpki",
            file.version
        )));
    }
    file.credentials.iter().map(read).collect()
}

fn read(entry: &Entry) -> Result<Credential, ScramError> {
    let user = &entry.user;
    let bad = |what| ScramError::File(format!("the {what} of the user `{user}` is not valid"));
    let mechanism: Mechanism = entry.mechanism.parse().map_err(|_| bad("mechanism"))?;
    let salt = STANDARD.decode(&entry.salt).map_err(|_| bad("salt"))?;
    let salted = STANDARD
        .decode(&entry.salted_password)
        .map(Zeroizing::new)
        .ok()
        .filter(|s| s.len() == mechanism.hash_len())
        .ok_or_else(|| bad("salted password"))?;
    Credential::from_salted(user, mechanism, entry.iterations, &salt, salted)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample() -> Vec<Credential> {
        Mechanism::ALL
            .map(|m| {
                Credential::derive("alice", &Secret::new("pencil".into()), m, 8192, b"salt")
                    .unwrap()
            })
            .to_vec()
    }

    #[test]
    fn what_is_written_reads_back_whole() {
        assert_eq!(
            parse_file(write_file(&sample()).expose()).unwrap(),
            sample()
        );
        assert_eq!(parse_file(write_file(&[]).expose()).unwrap(), []);
    }

    #[test]
    fn errors_show_nothing_secret() {
        let text = write_file(&sample()).expose().to_owned();
        for (from, to, message) in [
            ("\"version\": 1", "\"version\": 2", "version 2"),
            (
                "SCRAM-SHA-256",
                "SCRAM-MD5",
                "mechanism of the user `alice`",
            ),
            (
                "\"iterations\": 8192",
                "\"iterations\": 1",
                "1 iterations for the SCRAM user `alice`",
            ),
            (
                "\"salted_password\": \"",
                "\"salted_password\": \"AAAA",
                "salted password of the user `alice`",
            ),
            (
                "\"salted_password\": \"",
                "\"salted_password\": 77\"",
                "at line",
            ),
        ] {
            let broken = text.replacen(from, to, 1);
            assert_ne!(broken, text);
            let error = parse_file(&broken).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
            assert!(!error.contains("AAAA") && !error.contains("77"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,80}") {
            prop_assert!(parse_file(&text).is_err());
        }
    }
}
