//! A copy of a database's current state.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, MAIN_DB};
use tempfile::TempPath;

use crate::database::Database;
use crate::database_file::DatabaseFile;

/// How many pages are copied before checking again whether the copy is still wanted.
const PAGES_PER_STEP: i32 = 4096;

/// The same in bytes, where the file is copied.
const BLOCK_BYTES: usize = 1024 * 1024;

/// Why a copy was not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CopyError {
    #[error(transparent)]
    Write(#[from] io::Error),
    #[error(transparent)]
    Read(#[from] rusqlite::Error),
    /// A read that failed has ended the transaction, and with it the state that was to be copied.
    #[error("the transaction has ended")]
    TransactionEnded,
    #[error("interrupted")]
    Interrupted,
}

/// Copies what a connection sees in its transaction into a new file, until `stop` is set. The file
/// appears under its name only when it is complete and safe against a crash. `wal`: whether a part
/// of the state may be in a log.
pub(crate) fn copy(
    from: &Database,
    to: &Path,
    wal: bool,
    stop: &AtomicBool,
) -> Result<(), CopyError> {
    let unfinished = create(to)?;
    // On other systems some bytes beyond the first gigabyte may not be readable: SQLite's locks lie on them.
    if wal || from.is_lent() || cfg!(not(unix)) {
        pages(from, &unfinished, stop)?;
    } else {
        blocks(from, &unfinished, stop)?;
    }
    if stop.load(Ordering::Relaxed) {
        return Err(CopyError::Interrupted);
    }
    Ok(finish(unfinished, to)?)
}

/// An empty temporary file next to `to`, which only its owner may read: a copy is as private as the
/// database. Another process that copies to the same name has one of its own.
fn create(to: &Path) -> io::Result<TempPath> {
    let mut name = to.file_name().unwrap_or_default().to_owned();
    name.push(".");
    let folder = to.parent().unwrap_or(Path::new("."));
    Ok(tempfile::Builder::new().prefix(&name).tempfile_in(folder)?.into_temp_path())
}

/// Copies the file itself. Without a log nothing changes in it while the connection's transaction is open (a
/// writer has to wait before it touches a page), and page by page it takes twice as long.
///
/// It is read through SQLite: another opening of the file would, when closed, drop the locks of this process.
fn blocks(from: &Database, to: &Path, stop: &AtomicBool) -> Result<(), CopyError> {
    let file = DatabaseFile::of(from)?;
    let mut to = OpenOptions::new().write(true).open(to)?;
    let mut block = vec![0; BLOCK_BYTES];
    let (mut offset, length) = (0, file.length()?);
    while offset < length && !stop.load(Ordering::Relaxed) {
        let block = &mut block[..BLOCK_BYTES.min((length - offset) as usize)];
        file.read(block, offset)?;
        to.write_all(block)?;
        offset += block.len() as u64;
    }
    // A read that failed may have ended it.
    if from.is_lost() { Err(CopyError::TransactionEnded) } else { Ok(()) }
}

/// Copies page by page.
fn pages(from: &Database, to: &Path, stop: &AtomicBool) -> rusqlite::Result<()> {
    let mut copy = Connection::open(to)?;
    copy.execute_batch("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;")?;
    {
        // The connection's own transaction holds the state from the first page to the last.
        let backup = Backup::new_with_names(from, from.schema(), &mut copy, MAIN_DB)?;
        loop {
            match backup.step(PAGES_PER_STEP)? {
                StepResult::Done => break,
                StepResult::Busy | StepResult::Locked => {
                    std::thread::sleep(Duration::from_millis(10))
                }
                _ => {}
            }
            if stop.load(Ordering::Relaxed) {
                let interrupted = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_INTERRUPT);
                return Err(rusqlite::Error::SqliteFailure(interrupted, None));
            }
        }
    }
    // A log of its own would have to be made before the copy can be read.
    copy.execute_batch("PRAGMA journal_mode=DELETE;")
}

fn finish(unfinished: TempPath, to: &Path) -> io::Result<()> {
    File::open(&unfinished)?.sync_all()?;
    unfinished.persist(to).map_err(|error| error.error)?;
    match to.parent() {
        Some(folder) if cfg!(unix) => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}
