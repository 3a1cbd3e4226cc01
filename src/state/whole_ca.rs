//! The CA's directory as a whole, as backups have it.

use super::{
    Inventory, Lock, OutDir, StateError, failed,
    files::{self, entries, look},
    jsonl::Tail,
    place::name_of,
};
use crate::secret::SecretBytes;

/// The maximum total size of a CA's files, in bytes: encoded as text, the maximum size of one file that kpki reads.
const MAX_CA: usize = 160 * 1024 * 1024;

/// How the existing inventory relates to another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum History {
    /// The other one has the same lines, and maybe more.
    Contained,
    /// It has this many lines that the other one lacks.
    Newer(usize),
    /// Both have lines that the other one lacks.
    Other,
}

impl History {
    /// Compares them byte by byte. An unfinished last line of a killed command is ignored.
    pub fn of(there: &[u8], other: &[u8]) -> Self {
        let there = whole(there);
        if other.starts_with(there) {
            return Self::Contained;
        }
        match there.strip_prefix(whole(other)) {
            Some(more) => Self::Newer(more.split_inclusive(|b| *b == b'\n').count()),
            None => Self::Other,
        }
    }
}

/// All lines except an unfinished one. A line that only lacks its line ending is not unfinished.
fn whole(lines: &[u8]) -> &[u8] {
    let end = lines
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |at| at + 1);
    let last = &lines[end..];
    match serde_json::from_slice::<serde::de::IgnoredAny>(last) {
        Ok(_) => lines,
        Err(_) => &lines[..end],
    }
}

/// True for names that files of a CA can have, wherever the name comes from.
pub fn is_ca_file(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    (1..=100).contains(&name.len()) && name.chars().all(plain) && !name.starts_with('.')
}

impl OutDir {
    /// Every file of the CA, by name.
    ///
    /// # Errors
    /// If one of them could not have been put there by kpki.
    pub fn ca_files(&self, _lock: &Lock) -> Result<Vec<(String, SecretBytes)>, StateError> {
        let mut found = Vec::new();
        let mut size = 0;
        for path in entries(&self.ca())? {
            let name = name_of(&path);
            if !look(&path)?.is_some_and(|meta| meta.is_file()) || !is_ca_file(name) {
                return Err(StateError::obstacle(
                    &path,
                    "is not a regular file of the CA, and only those can be in a backup",
                ));
            }
            let bytes = files::read_record(&path)?.unwrap_or_default();
            size += bytes.len();
            if size > MAX_CA {
                return Err(StateError::obstacle(
                    &self.ca(),
                    "is too large for a backup",
                ));
            }
            found.push((name.to_owned(), bytes.into()));
        }
        Ok(found)
    }

    /// The inventory's bytes; `None` if there is none.
    pub fn inventory_bytes(&self) -> Result<Option<Vec<u8>>, StateError> {
        files::read_record(&self.ca_file(Inventory::FILE))
    }

    /// Appends the lines that the inventory lacks from another one that contains it.
    pub fn extend_inventory(&self, _lock: &Lock, other: &[u8]) -> Result<(), StateError> {
        let path = self.ca_file(Inventory::FILE);
        let there = self.inventory_bytes()?.unwrap_or_default();
        let end = whole(&there).len();
        let more = other.get(end..).unwrap_or_default();
        if more.is_empty() {
            return Ok(());
        }
        let more = std::str::from_utf8(more)
            .map_err(|_| failed("append to", &path)(std::io::ErrorKind::InvalidData.into()))?;
        Tail::at(&path, end as u64).append(more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_inventory_that_contains_the_other_may_take_its_place() {
        let (a, b, c) = ("{\"a\":1}\n", "{\"b\":1}\n", "{\"c\":1}\n");
        for (there, other, expected) in [
            (String::new(), a.to_owned(), History::Contained),
            (a.into(), a.into(), History::Contained),
            (a.into(), format!("{a}{b}"), History::Contained),
            // Killed while a line was written, and a line end that an editor took.
            (format!("{a}{{\"b"), format!("{a}{c}"), History::Contained),
            (a.trim_end().into(), format!("{a}{b}"), History::Contained),
            (a.trim_end().into(), b.into(), History::Other),
            (format!("{a}{b}{c}"), a.into(), History::Newer(2)),
            (format!("{a}{b}"), format!("{a}{c}"), History::Other),
        ] {
            let found = History::of(there.as_bytes(), other.as_bytes());
            assert_eq!(found, expected, "{there:?} {other:?}");
        }
    }

    #[test]
    fn no_name_leads_out_of_the_directory() {
        assert!(is_ca_file("ca.key") && is_ca_file("standby-intermediate.crt"));
        for name in [
            "",
            ".",
            "..",
            "../x",
            "a/b",
            ".kpki-1",
            "a\0",
            "ä",
            &"a".repeat(101),
        ] {
            assert!(!is_ca_file(name), "{name}");
        }
    }
}
