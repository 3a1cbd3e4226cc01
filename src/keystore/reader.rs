//! Opens a store of any format. The format is recognised by the bytes, not by the file name.

use super::{Opened, Passwords, StoreError, jks, opened::kind, pem, pem_store, pkcs12};

/// The maximum size of a store in bytes.
const LARGEST: usize = 16 * 1024 * 1024;

/// Reads a store of any format.
///
/// # Errors
/// If it is not a store or is damaged, the password is wrong, or opening it would take too much time or memory.
pub fn open(bytes: &[u8], passwords: Passwords<'_>) -> Result<Opened, StoreError> {
    if bytes.len() > LARGEST {
        return Err(StoreError::Unsupported(
            "it is larger than 16 MiB".to_owned(),
        ));
    }
    match bytes {
        [0xfe, 0xed, 0xfe, 0xed, ..] | [0xce, 0xce, 0xce, 0xce, ..] => jks::read(bytes, passwords),
        [0x30, ..] => pkcs12::read(bytes, passwords),
        _ if pem::is_pem(bytes) => pem_store::read(bytes, passwords),
        _ => Err(StoreError::NotAStore(kind(bytes))),
    }
}
