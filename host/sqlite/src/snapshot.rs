//! One state of a database file, held by a read transaction.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use pollster::block_on;

use crate::connection::{OpenDatabase, PagesOf, open, resolve};
use crate::cursor::TableCursor;
use crate::error::{OpenError, reason_of};
use crate::estimate::Expected;
use crate::filter::{FilterError, Filters};
use crate::fingerprint::Fingerprint;
use crate::page_source::PageAccess;
use crate::reader_thread::run;
use crate::request::Request;
use crate::row_limit::{MAX_LOADED_ROW, RowLimit};
use crate::shared_state::SharedState;
use crate::table_query::{PAGES, TableQuery};
use partway_wasmtime::async_trait;
use partway_wasmtime::rows::{Cursor, Error as RowsError, Rows, Schema};
use partway_wasmtime::weight;

/// An unchanging view of a SQLite database, held by a read transaction for as long as a clone of
/// this exists.
///
/// In WAL mode, writers continue meanwhile, but the log can't be reset; with a rollback journal,
/// they have to wait. Clones share the transaction and a separate thread that reads.
///
/// As [`Rows`], and with its cursors as [`Cursor`], it awaits that thread and does not block. Their
/// futures may be dropped without losing rows. The functions below that read from the database, or
/// open one, do block: in asynchronous code, call them on a thread that may block.
#[derive(Clone)]
pub struct Snapshot {
    file: Arc<HeldFile>,
    shared: Arc<SharedState>,
    /// Whether the pages of the database can be scanned too.
    with_pages: bool,
    /// Which rows of which tables are read.
    filters: Arc<Filters>,
}

/// What was known of the file when the transaction began.
struct HeldFile {
    path: PathBuf,
    fingerprint: Option<Fingerprint>,
    bytes: u64,
    /// None: it is a database of somebody else's connection.
    pages: Option<PagesOf>,
    is_wal: bool,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot").field("path", &self.file.path).finish_non_exhaustive()
    }
}

impl Snapshot {
    /// Opens a database read-only and holds its current state. It blocks, and waits up to 5 s for a
    /// writer that has locked the database.
    ///
    /// # Errors
    ///
    /// All of [`OpenError`] except `Copy`.
    pub fn hold(path: &Path) -> Result<Self, OpenError> {
        let path = resolve(path)?;
        let other =
            |error: io::Error| OpenError::Other { path: path.clone(), reason: error.to_string() };
        let before = Fingerprint::settled(&path).map_err(other)?;
        let OpenDatabase { database, bytes, pages, is_wal } = open(&path)?;
        // A change before the transaction began may be in it or not: such a state has no fingerprint.
        let after = Fingerprint::of(&path).map_err(other)?;
        let fingerprint = before.filter(|before| after.as_ref() == Some(before));

        let (shared, requests, spare) = SharedState::new(database.get_interrupt_handle());
        let is_lost = shared.is_lost().clone();
        let row_limit = RowLimit::new(shared.max_loaded_row().clone());
        std::thread::Builder::new()
            .name("partway-reader".to_owned())
            .spawn(move || run(&database, &requests, spare, is_lost, row_limit, None))
            .map_err(other)?;
        let file = Arc::new(HeldFile { path, fingerprint, bytes, pages: Some(pages), is_wal });
        Ok(Self { file, shared: Arc::new(shared), with_pages: false, filters: Arc::default() })
    }

    /// What reads by requests to the thread of a connection that is somebody else's.
    pub(crate) fn lent(shared: Arc<SharedState>, path: PathBuf, bytes: u64, is_wal: bool) -> Self {
        let file = HeldFile { path, fingerprint: None, bytes, pages: None, is_wal };
        Self { file: Arc::new(file), shared, with_pages: false, filters: Arc::default() }
    }

    /// Sets the most bytes of a row that is loaded into memory whole; none: 64 MiB. Only rows with long
    /// values in WITHOUT ROWID tables are: other tables are read in pieces. Up to three times as much memory is
    /// needed. A scan of a table with a larger row fails with [`RowsError::Unavailable`].
    #[must_use]
    pub fn with_max_loaded_row(self, bytes: Option<u64>) -> Self {
        self.shared.max_loaded_row().store(bytes.unwrap_or(MAX_LOADED_ROW), Ordering::SeqCst);
        self
    }

