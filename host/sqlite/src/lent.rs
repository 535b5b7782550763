//! A database of a connection that is somebody else's, read on the thread that uses the connection.

use std::ffi::CString;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use rusqlite::limits::Limit;
use rusqlite::{Connection, TransactionState, ffi};

use crate::database::Database;
use crate::error::LendError;
use crate::reader_thread::run;
use crate::row_limit::RowLimit;
use crate::shared_state::SharedState;
use crate::snapshot::Snapshot;
use crate::statement::Statement;

/// One state of a database of a connection that is somebody else's: of a SQL function's caller, say. It may be in memory
/// or temporary, and what the connection's own transaction has written is in it.
///
/// The state is held until this is dropped, by a statement that is not run to its end. Nothing of the connection is
/// changed: it has no other transaction, pragma, hook or table than before, and its limits are put back after each
/// [`read`](Self::read). A transaction that the owner has open may go on; what it writes meanwhile shows, as
/// [`has_changed`](Self::has_changed) tells.
///
/// Values of more than a batch's bytes are loaded whole where the table has generated columns, and before SQLite 3.43 all
/// of them, one at a time.
pub struct LentDatabase {
    /// Dropped before its connection.
    _hold: Statement<'static>,
    database: Database,
    path: PathBuf,
    bytes: u64,
    is_wal: bool,
    max_loaded_row: Option<u64>,
    state: State,
}

/// What changes whenever the connection writes.
#[derive(Debug, Clone, Copy, PartialEq)]
struct State {
    is_writing: bool,
    rows_written: u64,
    schema_version: i64,
}

/// Whether what a transaction has written and not committed may be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uncommitted {
    /// No: it may be rolled back. [`LentDatabase::hold`] fails with [`LendError::Uncommitted`].
    Refuse,
    /// Yes, between two statements.
    Read,
}

impl std::fmt::Debug for LentDatabase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LentDatabase")
            .field("schema", &self.database.schema())
            .finish_non_exhaustive()
    }
}

impl LentDatabase {
    /// Holds the state of a database of this connection: `main`, `temp`, or the name that another is attached by.
    ///
    /// The connection is one that does not close what it stands for: from
    /// [`Connection::from_handle`], or of the caller's own, which ends with this.
    ///
    /// # Errors
    ///
    /// All of [`LendError`].
    pub fn hold(
        connection: Connection,
        schema: &str,
        uncommitted: Uncommitted,
    ) -> Result<Self, LendError> {
        let (schema, path) = find(&connection, schema)?;
        let database = Database::lent(connection, schema);
        check_transaction(&database, uncommitted)?;
        // It has a row, whatever the schema: until it is reset, the transaction that it reads in stays open.
        let sql = database.sql("SELECT count(*) FROM schema.sqlite_master");
        let mut hold = Statement::prepare(&database, sql.as_bytes(), &[])?;
        hold.step()?;
        // SAFETY: the fields are dropped in their order, and this one comes before the connection.
        let hold = unsafe { hold.detached() };
        let number = |pragma: &str| {
            let sql = database.sql(&format!("PRAGMA schema.{pragma}"));
            database.query_row(&sql, [], |row| row.get::<_, u64>(0))
        };
        let pages = number("page_count")?.saturating_sub(number("freelist_count")?);
        let bytes = pages * number("page_size")?;
        let mode: String =
            database
                .query_row(&database.sql("PRAGMA schema.journal_mode"), [], |row| row.get(0))?;
        let is_wal = mode.eq_ignore_ascii_case("wal");
        let state = state(&database)?;
        Ok(Self { _hold: hold, database, path, bytes, is_wal, max_loaded_row: None, state })
    }

    /// Sets the most bytes of a row that is loaded into memory whole, as with [`Snapshot::with_max_loaded_row`].
    #[must_use]
    pub fn with_max_loaded_row(mut self, bytes: Option<u64>) -> Self {
        self.max_loaded_row = bytes;
        self
    }

