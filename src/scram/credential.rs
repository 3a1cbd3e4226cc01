//! Derivation: a password becomes the two keys that a broker stores (RFC 5802 §3).

use std::{fmt, num::NonZeroU32};

use aws_lc_rs::pbkdf2;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256, Sha512};
use zeroize::Zeroizing;

use super::Mechanism;
use crate::secret::Secret;

/// The minimum PBKDF2 iterations that Kafka accepts, for either mechanism (`ScramMechanism.minIterations`).
pub const MIN_ITERATIONS: u32 = 4096;
/// The maximum that Kafka accepts (`ScramMechanism.maxIterations`): more could be used to overload a broker.
pub const MAX_ITERATIONS: u32 = 16384;
/// kpki's default, which the examples of Kafka's tools use as well.
pub const DEFAULT_ITERATIONS: u32 = 8192;
/// The length of a new salt in bytes. Kafka's own salt (`ScramFormatter.secureRandomBytes`) is 130 random bits as
/// base-36 text, at most 26 bytes; kpki uses as many random bytes.
pub const SALT_LEN: usize = 26;

/// Why there is no credential, or not in the requested form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScramError {
    /// Kafka answers UNACCEPTABLE_CREDENTIAL to it.
    #[error("a SCRAM user needs a name; it is empty")]
    EmptyUser,
    /// Anyone could log in.
    #[error("the password of the SCRAM user `{0}` is empty")]
    EmptyPassword(String),
    /// Equal passwords would have equal keys.
    #[error("the salt of the SCRAM user `{0}` is empty")]
    EmptySalt(String),
    /// Outside of [`MIN_ITERATIONS`] to [`MAX_ITERATIONS`].
    #[error("{1} iterations for the SCRAM user `{0}`: Kafka takes 4096 to 16384")]
    Iterations(String, u32),
    /// A name that cannot be passed to the storage tool.
    #[error("the SCRAM user `{0}` cannot be given to `kafka-storage format --add-scram`: {1}")]
    NotForAddScram(String, &'static str),
    /// A `scram.json` that kpki did not write; nothing of its content is shown, as it is secret.
    #[error("scram.json cannot be read: {0}")]
    File(String),
}

impl ScramError {
    /// What the user can do about it, if anything.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::EmptyUser => "give the name that it logs in with",
            Self::EmptyPassword(_) => "give it a password",
            Self::EmptySalt(_) => {
                "give at least 16 random octets in base64, or none for a random salt"
            }
            Self::Iterations(..) => "the default is 8192",
            Self::NotForAddScram(..) => {
                "choose a name of letters, digits, `.`, `_` and `-`; or add the user to the running cluster, which takes any name: kpki scram apply POLICY"
            }
            Self::File(_) => return None,
        })
    }
}

/// The existence of a user's credential, without its keys, which a cluster never returns.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScramInfo {
    /// The user.
    pub user: String,
    /// The mechanism.
    pub mechanism: Mechanism,
    /// PBKDF2 iterations.
    pub iterations: u32,
}

/// What a broker stores to let a user log in with SCRAM, and what it was derived from.
///
/// The salted password is enough to log in to Kafka, and the two keys are enough to impersonate the broker; all three
/// are wiped from memory and never shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// The user; its principal is `User:<user>`.
    pub user: String,
    /// SCRAM-SHA-256 or SCRAM-SHA-512.
    pub mechanism: Mechanism,
    /// PBKDF2 iterations.
    pub iterations: u32,
    /// The salt, which the broker sends to anyone who tries to log in as this user.
    pub salt: Vec<u8>,
    /// `H(ClientKey)`, 32 or 64 bytes.
    pub stored_key: Zeroizing<Vec<u8>>,
    /// `HMAC(SaltedPassword, "Server Key")`, 32 or 64 bytes.
    pub server_key: Zeroizing<Vec<u8>>,
    /// `Hi(password, salt, iterations)`, 32 or 64 bytes.
    pub salted_password: Zeroizing<Vec<u8>>,
}

impl Credential {
    /// Derives a credential by Kafka's rules (`ScramFormatter`): the password's UTF-8 bytes as they are,
    /// without the SASLprep that RFC 5802 §2.2 asks for, so that Kafka's clients compute the same.
    ///
    /// # Errors
    /// An empty user, password or salt, and iterations outside of 4096 to 16384.
    pub fn derive(
        user: &str,
        password: &Secret,
        mechanism: Mechanism,
        iterations: u32,
        salt: &[u8],
    ) -> Result<Self, ScramError> {
        if password.expose().is_empty() {
            return Err(ScramError::EmptyPassword(user.to_owned()));
        }
        check(user, iterations, salt)?;
        let rounds = NonZeroU32::new(iterations)
            .ok_or_else(|| ScramError::Iterations(user.to_owned(), iterations))?;
        let password = password.expose().as_bytes();
        // RFC 5802 §2.2: SaltedPassword := Hi(password, salt, i), which is PBKDF2 with a block of the hash's length.
        let mut salted = Zeroizing::new(vec![0; mechanism.hash_len()]);
        let algorithm = match mechanism {
            Mechanism::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Mechanism::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        };
        pbkdf2::derive(algorithm, rounds, salt, password, &mut salted);
        Self::from_salted(user, mechanism, iterations, salt, salted)
    }

