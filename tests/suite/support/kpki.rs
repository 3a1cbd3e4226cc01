//! The built program, run as a user runs it, in a directory of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A directory to work in and an environment that holds nothing of the caller's but `PATH`.
pub struct Kpki {
    dir: TempDir,
    environment: BTreeMap<String, String>,
}

/// What a run left behind.
#[derive(Debug)]
pub struct Output {
    /// The exit code; `None`: ended by a signal.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Kpki {
    /// With `KPKI_CA_PASSPHRASE` set, as in a script.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let environment = BTreeMap::from([
            ("PATH".to_owned(), std::env::var("PATH").unwrap_or_default()),
            ("HOME".to_owned(), dir.path().display().to_string()),
            ("NO_COLOR".to_owned(), "1".to_owned()),
        ]);
        let mut kpki = Self { dir, environment };
        kpki.env("KPKI_CA_PASSPHRASE", "a passphrase of the tests");
        kpki
    }

    /// With a CA whose key is not sealed, and a passphrase for backups.
    pub fn with_open_ca() -> Self {
        let mut kpki = Self::new();
        kpki.without_env("KPKI_CA_PASSPHRASE");
        kpki.env("KPKI_BACKUP_PASSPHRASE", "another passphrase");
        kpki.ok(&["init-ca", "--no-passphrase"]);
        kpki
    }

    /// The same with a broker, clients, and a client `far` whose request waits below `elsewhere/`.
    pub fn at_work(clients: &[&str]) -> Self {
        let kpki = Self::with_open_ca();
        kpki.ok(&["issue", "kafka1"]);
        kpki.ok(&[&["issue", "--client"], clients].concat());
        let request = ["issue", "far", "--csr-only", "--client"];
        kpki.ok(&[&request[..], &["--out", "elsewhere"]].concat());
        kpki
    }

    /// The directory that commands run in; `out/` comes to lie here.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A path below [`Kpki::dir`].
    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.dir().join(relative)
    }

    /// Writes a file below [`Kpki::dir`], with the directories that it needs.
    pub fn write(&self, relative: &str, content: &str) -> PathBuf {
        let path = self.path(relative);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Changes the mode of what lies at a path below [`Kpki::dir`].
    pub fn set_mode(&self, relative: &str, mode: u32) {
        std::fs::set_permissions(self.path(relative), Permissions::from_mode(mode)).unwrap();
    }

    /// The mode of what lies there.
    pub fn mode(&self, relative: &str) -> u32 {
        let meta = std::fs::metadata(self.path(relative)).unwrap();
        meta.permissions().mode() & 0o777
    }

    /// Sets an environment variable for the runs to come.
    pub fn env(&mut self, name: &str, value: &str) -> &mut Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Removes one.
    pub fn without_env(&mut self, name: &str) -> &mut Self {
        self.environment.remove(name);
        self
    }

    /// The command, ready to be changed or started by a test that needs more than [`Kpki::run`].
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kpki"));
        command
            .args(arguments)
            .current_dir(self.dir())
            .env_clear()
            .envs(&self.environment);
        command
    }

    /// Runs to the end, with nothing on standard input.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.run_with_input(arguments, "")
    }

    /// Runs to the end with `input` on standard input, which is a pipe and not a terminal.
    pub fn run_with_input(&self, arguments: &[&str], input: &str) -> Output {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that does not read its input may be gone by now.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        Output {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs and expects exit code 0.
    pub fn ok(&self, arguments: &[&str]) -> Output {
        self.run(arguments).expect_code(0)
    }

    /// Runs with `--json` as given by the caller, expects exit code 0 and one JSON document.
    pub fn json(&self, arguments: &[&str]) -> Value {
        self.ok(arguments).json()
    }

    /// The lines of the inventory, but not one at its end that was never finished. None where there is no inventory.
    pub fn inventory(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.path("out/ca/inventory.jsonl")).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let lines = whole.lines();
        lines.map(|l| serde_json::from_str(l).unwrap()).collect()
    }

    /// Those that are certificates. No two of them may have the same serial number.
    pub fn certificates(&self) -> Vec<Value> {
        let mut lines = self.inventory();
        lines.retain(|line| line["v"] == 1);
        let serials: BTreeSet<&str> = lines.iter().filter_map(|l| l["serial"].as_str()).collect();
        assert_eq!(serials.len(), lines.len(), "a serial was used twice");
        lines
    }

    /// The doctor finds nothing in an output directory, after `what`.
    pub fn is_sound(&self, out: &str, what: impl Display) {
        let said = self.run(&["doctor", "--out", out]);
        assert_eq!(said.code, Some(0), "{what}: {}{}", said.stdout, said.stderr);
    }
}

impl Output {
    /// Fails, showing what was printed, unless the program ended with this exit code.
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "exit code; standard output:\n{}\nstandard error:\n{}",
            self.stdout,
            self.stderr
        );
        self
    }

    /// Standard output as one JSON document.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}; standard output:\n{}", self.stdout))
    }

    /// Standard output as JSON lines.
    pub fn json_lines(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
            })
            .collect()
    }
}
