//! `ca/journal.jsonl`: one line for every command that changed something. Append-only.

use std::{
    fs::{self, File, TryLockError},
    os::unix::fs::OpenOptionsExt,
    thread::sleep,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    Inventory, OutDir, StateError, failed, files,
    jsonl::{self, Line, Tail},
};

/// Its file in `ca/`.
const FILE: &str = "journal.jsonl";
/// How long a command waits for another one that is writing its line.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long to wait between two attempts.
const PAUSE: Duration = Duration::from_millis(10);

/// Who ran a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// Their user id.
    pub uid: u32,
    /// Their name, if this machine's user database has one.
    pub user: Option<String>,
    /// Who became that user with sudo, according to sudo.
    pub sudo_user: Option<String>,
}

impl Who {
    fn this() -> Self {
        let uid = rustix::process::getuid().as_raw();
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let sudo = std::env::var("SUDO_USER").ok();
        Self {
            uid,
            user: users.lines().find_map(|line| user(line, uid)),
            sudo_user: sudo.filter(|name| !name.is_empty()),
        }
    }
}

/// The user with this id in a line of `/etc/passwd` (passwd(5)): `alice:x:1000:1000:…`
fn user(line: &str, uid: u32) -> Option<String> {
    let mut fields = line.split(':');
    let name = fields.next()?;
    (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// It succeeded.
    Done,
    /// Its answer was no.
    No,
    /// It did part of the work.
    Partly,
    /// It failed.
    Failed,
}

/// One command that changed something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Version of the line's format.
    pub v: u8,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Who ran it.
    pub who: Who,
    /// The host name of the machine.
    pub host: String,
    /// The verb and the names that it was given.
    pub command: String,
    /// What was changed.
    pub what: String,
    /// How it ended.
    pub result: Ending,
    /// The error code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Entry {
    /// The line for a command of this process.
    pub fn new(
        at: OffsetDateTime,
        command: String,
        what: String,
        result: Ending,
        error: Option<&str>,
    ) -> Self {
        let host = rustix::system::uname();
        Self {
            v: 1,
            at,
            who: Who::this(),
            host: host.nodename().to_string_lossy().into_owned(),
            command,
            what,
            result,
            error: error.map(str::to_owned),
        }
    }

    /// Appends it. Without a CA there is no journal.
    pub fn append(&self, out: &OutDir) -> Result<(), StateError> {
        if !out.ca_file(Inventory::FILE).exists() {
            return Ok(());
        }
        let path = out.ca_file(FILE);
        // A separate lock: the next command that changes something may hold the main one for long.
        let mut options = files::no_link();
        options.append(true).create(true).mode(files::SECRET);
        let (file, _) = files::open_plain(&options, "open", &path)?;
        wait_for(&file).map_err(failed("lock", &path))?;
        // Strings, numbers and dates up to the year 9999 always serialize.
        let mut line = serde_json::to_string(self).unwrap_or_default();
        line.push('\n');
        Tail::find::<Self>(&path)?.append(&line)
    }
}

fn wait_for(file: &File) -> std::io::Result<()> {
    let begin = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if begin.elapsed() < PATIENCE => sleep(PAUSE),
            Err(TryLockError::WouldBlock) => return Err(std::io::ErrorKind::TimedOut.into()),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

impl Line for Entry {
    fn parse(line: &str) -> Result<Self, String> {
        jsonl::parse_first_format(line, "a command", |entry: &Self| entry.v)
    }
}

/// All lines of the journal, oldest first.
pub fn read_journal(out: &OutDir) -> Result<Vec<Entry>, StateError> {
    let path = out.ca_file(FILE);
    let mut entries = Vec::new();
    let bad = |path, line, reason| StateError::BadJournal { path, line, reason };
    jsonl::read(&path, |entry| entries.push(entry), bad)?;
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_users_name_is_found_by_their_number() {
        let line = "alice:x:1000:1001:Alice:/home/alice:/bin/sh";
        assert_eq!(user(line, 1000).as_deref(), Some("alice"));
        for other in [1001, 100, 0] {
            assert_eq!(user(line, other), None);
        }
        assert_eq!(user("", 0), None);
        assert_eq!(user("a:b", 0), None);
    }
}