    /// Sets whether the pages of the database can be scanned as well, for the format `sqlite`: as a table `sqlite_dbpage`
    /// that [`describe`](Rows::describe) does not list. It has a row for each page of the file, in their order, and one
    /// column, `data`. Free pages are among them: whoever may scan it may see what was deleted.
    #[must_use]
    pub fn with_pages(mut self, offered: bool) -> Self {
        self.with_pages = offered;
        self
    }

    /// Sets conditions, each for the table of a name: rows that do not meet theirs are left out of what is read. A condition is
    /// an expression of SQL over the table's columns, such as `created >= '2026-01-01'`; with subqueries it may look at other
    /// tables. It is no more than that: it can only read, calls nothing that depends on time or chance, and does not recur.
    /// But it may take long. It blocks until the conditions are checked.
    ///
    /// A position is of use only under the same conditions.
    ///
    /// # Errors
    ///
    /// All of [`FilterError`].
    pub fn with_filters(mut self, conditions: &[(String, String)]) -> Result<Self, FilterError> {
        if conditions.is_empty() {
            self.filters = Arc::default();
            return Ok(self);
        }
        let asked = self.shared.ask(|reply| Request::Filters(conditions.to_vec(), reply));
        let checked = block_on(asked).map_err(|error| FilterError::Read(reason_of(error)))?;
        self.filters = Arc::new(checked?);
        Ok(self)
    }

    /// Whether pages are [wanted](Self::with_pages) that can't be read here, but could be read of a [copy](Self::copy): those of
    /// a database in WAL mode, where SQLite was built without `SQLITE_ENABLE_DBPAGE_VTAB`.
    pub fn lacks_pages(&self) -> bool {
        let can_be_read = self.file.pages.is_some_and(|pages| pages.access.is_some());
        self.with_pages && !can_be_read
    }

    /// The database's path, with all links resolved.
    pub fn path(&self) -> &Path {
        &self.file.path
    }

    /// The file's state when the transaction began; none if it was changing at that time, so that
    /// it can't be compared later.
    pub fn fingerprint(&self) -> Option<&Fingerprint> {
        self.file.fingerprint.as_ref()
    }

    /// The size of the database in bytes: without its free pages, unless the [pages](Self::with_pages) are to be exported.
    pub fn bytes(&self) -> u64 {
        match self.file.pages.filter(|_| self.with_pages) {
            Some(pages) => pages.count * pages.size,
            None => self.file.bytes,
        }
    }

    /// Whether the database is in WAL mode, in which writers continue while it is held.
    pub fn is_wal(&self) -> bool {
        self.file.is_wal
    }

    /// Estimates how much there is to export from these tables (none: all), from a sample of their pages: some tens of
    /// milliseconds at most, whatever the database's size. It blocks until then, and until all that was requested
    /// before has been read.
    pub fn expected(&self, tables: &[String]) -> Expected {
        if let Some(pages) = self.file.pages.filter(|_| self.with_pages) {
            let weight = pages.count * weight::blob(pages.size);
            return Expected { tables: 1, rows: pages.count, weight };
        }
        let (tables, wal, bytes) = (tables.to_vec(), self.is_wal(), self.bytes());
        let estimate = self.shared.ask(|reply| Request::Estimate { tables, wal, bytes, reply });
        block_on(estimate).unwrap_or_default()
    }

    /// Copies this state to a new file that only its owner may read, and returns a snapshot of the
    /// copy: nothing writes to it, and another process finds it unchanged. Free pages are copied
    /// too. Delete the file when it is no longer needed. It blocks until the copy is complete;
    /// nothing else is read from this snapshot meanwhile.
    ///
    /// The copy is made through SQLite, in WAL mode by its backup, and not by the file system, even one that
    /// could share the blocks: opening the file for that, and closing it, would drop the locks that this
    /// process holds on it.
    ///
    /// # Errors
    ///
    /// [`OpenError::Copy`], and those of [`Snapshot::hold`].
    pub fn copy(&self, to: &Path) -> Result<Self, OpenError> {
        let path = to.to_owned();
        let stop = self.shared.stop_copying();
        let wal = self.is_wal();
        block_on(self.shared.ask(|reply| Request::Copy { to: to.to_owned(), wal, stop, reply }))
            .map_err(|error| OpenError::Copy { path, reason: reason_of(error) })?;
        let max_loaded_row = self.shared.max_loaded_row().load(Ordering::SeqCst);
        let copy = Self::hold(to)?.with_max_loaded_row(Some(max_loaded_row));
        Ok(Self { with_pages: self.with_pages, filters: self.filters.clone(), ..copy })
    }

