//! A held read transaction on a database file.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Sender, channel, sync_channel};
use std::time::Duration;

use rusqlite::{Connection, InterruptHandle, OpenFlags};
use serde::{Deserialize, Serialize};

use super::ahead::{Front, gone};
use super::authorizer::only_read;
use super::error::OpenError;
use super::fingerprint::Fingerprint;
use super::key::Key;
use super::long::Piece;
use super::reader::{Open, Reply, Request, run};
use crate::contract::rows::{Batch, Error as RowsError, Schema};
use crate::contract::{Cursor, Rows};

/// How long to wait for a writer that holds the database.
const PATIENCE: Duration = Duration::from_secs(5);

/// One unchanging view of a SQLite database, held by a read transaction for as long as a clone of this lives.
///
/// In WAL mode writers go on meanwhile, but the log can't start from its beginning again; with a rollback
/// journal they have to wait. Clones share the transaction.
#[derive(Debug, Clone)]
pub struct Snapshot {
    requests: Sender<Request>,
    about: Arc<About>,
}

/// How much there is to export.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// Tables.
    pub tables: u32,
    /// Rows, by an estimate.
    pub rows: u64,
}

#[derive(Debug)]
struct About {
    path: PathBuf,
    fingerprint: Option<Fingerprint>,
    bytes: u64,
    wal: bool,
    interrupt: Interrupt,
    /// How often a read was ended.
    interrupts: AtomicU32,
    /// What was last asked for: the text and blob bytes of a batch; 0 where nothing was.
    max_bytes: AtomicU32,
}

/// The way to end a read from another thread.
struct Interrupt {
    reading: InterruptHandle,
    /// Whether no copy is to be made any more.
    copying: Arc<AtomicBool>,
}

impl std::fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Interrupt")
    }
}

impl Snapshot {
    /// Opens a database read-only and holds its present state.
    ///
    /// # Errors
    ///
    /// All of [`OpenError`].
    pub fn hold(path: &Path) -> Result<Self, OpenError> {
        let path = resolve(path)?;
        let other =
            |error: io::Error| OpenError::Other { path: path.clone(), reason: error.to_string() };
        let before = Fingerprint::settled(&path).map_err(other)?;
        let (connection, bytes, wal) = open(&path)?;
        // What has changed before the transaction began may be in it or not: such a state is like none.
        let after = Fingerprint::of(&path).map_err(other)?;
        let fingerprint = before.filter(|before| after.as_ref() == Some(before));

        let interrupt =
            Interrupt { reading: connection.get_interrupt_handle(), copying: Arc::default() };
        let (requests, receiver) = channel();
        std::thread::Builder::new()
            .name("partway-reader".to_owned())
            .spawn(move || run(&connection, &receiver))
            .map_err(other)?;
        Ok(Self {
            requests,
            about: Arc::new(About {
                path,
                fingerprint,
                bytes,
                wal,
                interrupt,
                interrupts: AtomicU32::new(0),
                max_bytes: AtomicU32::new(0),
            }),
        })
    }

    /// The database's path, with all links resolved.
    pub fn path(&self) -> &Path {
        &self.about.path
    }

    /// What the file's state was when the transaction began; none where it was changing just then, so that
    /// nothing can be said of it later.
    pub fn fingerprint(&self) -> Option<&Fingerprint> {
        self.about.fingerprint.as_ref()
    }

    /// The size of the database in bytes, without its free pages.
    pub fn bytes(&self) -> u64 {
        self.about.bytes
    }

    /// Whether the database is in WAL mode: then writers go on beside this.
    pub fn is_wal(&self) -> bool {
        self.about.wal
    }

    /// How much there is to export of these tables (none: all), as far as the database knows without counting.
    pub fn expected(&self, tables: &[String]) -> Expected {
        let Ok(schema) = self.clone().describe() else { return Expected::default() };
        let is_wanted = |name: &[u8]| {
            tables.is_empty()
                || tables.iter().any(|table| name.eq_ignore_ascii_case(table.as_bytes()))
        };
        let mut expected = Expected::default();
        for object in schema.objects.iter().filter(|object| is_wanted(&object.name)) {
            if let Some(table) = &object.table {
                expected.tables += 1;
                expected.rows += table.estimated_rows.unwrap_or(0);
            }
        }
        expected
    }

