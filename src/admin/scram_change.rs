//! A change of a SCRAM credential.

use crate::{
    scram::{MAX_ITERATIONS, Mechanism},
    secret::Secret,
};

/// A credential to write or to delete.
#[derive(Debug, Clone)]
pub enum ScramChange {
    /// Writes it, in place of the one that may be there.
    Upsert {
        /// The user.
        user: String,
        /// The mechanism.
        mechanism: Mechanism,
        /// PBKDF2 iterations, 4096 to 16384.
        iterations: u32,
        /// The password, which librdkafka wants in clear: it derives the credential itself, and the broker gets the
        /// salted form.
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
    /// Whose credential it is.
    pub fn user(&self) -> &str {
        match self {
            Self::Upsert { user, .. } | Self::Delete { user, .. } => user,
        }
    }

    /// Of which mechanism.
    pub fn mechanism(&self) -> Mechanism {
        match self {
            Self::Upsert { mechanism, .. } | Self::Delete { mechanism, .. } => *mechanism,
        }
    }

    /// What a broker, or librdkafka with an assertion, would refuse.
    pub(super) fn problem(&self) -> Option<&'static str> {
        unusual(self.user()).or(match self {
            Self::Upsert { password, .. } if password.expose().is_empty() => {
                Some("an empty password")
            }
            Self::Upsert { salt, .. } if salt.is_empty() => Some("an empty salt"),
            Self::Upsert { iterations, .. } if *iterations > MAX_ITERATIONS => {
                Some("more iterations than brokers take")
            }
            _ => None,
        })
    }
}

/// What a broker would refuse in a user's name, or librdkafka cut.
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
