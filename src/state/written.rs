//! `written.jsonl`: what kpki wrote to which directory, so that an edit can be distinguished from kpki's own earlier
//! work, and a broker keeps what it was assigned. Append-only; it is beside the identities' directories and not inside,
//! where their owners could write it.
//!
//! A line is on the disk before the files that it describes are visible. A command that is killed in between leaves
//! files that match an earlier line, so every digest ever recorded counts, not only the last.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    FileSpec, Lock, OutDir, StateError, files,
    jsonl::{self, Tail},
};
use crate::{
    config::NodeFacts,
    pki::{hex, sha256},
};

/// The file's name, in the output directory.
const FILE: &str = "written.jsonl";
/// How many states of a file are kept when the record is compacted, besides the one on the disk.
const KEPT: usize = 2;
/// A record is compacted when it has this many times the digests that would be left.
const WASTE: usize = 4;
/// A record with fewer digests is never compacted.
const SMALL: usize = 1000;

/// What was written into one directory at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Writing {
    v: u8,
    name: String,
    /// SHA-256 of each file, in hex.
    files: BTreeMap<String, String>,
    /// For files whose bytes differ at every encoding, the digest of what they were made from.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    made: BTreeMap<String, String>,
    /// What the configuration of a broker commits it to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    node: Option<NodeFacts>,
}

impl Writing {
    /// The line for files of a directory.
    pub fn of(name: &str, files: &[FileSpec]) -> Self {
        let digests = files.iter().map(|f| (f.name.clone(), sha256(&f.bytes)));
        let made = files
            .iter()
            .filter_map(|f| Some((f.name.clone(), f.made_from.clone()?)));
        Self {
            v: 1,
            name: name.to_owned(),
            files: digests.collect(),
            made: made.collect(),
            node: files.iter().find_map(|f| f.node.as_deref().cloned()),
        }
    }

    /// The directory's name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    fn to_line(&self) -> String {
        // Texts and numbers always serialize.
        let mut line = serde_json::to_string(self).unwrap_or_default();
        line.push('\n');
        line
    }
}

impl jsonl::Line for Writing {
    fn parse(line: &str) -> Result<Self, String> {
        jsonl::parse_first_format(line, "what kpki wrote", |writing: &Self| writing.v)
    }
}

/// What is known about one directory.
#[derive(Debug, Default)]
pub struct WrittenEntry {
    files: BTreeMap<String, Vec<String>>,
    made: BTreeMap<String, String>,
    node: Option<NodeFacts>,
}

impl WrittenEntry {
    /// True if kpki recorded a file of that name, but never with these bytes.
    pub fn is_foreign(&self, file: &str, bytes: &[u8]) -> bool {
        let known = self.files.get(file);
        known.is_some_and(|known| !known.contains(&sha256(bytes)))
    }

    /// True if a file of that name was ever recorded.
    pub fn is_recorded(&self, file: &str) -> bool {
        self.files.contains_key(file)
    }

    /// True if the last recorded state of the file is this one, including what it was made from.
    pub fn is_current(&self, file: &FileSpec) -> bool {
        self.is_last(&file.name, &file.bytes)
            && file.made_from.as_ref() == self.made.get(&file.name)
            && (file.node.is_none() || file.node.as_deref() == self.node.as_ref())
    }

    /// True if the file was last recorded with these bytes.
    pub fn is_last(&self, file: &str, bytes: &[u8]) -> bool {
        let last = self.files.get(file).and_then(|known| known.last());
        last.is_some_and(|last| *last == sha256(bytes))
    }

    /// What a file with these bytes was made from, if it is the one that was last recorded.
    pub fn made_from(&self, file: &str, bytes: &[u8]) -> Option<&str> {
        let made = self.made.get(file)?;
        self.is_last(file, bytes).then_some(made)
    }