    /// Whether the state that it held is gone: SQLite ends a transaction in which a read fails (an I/O error, say). Nothing
    /// more can be read from this snapshot then, since the database may have changed meanwhile.
    pub fn is_lost(&self) -> bool {
        self.shared.is_lost().load(Ordering::SeqCst)
    }

    /// Interrupts the current read, if there is one: it fails with [`RowsError::Interrupted`].
    /// Later reads are not affected; copies fail from now on.
    pub fn interrupt(&self) {
        self.shared.interrupt();
    }
}

impl Snapshot {
    fn page_access(&self) -> Result<PageAccess, RowsError> {
        let Some(pages) = self.file.pages else {
            return Err(RowsError::Unavailable(
                "the pages of a database can't be read through somebody else's connection"
                    .to_owned(),
            ));
        };
        pages.access.ok_or_else(|| {
            RowsError::Unavailable(
                "the pages of a database in WAL mode can't be read here, as SQLite was built without \
                 SQLITE_ENABLE_DBPAGE_VTAB: export a copy of the database (snapshot \"copy\"), or build with \
                 LIBSQLITE3_FLAGS=-DSQLITE_ENABLE_DBPAGE_VTAB in the environment"
                    .to_owned(),
            )
        })
    }
}

#[async_trait]
impl Rows for Snapshot {
    async fn describe(&mut self) -> Result<Schema, RowsError> {
        Ok(self.shared.catalog().await?.schema.clone())
    }

