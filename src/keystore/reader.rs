//! Opens a store of any format. The format is recognised by the bytes, not by the file name.

use super::{
    Opened, Passwords, StoreContents, StoreError, jks,
    limits::{LARGEST, MOST},
    opened::kind,
    pem, pem_store, pkcs12,
};

/// Checks that kpki would read a store again that it has encoded.
///
/// # Errors
/// [`StoreError::TooLarge`]
pub fn check_size(contents: &StoreContents, bytes: &[u8]) -> Result<(), StoreError> {
    let chains: usize = contents.keys.iter().map(|key| 1 + key.chain.len()).sum();
    match bytes.len() > LARGEST || chains + contents.trusted.len() > MOST {
        true => Err(StoreError::TooLarge),
        false => Ok(()),
    }
}

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
