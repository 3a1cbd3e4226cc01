//! What a store is opened with.

use crate::secret::Secret;

/// What a store is opened with.
#[derive(Debug, Clone, Copy, Default)]
pub struct Passwords<'a> {
    /// That of the store; without it, a store is read as far as it can be.
    pub store: Option<&'a Secret>,
    /// That of its keys, where it is another (`ssl.key.password`).
    pub key: Option<&'a Secret>,
}
