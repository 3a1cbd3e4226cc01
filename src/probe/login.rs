//! A login and its errors.

use std::io::{self, ErrorKind};

use crate::{
    scram::{ExchangeError, Mechanism},
    secret::Secret,
};

/// The user to log in as.
pub struct Login<'a> {
    /// The name.
    pub user: &'a str,
    /// The password.
    pub password: &'a Secret,
    /// The mechanisms that the user has a credential for, never empty.
    pub mechanisms: &'a [Mechanism],
    /// Random.
    pub nonce: [u8; 18],
}

/// Why a login failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// The listener offers none of the user's mechanisms.
    #[error("it offers none of the user's mechanisms")]
    NotOffered,
    /// The broker's own message.
    #[error("{0}")]
    Refused(String),
    /// Any other failure.
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