    /// Makes a copy of this state, in a new file for its owner alone, and gives a snapshot of that: nobody writes to
    /// it, and another process finds it as it is. Free pages are copied too. Delete the file when it is of no use
    /// any more.
    ///
    /// The copy is made page by page by SQLite's backup and not by the file system, even one that could share
    /// the blocks: opening the file for that, and closing it, would drop the locks that this process holds on it.
    ///
    /// # Errors
    ///
    /// [`OpenError::Copy`], and those of [`Snapshot::hold`].
    pub fn copy(&self, to: &Path) -> Result<Self, OpenError> {
        let path = to.to_owned();
        let stop = self.about.interrupt.copying.clone();
        self.ask(|reply| Request::Copy { to: to.to_owned(), stop, reply })
            .map_err(|error| OpenError::Copy { path, reason: reason_of(error) })?;
        Self::hold(to)
    }

    /// Ends the read that is under way, if there is one: it fails with `interrupted`, and what is read next is read as
    /// ever. No copy comes out any more.
    pub fn interrupt(&self) {
        self.about.interrupts.fetch_add(1, Ordering::Relaxed);
        self.about.interrupt.reading.interrupt();
        self.about.interrupt.copying.store(true, Ordering::Relaxed);
    }

    /// Asks the thread that owns the connection.
    fn ask<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, RowsError> {
        ask(&self.requests, request)
    }
}

fn reason_of(error: RowsError) -> String {
    match error {
        RowsError::UnknownTable(text)
        | RowsError::UnknownColumn(text)
        | RowsError::InvalidPosition(text)
        | RowsError::InvalidCell(text)
        | RowsError::Unavailable(text)
        | RowsError::Corrupt(text)
        | RowsError::Failed(text) => text,
        RowsError::Interrupted => "interrupted".to_owned(),
    }
}

fn ask<T>(
    requests: &Sender<Request>,
    request: impl FnOnce(Reply<T>) -> Request,
) -> Result<T, RowsError> {
    let (reply, answer) = sync_channel(1);
    requests.send(request(reply)).map_err(|_| gone())?;
    answer.recv().map_err(|_| gone())?
}

impl Rows for Snapshot {
    fn describe(&mut self) -> Result<Schema, RowsError> {
        self.ask(Request::Describe)
    }

    fn scan(
        &mut self,
        table: &[u8],
        columns: &[Vec<u8>],
        after: Option<&[u8]>,
    ) -> Result<Box<dyn Cursor>, RowsError> {
        // Before the scan is there, and with it what it may have read ahead.
        let interrupts = self.about.interrupts.load(Ordering::Relaxed);
        let open = Open {
            table: table.to_vec(),
            columns: columns.to_vec(),
            after: after.unwrap_or_default().to_vec(),
            // As the scan before was read, so most likely this one will be.
            max_bytes: Some(self.about.max_bytes.load(Ordering::Relaxed)).filter(|max| *max > 0),
        };
        let (number, front) = self.ask(|reply| Request::Open(open.clone(), reply))?;
        Ok(Box::new(SnapshotCursor {
            requests: self.requests.clone(),
            interrupts,
            about: self.about.clone(),
            open,
            number,
            front: Some(front),
        }))
    }
}

/// A scan of one table, on this side of the thread.
struct SnapshotCursor {
    requests: Sender<Request>,
    about: Arc<About>,
    /// As many had there been when it was opened.
    interrupts: u32,
    /// What it was opened with.
    open: Open,
    number: u64,
    /// None when it is closed.
    front: Option<Front>,
}

impl SnapshotCursor {
    fn key(&self, rows: u32) -> Result<Key, RowsError> {
        self.front.as_ref().ok_or_else(gone)?.key(rows)
    }

    /// Opens it without what an earlier scan has left: that was read for another export.
    fn open_anew(&mut self) -> Result<(), RowsError> {
        self.requests.send(Request::Close { cursor: self.number, front: None }).ok();
        let open = Open { max_bytes: None, ..self.open.clone() };
        let (number, front) = ask(&self.requests, |reply| Request::Open(open, reply))?;
        self.number = number;
        self.front = Some(front);
        Ok(())
    }
}

impl Cursor for SnapshotCursor {
    fn next(&mut self, max_bytes: u32) -> Result<Arc<Batch>, RowsError> {
        if self.front.as_ref().is_some_and(|front| front.is_of_another_size(max_bytes)) {
            self.open_anew()?;
        }
        self.about.max_bytes.store(max_bytes, Ordering::Relaxed);
        let (cursor, requests) = (self.number, &self.requests);
        // Where the thread is gone, the queue says so.
        let read = || drop(requests.send(Request::Read { cursor, max_bytes }));
        self.front.as_mut().ok_or_else(gone)?.next(max_bytes, read)
    }

