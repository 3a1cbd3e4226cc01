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

/// The options of commands that work in another directory than the one at hand.
const ELSEWHERE: [&str; 2] = ["--out ", "--csr-only"];

/// A text with the output directory in its commands, which begin with `kpki` and one of these verbs: whoever pastes one
/// means the directory that the text is about.
pub fn with_out(text: &str, out: &Path, verbs: &[&str]) -> String {
    let kpki = kpki(out);
    let mut pieces = text.split("kpki ");
    let mut all = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let is_letter = |c: char| c.is_ascii_lowercase() || c == '-';
        let verb = piece.split(|c| !is_letter(c)).next().unwrap_or_default();
        let command = piece.split([';', ',', ')']).next().unwrap_or_default();
        let is_here = !ELSEWHERE.iter().any(|option| command.contains(option));
        all.push_str(match verbs.contains(&verb) && is_here {
            true => &kpki,
            false => "kpki",
        });
        all.push(' ');
        all.push_str(piece);
    }
    all
}

/// `kpki`, with its output directory unless that is the default.
pub fn kpki(out: &Path) -> String {
    match out.to_str() {
        Some("out") | None => "kpki".to_owned(),
        Some(out) => format!("kpki --out {}", quote(out)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_directory_comes_into_the_commands_that_use_it() {
        let with = |text| {
            with_out(
                text,
                Path::new("my out"),
                &["crl", "issue", "init-ca", "restore"],
            )
        };
        assert_eq!(
            with("kpki issue a uses it; `kpki crl`, then kpki init-ca --request"),
            "kpki --out 'my out' issue a uses it; `kpki --out 'my out' crl`, then kpki --out 'my out' init-ca --request"
        );
        for same in [
            "use that version of kpki, or kpki",
            "kpki does not sign; kpki",
            "kpki --out x crl",
            "kpki restore FILE --out elsewhere, then cp",
            "on its machine kpki issue a --csr-only; then",
            "kpki issues",
            "",
        ] {
            assert_eq!(with(same), same);
        }
        let default = with_out("kpki crl", Path::new("out"), &["crl"]);
        assert_eq!(default, "kpki crl");
    }
}