    fn add(&mut self, writing: Writing) {
        for (file, digest) in writing.files {
            match writing.made.get(&file) {
                Some(made) => self.made.insert(file.clone(), made.clone()),
                None => self.made.remove(&file),
            };
            let known = self.files.entry(file).or_default();
            known.retain(|d| *d != digest);
            known.push(digest);
        }
        if writing.node.is_some() {
            self.node = writing.node;
        }
    }
}

/// What is known about all directories.
#[derive(Debug)]
pub struct Written {
    path: PathBuf,
    entries: BTreeMap<String, WrittenEntry>,
    /// The digests in the file, repetitions counted.
    digests: usize,
}

impl Written {
    /// Reads the record; if there is none, such as after an older kpki, nothing is known.
    pub fn read(out: &OutDir) -> Result<Self, StateError> {
        let path = out.root().join(FILE);
        let mut written = Self {
            path: path.clone(),
            entries: BTreeMap::new(),
            digests: 0,
        };
        let bad = |path, line, reason| StateError::BadWritten { path, line, reason };
        jsonl::read::<Writing>(&path, |line| written.take(line), bad)?;
        Ok(written)
    }

    fn take(&mut self, line: Writing) {
        self.digests += line.files.len();
        let entry = self.entries.entry(line.name.clone()).or_default();
        entry.add(line);
    }

    /// What is known about a directory.
    pub fn of(&self, name: &str) -> Option<&WrittenEntry> {
        self.entries.get(name)
    }

    /// Every broker that was ever written, including those whose directory is gone.
    pub fn nodes(&self) -> impl Iterator<Item = (&str, &NodeFacts)> {
        let entries = self.entries.iter();
        entries.filter_map(|(name, entry)| Some((name.as_str(), entry.node.as_ref()?)))
    }

    /// Records existing files that are as kpki would write them. On failure the record is unchanged.
    pub fn adopt(out: &OutDir, _lock: &Lock, found: &[Writing]) -> Result<(), StateError> {
        append(out, found)
    }

    /// True if most of the record is about outdated states.
    pub fn is_wasteful(&self) -> bool {
        let states = self.entries.values().flat_map(|e| e.files.values());
        let left: usize = states.map(|known| known.len().min(KEPT)).sum();
        self.digests >= SMALL && self.digests >= WASTE * left
    }

    /// Rewrites the record without outdated states. The states that are on the disk are kept, however old they are. On
    /// failure the record is unchanged.
    pub fn compact(out: &OutDir, _lock: &Lock) -> Result<(), StateError> {
        let written = Self::read(out)?;
        let mut text = String::new();
        for (name, entry) in written.entries {
            let dir = out.root().join(&name);
            // Line by line from the oldest state to the newest, as they were written.
            let mut lines: Vec<Writing> = Vec::new();
            for (file, known) in entry.files {
                let there = match known.len() > KEPT {
                    true => files::read_plain(&dir.join(&file)).ok().flatten(),
                    false => None,
                };
                let there = there.map(|bytes| sha256(&bytes));
                let old = known.len().saturating_sub(KEPT);
                let kept = known
                    .into_iter()
                    .enumerate()
                    .filter(|(at, d)| *at >= old || Some(d) == there.as_ref());
                let kept: Vec<String> = kept.map(|(_, d)| d).collect();
                // Each file's newest state is in the last line.
                let missing = kept.len().saturating_sub(lines.len());
                for _ in 0..missing {
                    lines.insert(0, Writing::of(&name, &[]));
                }
                let first = lines.len() - kept.len();
                for (line, digest) in lines[first..].iter_mut().zip(kept) {
                    line.files.insert(file.clone(), digest);
                }
            }
            if lines.is_empty() {
                lines.push(Writing::of(&name, &[]));
            }
            if let Some(last) = lines.last_mut() {
                last.made = entry.made;
                last.node = entry.node;
            }
            text.extend(lines.iter().map(Writing::to_line));
        }
        files::write_atomic(&written.path, text.as_bytes(), files::SECRET, None)
    }
}

