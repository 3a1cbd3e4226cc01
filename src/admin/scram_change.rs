//! A change of a SCRAM credential.

use crate::{
    scram::{MAX_ITERATIONS, Mechanism},
    secret::Secret,
};

/// A credential to write or to delete.
#[derive(Debug, Clone)]
pub enum ScramChange {
    /// Writes it, and replaces any existing one.
    Upsert {
        /// The user.
        user: String,
        /// The mechanism.
        mechanism: Mechanism,
        /// PBKDF2 iterations, 4096 to 16384.
        iterations: u32,
        /// The password, in clear because librdkafka derives the credential itself; the broker gets the salted form.
        password: Secret,
        /// The salt.
        salt: Vec<u8>,
    },
    /// Deletes it.
    Delete {
        /// The user.
        user: String,
        /// The mechanism.
        mechanism: Mechanism,
    },
}

impl ScramChange {
    /// The user.
    pub fn user(&self) -> &str {
        match self {
            Self::Upsert { user, .. } | Self::Delete { user, .. } => user,
        }
    }

    /// The mechanism.
    pub fn mechanism(&self) -> Mechanism {
        match self {
            Self::Upsert { mechanism, .. } | Self::Delete { mechanism, .. } => *mechanism,
        }
    }

    /// What a broker would refuse, or librdkafka abort on with an assertion.
    pub(super) fn problem(&self) -> Option<&'static str> {
        unusual(self.user()).or(match self {
            Self::Upsert { password, .. } if password.expose().is_empty() => {
                Some("an empty password")
            }
            Self::Upsert { salt, .. } if salt.is_empty() => Some("an empty salt"),
            Self::Upsert { iterations, .. } if *iterations > MAX_ITERATIONS => {
                Some("more iterations than brokers accept")
            }
            _ => None,
        })
    }
}

/// What a broker would refuse in a user's name, or librdkafka truncate.
pub(super) fn unusual(user: &str) -> Option<&'static str> {
    if user.is_empty() {
        return Some("an empty user name");
    }
    user.contains('\0')
        .then_some("a NUL character in a user name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_be_cut_are_not_sent() {
        let delete = |user: &str| ScramChange::Delete {
            user: user.to_owned(),
            mechanism: Mechanism::Sha256,
        };
        assert_eq!(delete("carol").problem(), None);
        let problem = delete("carol\0x").problem().unwrap();
        assert!(problem.contains("NUL"), "{problem}");
    }
}