    /// The same from a salted password, without the derivation.
    pub(super) fn from_salted(
        user: &str,
        mechanism: Mechanism,
        iterations: u32,
        salt: &[u8],
        salted_password: Zeroizing<Vec<u8>>,
    ) -> Result<Self, ScramError> {
        check(user, iterations, salt)?;
        let (stored_key, server_key) = match mechanism {
            Mechanism::Sha256 => keys::<Hmac<Sha256>, Sha256>(&salted_password),
            Mechanism::Sha512 => keys::<Hmac<Sha512>, Sha512>(&salted_password),
        };
        Ok(Self {
            user: user.to_owned(),
            mechanism,
            iterations,
            salt: salt.to_vec(),
            stored_key,
            server_key,
            salted_password,
        })
    }
}

fn check(user: &str, iterations: u32, salt: &[u8]) -> Result<(), ScramError> {
    if user.is_empty() {
        return Err(ScramError::EmptyUser);
    }
    if salt.is_empty() {
        return Err(ScramError::EmptySalt(user.to_owned()));
    }
    if !(MIN_ITERATIONS..=MAX_ITERATIONS).contains(&iterations) {
        return Err(ScramError::Iterations(user.to_owned(), iterations));
    }
    Ok(())
}

/// RFC 5802 §3: `ClientKey := HMAC(SaltedPassword, "Client Key")`, `StoredKey := H(ClientKey)`,
/// `ServerKey := HMAC(SaltedPassword, "Server Key")`.
fn keys<M: Mac + KeyInit, H: Digest>(salted: &[u8]) -> (Zeroizing<Vec<u8>>, Zeroizing<Vec<u8>>) {
    let client_key = Zeroizing::new(hmac::<M>(salted, b"Client Key"));
    let stored_key = Zeroizing::new(H::digest(&*client_key).to_vec());
    let server_key = Zeroizing::new(hmac::<M>(salted, b"Server Key"));
    (stored_key, server_key)
}

#[expect(
    clippy::expect_used,
    reason = "HMAC takes keys of any length (RFC 2104 §2)"
)]
pub(super) fn hmac<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes any key");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("user", &self.user)
            .field("mechanism", &self.mechanism)
            .field("iterations", &self.iterations)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use proptest::prelude::*;

    use super::*;

    fn derive(user: &str, password: &str, iterations: u32, salt: &[u8]) -> Credential {
        let password = Secret::new(password.into());
        Credential::derive(user, &password, Mechanism::Sha256, iterations, salt).unwrap()
    }

    /// RFC 7677 §3: the keys must explain the proof and the server's signature of the example exchange.
    #[test]
    fn the_example_exchange_of_rfc_7677() {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let credential = derive("user", "pencil", 4096, &salt);
        let auth_message = "n=user,r=rOprNGfwEbeRWgbNEkqO,\
             r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,\
             c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let server_signature =
            hmac::<Hmac<Sha256>>(&credential.server_key, auth_message.as_bytes());
        assert_eq!(
            STANDARD.encode(server_signature),
            "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
        );

        let proof = STANDARD
            .decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
            .unwrap();
        let client_signature =
            hmac::<Hmac<Sha256>>(&credential.stored_key, auth_message.as_bytes());
        let client_key: Vec<u8> = proof
            .iter()
            .zip(client_signature)
            .map(|(p, s)| p ^ s)
            .collect();
        assert_eq!(
            Sha256::digest(client_key).as_slice(),
            credential.stored_key.as_slice()
        );
    }

    #[test]
    fn unacceptable_credentials_are_refused_by_name() {
        let try_derive = |user: &str, password: &str, iterations, salt: &[u8]| {
            let password = Secret::new(password.into());
            Credential::derive(user, &password, Mechanism::Sha512, iterations, salt)
                .map(|_| ())
                .map_err(|e| e.to_string())
        };
        assert_eq!(
            try_derive("", "x", 4096, b"s"),
            Err("a SCRAM user needs a name; it is empty".into())
        );
        assert_eq!(
            try_derive("alice", "", 4096, b"s"),
            Err("the password of the SCRAM user `alice` is empty".into())
        );
        assert_eq!(
            try_derive("alice", "x", 4096, b""),
            Err("the salt of the SCRAM user `alice` is empty".into())
        );
        for iterations in [0, 4095, 16385, u32::MAX] {
            assert_eq!(
                try_derive("alice", "x", iterations, b"s"),
                Err(format!(
                    "{iterations} iterations for the SCRAM user `alice`: Kafka takes 4096 to 16384"
                ))
            );
        }
        for iterations in [4096, 16384] {
            assert_eq!(try_derive("alice", "x", iterations, b"s"), Ok(()));
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?}", derive("alice", "pencil", 4096, b"salt"));
        assert_eq!(
            shown,
            "Credential { user: \"alice\", mechanism: Sha256, iterations: 4096, .. }"
        );
    }

    /// SASLprep would map U+00AA to `a` and the decomposed `é` to the composed one; Kafka does neither.
    #[test]
    fn passwords_are_not_normalised() {
        for (one, other) in [("\u{aa}", "a"), ("e\u{301}", "\u{e9}")] {
            assert_ne!(
                derive("u", one, 4096, b"s").stored_key,
                derive("u", other, 4096, b"s").stored_key
            );
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn keys_have_the_hash_s_length(password in "\\PC{1,40}", salt in prop::collection::vec(any::<u8>(), 1..40)) {
            for (mechanism, length) in [(Mechanism::Sha256, 32), (Mechanism::Sha512, 64)] {
                let credential = Credential::derive(
                    "u", &Secret::new(password.clone()), mechanism, MIN_ITERATIONS, &salt).unwrap();
                prop_assert_eq!(credential.stored_key.len(), length);
                prop_assert_eq!(credential.server_key.len(), length);
                prop_assert_eq!(credential.salted_password.len(), length);
            }
        }
    }
}
