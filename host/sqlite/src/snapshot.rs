//! A held read transaction on a database file.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fmt, io};

use rusqlite::{Connection, InterruptHandle, OpenFlags};
use serde::{Deserialize, Serialize};

use crate::ahead::{MOST_USED, Used};
use crate::authorizer::only_read;
use crate::catalog::Catalog;
use crate::cursor_handle::CursorHandle;
use crate::error::OpenError;
use crate::fingerprint::Fingerprint;
use crate::parked::Parked;
use crate::reader::{Reply, Request, ask, run};
use crate::scan::Scan;
use partway_wasmtime::async_trait;
use partway_wasmtime::rows::{Cursor, Rows};
use partway_wasmtime::rows::{Error as RowsError, Schema};

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

/// What all clones of a snapshot share, and their scans.
pub(crate) struct About {
    path: PathBuf,
    fingerprint: Option<Fingerprint>,
    bytes: u64,
    wal: bool,
    interrupt: Interrupt,
    interrupts: AtomicU32,
    /// 0 where nothing was asked for.
    max_bytes: AtomicU32,
    /// Read when it is first asked for.
    catalog: Mutex<Option<Arc<Catalog>>>,
    /// Cursors' numbers count from 1.
    last_cursor: AtomicU64,
    used: SyncSender<Used>,
    parked: Mutex<Option<Parked>>,
}

impl fmt::Debug for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("About").field("path", &self.path).finish_non_exhaustive()
    }
}

