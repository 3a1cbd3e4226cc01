//! Programs that are built from the Go module proxy, once, and kept below the target directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::kpki::Output;

/// The step-ca that signs in the tests.
const STEP_CA: &str = "github.com/smallstep/certificates/cmd/step-ca@v0.30.2";

type Built = OnceLock<Result<PathBuf, String>>;

/// step-ca's program. `None`: it cannot be built here, and the test is skipped.
pub fn step_ca() -> Option<PathBuf> {
    static BUILT: Built = Built::new();
    let version = STEP_CA.rsplit('@').next().unwrap();
    once(&BUILT, "step-ca", version, |go, into| {
        go.args(["install", STEP_CA]).env("GOBIN", into);
    })
}

/// The Vault of tests/vault. `None`: it cannot be built here, and the test is skipped.
pub fn vault() -> Option<PathBuf> {
    static BUILT: Built = Built::new();
    let sources = super::root().join("tests/vault");
    let texts = ["main.go", "go.mod", "go.sum"].map(|file| fs::read(sources.join(file)).unwrap());
    let version = &kpki::pki::sha256(&texts.concat())[..16];
    once(&BUILT, "vault", version, |go, into| {
        // Without what a debugger needs.
        go.args(["build", "-buildvcs=false", "-ldflags=-s -w", "-o"])
            .arg(into)
            .current_dir(&sources);
    })
}

/// Runs a program that needs nothing but Go's own library. `None`: there is no Go, and the test is skipped.
pub fn run(directory: &Path, source: &str, arguments: &[&str]) -> Option<Output> {
    if !super::exists("go", "version") {
        super::skip("there is no Go");
        return None;
    }
    let program = directory.join("judge.go");
    fs::write(&program, source).unwrap();
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

/// A program that `go` builds with these arguments into a directory, unless that was done before.
fn once(
    built: &Built,
    program: &str,
    version: &str,
    arguments: impl FnOnce(&mut Command, &Path),
) -> Option<PathBuf> {
    let built = built.get_or_init(|| build(program, version, arguments));
    built.as_ref().map_err(|why| super::skip(why)).ok().cloned()
}

fn build(
    program: &str,
    version: &str,
    arguments: impl FnOnce(&mut Command, &Path),
) -> Result<PathBuf, String> {
    let kept = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("go");
    let directory = kept.join(format!("{program}-{version}"));
    let built = directory.join(program);
    if built.exists() {
        return Ok(built);
    }
    if !super::exists("go", "version") {
        return Err(format!("there is no Go to build {program} with"));
    }
    fs::create_dir_all(&directory).unwrap();
    // Built beside its final place and moved there: a build that is killed leaves nothing that looks like a program.
    let new = tempfile::tempdir_in(&kept).unwrap();
    let mut go = Command::new("go");
    arguments(&mut go, new.path());
    let output = go
        .env("CGO_ENABLED", "0")
        .stdin(Stdio::null())
        .output()
        .map_err(|e| e.to_string())?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        return Err(format!(
            "{program} {version} cannot be built: {}",
            why.trim()
        ));
    }
    fs::rename(new.path().join(program), &built).unwrap();
    Ok(built)
}
