//! Whether the user that a broker or client runs as could read its files.

use crate::{
    bootstrap::BootstrapError,
    pki::IdentityName,
    probe::{Check, Fault},
    state::{OutDir, readable_by},
};

/// Checks the directory of an identity for `UID:GID`.
///
/// # Errors
/// If the directory cannot be read.
pub fn readable(
    out: &OutDir,
    name: &IdentityName,
    (uid, gid): (u32, u32),
) -> Result<Check, BootstrapError> {
    const CHECK: &str = "files";
    let dir = out.identity(name);
    let reach = readable_by(&dir, uid, gid)?;
    let Some(closed) = reach.closed else {
        let mut message = format!("{uid}:{gid} can read all {} files of {name}", reach.files);
        if let Some(above) = reach.above {
            message.push_str(&format!(
                ", once its directory is mounted or copied elsewhere: it cannot enter {}",
                above.display()
            ));
        }
        return Ok(Check::good(CHECK, message));
    };
    let verb = if closed.is_dir { "enter" } else { "read" };
    let (owner, group) = closed.owner;
    let message = format!(
        "{uid}:{gid} cannot {verb} {}: its owner is {owner}:{group}, and its mode {:04o}",
        closed.path.display(),
        closed.mode
    );
    Ok(Check::fault(CHECK, Fault::UnreadableFiles, message))
}
