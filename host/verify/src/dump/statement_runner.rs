//! Running statements on a thread of their own, so that the next are read and taken apart meanwhile.

use std::io;
use std::panic::resume_unwind;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use rusqlite::{Connection, ErrorCode, ffi};

use super::insert::Insert;
use super::restore::{RestoreError, StatementError};
use crate::statement::Statement;

/// So many bytes of statements may wait. One that is longer is waited for.
const MAX_WAITING: usize = 2 * 1024 * 1024;

/// What a statement takes in memory besides its bytes, about.
const OVERHEAD: usize = 256;

/// How many characters of a statement an error shows.
const MAX_SHOWN: usize = 80;

/// How many of its bytes hold them.
const MAX_HEAD: usize = 4 * (MAX_SHOWN + 1);

/// How many characters of SQLite's message an error shows: it may repeat a value of any length.
const MAX_MESSAGE: usize = 200;

/// The page cache while rows are inserted: of SQLite's own size, a large table's tree does not fit.
pub(crate) const ROWS_CACHE: &str = "PRAGMA cache_size=-65536;";

/// The page cache while an index is made. It is also what SQLite sorts at a time, as a linked list: of 64 MiB, that misses the
/// processor's caches, and two indexes of 20 million rows took 40 s to restore instead of 23 s.
const INDEX_CACHE: &str = "PRAGMA cache_size=-2048;";

/// A statement to be run.
pub(crate) struct Work {
    /// The offset of its first byte in the dump.
    pub(crate) start: u64,
    pub(crate) text: Vec<u8>,
    /// What SQLite accepts, if it is longer than that.
    pub(crate) limit: Option<usize>,
    /// Its rows, if they could be read without SQLite.
    pub(crate) insert: Option<Insert>,
}

/// A thread that runs statements in order, until one fails. Dropped, it runs no more of them, and closes the database.
pub(crate) struct StatementRunner {
    sender: Option<Sender<Work>>,
    state: Arc<SharedState>,
    thread: Option<JoinHandle<Result<(), RestoreError>>>,
}

#[derive(Default)]
struct SharedState {
    progress: Mutex<Progress>,
    /// A statement has been run.
    has_run: Condvar,
}

#[derive(Default)]
struct Progress {
    /// The bytes of the statements that wait, and of the one that is run.
    waiting: usize,
    /// No more are run: one has failed, or nobody wants them any more.
    is_over: bool,
    /// Why one has failed, unless somebody has taken it.
    failure: Option<RestoreError>,
}

impl SharedState {
    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StatementRunner {
    /// Starts the thread.
    pub(crate) fn start(connection: Connection) -> rusqlite::Result<Self> {
        let (sender, receiver) = mpsc::channel();
        let state = Arc::new(SharedState::default());
        let shared = state.clone();
        let thread = thread::Builder::new()
            .name("partway-restore".to_owned())
            .spawn(move || run_all(connection, &receiver, &shared))
            .map_err(|error| {
                let code = ffi::Error::new(ffi::SQLITE_NOMEM);
                rusqlite::Error::SqliteFailure(code, Some(error.to_string()))
            })?;
        Ok(Self { sender: Some(sender), state, thread: Some(thread) })
    }

    /// Has a statement run after those before it, and waits while too many wait. False: one has failed, and no more are run.
    pub(crate) fn run(&self, work: Work) -> bool {
        self.state.lock().waiting += work.size();
        // It fails when the thread has panicked, which the end tells.
        let is_sent = self.sender.as_ref().is_some_and(|sender| sender.send(work).is_ok());
        let is_full = |progress: &mut Progress| progress.waiting > MAX_WAITING && !progress.is_over;
        let progress = self.state.has_run.wait_while(self.state.lock(), is_full);
        is_sent && !progress.unwrap_or_else(PoisonError::into_inner).is_over
    }

    /// Why a statement has failed, once.
    pub(crate) fn take_failure(&self) -> Option<RestoreError> {
        self.state.lock().failure.take()
    }

    /// Waits until all are run, and closes the database.
    pub(crate) fn finish(mut self) -> Result<(), RestoreError> {
        let ended = self.join();
        match self.take_failure() {
            Some(failure) => Err(failure),
            None => ended,
        }
    }

    fn join(&mut self) -> Result<(), RestoreError> {
        drop(self.sender.take());
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(ended)) => ended,
            Some(Err(panic)) => resume_unwind(panic),
            None => Ok(()),
        }
    }
}

