//! CAs elsewhere: the engines that sign in place of a key in the output directory.

mod engine;
mod far;
mod hostile;
mod step;
mod token;
mod vault;

use std::fs;
use std::path::Path;

use crate::support::kpki::Kpki;
use crate::support::openssl::openssl;

/// OpenSSL's judgement of a chain.
fn verify(kpki: &Kpki, name: &str, purpose: &str) -> Option<()> {
    let certificate = format!("out/{name}/{name}.crt");
    let arguments = [
        "verify",
        "-x509_strict",
        "-purpose",
        purpose,
        "-CAfile",
        "out/ca/ca.crt",
        "-untrusted",
        &certificate,
        &certificate,
    ];
    openssl(kpki.dir(), &arguments)?.expect_code(0);
    Some(())
}

fn error(kpki: &Kpki, arguments: &[&str]) -> (String, String) {
    let arguments = [arguments, &["--json"]].concat();
    let json = kpki.run(&arguments).expect_code(1).json();
    let text = |key: &str| json["error"][key].as_str().unwrap().to_owned();
    (
        text("code"),
        format!("{} / {}", text("message"), text("hint")),
    )
}

/// Whether a file below a directory has these bytes in it.
fn contains(directory: &Path, bytes: &[u8]) -> bool {
    fs::read_dir(directory).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => contains(&path, bytes),
            false => fs::read(&path)
                .unwrap()
                .windows(bytes.len())
                .any(|w| w == bytes),
        }
    })
}
