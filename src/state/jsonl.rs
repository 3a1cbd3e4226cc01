//! Append-only files of JSON lines.

use std::{
    collections::LinkedList,
    fs::File,
    io::{self, Read, Seek, Write},
    mem,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    str,
};

use rayon::prelude::*;
use serde::de::DeserializeOwned;

use super::{StateError, failed, files};

/// One line of such a file.
pub(super) trait Line: Sized + Send {
    /// Reads it, without the line ending; the error never quotes the content, which may be anything, even a secret.
    fn parse(line: &str) -> Result<Self, String>;
}

/// Reads a line of a file that has only ever had one format. `what` describes a line.
pub(super) fn parse_first_format<T: DeserializeOwned>(
    line: &str,
    what: &str,
    version: impl FnOnce(&T) -> u8,
) -> Result<T, String> {
    let parsed: T = serde_json::from_str(line)
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

/// Bytes read at once: of a large file, one block is parsed while the next is read.
const BLOCK: u64 = 4 * 1024 * 1024;

/// A file's complete lines, many at once.
struct Blocks<R> {
    source: R,
    /// The beginning of a line whose end was not read yet.
    begun: Vec<u8>,
}

impl<R: Read> Blocks<R> {
    /// The next complete lines; none at the end.
    fn read(&mut self, block: &mut Vec<u8>) -> io::Result<()> {
        block.clear();
        block.append(&mut self.begun);
        loop {
            let before = block.len();
            let new = self.source.by_ref().take(BLOCK).read_to_end(block)?;
            match block[before..].iter().rposition(|b| *b == b'\n') {
                Some(at) => {
                    let end = before + at + 1;
                    self.begun.extend_from_slice(&block[end..]);
                    block.truncate(end);
                    return Ok(());
                }
                None if new == 0 => {
                    mem::swap(block, &mut self.begun);
                    return Ok(());
                }
                // A line that is longer than a block.
                None => {}
            }
        }
    }
}

/// What each line of a block says, on all cores.
fn parse_block<T: Line>(block: &[u8]) -> LinkedList<Vec<Result<T, String>>> {
    let lines = |text: &str| text.par_lines().map(T::parse).collect_vec_list();
    let error = match str::from_utf8(block) {
        Ok(text) => return lines(text),
        Err(error) => error,
    };
    let end = |bytes: &[u8]| {
        bytes
            .iter()
            .rposition(|b| *b == b'\n')
            .map_or(0, |at| at + 1)
    };
    let good = &block[..end(&block[..error.valid_up_to()])];
    let mut lines = lines(str::from_utf8(good).unwrap_or_default());
    lines.push_back(vec![Err("not text in UTF-8".to_owned())]);
    lines
}

/// Reads all lines, on all cores, and hands them over in order. An unfinished last line of a killed command is ignored.
pub(super) fn parse<T: Line>(
    path: &Path,
    source: impl Read + Send,
    mut take: impl FnMut(T) + Send,
) -> io::Result<Result<Tail, BadLine>> {
    let mut blocks = Blocks {
        source,
        begun: Vec::new(),
    };
    let (mut block, mut next, mut end) = (Vec::new(), Vec::new(), 0);
    let mut number = 0;
    let mut hand_over = |lines: LinkedList<Vec<Result<T, String>>>| {
        for line in lines.into_iter().flatten() {
            number += 1;
            take(line.map_err(|why| (number, why))?);
        }
        Ok::<_, BadLine>(())
    };
    let mut before = LinkedList::new();
    blocks.read(&mut block)?;
    while !block.is_empty() {
        let (lines, (handed, read)) = rayon::join(
            || parse_block(&block),
            || (hand_over(before), blocks.read(&mut next)),
        );
        if let Err(bad) = handed {
            return Ok(Err(bad));
        }
        read?;
        end += block.len();
        before = lines;
        mem::swap(&mut block, &mut next);
    }
    if let Err(bad) = hand_over(before) {
        return Ok(Err(bad));
    }
    let mut tail = Tail {
        path: path.to_owned(),
        end: end as u64,
        open: false,
    };
    if let Some(last) = parse_last(&blocks.begun) {
        take(last);
        tail.end += blocks.begun.len() as u64;
        tail.open = true;
    }
    Ok(Ok(tail))
}

/// A last line that lacks nothing but its end.
fn parse_last<T: Line>(line: &[u8]) -> Option<T> {
    T::parse(str::from_utf8(line).ok()?).ok()
}

/// The same for a file, which may be missing.
pub(super) fn read<T: Line>(
    path: &Path,
    take: impl FnMut(T) + Send,
    bad: impl Fn(PathBuf, usize, String) -> StateError,
) -> Result<Tail, StateError> {
    let Some((file, _)) = files::open_existing(path)? else {
        return Ok(Tail::at(path, 0));
    };
    parse(path, file, take)
        .map_err(failed("read", path))?
        .map_err(|(line, reason)| bad(path.to_owned(), line, reason))
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
        let open = parse_last::<T>(&bytes[begin..]).is_some();
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A line of text; an empty one, or one that begins with `!`, is bad.
    struct Plain(String);

    impl Line for Plain {
        fn parse(line: &str) -> Result<Self, String> {
            match line.is_empty() || line.starts_with('!') {
                true => Err("bad".to_owned()),
                false => Ok(Self(line.to_owned())),
            }
        }
    }

    fn parsed(text: &[u8]) -> (Vec<String>, Result<Tail, BadLine>) {
        let mut lines = Vec::new();
        let end = parse(Path::new("x"), text, |Plain(line)| lines.push(line)).unwrap();
        (lines, end)
    }

    #[test]
    fn a_file_of_many_blocks_is_handed_over_in_order() {
        // One line is longer than a block, and no line ends where a block does.
        let long = "x".repeat(BLOCK as usize * 2 + 3);
        let numbers = |from: usize| (from..from + 400_000).map(|n| format!("line {n}"));
        let mut lines: Vec<String> = numbers(0).collect();
        lines.push(long);
        lines.extend(numbers(400_001));
        let text = lines.join("\n") + "\n";
        let (read, tail) = parsed(text.as_bytes());
        assert!(read == lines, "{} lines", read.len());
        assert_eq!(tail.unwrap().end, text.len() as u64);
        // The end of the last one is missing.
        let (read, tail) = parsed(&text.as_bytes()[..text.len() - 1]);
        assert!(read == lines && tail.unwrap().open);
        lines[500_000].insert(0, '!');
        let (read, bad) = parsed((lines.join("\n") + "\n").as_bytes());
        assert_eq!(bad.unwrap_err(), (500_001, "bad".to_owned()));
        assert!(read == lines[..500_000]);
    }

    #[test]
    fn bytes_that_are_no_text_are_an_error_of_their_line() {
        let (read, bad) = parsed(b"one\ntwo\nthr\xffee\nfour\n");
        assert_eq!(read, ["one", "two"]);
        assert_eq!(bad.unwrap_err().0, 3);
        // As a killed command may leave them.
        let (read, tail) = parsed(b"one\ntw\xff");
        assert_eq!((read, tail.unwrap().end), (vec!["one".to_owned()], 4));
    }
}
