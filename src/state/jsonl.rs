//! Append-only files of JSON lines.

use std::{
    fs::File,
    io::{self, Read, Seek, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use rayon::prelude::*;
use serde::de::DeserializeOwned;

use super::{StateError, failed, files};

/// One line of such a file.
pub(super) trait Line: Sized + Send {
    /// Reads it, without the line ending; the error never quotes the content, which may be anything, even a secret.
    fn parse(line: &[u8]) -> Result<Self, String>;
}

/// Reads a line of a file that has only ever had one format. `what` describes a line.
pub(super) fn parse_first_format<T: DeserializeOwned>(
    line: &[u8],
    what: &str,
    version: impl FnOnce(&T) -> u8,
) -> Result<T, String> {
    let parsed: T = serde_json::from_slice(line)
        .map_err(|e| format!("not a record of {what}, at column {}", e.column()))?;
    match version(&parsed) {
        1 => Ok(parsed),
        later => Err(format!(
            "written in format {later} by a newer version of kpki"
        )),
    }
}

/// A complete line that cannot be read: its number, from 1, and what is wrong with it.
pub(super) type BadLine = (usize, String);

/// Where the next line goes.
#[derive(Debug, Default)]
pub(super) struct Tail {
    path: PathBuf,
    /// After the last complete line.
    end: u64,
    /// The last line is complete except for its line ending, as some editors leave it.
    open: bool,
}

/// Reads all lines, on all cores, and hands them over in order. An unfinished last line of a killed command is ignored.
pub(super) fn parse<T: Line>(
    path: &Path,
    bytes: &[u8],
    mut take: impl FnMut(T),
) -> Result<Tail, BadLine> {
    let end = bytes
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |at| at + 1);
    let (whole, unfinished) = bytes.split_at(end);
    let lines = whole.par_split_inclusive(|b| *b == b'\n');
    let parsed = lines.map(|line| T::parse(&line[..line.len() - 1]));
    // As they were made: half a million lines are not moved once more.
    for (line, number) in parsed.collect_vec_list().into_iter().flatten().zip(1..) {
        take(line.map_err(|why| (number, why))?);
    }
    let mut tail = Tail {
        path: path.to_owned(),
        end: end as u64,
        open: false,
    };
    if let Ok(last) = T::parse(unfinished) {
        take(last);
        tail.end += unfinished.len() as u64;
        tail.open = true;
    }
    Ok(tail)
}

impl Tail {
    /// After this many bytes, which are complete lines.
    pub(super) fn at(path: &Path, end: u64) -> Self {
        Self {
            path: path.to_owned(),
            end,
            open: false,
        }
    }

    /// Finds the end without reading the whole file, which is only necessary if the last line is unfinished.
    pub(super) fn find<T: Line>(path: &Path) -> Result<Self, StateError> {
        let whole = |end| Self {
            path: path.to_owned(),
            end,
            open: false,
        };
        let Some((mut file, _)) = files::open_existing(path)? else {
            return Ok(whole(0));
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
        let bytes = files::read_record(path)?.unwrap_or_default();
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

    /// Appends complete lines and syncs them to the disk, replacing an unfinished last one. On failure the file is
    /// unchanged.
    pub(super) fn append(&mut self, lines: &str) -> Result<(), StateError> {
        let mut text = if self.open { "\n" } else { "" }.to_owned();
        text.push_str(lines);
        let write = |file: &mut File| -> io::Result<()> {
            file.set_len(self.end)?;
            file.seek(io::SeekFrom::Start(self.end))?;
            file.write_all(text.as_bytes())?;
            file.sync_all()
        };
        let mut options = files::no_link();
        options.write(true).create(true).mode(files::SECRET);
        let (mut file, _) = files::open_plain(&options, "open", &self.path)?;
        if let Err(error) = write(&mut file) {
            // On a full disk, truncating still works; if not, the next writer truncates.
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
