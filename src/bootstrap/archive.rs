//! Archives of files, tar and zip: the same files give the same bytes.

use std::io::{self, Cursor, Read, Write};

use time::OffsetDateTime;
use zip::{
    CompressionMethod, DateTime, ZipWriter,
    write::{FileOptions, FullFileOptions},
};

use crate::{secret::SecretBytes, state::Owner};

/// A file in an archive, at its top level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its contents.
    pub bytes: SecretBytes,
    /// Its mode.
    pub mode: u32,
}

/// The size of a tar record; file contents are padded to whole records.
const RECORD: usize = 512;

/// The files as a tar archive; `time` applies to all of them. The owner is given by number only, as a name could map to
/// another number on another machine.
pub fn tar(entries: &[Entry], (uid, gid): Owner, time: OffsetDateTime) -> io::Result<SecretBytes> {
    let sizes = entries.iter().map(|e| 4 * RECORD + e.bytes.len());
    // Allocated large enough from the start: growing would leave copies in memory.
    let mut builder = tar::Builder::new(Vec::with_capacity(sizes.sum::<usize>() + 2 * RECORD));
    for entry in entries {
        let mut header = tar::Header::new_gnu();
        header.set_mode(entry.mode);
        header.set_uid(uid.into());
        header.set_gid(gid.into());
        header.set_mtime(u64::try_from(time.unix_timestamp()).unwrap_or_default());
        header.set_size(entry.bytes.len() as u64);
        builder.append_data(&mut header, &entry.name, &*entry.bytes)?;
    }
    Ok(builder.into_inner()?.into())
}

/// Info-ZIP's extra field with the owner's and group's numbers (APPNOTE 4.6.1, 0x7875): its version, and each number
/// preceded by its size.
const UNIX_OWNER: u16 = 0x7875;

/// The files as an uncompressed zip archive; `time` applies to all of them.
pub fn zip(entries: &[Entry], (uid, gid): Owner, time: OffsetDateTime) -> io::Result<SecretBytes> {
    let sizes = entries.iter().map(|e| RECORD + e.bytes.len());
    let bytes = Vec::with_capacity(sizes.sum::<usize>() + RECORD);
    let mut writer = ZipWriter::new(Cursor::new(bytes));
    let mut owner = vec![1, 4];
    owner.extend(uid.to_le_bytes());
    owner.push(4);
    owner.extend(gid.to_le_bytes());
    for entry in entries {
        let mut options: FullFileOptions<'_, '_> = FileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(dos_time(time))
            .unix_permissions(entry.mode);
        options.add_extra_field(UNIX_OWNER, &owner, false)?;
        writer.start_file(&entry.name, options)?;
        writer.write_all(&entry.bytes)?;
    }
    Ok(writer.finish()?.into_inner().into())
}

/// A time in zip's format; outside the years that it can represent, the first one.
fn dos_time(time: OffsetDateTime) -> DateTime {
    let time = time.to_offset(time::UtcOffset::UTC);
    let year = u16::try_from(time.year()).unwrap_or_default();
    let (hour, minute, second) = time.time().as_hms();
    DateTime::from_date_and_time(year, time.month().into(), time.day(), hour, minute, second)
        .unwrap_or_default()
}

/// The files of a tar archive that contains only regular files at its top level.
///
/// # Errors
/// If it contains anything else, or is damaged.
pub fn untar(bytes: &[u8]) -> Result<Vec<Entry>, &'static str> {
    let mut found: Vec<Entry> = Vec::new();
    let mut archive = tar::Archive::new(bytes);
    for entry in archive.entries().map_err(|_| DAMAGED)? {
        let mut entry = entry.map_err(|_| DAMAGED)?;
        if entry.header().entry_type() != tar::EntryType::Regular {
            return Err("it contains something that is not a file");
        }
        let name = std::str::from_utf8(&entry.path_bytes()).map(str::to_owned);
        let name = name.map_err(|_| DAMAGED)?;
        if found.iter().any(|known| known.name == name) {
            return Err("it contains a file twice");
        }
        let size = usize::try_from(entry.size()).map_err(|_| DAMAGED)?;
        // As much as there is, whatever the header says; growing would leave copies in memory.
        let mut contents = Vec::with_capacity(size.min(bytes.len()));
        entry.read_to_end(&mut contents).map_err(|_| DAMAGED)?;
        if contents.len() != size {
            return Err(DAMAGED);
        }
        found.push(Entry {
            name,
            bytes: contents.into(),
            mode: entry.header().mode().map_err(|_| DAMAGED)?,
        });
    }
    Ok(found)
}

const DAMAGED: &str = "it is damaged";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entries() -> Vec<Entry> {
        let entry = |name: &str, bytes: &[u8]| Entry {
            name: name.into(),
            bytes: bytes.to_vec().into(),
            mode: 0o600,
        };
        vec![
            entry("a", b"one"),
            entry("b", &[0xff; 700]),
            entry("c", b""),
        ]
    }

    #[test]
    fn what_was_packed_is_unpacked() {
        let packed = tar(&entries(), (1, 2), OffsetDateTime::UNIX_EPOCH).unwrap();
        assert_eq!(untar(&packed).unwrap(), entries());
        assert_eq!(untar(&[]).unwrap(), []);
    }

    #[test]
    fn what_is_no_file_is_refused_and_no_header_is_believed() {
        let one = |change: fn(&mut tar::Header)| {
            let mut header = tar::Header::new_gnu();
            header.set_path("x").unwrap();
            header.set_size(0);
            header.set_mode(0o600);
            change(&mut header);
            header.set_cksum();
            let mut bytes = header.as_bytes().to_vec();
            bytes.extend([0; 1024]);
            untar(&bytes)
        };
        assert!(one(|_| ()).is_ok());
        for change in [
            (|h| h.set_entry_type(tar::EntryType::Symlink)) as fn(&mut tar::Header),
            |h| h.set_entry_type(tar::EntryType::Directory),
            |h| h.set_entry_type(tar::EntryType::GNUSparse),
            |h| h.set_entry_type(tar::EntryType::Fifo),
            |h| h.set_size(1 << 40),
            |h| h.set_size(u64::MAX),
        ] {
            assert!(one(change).is_err());
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(at in 0usize..4096, to in any::<u8>(), cut in 0usize..4096) {
            let packed = tar(&entries(), (1, 2), OffsetDateTime::UNIX_EPOCH).unwrap();
            let mut bytes = packed.to_vec();
            let length = bytes.len();
            bytes[at % length] = to;
            let _ = untar(&bytes);
            bytes.truncate(cut);
            let _ = untar(&bytes);
        }
    }
}
