//! Who logs in, and how that may fail.

use std::io::{self, ErrorKind};

use crate::{
    scram::{ExchangeError, Mechanism},
    secret::Secret,
};

/// A user, as whom to log in.
pub struct Login<'a> {
    /// The name.
    pub user: &'a str,
    /// The password.
    pub password: &'a Secret,
    /// What the user has a credential for, never empty.
    pub mechanisms: &'a [Mechanism],
    /// Random.
    pub nonce: [u8; 18],
}

/// Why a login failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// None of the user's mechanisms is one of the listener's.
    #[error("it offers none of the user's mechanisms")]
    NotOffered,
    /// The broker's own words.
    #[error("{0}")]
    Refused(String),
    /// Another end of it.
    #[error("{0}")]
    Failed(String),
}

impl From<io::Error> for LoginError {
    fn from(error: io::Error) -> Self {
        Self::Failed(match error.kind() {
            ErrorKind::TimedOut => "no answer in time".to_owned(),
            ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset => {
                "the connection was closed during the login".to_owned()
            }
            _ => error.to_string(),
        })
    }
}

impl From<ExchangeError> for LoginError {
    fn from(error: ExchangeError) -> Self {
        Self::Failed(error.to_string())
    }
}
