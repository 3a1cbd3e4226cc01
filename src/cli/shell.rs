//! Commands to paste, with the real paths in them.

use std::path::Path;

pub use crate::shell::quote;

/// A path quoted for a shell.
pub fn quote_path(path: &Path) -> String {
    quote(&path.display().to_string()).into_owned()
}

/// The path of a policy quoted for a shell; a policy from standard input has none.
pub fn path(argument: &str) -> String {
    match argument {
        "-" | "standard input" => "POLICY".to_owned(),
        path => quote(path).into_owned(),
    }
}

/// `kpki`, with its output directory unless that is the default.
pub fn kpki(out: &Path) -> String {
    match out.to_str() {
        Some("out") | None => "kpki".to_owned(),
        Some(out) => format!("kpki --out {}", quote(out)),
    }
}