    /// The connection.
    pub fn connection(&self) -> &Connection {
        &self.database
    }

    /// The size of the database in bytes, without its free pages.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether the connection has written anything, in any of its databases, since this was made: then what is read now
    /// may not belong to what was read before. Of what was not committed when this was made, a rollback to a savepoint
    /// does not show.
    ///
    /// # Errors
    ///
    /// If the connection can't be asked: it was interrupted, for instance.
    pub fn has_changed(&self) -> rusqlite::Result<bool> {
        Ok(self.database.is_lost() || state(&self.database)? != self.state)
    }

    /// Runs `work` on a thread of its own, with a snapshot that this thread reads for: it blocks until `work` has
    /// returned, and all clones and cursors of the snapshot are dropped. Meanwhile `watch` is called on this thread, about
    /// every 50 ms: it may use the connection.
    ///
    /// # Errors
    ///
    /// If the thread can't be started, or `work` panics.
    pub fn read<T: Send>(
        &self,
        watch: &mut dyn FnMut(),
        work: impl FnOnce(Snapshot) -> T + Send,
    ) -> std::io::Result<T> {
        let _limit = LengthLimit::of(&self.database);
        let (shared, requests, spare) = SharedState::new(self.database.get_interrupt_handle());
        let is_lost = shared.is_lost().clone();
        let row_limit = RowLimit::new(shared.max_loaded_row().clone());
        let shared = Arc::new(shared);
        let (path, bytes, is_wal) = (self.path.clone(), self.bytes, self.is_wal);
        let snapshot = Snapshot::lent(shared.clone(), path, bytes, is_wal)
            .with_max_loaded_row(self.max_loaded_row);
        thread::scope(|scope| {
            let worker = move || {
                let result = work(snapshot);
                // Until here this thread waits for requests, and watches.
                drop(shared);
                result
            };
            let worker = thread::Builder::new()
                .name("partway-lent".to_owned())
                .spawn_scoped(scope, worker)?;
            run(&self.database, &requests, spare, is_lost, row_limit, Some(watch));
            worker
                .join()
                .map_err(|_| std::io::Error::other("the thread of the export ended unexpectedly"))
        })
    }
}

/// The most bytes of a value that a connection loads, put back as it was: reading changes it.
struct LengthLimit<'c> {
    connection: &'c Connection,
    before: Option<i32>,
}

impl<'c> LengthLimit<'c> {
    fn of(connection: &'c Connection) -> Self {
        Self { connection, before: connection.limit(Limit::SQLITE_LIMIT_LENGTH).ok() }
    }
}

impl Drop for LengthLimit<'_> {
    fn drop(&mut self) {
        if let Some(before) = self.before {
            // It was a limit of this connection before.
            self.connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, before).ok();
        }
    }
}

/// The name of a database as the connection has it, and its file; none of one in memory.
fn find(connection: &Connection, schema: &str) -> Result<(CString, PathBuf), LendError> {
    let mut known = Vec::new();
    let mut statement = connection.prepare("SELECT name, file FROM pragma_database_list")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (name, file): (String, Option<String>) = (row.get(0)?, row.get(1)?);
        if let (true, Ok(found)) = (name.eq_ignore_ascii_case(schema), CString::new(name.clone())) {
            return Ok((found, file.unwrap_or_default().into()));
        }
        known.push(name);
    }
    // It is there once it has a table.
    if schema.eq_ignore_ascii_case("temp") {
        return Ok((c"temp".to_owned(), PathBuf::new()));
    }
    Err(LendError::NoSuchDatabase { schema: schema.to_owned(), known })
}

