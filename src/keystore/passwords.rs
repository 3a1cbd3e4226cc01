//! The passwords of a store.

use crate::secret::Secret;

/// The passwords of a store.
#[derive(Debug, Clone, Copy, Default)]
pub struct Passwords<'a> {
    /// The password of the store; without it, only what is not encrypted is read.
    pub store: Option<&'a Secret>,
    /// The password of its keys, if different (`ssl.key.password`).
    pub key: Option<&'a Secret>,
}
