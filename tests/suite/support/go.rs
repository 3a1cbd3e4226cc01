//! Programs that are built from the Go module proxy, once, and kept below the target directory.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::kpki::Output;

/// The step-ca that signs in the tests.
const STEP_CA: &str = "github.com/smallstep/certificates/cmd/step-ca@v0.30.2";

/// step-ca's program. `None`: it cannot be built here, and the test is skipped.
pub fn step_ca() -> Option<PathBuf> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = BUILT.get_or_init(|| build("step-ca", STEP_CA));
    built.as_ref().map_err(|why| super::skip(why)).ok().cloned()
}

/// Runs a program that needs nothing but Go's own library. `None`: there is no Go, and the test is skipped.
pub fn run(directory: &Path, source: &str, arguments: &[&str]) -> Option<Output> {
    if !super::exists("go", "version") {
        super::skip("there is no Go");
        return None;
    }
    let program = directory.join("judge.go");
    std::fs::write(&program, source).unwrap();
    let output = Command::new("go")
        .args(["run", "judge.go"])
        .args(arguments)
        .env("CGO_ENABLED", "0")
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

/// Builds a program unless that was done before. The directory is that of its version.
fn build(program: &str, package: &str) -> Result<PathBuf, String> {
    let version = package.rsplit('@').next().unwrap();
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join("go")
        .join(format!("{program}-{version}"));
    let built = directory.join(program);
    if built.exists() {
        return Ok(built);
    }
    if !super::exists("go", "version") {
        return Err("there is no Go to build step-ca with".to_owned());
    }
    // A build that is killed leaves nothing that looks like a program: `go install` moves it into its place.
    let output = Command::new("go")
        .args(["install", package])
        .env("GOBIN", &directory)
        .env("CGO_ENABLED", "0")
        .stdin(Stdio::null())
        .output()
        .map_err(|e| e.to_string())?;
    match output.status.success() {
        true => Ok(built),
        false => Err(format!(
            "{package} cannot be built: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
    }
}
