//! Commands to paste, with the real paths in them.

use std::path::Path;

pub use crate::shell::quote;

/// A path as a shell takes it.
pub fn quote_path(path: &Path) -> String {
    quote(&path.display().to_string()).into_owned()
}

/// The path of a policy as a shell takes it; what was read from standard input has none.
pub fn path(argument: &str) -> String {
    match argument {
        "-" | "standard input" => "POLICY".to_owned(),
        path => quote(path).into_owned(),
    }
}

/// `kpki`, and where its output directory is, unless that is the usual one.
pub fn kpki(out: &Path) -> String {
    match out.to_str() {
        Some("out") | None => "kpki".to_owned(),
        Some(out) => format!("kpki --out {}", quote(out)),
    }
}
