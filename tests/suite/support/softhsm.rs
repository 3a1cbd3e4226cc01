//! Tokens of SoftHSM.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::kpki::Kpki;

/// The PIN of its user.
pub const PIN: &str = "734519";

/// Where packages put the library.
const LIBRARIES: [&str; 6] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
    "/usr/local/opt/softhsm/lib/softhsm/libsofthsm2.so",
];

/// A library with tokens of its own.
pub struct SoftHsm {
    config: PathBuf,
    pub library: &'static str,
}

impl SoftHsm {
    /// Without a token yet, for commands of `kpki`. `None`: there is none here, and the test is skipped.
    pub fn new(kpki: &mut Kpki) -> Option<Self> {
        let library = LIBRARIES.into_iter().find(|path| Path::new(path).exists());
        if !super::exists("softhsm2-util", "--version") || library.is_none() {
            super::skip("there is no SoftHSM");
            return None;
        }
        fs::create_dir(kpki.path("tokens")).unwrap();
        let tokens = kpki.path("tokens");
        let text = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
            tokens.display()
        );
        let config = kpki.write("softhsm2.conf", &text);
        kpki.env("SOFTHSM2_CONF", &config.display().to_string());
        Some(Self {
            config,
            library: library?,
        })
    }

    /// Makes a token.
    pub fn token(&self, label: &str) {
        let arguments = [
            "--init-token",
            "--free",
            "--label",
            label,
            "--so-pin",
            "5678901",
            "--pin",
            PIN,
        ];
        let output = Command::new("softhsm2-util")
            .args(arguments)
            .env("SOFTHSM2_CONF", &self.config)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    /// The URI of a key.
    pub fn uri(&self, token: &str, object: &str) -> String {
        format!(
            "pkcs11:token={token};object={object}?module-path={}",
            self.library
        )
    }
}
