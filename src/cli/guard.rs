//! Access of other users to the output directory, and how long to wait for its lock.

use std::time::Duration;

use rayon::prelude::*;

use super::{CliError, Failure, ui::Ui};
use crate::{
    bootstrap::files,
    pki::IdentityName,
    state::{Mended, OutDir},
};

/// How many are named one by one.
const NAMED: usize = 5;

const VARIABLE: &str = "KPKI_LOCK_TIMEOUT";

/// How long a writer waits for another: a minute, or as many seconds as the environment says.
pub fn lock_limit() -> Result<Duration, Failure> {
    let text = match std::env::var(VARIABLE) {
        Ok(text) if !text.is_empty() => text,
        Ok(_) | Err(std::env::VarError::NotPresent) => return Ok(Duration::from_secs(60)),
        Err(std::env::VarError::NotUnicode(_)) => String::new(),
    };
    let seconds = text.parse::<u32>().map_err(|_| {
        CliError::misuse(
            format!("{VARIABLE} is not a number of seconds"),
            format!("for example {VARIABLE}=300; 0 does not wait"),
        )
    })?;
    Ok(Duration::from_secs(seconds.into()))
}

/// Closes access of other users to these identities.
pub fn secure_identities<'a>(
    out: &OutDir,
    names: impl IntoParallelIterator<Item = &'a IdentityName>,
    ui: &Ui,
) -> Result<(), Failure> {
    let mended: Vec<Vec<Mended>> = names
        .into_par_iter()
        .map(|name| {
            out.mend_identity(name, |file| {
                files::known_names(name).contains(file) || file.ends_with(".next")
            })
        })
        .collect::<Result<_, _>>()?;
    tell(&mended.concat(), ui);
    Ok(())
}

/// Warns about what other users had access to until now.
pub fn tell(mended: &[Mended], ui: &Ui) {
    for Mended { path, was, is } in mended.iter().take(NAMED) {
        let (path, directory) = (path.display(), is & 0o100 != 0);
        let could = match (was & 0o022 != 0, directory) {
            (true, _) => "changed",
            (false, true) => "entered",
            (false, false) => "read",
        };
        let after = match (was & 0o022 != 0, directory) {
            (_, true) => "",
            (true, false) => "; check its contents",
            (false, false) => "; consider its contents disclosed",
        };
        ui.warn(format!(
            "{path} could be {could} by other users ({was:04o}); its mode is now {is:04o}{after}"
        ));
    }
    let more = mended.len().saturating_sub(NAMED);
    if more > 0 {
        ui.warn(format!(
            "{more} more files and directories could be read or changed by other users, and no longer can"
        ));
    }
}