impl Drop for StatementRunner {
    fn drop(&mut self) {
        self.state.lock().is_over = true;
        drop(self.sender.take());
        // What it comes to, nobody wants to know.
        self.thread.take().map(JoinHandle::join);
    }
}

/// What the thread does.
fn run_all(
    connection: Connection,
    work: &Receiver<Work>,
    state: &SharedState,
) -> Result<(), RestoreError> {
    // Whoever waits when this panics waits no more.
    let _end = EndOnPanic(state);
    for one in work {
        if state.lock().is_over {
            continue;
        }
        let ran = one.run(&connection);
        let mut progress = state.lock();
        progress.waiting -= one.size();
        if let Err(error) = ran {
            progress.failure = Some(error);
            progress.is_over = true;
        }
        drop(progress);
        state.has_run.notify_one();
    }
    let is_committed = connection.is_autocommit();
    connection.close().map_err(|(_, error)| RestoreError::Close(error))?;
    if is_committed { Ok(()) } else { Err(RestoreError::NotCommitted) }
}

struct EndOnPanic<'s>(&'s SharedState);

impl Drop for EndOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.lock().is_over = true;
            self.0.has_run.notify_one();
        }
    }
}

impl Work {
    /// The memory that it takes, about.
    fn size(&self) -> usize {
        OVERHEAD + self.text.len() + self.insert.as_ref().map_or(0, Insert::size)
    }

    fn run(&self, connection: &Connection) -> Result<(), RestoreError> {
        self.execute(connection).map_err(|reason| {
            let head = &self.text.trim_ascii_start();
            let head = String::from_utf8_lossy(&head[..head.len().min(MAX_HEAD)]);
            let statement = shortened(&head, MAX_SHOWN);
            RestoreError::Statement { start: self.start, statement, reason }
        })
    }

    /// Whether it makes an index: SQLite begins the definitions that it keeps like this.
    fn makes_index(&self) -> bool {
        let text = self.text.trim_ascii_start();
        text.starts_with(b"CREATE INDEX ") || text.starts_with(b"CREATE UNIQUE INDEX ")
    }

    fn execute(&self, connection: &Connection) -> Result<(), StatementError> {
        if let Some(limit) = self.limit {
            return Err(StatementError::TooLong { limit });
        }
        let run = || {
            // One after another, each would be a transaction.
            if !connection.is_autocommit()
                && let Some(insert) = &self.insert
            {
                return insert.run(connection);
            }
            if !self.makes_index() {
                return step_all(connection, &self.text);
            }
            connection.execute_batch(INDEX_CACHE)?;
            step_all(connection, &self.text)?;
            connection.execute_batch(ROWS_CACHE)
        };
        run().map_err(|error: rusqlite::Error| match error {
            error if is_disk_full(&error, connection) => {
                StatementError::DiskFull(error.to_string())
            }
            error => StatementError::Sqlite(shortened(&error.to_string(), MAX_MESSAGE)),
        })
    }
}

fn step_all(connection: &Connection, text: &[u8]) -> rusqlite::Result<()> {
    let mut statement = Statement::prepare(connection, text)?;
    while statement.step()? {}
    Ok(())
}

/// Whether there is no room for the database, or none for this user: of the latter, SQLite says that it can't write.
fn is_disk_full(error: &rusqlite::Error, connection: &Connection) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded};
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => true,
        Some(ErrorCode::SystemIoFailure) => {
            // SAFETY: the connection is open.
            let number = unsafe { ffi::sqlite3_system_errno(connection.handle()) };
            let kind = io::Error::from_raw_os_error(number).kind();
            matches!(kind, FileTooLarge | QuotaExceeded)
        }
        _ => false,
    }
}

/// The first `most` characters of a text.
fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