/// Appends lines to the record. The files may only be made visible afterwards. On failure the record is unchanged.
pub(super) fn append(out: &OutDir, writings: &[Writing]) -> Result<(), StateError> {
    if writings.is_empty() {
        return Ok(());
    }
    let lines: String = writings.iter().map(Writing::to_line).collect();
    Tail::find::<Writing>(&out.root().join(FILE))?.append(&lines)
}

/// The digest of several parts, which depends on how they are divided.
pub fn digest_of(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hex(&hash.finalize())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::state::fixture::out;

    fn writing(name: &str, text: &str) -> Writing {
        let mut file = FileSpec::secret("a", text);
        file.made_from = Some(format!("from {text}"));
        Writing::of(name, &[file, FileSpec::public("b", "same")])
    }

    #[test]
    fn every_recorded_state_is_kpkis_own_and_the_last_is_current() {
        let (_dir, out, lock) = out();
        assert!(Written::read(&out).unwrap().of("x").is_none());
        Written::adopt(&out, &lock, &[writing("x", "1")]).unwrap();
        append(&out, &[writing("x", "2"), writing("y", "3")]).unwrap();
        let written = Written::read(&out).unwrap();
        let x = written.of("x").unwrap();
        assert!(!x.is_foreign("a", b"1") && !x.is_foreign("a", b"2") && x.is_foreign("a", b"3"));
        assert!(!x.is_foreign("c", b"never recorded"));
        assert_eq!(x.made_from("a", b"2"), Some("from 2"));
        assert_eq!(
            x.made_from("a", b"1"),
            None,
            "an earlier store is looked into"
        );
    }

    #[test]
    fn an_unfinished_line_is_passed_over_and_replaced() {
        let (_dir, out, _lock) = out();
        let path = out.root().join(FILE);
        append(&out, &[writing("x", "1")]).unwrap();
        let whole = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{whole}{}", &whole[..20])).unwrap();
        append(&out, &[writing("x", "2")]).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("{whole}{}", writing("x", "2").to_line()));
        // Whole but for its end.
        fs::write(&path, whole.trim_end()).unwrap();
        append(&out, &[writing("x", "2")]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }

    #[test]
    fn a_smaller_record_knows_the_last_states_and_what_is_on_the_disk() {
        let (_dir, out, lock) = out();
        fs::create_dir(out.root().join("x")).unwrap();
        // As after many commands that were killed before their files became visible.
        fs::write(out.root().join("x/a"), "7").unwrap();
        let mut lines: Vec<Writing> = (0..SMALL).map(|n| writing("x", &n.to_string())).collect();
        lines[0].node = Some(NodeFacts {
            id: 4,
            ..NodeFacts::default()
        });
        append(&out, &lines).unwrap();
        Written::compact(&out, &lock).unwrap();
        let text = fs::read_to_string(out.root().join(FILE)).unwrap();
        assert_eq!(text.lines().count(), 3, "{text}");
        let written = Written::read(&out).unwrap();
        let x = written.of("x").unwrap();
        for (state, foreign) in [("7", false), ("998", false), ("999", false), ("997", true)] {
            assert_eq!(x.is_foreign("a", state.as_bytes()), foreign, "{state}");
        }
        assert_eq!(x.made_from("a", b"999"), Some("from 999"));
        assert!(x.is_last("b", b"same"));
        assert_eq!(written.nodes().next().unwrap().1.id, 4);
        Written::compact(&out, &lock).unwrap();
        assert_eq!(fs::read_to_string(out.root().join(FILE)).unwrap(), text);
    }

    #[test]
    fn a_damaged_line_is_an_error_with_its_number() {
        let (_dir, out, _lock) = out();
        fs::write(out.root().join(FILE), "garbage\n").unwrap();
        let error = Written::read(&out).unwrap_err().to_string();
        assert!(
            error.contains("written.jsonl, line 1: not a record"),
            "{error}"
        );
    }

    #[test]
    fn parts_are_told_apart() {
        assert_ne!(digest_of(&[b"ab", b"c"]), digest_of(&[b"a", b"bc"]));
    }
}
