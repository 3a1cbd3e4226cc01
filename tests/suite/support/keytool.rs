//! The `keytool` of the JDK that the tests use.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// In English; and a JVM that starts soon, as its second compiler and its parallel collector take longer than all the work.
pub const QUICK: [&str; 3] = [
    "-J-Duser.language=en",
    "-J-XX:TieredStopAtLevel=1",
    "-J-XX:+UseSerialGC",
];

/// Runs it in a directory: what it prints, which is an error where it fails. `None`: there is none here, and the test is
/// skipped.
pub fn keytool(dir: &Path, arguments: &[&str]) -> Option<Result<String, String>> {
    let mut command = Command::new(program());
    command.args(QUICK).args(arguments);
    let output = match command.current_dir(dir).output() {
        Ok(output) => output,
        Err(error) => {
            super::skip(&format!("keytool: {error}"));
            return None;
        }
    };
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    let text = text.into_owned();
    Some(match output.status.success() {
        true => Ok(text),
        false => Err(text),
    })
}

/// The entries of a store: alias and kind, in the order of the aliases.
pub fn entries(dir: &Path, file: &str, password: &str) -> Vec<(String, String)> {
    let list = ["-list", "-v", "-keystore", file, "-storepass", password];
    let text = keytool(dir, &list).unwrap().unwrap();
    let values = |label: &'static str| {
        let lines = text
            .lines()
            .filter_map(move |line| line.strip_prefix(label));
        lines.map(|value| value.trim().to_owned())
    };
    let mut entries: Vec<_> = values("Alias name:").zip(values("Entry type:")).collect();
    entries.sort();
    entries
}

/// The truststore of the JDK itself.
pub fn cacerts() -> Option<PathBuf> {
    let found = match std::env::var_os("JAVA_HOME") {
        Some(home) => PathBuf::from(home),
        None => {
            let path = std::env::var_os("PATH")?;
            let mut all = std::env::split_paths(&path).map(|dir| dir.join("keytool"));
            let program = all.find_map(|keytool| keytool.canonicalize().ok())?;
            program.parent()?.parent()?.to_owned()
        }
    };
    let file = found.join("lib/security/cacerts");
    file.exists().then_some(file)
}

fn program() -> PathBuf {
    match std::env::var_os("JAVA_HOME") {
        Some(home) => PathBuf::from(home).join("bin/keytool"),
        None => "keytool".into(),
    }
}
