//! Files of JSON lines that only grow.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;

use super::{StateError, failed, files};

/// One line of such a file.
pub(super) trait Line: DeserializeOwned {
    /// What a line is, for the message about one that is none.
    const WHAT: &'static str;

    /// The version of the line's format; this kpki reads 1.
    fn version(&self) -> u8;
}

/// A whole line that cannot be read: its number, from 1, and what is wrong with it.
pub(super) type BadLine = (usize, String);

/// Where the next line goes.
#[derive(Debug)]
pub(super) struct Tail {
    path: PathBuf,
    /// Behind the last whole line.
    end: u64,
    /// The last line is whole but for its line end, as some editors leave it.
    open: bool,
}

/// Reads all lines. A last line that a killed command left unfinished is passed over.
pub(super) fn parse<T: Line>(path: &Path, bytes: &[u8]) -> Result<(Vec<T>, Tail), BadLine> {
    let mut lines = Vec::new();
    let mut tail = Tail {
        path: path.to_owned(),
        end: 0,
        open: false,
    };
    for (at, line) in bytes.split_inclusive(|b| *b == b'\n').enumerate() {
        let Some(text) = line.strip_suffix(b"\n") else {
            if let Ok(parsed) = serde_json::from_slice(line) {
                lines.push(parsed);
                tail.end += line.len() as u64;
                tail.open = true;
            }
            break;
        };
        // What stands there may be anything, a secret too, and is not quoted.
        let parsed: T = serde_json::from_slice(text).map_err(|e| {
            let why = format!("not a record of {}, at column {}", T::WHAT, e.column());
            (at + 1, why)
        })?;
        if parsed.version() != 1 {
            let why = format!("written in format {} by a later kpki", parsed.version());
            return Err((at + 1, why));
        }
        lines.push(parsed);
        tail.end += line.len() as u64;
    }
    Ok((lines, tail))
}

impl Tail {
    /// Finds the end without reading the whole, which only an unfinished last line makes necessary.
    pub(super) fn find<T: Line>(path: &Path) -> Result<Self, StateError> {
        let whole = |end| Self {
            path: path.to_owned(),
            end,
            open: false,
        };
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(whole(0)),
            Err(e) => return Err(failed("open", path)(e)),
        };
        let ends_well = |file: &mut File| -> io::Result<(u64, bool)> {
            let end = file.seek(io::SeekFrom::End(0))?;
            if end == 0 {
                return Ok((0, true));
            }
            file.seek(io::SeekFrom::End(-1))?;
            let mut last = [0];
            file.read_exact(&mut last)?;
            Ok((end, last == *b"\n"))
        };
        let (end, well) = ends_well(&mut file).map_err(failed("read", path))?;
        if well {
            return Ok(whole(end));
        }
        let bytes = files::read_optional(path)?.unwrap_or_default();
        let begin = bytes
            .iter()
            .rposition(|b| *b == b'\n')
            .map_or(0, |at| at + 1);
        let open = serde_json::from_slice::<T>(&bytes[begin..]).is_ok();
        let end = if open { bytes.len() } else { begin };
        Ok(Self {
            open,
            ..whole(end as u64)
        })
    }

    /// Appends whole lines and syncs them to the disk, in place of an unfinished last one.
    /// On failure the file stays as it was.
    pub(super) fn append(&mut self, lines: &str) -> Result<(), StateError> {
        let mut text = if self.open { "\n" } else { "" }.to_owned();
        text.push_str(lines);
        let write = |file: &mut File| -> io::Result<()> {
            file.set_len(self.end)?;
            file.seek(io::SeekFrom::Start(self.end))?;
            file.write_all(text.as_bytes())?;
            file.sync_all()
        };
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(files::SECRET)
            .open(&self.path)
            .map_err(failed("open", &self.path))?;
        if let Err(error) = write(&mut file) {
            // On a full disk, cutting still works; if not, the next writer cuts.
            let _ = file.set_len(self.end);
            return Err(failed("append to", &self.path)(error));
        }
        if self.end == 0
            && let Some(parent) = self.path.parent()
        {
            files::sync_dir(parent)?;
        }
        self.end += text.len() as u64;
        self.open = false;
        Ok(())
    }
}
