//! Commands in a mount namespace of their own, so that nothing stays mounted.

use std::process::{Command, Stdio};

use super::kpki::Kpki;

/// Runs a shell script with the environment of `kpki`; `$0` is the program. `None` where the machine allows no such thing.
pub fn run(kpki: &Kpki, script: &str) -> Option<(i32, String)> {
    let built = kpki.command(&[]);
    let environment = built.get_envs();
    let output = Command::new("unshare")
        .args(["--mount", "--map-root-user", "sh", "-c", script])
        .arg(built.get_program())
        .env_clear()
        .envs(environment.filter_map(|(name, value)| Some((name, value?))))
        .current_dir(kpki.dir())
        .stdin(Stdio::null())
        .output();
    match output {
        Ok(output)
            if output.status.code() != Some(77) && !output.stderr.starts_with(b"unshare:") =>
        {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            Some((output.status.code()?, said))
        }
        _ => {
            super::skip("this machine allows no mount namespaces (unshare)");
            None
        }
    }
}
