//! Several files as one: tar and zip, the same bytes for the same files.

use std::io::{self, Cursor, Write};

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
    /// What it holds.
    pub bytes: SecretBytes,
    /// Its mode.
    pub mode: u32,
}

/// A record of a tar archive; what a file holds is filled up to whole ones.
const RECORD: usize = 512;

/// The files as a tar archive; `time` is that of all of them. Its owner has no name, which another machine could give to
/// another number.
pub fn tar(entries: &[Entry], (uid, gid): Owner, time: OffsetDateTime) -> io::Result<SecretBytes> {
    let sizes = entries.iter().map(|e| 4 * RECORD + e.bytes.len());
    // Large enough from the start: growing leaves copies behind.
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

/// Info-ZIP's extra field with the numbers of owner and group (APPNOTE 4.6.1, 0x7875): its version, and each number behind
/// its size.
const UNIX_OWNER: u16 = 0x7875;

/// The files as a zip archive, as they are; `time` is that of all of them.
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

/// A time as zip writes it; outside of the years that it knows, its first.
fn dos_time(time: OffsetDateTime) -> DateTime {
    let time = time.to_offset(time::UtcOffset::UTC);
    let year = u16::try_from(time.year()).unwrap_or_default();
    let (hour, minute, second) = time.time().as_hms();
    DateTime::from_date_and_time(year, time.month().into(), time.day(), hour, minute, second)
        .unwrap_or_default()
}
