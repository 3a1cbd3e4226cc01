//! The `openssl` command line.

use std::path::Path;
use std::process::{Command, Stdio};

use super::kpki::Output;

/// Runs `openssl` in `directory`, with nothing on standard input. `None`: there is none here, and the test is skipped.
pub fn openssl(directory: &Path, arguments: &[&str]) -> Option<Output> {
    if !super::exists("openssl", "version") {
        super::skip("there is no openssl");
        return None;
    }
    let output = Command::new("openssl")
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Some(Output {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
