//! Another time of day, for the program that is tested and nothing else.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
    sync::OnceLock,
};

use super::kpki::Kpki;

pub const DAY: i64 = 24 * 60 * 60;

/// Moves the clock of the runs to come by so many seconds. False: it cannot be done here, and the test is left out.
#[must_use]
pub fn move_by(kpki: &mut Kpki, seconds: i64) -> bool {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match BUILT.get_or_init(build) {
        Ok(library) => {
            kpki.env("LD_PRELOAD", library.to_str().unwrap());
            kpki.env("CLOCK_MOVED_BY", &seconds.to_string());
            true
        }
        Err(why) => {
            super::leave_out(why);
            false
        }
    }
}

/// Builds the library with the compiler that Rust links with.
fn build() -> Result<PathBuf, String> {
    if !cfg!(target_os = "linux") {
        return Err("the clock can be moved on Linux only".to_owned());
    }
    let source = super::root().join("tests/suite/support/clock.c");
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let library = dir.join("clock.so");
    // Another run of the tests may be loading it: it appears whole.
    let new = dir.join(format!("clock.{}.so", std::process::id()));
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(&new)
        .arg(&source)
        .arg("-ldl")
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("there is no C compiler: {e}"))?;
    if !built.status.success() {
        return Err(String::from_utf8_lossy(&built.stderr).into_owned());
    }
    std::fs::rename(&new, &library).map_err(|e| e.to_string())?;
    Ok(library)
}
