//! Files of JSON lines that only grow.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use rayon::prelude::*;
use serde::de::DeserializeOwned;

use super::{StateError, failed, files};

/// One line of such a file.
pub(super) trait Line: Sized + Send {
    /// Reads it, without its line end; else why it cannot be read, without a word of what stands there, which may be
    /// anything, a secret too.
    fn parse(line: &[u8]) -> Result<Self, String>;
}

/// Reads a line of a file whose only format is the first one. `what` is what a line is.
pub(super) fn parse_first_format<T: DeserializeOwned>(
    line: &[u8],
    what: &str,
    version: impl FnOnce(&T) -> u8,
) -> Result<T, String> {
    let parsed: T = serde_json::from_slice(line)
        .map_err(|e| format!("not a record of {what}, at column {}", e.column()))?;
    match version(&parsed) {
        1 => Ok(parsed),
        later => Err(format!("written in format {later} by a later kpki")),
    }
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

/// Reads all lines, on all cores. A last line that a killed command left unfinished is passed over.
pub(super) fn parse<T: Line>(path: &Path, bytes: &[u8]) -> Result<(Vec<T>, Tail), BadLine> {
    let end = bytes
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |at| at + 1);
    let (whole, unfinished) = bytes.split_at(end);
    let lines = whole.par_split_inclusive(|b| *b == b'\n');
    let parsed = lines.map(|line| T::parse(&line[..line.len() - 1]));
    let parsed: Vec<Result<T, String>> = parsed.collect();
    let numbered = parsed.into_iter().zip(1..);
    let lines = numbered.map(|(line, number)| line.map_err(|why| (number, why)));
    let mut lines: Vec<T> = lines.collect::<Result<_, _>>()?;
    let mut tail = Tail {
        path: path.to_owned(),
        end: end as u64,
        open: false,
    };
    if let Ok(last) = T::parse(unfinished) {
        lines.push(last);
        tail.end += unfinished.len() as u64;
        tail.open = true;
    }
    Ok((lines, tail))
}

impl Tail {
    /// Behind so many bytes, which are whole lines.
    pub(super) fn at(path: &Path, end: u64) -> Self {
        Self {
            path: path.to_owned(),
            end,
            open: false,
        }
    }

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
        let open = T::parse(&bytes[begin..]).is_ok();
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
