//! kpki on a terminal, as a person sees it: `script` (util-linux) gives it a pseudo-terminal of its own.

use std::{
    io::Write,
    process::{ChildStdin, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::kpki::{Kpki, Output};

/// Runs kpki on a terminal of so many columns, with `typed` as what is typed. Standard output and standard error come
/// together, as they do on a terminal, without carriage returns. `None`: there is no `script` here, which was said.
pub fn run(kpki: &Kpki, columns: u16, arguments: &[&str], typed: &str) -> Option<Output> {
    let inside = format!("stty cols {columns} rows 24; exec {}", line(arguments));
    in_script(kpki, &inside, |stdin| {
        // Whoever is not asked has nothing to read.
        let _ = stdin.write_all(typed.as_bytes());
    })
}

/// Runs kpki until it asks for something without echo, then types `typed` or runs a command of the shell, in which
/// `$pid` is kpki. What the shell saw of its end and the terminal's settings come after what it said.
pub fn at_prompt(kpki: &Kpki, arguments: &[&str], typed: &str, command: &str) -> Option<Output> {
    let inside = format!(
        "(until stty -a </dev/tty | grep -q -e '-echo '; do sleep 0.05; done; read pid <pid; : >asked; {command}) & \
         sh -c 'echo $$ >pid; exec \"$@\"' sh {}; echo ended with $?; stty -a",
        line(arguments)
    );
    in_script(kpki, &inside, |stdin| {
        let asked = kpki.path("asked");
        let since = Instant::now();
        while !asked.exists() && since.elapsed() < Duration::from_secs(20) {
            thread::sleep(Duration::from_millis(20));
        }
        let _ = stdin.write_all(typed.as_bytes());
    })
}

/// kpki with these arguments, as a shell takes it.
fn line(arguments: &[&str]) -> String {
    std::iter::once(env!("CARGO_BIN_EXE_kpki"))
        .chain(arguments.iter().copied())
        .map(|word| format!("'{}'", word.replace('\'', "'\\''")))
        .collect::<Vec<_>>()
        .join(" ")
}

fn in_script(kpki: &Kpki, inside: &str, type_in: impl FnOnce(&mut ChildStdin)) -> Option<Output> {
    if !super::exists("script", "--version") {
        super::skip("the program `script` of util-linux is not there");
        return None;
    }
    let like = kpki.command(&[]);
    let mut command = Command::new("script");
    command
        .args(["-q", "-e", "-c", inside, "/dev/null"])
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
    type_in(&mut stdin);
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    Some(Output {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).replace('\r', ""),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