/// The way to end a read from another thread.
struct Interrupt {
    reading: InterruptHandle,
    /// Whether no copy is to be made any more.
    copying: Arc<AtomicBool>,
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
        let (used, unused) = sync_channel(MOST_USED);
        std::thread::Builder::new()
            .name("partway-reader".to_owned())
            .spawn(move || run(&connection, &receiver, unused))
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
                catalog: Mutex::default(),
                last_cursor: AtomicU64::new(0),
                used,
                parked: Mutex::default(),
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
        let Ok(catalog) = self.catalog() else { return Expected::default() };
        let is_wanted = |name: &[u8]| {
            tables.is_empty()
                || tables.iter().any(|table| name.eq_ignore_ascii_case(table.as_bytes()))
        };
        let mut expected = Expected::default();
        let mut unknown = Vec::new();
        for object in catalog.schema.objects.iter().filter(|object| is_wanted(&object.name)) {
            let Some(table) = &object.table else { continue };
            expected.tables += 1;
            match (table.estimated_rows, &table.rowid) {
                (Some(rows), _) => expected.rows = expected.rows.saturating_add(rows),
                (None, Some(rowid)) => unknown.push((object.name.clone(), rowid.clone())),
                (None, None) => {}
            }
        }
        let rows = self.ask(|reply| Request::Estimate(unknown, reply)).unwrap_or_default();
        expected.rows = expected.rows.saturating_add(rows);
        expected
    }

    /// Makes a copy of this state, in a new file for its owner alone, and gives a snapshot of that: nobody writes to
    /// it, and another process finds it as it is. Free pages are copied too. Delete the file when it is of no use
    /// any more.
    ///
    /// The copy is made through SQLite, in WAL mode by its backup, and not by the file system, even one that could share
    /// the blocks: opening the file for that, and closing it, would drop the locks that this process holds on it.
    ///
    /// # Errors
    ///
    /// [`OpenError::Copy`], and those of [`Snapshot::hold`].
    pub fn copy(&self, to: &Path) -> Result<Self, OpenError> {
        let path = to.to_owned();
        let stop = self.about.interrupt.copying.clone();
        let wal = self.is_wal();
        self.ask(|reply| Request::Copy { to: to.to_owned(), wal, stop, reply })
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

    /// The schema.
    fn catalog(&self) -> Result<Arc<Catalog>, RowsError> {
        // Who asks meanwhile waits: it is read once.
        let mut known = self.about.catalog.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(catalog) = &*known {
            return Ok(catalog.clone());
        }
        Ok(known.insert(self.ask(Request::Describe)?).clone())
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

#[async_trait]
impl Rows for Snapshot {
    async fn describe(&mut self) -> Result<Schema, RowsError> {
        Ok(self.catalog()?.schema.clone())
    }

    async fn scan(
        &mut self,
        table: &[u8],
        columns: &[Vec<u8>],
        after: Option<&[u8]>,
    ) -> Result<Box<dyn Cursor>, RowsError> {
        let catalog = self.catalog()?;
        let scan = Scan::new(&catalog, table, columns)?;
        let from = scan.key(after.unwrap_or_default())?;
        Ok(Box::new(CursorHandle::open(&self.requests, &self.about, scan, from)))
    }
}

impl About {
    /// How often a read was ended.
    pub(crate) fn interrupts(&self) -> u32 {
        self.interrupts.load(Ordering::Relaxed)
    }

    /// What was last asked for: the text and blob bytes of a batch; none where nothing was.
    pub(crate) fn max_bytes(&self) -> Option<u32> {
        Some(self.max_bytes.load(Ordering::Relaxed)).filter(|max| *max > 0)
    }

    pub(crate) fn set_max_bytes(&self, max_bytes: u32) {
        self.max_bytes.store(max_bytes, Ordering::Relaxed);
    }

    /// A number for a cursor.
    pub(crate) fn next_cursor(&self) -> u64 {
        self.last_cursor.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Where batches go that nobody looks at any more.
    pub(crate) fn used(&self) -> SyncSender<Used> {
        self.used.clone()
    }

    /// Keeps a scan for the next slice, and gives the one that was kept before.
    pub(crate) fn park(&self, parked: Parked) -> Option<Parked> {
        self.parked().replace(parked)
    }

    /// The scan that was closed last.
    pub(crate) fn take_parked(&self) -> Option<Parked> {
        self.parked().take()
    }

    fn parked(&self) -> MutexGuard<'_, Option<Parked>> {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner)
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
    use pollster::block_on;

    use super::*;

    /// A snapshot of a new database that this SQL makes, and the folder it lies in.
    fn held(sql: &str) -> (tempfile::TempDir, Snapshot) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("made.db");
        Connection::open(&file).unwrap().execute_batch(sql).unwrap();
        let snapshot = Snapshot::hold(&file).unwrap();
        (folder, snapshot)
    }

    #[test]
    fn a_scan_of_other_sizes_does_not_go_on_with_what_was_read_before() {
        let texts = "CREATE TABLE t (a);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
             INSERT INTO t SELECT printf('%100s', i) FROM n";
        let (_folder, mut snapshot) = held(texts);
        let columns = [b"rowid".to_vec(), b"a".to_vec()];
        let mut read = |max_bytes: u32, batches: usize| {
            let mut cursor = block_on(snapshot.scan(b"t", &columns, None)).unwrap();
            (0..batches).map(|_| block_on(cursor.next(max_bytes)).unwrap()).collect::<Vec<_>>()
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

    #[test]
    fn a_scan_that_was_left_before_an_interruption_goes_on_behind_it() {
        let rows = "CREATE TABLE t (a);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)
             INSERT INTO t SELECT i FROM n";
        let (_folder, mut snapshot) = held(rows);
        let columns = [b"rowid".to_vec()];
        let mut after = None;
        let mut last = 0;
        for slice in 0.. {
            let mut cursor = block_on(snapshot.scan(b"t", &columns, after.as_deref())).unwrap();
            let batch = block_on(cursor.next(1000)).unwrap();
            if batch.rows == 0 {
                break;
            }
            assert_eq!(batch.integers[0], last + 1);
            last = batch.integers[batch.integers.len() - 1];
            after = Some(block_on(cursor.position(batch.rows)).unwrap());
            // While it is read ahead, and when it is closed: what was read by then is of no use.
            let open = (slice % 2 == 0).then_some(cursor);
            snapshot.interrupt();
            drop(open);
        }
        assert_eq!(last, 200_000);
    }

    #[test]
    fn scans_that_are_open_at_a_time_do_not_disturb_each_other() {
        let table = |table: u32| {
            let rows = table * 97 % 60;
            format!(
                "CREATE TABLE t{table} (a);
                 WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
                 INSERT INTO t{table} SELECT printf('%500s', i) FROM n WHERE i > 0;"
            )
        };
        let (_folder, mut snapshot) = held(&(0..40).map(table).collect::<String>());
        let columns = [b"rowid".to_vec(), b"a".to_vec()];
        // The second time they are read before anybody asks.
        for _ in 0..2 {
            let mut cursors: Vec<_> = (0..40)
                .map(|table| {
                    let name = format!("t{table}").into_bytes();
                    (block_on(snapshot.scan(&name, &columns, None)).unwrap(), table * 97 % 60, 0)
                })
                .collect();
            // A batch of each in turn, from the last to the first: of five rows, or the rest.
            while !cursors.is_empty() {
                cursors.reverse();
                cursors.retain_mut(|(cursor, rows, read)| {
                    let batch = block_on(cursor.next(2500)).unwrap();
                    assert_eq!(batch.rows, 5.min(*rows - *read));
                    *read += batch.rows;
                    batch.rows > 0
                });
            }
        }
    }
}
