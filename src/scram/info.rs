//! A credential as a cluster shows it.

use super::Mechanism;

/// That a user has a credential, without its keys, which no cluster gives out again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScramInfo {
    /// The user.
    pub user: String,
    /// The mechanism.
    pub mechanism: Mechanism,
    /// PBKDF2 iterations.
    pub iterations: u32,
}
