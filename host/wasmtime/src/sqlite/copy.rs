//! A copy of a database's present state, page by page.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

/// Copies what a connection sees into a new file. What is under that name appears whole, and safe against a
/// crash, or not at all.
pub(super) fn copy(from: &Connection, to: &Path) -> Result<(), String> {
    let mut unfinished = to.as_os_str().to_owned();
    unfinished.push(".new");
    let unfinished = Path::new(&unfinished);
    let copied = create(unfinished).map_err(|error| error.to_string()).and_then(|()| {
        pages(from, unfinished).map_err(|error| error.to_string())?;
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

fn pages(from: &Connection, to: &Path) -> rusqlite::Result<()> {
    let mut copy = Connection::open(to)?;
    copy.execute_batch("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;")?;
    while Backup::new(from, &mut copy)?.step(-1)? != StepResult::Done {}
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
