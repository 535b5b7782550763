//! Opens a database file read-only, and begins the transaction that holds its state.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::authorizer::only_read;
use crate::database::Database;
use crate::error::{OpenError, state_is_lost};
use crate::page_source::PageAccess;
use partway_wasmtime::rows::Error as RowsError;

/// How long to wait for a writer that has locked the database.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection in a read transaction.
pub(crate) struct OpenDatabase {
    pub(crate) database: Database,
    /// The size of the database, without its free pages.
    pub(crate) bytes: u64,
    pub(crate) pages: PagesOf,
    pub(crate) is_wal: bool,
}

/// The pages of a database.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PagesOf {
    /// How many there are, free ones too.
    pub(crate) count: u64,
    /// The bytes of each.
    pub(crate) size: u64,
    /// How they can be read; none: they can't be here.
    pub(crate) access: Option<PageAccess>,
}

/// Resolves all links in a path to a file.
pub(crate) fn resolve(path: &Path) -> Result<PathBuf, OpenError> {
    let given = path.to_owned();
    let path = path.canonicalize().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => OpenError::NotFound { path: given.clone() },
        io::ErrorKind::PermissionDenied => OpenError::Permission { path: given.clone() },
        _ => OpenError::Other { path: given.clone(), reason: error.to_string() },
    })?;
    if path.is_file() { Ok(path) } else { Err(OpenError::NotAFile { path: given }) }
}

/// Opens a database and begins a read transaction.
pub(crate) fn open(path: &Path) -> Result<OpenDatabase, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let begin = || -> rusqlite::Result<OpenDatabase> {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        // Functions in the schema's own expressions are somebody else's code. And damage should show early.
        connection.execute_batch(
            "PRAGMA trusted_schema=OFF; PRAGMA query_only=ON; PRAGMA cell_size_check=ON; BEGIN;",
        )?;
        // The transaction begins with the first read.
        connection.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(()))?;
        let number = |pragma: &str| {
            connection.query_row(pragma, [], |row| Ok(u64::from(row.get::<_, u32>(0)?)))
        };
        let (count, size) = (number("PRAGMA page_count")?, number("PRAGMA page_size")?);
        let bytes = count.saturating_sub(number("PRAGMA freelist_count")?) * size;
        let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
        let is_wal = mode.eq_ignore_ascii_case("wal");
        let pages = PagesOf { count, size, access: PageAccess::of(&connection, is_wal)? };
        only_read(&connection);
        let database = Database::main(connection);
        Ok(OpenDatabase { database, bytes, pages, is_wal })
    };
    begin().map_err(|error| match may_be_read(path) {
        true => OpenError::from_sqlite(path, &error),
        false => OpenError::Permission { path: path.to_owned() },
    })
}

/// Fails once the transaction that holds the state has ended. What is read after that may be another state.
pub(crate) fn check_transaction(database: &Database) -> Result<(), RowsError> {
    if database.is_lost() { Err(state_is_lost()) } else { Ok(()) }
}

/// Whether this user may read a file. It is not opened for that: closing it would drop all POSIX locks that
/// the process holds on it, SQLite's among them.
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