/// Refuses what can be rolled back, or is written only in part.
fn check_transaction(database: &Database, uncommitted: Uncommitted) -> Result<(), LendError> {
    if database.transaction()? != TransactionState::Write {
        return Ok(());
    }
    let schema = || database.schema().to_string_lossy().into_owned();
    if is_writing(database) {
        return Err(LendError::Writing { schema: schema() });
    }
    match uncommitted {
        Uncommitted::Refuse => Err(LendError::Uncommitted { schema: schema() }),
        Uncommitted::Read => Ok(()),
    }
}

/// Whether a statement that writes is under way: it may have written half of what it is to write.
fn is_writing(connection: &Connection) -> bool {
    // SAFETY: the connection is open, and only this thread uses it; each statement that it lists is there.
    unsafe {
        let mut statement = ffi::sqlite3_next_stmt(connection.handle(), std::ptr::null_mut());
        while !statement.is_null() {
            if ffi::sqlite3_stmt_busy(statement) != 0 && ffi::sqlite3_stmt_readonly(statement) == 0
            {
                return true;
            }
            statement = ffi::sqlite3_next_stmt(connection.handle(), statement);
        }
    }
    false
}

fn state(database: &Database) -> rusqlite::Result<State> {
    let version = database.sql("PRAGMA schema.schema_version");
    Ok(State {
        is_writing: database.transaction()? == TransactionState::Write,
        rows_written: database.total_changes(),
        schema_version: database.query_row(&version, [], |row| row.get(0))?,
    })
}

#[cfg(test)]
mod tests {
    use partway_wasmtime::rows::Rows;
    use pollster::block_on;

    use super::*;

    fn connection(sql: &str) -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(sql).unwrap();
        connection
    }

    /// The text of the only column of table `t`.
    fn text(lent: &LentDatabase) -> Vec<u8> {
        let read = lent.read(&mut || {}, |mut snapshot| {
            block_on(async {
                let mut cursor = snapshot.scan(b"t", &[b"a".to_vec()], None).await?;
                cursor.next(1000).await.map(|batch| batch.bytes.clone())
            })
        });
        read.unwrap().unwrap()
    }

    #[test]
    fn a_database_is_read_as_its_owner_sees_it_and_its_limits_are_put_back() {
        let tables = "CREATE TABLE t (a); INSERT INTO t VALUES ('main');
            CREATE TEMP TABLE t (a); INSERT INTO temp.t VALUES ('temp');";
        for (schema, expected) in [("MAIN", &b"main"[..]), ("temp", b"temp")] {
            let connection = connection(tables);
            connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, 4321).unwrap();
            let lent = LentDatabase::hold(connection, schema, Uncommitted::Refuse).unwrap();
            assert_eq!(text(&lent), expected);
            assert_eq!(lent.connection().limit(Limit::SQLITE_LIMIT_LENGTH).unwrap(), 4321);
            assert!(lent.connection().is_autocommit() && !lent.has_changed().unwrap());
            lent.connection().execute_batch("INSERT INTO t VALUES ('more')").unwrap();
            assert!(lent.has_changed().unwrap());
        }
        let unknown = LentDatabase::hold(connection(tables), "other", Uncommitted::Refuse);
        let said = "there is no database \"other\" on this connection: it has main, temp";
        assert_eq!(unknown.unwrap_err().to_string(), said);
    }

    #[test]
    fn what_is_not_committed_is_read_only_if_that_is_said() {
        let open = || connection("CREATE TABLE t (a); BEGIN; INSERT INTO t VALUES ('open')");
        let refused = LentDatabase::hold(open(), "main", Uncommitted::Refuse);
        assert!(matches!(refused, Err(LendError::Uncommitted { .. })), "{refused:?}");
        let lent = LentDatabase::hold(open(), "main", Uncommitted::Read).unwrap();
        assert_eq!(text(&lent), b"open");
        assert!(!lent.connection().is_autocommit());
        // Somebody else's rollback takes the state away.
        lent.connection().execute_batch("ROLLBACK").unwrap();
        assert!(lent.has_changed().unwrap());
    }
}
