//! `pruning.jsonl`: what requests may have deleted beyond what was reviewed.
//!
//! A filter that matches all bindings of a principal also deletes what someone creates between the read and the
//! deletion, and only the answer names it. So each such request is recorded durably before it is sent; additional
//! bindings in the answer are recorded before they are created again; and any request that is not settled when the next
//! command looks was interrupted. The file has a lock of its own while a command prunes, and is removed when nothing is
//! left to settle.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read, Seek, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    OutDir, StateError, failed,
    files::{self, is_absent},
};
use crate::acl::RawBinding;

const NAME: &str = "pruning.jsonl";
/// The format of the lines.
const VERSION: u8 = 1;

/// One filter of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    /// Whose bindings it matches.
    pub principal: String,
    /// A description of the filter.
    pub filter: String,
    /// How many bindings it matched when they were read, all of them to be deleted.
    pub read: usize,
}

/// An unsettled request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsettled {
    /// Its number in the file.
    pub id: String,
    /// The cluster's id; empty if the line cannot be read.
    pub cluster: String,
    /// When it was sent; none if the line cannot be read.
    pub at: Option<OffsetDateTime>,
    /// What it may have matched.
    pub filters: Vec<Reach>,
    /// What it deleted beyond what was known and must be created again; none: there was no answer.
    pub newer: Option<Vec<RawBinding>>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    v: u8,
    id: String,
    #[serde(flatten)]
    event: Event,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Event {
    /// The request is about to be sent.
    Sent {
        cluster: String,
        #[serde(with = "time::serde::rfc3339")]
        at: OffsetDateTime,
        filters: Vec<Reach>,
    },
    /// Its answer also names these.
    Answered { newer: Vec<RawBinding> },
    /// It is settled.
    Settled,
}

impl Line {
    /// Applies an event.
    fn apply(self, unsettled: &mut Vec<Unsettled>) {
        let id = self.id;
        match self.event {
            Event::Sent {
                cluster,
                at,
                filters,
            } => unsettled.push(Unsettled {
                id,
                cluster,
                at: Some(at),
                filters,
                newer: None,
            }),
            Event::Answered { newer } => {
                if let Some(noted) = unsettled.iter_mut().find(|u| u.id == id) {
                    noted.newer = Some(newer);
                }
            }
            Event::Settled => unsettled.retain(|u| u.id != id),
        }
    }
}

/// The file, held by this command alone.
#[derive(Debug)]
pub struct Pruning {
    path: PathBuf,
    file: File,
    /// Where the next line goes: after the last complete one.
    end: u64,
    unsettled: Vec<Unsettled>,
    /// Makes the numbers of this command's requests different from those of others.
    run: i128,
    sent: usize,
}