    async fn scan(
        &mut self,
        table: &[u8],
        columns: &[Vec<u8>],
        after: Option<&[u8]>,
    ) -> Result<Box<dyn Cursor>, RowsError> {
        let query = if self.with_pages && table == PAGES {
            TableQuery::of_pages(self.page_access()?, columns)?
        } else {
            let catalog = self.shared.catalog().await?;
            TableQuery::new(&catalog, table, columns)?.filtered(self.filters.of(table))
        };
        let after = query.position(after.unwrap_or_default())?;
        Ok(Box::new(TableCursor::open(&self.shared, query, after)))
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

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
    fn pages_are_offered_to_whoever_asks_and_what_is_missing_is_said() {
        let (folder, snapshot) = held("PRAGMA journal_mode=wal; CREATE TABLE t (a)");
        let data = [b"data".to_vec()];
        let scan = |snapshot: &Snapshot, columns: &[Vec<u8>]| {
            block_on(snapshot.clone().scan(b"sqlite_dbpage", columns, None)).err()
        };
        let unasked = scan(&snapshot, &data);
        assert!(matches!(unasked, Some(RowsError::UnknownTable(_))), "{unasked:?}");
        let mut snapshot = snapshot.with_pages(true);
        assert!(scan(&snapshot, &data).is_none() && !snapshot.lacks_pages());
        for columns in [&[b"pgno".to_vec()][..], &[data[0].clone(), data[0].clone()], &[]] {
            let unknown = scan(&snapshot, columns);
            assert!(matches!(unknown, Some(RowsError::UnknownColumn(_))), "{unknown:?}");
        }
        // A page that is longer than a batch is read in pieces.
        let mut cursor = block_on(snapshot.scan(b"sqlite_dbpage", &data, None)).unwrap();
        let batch = block_on(cursor.next(1000)).unwrap();
        assert_eq!((batch.rows, &batch.kinds[..], &batch.lengths[..]), (1, &[7][..], &[4096][..]));
        let mut read = |offset, bytes| block_on(cursor.read(0, 0, offset, bytes)).unwrap();
        assert_eq!(read(0, 15), b"SQLite format 3");
        assert_eq!((read(4000, 1000).len(), read(4096, 10).len()), (96, 0));
        drop(cursor);
        // As if SQLite had no table of them.
        let copy = snapshot.copy(&folder.path().join("copy.db")).unwrap();
        let (path, is_wal) = (snapshot.file.path.clone(), snapshot.file.is_wal);
        let pages = snapshot.file.pages.map(|pages| PagesOf { access: None, ..pages });
        snapshot.file = Arc::new(HeldFile { path, fingerprint: None, bytes: 0, pages, is_wal });
        assert!(snapshot.lacks_pages() && !copy.lacks_pages());
        match scan(&snapshot, &data) {
            Some(RowsError::Unavailable(text)) => assert!(text.contains("export a copy"), "{text}"),
            other => panic!("{other:?}"),
        }
        assert!(scan(&copy, &data).is_none());
    }

    #[test]
    fn rows_are_left_out_whatever_the_order_of_the_table() {
        let (_folder, snapshot) = held(
            "CREATE TABLE r (a, b); CREATE INDEX i ON r (b); CREATE TABLE o (rowid, _rowid_, oid, a, b);
             CREATE TABLE k (a TEXT, b, PRIMARY KEY (a DESC, b)) WITHOUT ROWID;
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
             INSERT INTO r SELECT i, i % 3 FROM n; INSERT INTO o SELECT 0, 0, 0, a, b FROM r;
             INSERT INTO k SELECT a, b FROM r;",
        );
        let conditions =
            ["r", "o", "k"].map(|table| (table.to_owned(), "b = 1 OR a = 5".to_owned()));
        let mut snapshot = snapshot.with_filters(&conditions).unwrap();
        for table in [b"r", b"o", b"k"] {
            let columns = [b"a".to_vec(), b"b".to_vec()];
            let (mut after, mut rows) = (None, 0);
            // A query of its own for each few rows: of a scan that was interrupted, nothing is kept.
            loop {
                let mut cursor =
                    block_on(snapshot.scan(table, &columns, after.as_deref())).unwrap();
                let batch = block_on(cursor.next(64)).unwrap();
                if batch.rows == 0 {
                    break;
                }
                let step = batch.rows.min(7);
                after = Some(block_on(cursor.position(step)).unwrap());
                rows += step;
                snapshot.interrupt();
            }
            assert_eq!(rows, 68, "{}", String::from_utf8_lossy(table));
        }
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

    /// A table `t` of this many rows.
    fn numbers(rows: u32) -> String {
        format!(
            "CREATE TABLE t (a);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
             INSERT INTO t SELECT i FROM n"
        )
    }

    #[tokio::test]
    async fn other_tasks_run_while_rows_are_awaited() {
        let (_folder, mut snapshot) = held(&numbers(100_000));
        let first = snapshot.clone().describe().await.unwrap();
        // The thread that reads is busy with this for a moment.
        for _ in 0..1000 {
            let (reply, _answer) = futures_channel::oneshot::channel();
            snapshot.shared.send(Request::Estimate { tables: vec![], wal: false, bytes: 0, reply });
        }
        let mut cursor = snapshot.scan(b"t", &[b"a".to_vec()], None).await.unwrap();
        let mut turns = 0;
        let others = async {
            loop {
                turns += 1;
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            biased;
            batch = cursor.next(1000) => assert!(batch.unwrap().rows > 0),
            () = others => {}
        }
        assert!(turns > 0, "the batch was there at once, or blocked");
        assert_eq!(first.objects.len(), 1);
    }

    #[tokio::test]
    async fn a_batch_that_nobody_awaits_any_more_is_not_lost() {
        let (_folder, mut snapshot) = held(&numbers(100_000));
        let mut cursor = snapshot.scan(b"t", &[b"a".to_vec()], None).await.unwrap();
        let mut last = 0;
        loop {
            // Given up at once as often as not.
            let batch = tokio::select! {
                biased;
                batch = cursor.next(1000) => batch.unwrap(),
                () = std::future::ready(()) => continue,
            };
            if batch.rows == 0 {
                break;
            }
            assert_eq!(batch.integers[0], last + 1);
            last = batch.integers[batch.integers.len() - 1];
        }
        assert_eq!(last, 100_000);
    }

    #[tokio::test]
    async fn blocking_calls_work_inside_a_task() {
        let (folder, mut snapshot) = held(&numbers(1000));
        // More of them than a task of Tokio's may await at a stretch.
        for _ in 0..500 {
            let expected = snapshot.expected(&[]);
            assert_eq!((expected.tables, expected.rows), (1, 1000));
            let mut cursor = block_on(snapshot.scan(b"t", &[b"a".to_vec()], None)).unwrap();
            assert_eq!(block_on(cursor.next(1000)).unwrap().rows, 1000);
        }
        // Somebody else has asked for the schema, and nobody polls that meanwhile.
        let copy = snapshot.copy(&folder.path().join("copy.db")).unwrap();
        let mut other = copy.clone();
        let mut described = other.describe();
        poll_once(&mut described);
        assert_eq!(copy.expected(&[]).tables, 1);
        assert_eq!(described.await.unwrap().objects.len(), 1);
    }

    /// Polls a future once.
    fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match std::pin::Pin::new(future).poll(&mut context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        }
    }
}
