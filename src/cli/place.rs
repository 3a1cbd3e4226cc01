//! The places of files that a command writes for its user.

use std::path::Path;

use super::{Code, Done, error::fail};
use crate::state::{check_writable, read_optional};

/// Refuses to overwrite anything but an earlier file of the same kind, or an empty one; `kind` as in "a CRL", and
/// `option` names the file on the command line. Nothing is changed.
///
/// # Errors
/// If there is another file, or none can be written.
pub fn check(file: &Path, kind: &str, option: &str, is_one: impl Fn(&[u8]) -> bool) -> Done {
    check_writable(file)?;
    // Reading a pipe would wait for its other end.
    let may_be_one = !file.exists() || file.is_file();
    match may_be_one.then(|| read_optional(file)).transpose()? {
        Some(None) => Ok(()),
        Some(Some(there)) if there.is_empty() || is_one(&there) => Ok(()),
        _ => fail(
            Code::FileExists,
            format!("{} already exists, and is not {kind}", file.display()),
            format!("choose another {option}, or move the file away"),
        ),
    }
}
