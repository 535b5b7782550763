//! A copy of a database's present state, page by page.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};
use tempfile::TempPath;

/// Pages that are copied between two looks whether the copy is still wanted.
const PAGES: i32 = 4096;

/// Copies what a connection sees into a new file, until somebody interrupts it. What is under that name appears whole,
/// and safe against a crash, or not at all.
pub(super) fn copy(from: &Connection, to: &Path, stop: &AtomicBool) -> Result<(), String> {
    let words = |error: io::Error| error.to_string();
    let unfinished = create(to).map_err(words)?;
    pages(from, &unfinished, stop).map_err(|error| error.to_string())?;
    if stop.load(Ordering::Relaxed) {
        return Err("interrupted".to_owned());
    }
    finish(unfinished, to).map_err(words)
}

/// An empty file beside another, that its owner alone may read: a copy is as private as the database. Another process
/// that copies to the same name has one of its own.
fn create(to: &Path) -> io::Result<TempPath> {
    let mut name = to.file_name().unwrap_or_default().to_owned();
    name.push(".");
    let folder = to.parent().unwrap_or(Path::new("."));
    Ok(tempfile::Builder::new().prefix(&name).tempfile_in(folder)?.into_temp_path())
}

fn pages(from: &Connection, to: &Path, stop: &AtomicBool) -> rusqlite::Result<()> {
    let mut copy = Connection::open(to)?;
    copy.execute_batch("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;")?;
    {
        // The connection's own transaction holds the state from the first page to the last.
        let backup = Backup::new(from, &mut copy)?;
        loop {
            match backup.step(PAGES)? {
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
