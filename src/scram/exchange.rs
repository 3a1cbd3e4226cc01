//! The client side of a SCRAM login (RFC 5802 §5).

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::Hmac;
use sha2::{Sha256, Sha512};
use zeroize::Zeroizing;

use super::{Credential, Mechanism, ScramError, credential::hmac};
use crate::secret::Secret;

/// Why a login failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeError {
    /// A malformed message from the server.
    #[error("the server's message is not a SCRAM message")]
    Malformed,
    /// The server's nonce does not begin with the client's.
    #[error("the server did not return the client's nonce")]
    OtherNonce,
    /// An iteration count that Kafka does not allow, or an empty salt.
    #[error(transparent)]
    Credential(#[from] ScramError),
    /// The server does not have the user's credential.
    #[error("the server did not prove that it has the user's credential")]
    NotTheServer,
}

/// A login in progress.
pub struct Exchange {
    mechanism: Mechanism,
    user: String,
    nonce: String,
    bare: String,
}

/// The client's proof, and the answer that is expected from the server.
pub struct Proof {
    /// The client's final message.
    pub message: Zeroizing<String>,
    signature: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proof(…)")
    }
}

impl Exchange {
    /// Begins a login; the nonce is random.
    pub fn new(user: &str, mechanism: Mechanism, nonce: &[u8]) -> Self {
        let nonce = STANDARD.encode(nonce);
        let name = user.replace('=', "=3D").replace(',', "=2C");
        Self {
            mechanism,
            user: user.to_owned(),
            bare: format!("n={name},r={nonce}"),
            nonce,
        }
    }

    /// The client's first message.
    pub fn first(&self) -> String {
        format!("n,,{}", self.bare)
    }

    /// Answers the server's first message.
    ///
    /// # Errors
    /// If that message is not valid.
    pub fn prove(&self, server: &str, password: &Secret) -> Result<Proof, ExchangeError> {
        let mut parts = server.split(',');
        let mut part = |prefix: &str| {
            let part = parts.next().and_then(|part| part.strip_prefix(prefix));
            part.ok_or(ExchangeError::Malformed)
        };
        let (nonce, salt, iterations) = (part("r=")?, part("s=")?, part("i=")?);
        if nonce.len() <= self.nonce.len() || !nonce.starts_with(&self.nonce) {
            return Err(ExchangeError::OtherNonce);
        }
        let salt = STANDARD
            .decode(salt)
            .map_err(|_| ExchangeError::Malformed)?;
        let iterations = iterations.parse().map_err(|_| ExchangeError::Malformed)?;
        let keys = Credential::derive(&self.user, password, self.mechanism, iterations, &salt)?;
        let last = format!("c=biws,r={nonce}");
        let said = format!("{},{server},{last}", self.bare);
        let mac = |key: &[u8], message: &[u8]| {
            Zeroizing::new(match self.mechanism {
                Mechanism::Sha256 => hmac::<Hmac<Sha256>>(key, message),
                Mechanism::Sha512 => hmac::<Hmac<Sha512>>(key, message),
            })
        };
        let mut proof = mac(&keys.salted_password, b"Client Key");
        let client_signature = mac(&keys.stored_key, said.as_bytes());
        proof
            .iter_mut()
            .zip(&*client_signature)
            .for_each(|(a, b)| *a ^= b);
        Ok(Proof {
            message: Zeroizing::new(format!("{last},p={}", STANDARD.encode(&*proof))),
            signature: mac(&keys.server_key, said.as_bytes()),
        })
    }
}

impl Proof {
    /// Checks the server's final message.
    ///
    /// # Errors
    /// If the server does not prove that it has the credential.
    pub fn check(&self, server: &str) -> Result<(), ExchangeError> {
        let signature = server.split(',').next().and_then(|s| s.strip_prefix("v="));
        let signature = signature.and_then(|s| STANDARD.decode(s).ok());
        match signature.is_some_and(|s| s == *self.signature) {
            true => Ok(()),
            false => Err(ExchangeError::NotTheServer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pencil() -> Secret {
        Secret::new("pencil".into())
    }

    /// RFC 7677 §3; the client's nonce there is not base64 of whole octets.
    fn example() -> Exchange {
        Exchange {
            mechanism: Mechanism::Sha256,
            user: "user".into(),
            nonce: "rOprNGfwEbeRWgbNEkqO".into(),
            bare: "n=user,r=rOprNGfwEbeRWgbNEkqO".into(),
        }
    }

    const FIRST: &str =
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    #[test]
    fn the_example_of_rfc_7677() {
        let proof = example().prove(FIRST, &pencil()).unwrap();
        assert_eq!(
            *proof.message,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        let last = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
        assert_eq!(proof.check(last), Ok(()));
        for other in ["", "v=", "v=AAAA", "e=other-error"] {
            assert_eq!(proof.check(other), Err(ExchangeError::NotTheServer));
        }
    }

    #[test]
    fn a_server_that_says_something_else_gets_no_proof() {
        let refused = |server: &str| example().prove(server, &pencil()).unwrap_err();
        for text in [
            "",
            "r=",
            "x",
            "s=AAAA,r=x,i=4096",
            "r=rOprNGfwEbeRWgbNEkqO%,s=*,i=4096",
        ] {
            let error = refused(text);
            assert!(
                matches!(error, ExchangeError::Malformed | ExchangeError::OtherNonce),
                "{text}"
            );
        }
        assert_eq!(
            refused(&FIRST.replace("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", "")),
            ExchangeError::OtherNonce
        );
        for iterations in ["i=1", "i=2147483648", "i=100000"] {
            let error = refused(&FIRST.replace("i=4096", iterations));
            assert!(matches!(error, ExchangeError::Credential(_)), "{error:?}");
        }
    }

    #[test]
    fn names_are_escaped_on_the_wire() {
        let exchange = Exchange::new("a=b,c", Mechanism::Sha512, &[0; 18]);
        assert!(exchange.first().starts_with("n,,n=a=3Db=2Cc,r=AAAA"));
    }
}
