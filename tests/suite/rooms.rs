//! The pure rooms stay pure: bytes, clock and randomness come in as arguments, values come out.

use std::{
    fs,
    path::{Path, PathBuf},
};

const PURE: [&str; 8] = [
    "document", "policy", "acl", "plan", "scram", "pki", "keystore", "config",
];

/// What a pure room must not name. Tests inside a file are exempt: they stand behind `#[cfg(test)]`.
const FORBIDDEN: [&str; 17] = [
    "std::fs",
    "std::net::Tcp",
    "std::net::Udp",
    "std::env",
    "std::process",
    "std::io::std",
    "SystemTime",
    "Instant::now",
    "now_utc",
    "now_local",
    "getrandom",
    "println!",
    "crate::cli",
    "crate::state",
    "crate::bootstrap",
    "crate::admin",
    "crate::probe",
];

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found
}

#[test]
fn pure_rooms_touch_nothing_outside() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut seen = 0;
    for room in PURE.iter().map(|r| src.join(r)).filter(|r| r.exists()) {
        for path in sources(&room) {
            seen += 1;
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            for (at, line) in code.lines().enumerate() {
                let line = line.split("//").next().unwrap();
                for word in FORBIDDEN {
                    assert!(
                        !line.contains(word),
                        "{}:{} names {word}",
                        path.display(),
                        at + 1
                    );
                }
            }
        }
    }
    assert!(seen > 20, "only {seen} files were looked at");
}

#[test]
fn the_only_unsafe_code_is_the_foreign_function_interface() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for path in sources(&src) {
        let text = fs::read_to_string(&path).unwrap();
        let allowed = path.starts_with(src.join("admin/ffi"));
        assert!(
            allowed || !text.contains("unsafe {"),
            "{} has unsafe code",
            path.display()
        );
    }
}
