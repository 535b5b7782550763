//! A copy of a database's present state, page by page.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

/// Pages that are copied between two looks whether the copy is still wanted.
const PAGES: i32 = 4096;

/// Copies what a connection sees into a new file, until somebody interrupts it. What is under that name appears whole,
/// and safe against a crash, or not at all.
pub(super) fn copy(from: &Connection, to: &Path, stop: &AtomicBool) -> Result<(), String> {
    let mut unfinished = to.as_os_str().to_owned();
    unfinished.push(".new");
    let unfinished = Path::new(&unfinished);
    let copied = create(unfinished).map_err(|error| error.to_string()).and_then(|()| {
        pages(from, unfinished, stop).map_err(|error| error.to_string())?;
        finish(unfinished, to).map_err(|error| error.to_string())
    });
    if copied.is_err() {
        // It is of no use, and what went wrong is known.
        fs::remove_file(unfinished).ok();
    }
    copied
}

/// An empty file that its owner alone may read: a copy is as private as the database.
fn create(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.create(true).write(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

fn pages(from: &Connection, to: &Path, stop: &AtomicBool) -> rusqlite::Result<()> {
    let mut copy = Connection::open(to)?;
    copy.execute_batch("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;")?;
    {
        // The connection's own transaction holds the state from the first page to the last.
        let backup = Backup::new(from, &mut copy)?;
        while backup.step(PAGES)? != StepResult::Done {
            if stop.load(Ordering::Relaxed) {
                let interrupted = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_INTERRUPT);
                return Err(rusqlite::Error::SqliteFailure(interrupted, None));
            }
        }
    }
    // A log of its own would have to be made before the copy can be read.
    copy.execute_batch("PRAGMA journal_mode=DELETE;")
}

fn finish(unfinished: &Path, to: &Path) -> io::Result<()> {
    File::open(unfinished)?.sync_all()?;
    fs::rename(unfinished, to)?;
    match to.parent() {
        Some(folder) if cfg!(unix) => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}
