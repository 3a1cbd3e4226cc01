//! kpki on a terminal, as a person sees it: `script` (util-linux) gives it a pseudo-terminal of its own.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use super::kpki::{Kpki, Output};

/// Runs kpki on a terminal of so many columns, with `typed` as what is typed. Standard output and standard error come
/// together, as they do on a terminal, without carriage returns. `None`: there is no `script` here, which was said.
pub fn run(kpki: &Kpki, columns: u16, arguments: &[&str], typed: &str) -> Option<Output> {
    if !super::exists("script", "--version") {
        super::skip("the program `script` of util-linux is not there");
        return None;
    }
    let line = std::iter::once(env!("CARGO_BIN_EXE_kpki"))
        .chain(arguments.iter().copied())
        .map(|word| format!("'{}'", word.replace('\'', "'\\''")))
        .collect::<Vec<_>>()
        .join(" ");
    let inside = format!("stty cols {columns} rows 24; exec {line}");
    let like = kpki.command(&[]);
    let mut command = Command::new("script");
    command
        .args(["-q", "-e", "-c", &inside, "/dev/null"])
        .current_dir(kpki.dir())
        .env_clear()
        .env("TERM", "xterm")
        .env("SHELL", "/bin/sh")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    for (name, value) in like.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // Whoever is not asked has nothing to read.
    let _ = stdin.write_all(typed.as_bytes());
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    Some(Output {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).replace('\r', ""),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