    fn position(&mut self, rows: u32) -> Result<Vec<u8>, RowsError> {
        Ok(self.key(rows)?.encode())
    }

    fn read(
        &mut self,
        row: u32,
        column: u32,
        offset: u32,
        max_bytes: u32,
    ) -> Result<Vec<u8>, RowsError> {
        let key = self.key(row.saturating_add(1))?;
        let column = column as usize;
        let piece = Piece { cursor: self.number, key, column, offset, max_bytes };
        ask(&self.requests, |reply| Request::Piece(piece, reply))
    }
}

impl Drop for SnapshotCursor {
    fn drop(&mut self) {
        // A scan that was interrupted is not gone on with: SQLite interrupts all reads as long as one is open.
        let is_well = self.about.interrupts.load(Ordering::Relaxed) == self.interrupts;
        let front = self.front.take().filter(|_| is_well);
        self.requests.send(Request::Close { cursor: self.number, front }).ok();
    }
}

fn resolve(path: &Path) -> Result<PathBuf, OpenError> {
    let given = path.to_owned();
    let path = path.canonicalize().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => OpenError::NotFound { path: given.clone() },
        io::ErrorKind::PermissionDenied => OpenError::Permission { path: given.clone() },
        _ => OpenError::Other { path: given.clone(), reason: error.to_string() },
    })?;
    if path.is_file() { Ok(path) } else { Err(OpenError::NotAFile { path: given }) }
}

/// Opens the database, begins a transaction and gives the bytes in use.
fn open(path: &Path) -> Result<(Connection, u64, bool), OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let begin = || -> rusqlite::Result<(Connection, u64, bool)> {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(PATIENCE)?;
        // Functions in the schema's own expressions are somebody else's code; and damage should show early.
        connection.execute_batch(
            "PRAGMA trusted_schema=OFF; PRAGMA query_only=ON; PRAGMA cell_size_check=ON; BEGIN;",
        )?;
        // The transaction begins with the first read.
        connection.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(()))?;
        let number = |pragma: &str| {
            connection.query_row(pragma, [], |row| Ok(u64::from(row.get::<_, u32>(0)?)))
        };
        let pages = number("PRAGMA page_count")?.saturating_sub(number("PRAGMA freelist_count")?);
        let bytes = pages * number("PRAGMA page_size")?;
        let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
        only_read(&connection);
        Ok((connection, bytes, mode.eq_ignore_ascii_case("wal")))
    };
    begin().map_err(|error| match may_be_read(path) {
        true => OpenError::from_sqlite(path, &error),
        false => OpenError::Permission { path: path.to_owned() },
    })
}

/// Whether this user may read a file. It is not opened for that: closing it would drop all POSIX locks that the process
/// holds on it, SQLite's among them.
fn may_be_read(path: &Path) -> bool {
    #[cfg(unix)]
    {
        rustix::fs::access(path, rustix::fs::Access::READ_OK) != Err(rustix::io::Errno::ACCESS)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_of_other_sizes_does_not_go_on_with_what_was_read_before() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("texts.db");
        let connection = Connection::open(&file).unwrap();
        let texts = "CREATE TABLE t (a);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
             INSERT INTO t SELECT printf('%100s', i) FROM n";
        connection.execute_batch(texts).unwrap();
        let mut snapshot = Snapshot::hold(&file).unwrap();
        let columns = [b"rowid".to_vec(), b"a".to_vec()];
        let mut read = |max_bytes: u32, batches: usize| {
            let mut cursor = snapshot.scan(b"t", &columns, None).unwrap();
            (0..batches).map(|_| cursor.next(max_bytes).unwrap()).collect::<Vec<_>>()
        };
        let large = read(10_000, 1);
        assert_eq!(large[0].rows, 100);
        // Its texts are all long for whoever asks for less than they have.
        for batch in read(50, 20) {
            assert!(batch.kinds.chunks(2).all(|row| row == [1, 6]), "{:?}", batch.kinds);
        }
        // The same size goes on where the slice before began.
        let again = read(50, 1);
        assert_eq!(again[0].integers[0], 1);
        assert_eq!(read(10_000, 6).iter().map(|batch| batch.rows).sum::<u32>(), 500);
    }
}
