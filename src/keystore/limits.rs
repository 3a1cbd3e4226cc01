//! The limits of stores, of those that are read and so of those that are written.

/// The maximum size in bytes.
pub(super) const LARGEST: usize = 16 * 1024 * 1024;

/// The maximum number of certificates and keys.
pub(super) const MOST: usize = 10_000;
