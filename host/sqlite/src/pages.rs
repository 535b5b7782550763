//! The pages of a database as they are stored, one at a time: from its file, or from its write-ahead log where they are
//! newer there. (SQLite's file format, sections 1.3 and 4.)
//!
//! It reads beside SQLite, so what it reads is for estimates only: a log that grows may give newer pages than the
//! transaction sees.

use std::collections::HashMap;
use std::time::Instant;

use crate::database::Database;
use crate::database_file::DatabaseFile;

const LOG_HEADER: u64 = 32;
const FRAME_HEADER: u64 = 24;

/// The pages of a database.
pub(crate) struct Pages<'c> {
    file: DatabaseFile<'c>,
    log: Option<Log<'c>>,
    page_size: u64,
    /// The bytes at each page's end that SQLite leaves to others.
    reserved: usize,
}

/// The write-ahead log, and where in it the newest version of each page is.
struct Log<'c> {
    file: DatabaseFile<'c>,
    offsets: HashMap<u32, u64>,
}

impl<'c> Pages<'c> {
    /// The pages as they are now. None where they can't be read, and where the log is too long to be looked through before
    /// `deadline`.
    pub(crate) fn of(database: &'c Database, is_wal: bool, deadline: Instant) -> Option<Self> {
        let page_size: u32 = database
            .query_row(&database.sql("PRAGMA schema.page_size"), [], |row| row.get(0))
            .ok()?;
        let page_size = u64::from(page_size);
        let log = if is_wal { Log::of(database, page_size, deadline)? } else { None };
        let file = DatabaseFile::of(database).ok()?;
        let mut pages = Self { file, log, page_size, reserved: 0 };
        let mut first = Vec::new();
        pages.read(1, &mut first)?;
        pages.reserved = usize::from(*first.get(20)?);
        Some(pages)
    }

    /// Reads a page into `page`, without the bytes that are not SQLite's. None: there is no such page.
    pub(crate) fn read(&self, number: u32, page: &mut Vec<u8>) -> Option<()> {
        page.resize(self.page_size as usize, 0);
        let in_log = self.log.as_ref().and_then(|log| Some((log, *log.offsets.get(&number)?)));
        match in_log {
            Some((log, offset)) => log.file.read(page, offset).ok()?,
            None => {
                let offset = u64::from(number.checked_sub(1)?) * self.page_size;
                self.file.read(page, offset).ok()?;
            }
        }
        page.truncate(page.len().checked_sub(self.reserved)?);
        Some(())
    }
}

impl<'c> Log<'c> {
    /// The log, unless it is empty.
    #[allow(clippy::option_option, reason = "no log, or one that can't be used")]
    fn of(database: &'c Database, page_size: u64, deadline: Instant) -> Option<Option<Self>> {
        // Where nothing was ever written to it, there is no file.
        let Ok(file) = DatabaseFile::of_journal(database) else { return Some(None) };
        let mut header = [0; LOG_HEADER as usize];
        if file.read(&mut header, 0).is_err() {
            return Some(None);
        }
        // Frames with other salts are left over from before the log began anew.
        let salts = &header[16..24];
        let (mut offsets, mut uncommitted) = (HashMap::new(), Vec::new());
        let mut frame = [0; FRAME_HEADER as usize];
        let mut offset = LOG_HEADER;
        while file.read(&mut frame, offset).is_ok() && frame[8..16] == *salts {
            uncommitted.push((number_at(&frame, 0)?, offset + FRAME_HEADER));
            let is_commit = number_at(&frame, 4)? > 0;
            if is_commit {
                offsets.extend(uncommitted.drain(..));
            }
            offset += FRAME_HEADER + page_size;
            if Instant::now() > deadline {
                return None;
            }
        }
        Some(Some(Self { file, offsets }))
    }
}

/// The number of four bytes, the highest first.
pub(crate) fn number_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}
