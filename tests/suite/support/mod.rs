//! What the tests stand on: the built program, and the implementations that judge its output.
#![allow(dead_code, reason = "what later tests use")]

pub mod clock;
pub mod expired;
pub mod go;
pub mod http;
pub mod java;
pub mod jvm;
pub mod kafka;
pub mod keytool;
pub mod kpki;
pub mod listener;
pub mod mounts;
pub mod old_kafka;
pub mod one_broker;
pub mod openssl;
pub mod ports;
pub mod proxy;
pub mod random;
pub mod s_server;
pub mod softhsm;
pub mod step_ca;
pub mod terminal;
pub mod vault;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The repository's root.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file of Rust below a directory.
pub fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found
}

/// A test that cannot run for want of a program is a failure in CI, and skipped in plain sight elsewhere.
pub fn skip(why: &str) {
    let test = std::thread::current().name().unwrap_or("?").to_owned();
    assert!(
        std::env::var_os("CI").is_none(),
        "{test} cannot be judged: {why} (tests/run installs what is missing)"
    );
    // Not eprintln!, which the test runner shows of failed tests only; and in one piece.
    let line = format!("SKIPPED {test}: {why} (tests/run installs what is missing)\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// What a test leaves out because of where it runs, which nothing could install: said in plain sight, no failure.
pub fn leave_out(why: &str) {
    let test = std::thread::current().name().unwrap_or("?").to_owned();
    let _ = std::io::stderr().write_all(format!("LEFT OUT in {test}: {why}\n").as_bytes());
}

/// Whether `program` can be started at all.
fn exists(program: &str, version_argument: &str) -> bool {
    Command::new(program)
        .arg(version_argument)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