impl Pruning {
    /// What earlier commands left unsettled. Nothing if a command is working on it.
    pub fn read(out: &OutDir) -> Result<Vec<Unsettled>, StateError> {
        let path = out.root().join(NAME);
        let mut file = match open(&path, false) {
            Ok(file) => file,
            Err(e) if is_absent(&e) => return Ok(Vec::new()),
            Err(e) => return Err(failed("read", &path)(e)),
        };
        match file.try_lock_shared() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(Vec::new()),
            Err(TryLockError::Error(e)) => return Err(failed("lock", &path)(e)),
        }
        Ok(parse(&content(&path, &mut file)?).0)
    }

    /// Takes the file, creating it and the output directory if necessary. `None`: another command has it.
    pub fn take(out: &OutDir, now: OffsetDateTime) -> Result<Option<Self>, StateError> {
        out.create()?;
        let path = out.root().join(NAME);
        loop {
            let mut file = open(&path, true).map_err(failed("open", &path))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(e)) => return Err(failed("lock", &path)(e)),
            }
            // The command that had it may have removed it just now.
            let mine = file.metadata().map_err(failed("examine", &path))?;
            let there = fs::symlink_metadata(&path);
            if there.is_ok_and(|there| (there.dev(), there.ino()) == (mine.dev(), mine.ino())) {
                files::sync_dir(out.root())?;
                let (unsettled, end) = parse(&content(&path, &mut file)?);
                return Ok(Some(Self {
                    path,
                    file,
                    end,
                    unsettled,
                    run: now.unix_timestamp_nanos(),
                    sent: 0,
                }));
            }
        }
    }

    /// Durably records that a request is about to be sent. Returns its number. On failure the request must not be sent.
    pub fn sent(
        &mut self,
        cluster: &str,
        filters: Vec<Reach>,
        at: OffsetDateTime,
    ) -> Result<String, StateError> {
        self.sent += 1;
        let id = format!("{:x}-{:x}-{}", self.run, std::process::id(), self.sent);
        let cluster = cluster.to_owned();
        let event = Event::Sent {
            cluster,
            at,
            filters,
        };
        self.append(&id, event, true)?;
        Ok(id)
    }

    /// Durably records what an answer names beyond what was known.
    pub fn answered(&mut self, id: &str, newer: Vec<RawBinding>) -> Result<(), StateError> {
        self.append(id, Event::Answered { newer }, true)
    }

    /// Marks a request as settled. If a power failure loses this, the only cost is a needless warning.
    pub fn settled(&mut self, id: &str) -> Result<(), StateError> {
        self.append(id, Event::Settled, false)
    }

    /// What is not settled.
    pub fn unsettled(&self) -> &[Unsettled] {
        &self.unsettled
    }

    /// Removes the file if nothing is left to settle.
    pub fn close(self) -> Result<(), StateError> {
        match self.unsettled.is_empty() {
            true => fs::remove_file(&self.path).map_err(failed("remove", &self.path)),
            false => self.file.sync_all().map_err(failed("sync", &self.path)),
        }
    }

    fn append(&mut self, id: &str, event: Event, sync: bool) -> Result<(), StateError> {
        let id = id.to_owned();
        let line = Line {
            v: VERSION,
            id,
            event,
        };
        let mut bytes = serde_json::to_vec(&line)
            .map_err(|e| failed("write", &self.path)(io::Error::other(e)))?;
        bytes.push(b'\n');
        let file = &mut self.file;
        let written = file
            .set_len(self.end)
            .and_then(|()| file.seek(io::SeekFrom::Start(self.end)))
            .and_then(|_| file.write_all(&bytes))
            .and_then(|()| if sync { file.sync_all() } else { Ok(()) });
        if let Err(error) = written {
            // On a full disk, truncating still works; if not, the next line does it.
            let _ = file.set_len(self.end);
            return Err(failed("append to", &self.path)(error));
        }
        self.end += bytes.len() as u64;
        line.apply(&mut self.unsettled);
        Ok(())
    }
}

/// Opens a regular file, and not a link to one.
fn open(path: &Path, write: bool) -> io::Result<File> {
    let file = files::no_link()
        .read(true)
        .write(write)
        .create(write)
        .truncate(false)
        .mode(files::SECRET)
        .open(path)?;
    let meta = file.metadata()?;
    // The file decides which bindings are created again.
    if !meta.is_file() {
        Err(io::Error::other("it is not a regular file"))
    } else if meta.uid() != rustix::process::geteuid().as_raw() || meta.mode() & 0o022 != 0 {
        Err(io::Error::other(
            "it belongs to another user, or can be written by other users",
        ))
    } else {
        Ok(file)
    }
}

fn content(path: &Path, file: &mut File) -> Result<Vec<u8>, StateError> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(failed("read", path))?;
    Ok(bytes)
}

/// What is not settled, and where the last complete line ends. A line that was being written when its command was
/// killed belongs to a request that was never sent. A complete line that cannot be read is a request of which nothing
/// is known.
fn parse(bytes: &[u8]) -> (Vec<Unsettled>, u64) {
    let (mut unsettled, mut end): (Vec<Unsettled>, u64) = (Vec::new(), 0);
    for (at, text) in bytes.split_inclusive(|b| *b == b'\n').enumerate() {
        let Some(line) = text.strip_suffix(b"\n") else {
            break;
        };
        end += text.len() as u64;
        let line = serde_json::from_slice::<Line>(line).ok();
        match line.filter(|line| line.v == VERSION) {
            Some(line) => line.apply(&mut unsettled),
            None => unsettled.push(Unsettled {
                id: format!("line {}", at + 1),
                cluster: String::new(),
                at: None,
                filters: Vec::new(),
                newer: None,
            }),
        }
    }
    (unsettled, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: OffsetDateTime = time::macros::datetime!(2026-11-21 11:00 UTC);

    fn reach() -> Vec<Reach> {
        vec![Reach {
            principal: "User:a".into(),
            filter: "everything".into(),
            read: 2,
        }]
    }

    fn binding() -> RawBinding {
        serde_json::from_str(r#"{"resource_type":"TOPIC","pattern_type":"LITERAL","name":"t","principal":"User:a","host":"*","operation":"READ","permission":"ALLOW"}"#).unwrap()
    }

    #[test]
    fn a_command_that_is_killed_at_any_byte_leaves_what_the_next_one_needs() {
        let dir = tempfile::tempdir().unwrap();
        let out = OutDir::new(dir.path().join("out"));
        let mut note = Pruning::take(&out, NOW).unwrap().unwrap();
        let one = note.sent("c", reach(), NOW).unwrap();
        let sent = note.end as usize;
        note.answered(&one, vec![binding()]).unwrap();
        let answered = note.end as usize;
        note.settled(&one).unwrap();
        let path = out.root().join(NAME);
        let bytes = fs::read(&path).unwrap();
        for length in 0..=bytes.len() {
            let (left, end) = parse(&bytes[..length]);
            assert!(end as usize <= length);
            let expected: Option<Option<Vec<RawBinding>>> = match length {
                n if n < sent || n == bytes.len() => None,
                n if n < answered => Some(None),
                _ => Some(Some(vec![binding()])),
            };
            let found = left.into_iter().next().map(|u| u.newer);
            assert_eq!(found, expected, "{length}");
        }
        note.close().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn a_file_in_use_says_nothing_and_one_that_is_damaged_is_no_wedge() {
        let dir = tempfile::tempdir().unwrap();
        let out = OutDir::new(dir.path().join("out"));
        assert_eq!(Pruning::read(&out).unwrap(), []);
        let mut note = Pruning::take(&out, NOW).unwrap().unwrap();
        note.sent("c", reach(), NOW).unwrap();
        assert_eq!(Pruning::read(&out).unwrap(), []);
        assert!(Pruning::take(&out, NOW).unwrap().is_none());
        note.close().unwrap();
        assert_eq!(Pruning::read(&out).unwrap().len(), 1);

        let path = out.root().join(NAME);
        let mut text = fs::read_to_string(&path).unwrap();
        text.push_str("what is this?\n{\"v\":9}\n{\"v\":1,\"id\":\"cut");
        fs::write(&path, text).unwrap();
        let left = Pruning::read(&out).unwrap();
        let ids: Vec<&str> = left.iter().skip(1).map(|u| &*u.id).collect();
        assert_eq!(ids, ["line 2", "line 3"]);
        let mut note = Pruning::take(&out, NOW).unwrap().unwrap();
        for left in left {
            note.settled(&left.id).unwrap();
        }
        assert_eq!(note.unsettled(), []);
        note.close().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn a_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let out = OutDir::new(dir.path().join("out"));
        out.create().unwrap();
        let elsewhere = dir.path().join("elsewhere");
        std::os::unix::fs::symlink(&elsewhere, out.root().join(NAME)).unwrap();
        assert!(Pruning::take(&out, NOW).is_err());
        assert!(!elsewhere.exists());
    }

    /// Whoever writes it decides which bindings kpki creates.
    #[test]
    fn a_file_that_others_may_write_is_not_believed() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let out = OutDir::new(dir.path().join("out"));
        out.create().unwrap();
        let path = out.root().join(NAME);
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        assert!(Pruning::take(&out, NOW).is_err() && Pruning::read(&out).is_err());
    }
}
