//! Restoring a dump into a database file, statement by statement.

use std::path::{Path, PathBuf};

use memchr::memmem;
use partway_importer::Span;
use rusqlite::Connection;
use rusqlite::limits::Limit;

use super::insert::Insert;
use super::statement_runner::{ROWS_CACHE, StatementRunner, Work};

/// For so many bytes at most there is room before they come.
const MAX_ROOM: usize = 256 * 1024;

/// Why a dump can't be restored. [`Display`](std::fmt::Display) writes all except
/// [`RestoreError::Create`] as predicates: put the dump's name before them.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The database to restore into can't be created.
    #[error("{} can't be created: {source}", path.display())]
    Create {
        /// The database.
        path: PathBuf,
        /// SQLite's reason.
        source: rusqlite::Error,
    },
    /// A statement fails. Those after it are not run.
    #[error("can't be restored: the statement at byte {start}, {statement:?}, fails: {reason}")]
    Statement {
        /// The offset of its first byte in the dump.
        start: u64,
        /// How it begins.
        statement: String,
        /// Why it fails.
        reason: StatementError,
    },
    /// Every statement ran, but the last transaction was never committed.
    #[error("can't be restored: its COMMIT is missing")]
    NotCommitted,
    /// A database file that is in place of a dump can't be copied.
    #[error("can't be restored: {0}")]
    Write(std::io::Error),
    /// The database can't be closed.
    #[error("can't be restored: {0}")]
    Close(rusqlite::Error),
}

/// Why a statement of a dump fails.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// It is longer than SQLite accepts.
    #[error("it is longer than the {limit} bytes that SQLite accepts")]
    TooLong {
        /// SQLite's limit, in bytes.
        limit: usize,
    },
    /// There is no space left for the database. Contains SQLite's message.
    #[error("{0}")]
    DiskFull(String),
    /// SQLite refuses it. Contains SQLite's message.
    #[error("{0}")]
    Sqlite(String),
}

/// Restores a dump, one statement after the other. They run on a thread of their own, while the next are taken.
pub(crate) struct Restorer {
    path: PathBuf,
    runner: StatementRunner,
    /// The longest statement that SQLite accepts, in bytes.
    max_statement: usize,
    /// What has come of the current statement.
    statement: Vec<u8>,
    /// The dump is meant for the `sqlite3` program, which drops one carriage return before a line end.
    drops_returns: bool,
    /// A statement is known to have failed. Those after it are not run.
    has_failed: bool,
}

impl Restorer {
    /// Makes the database. There must be no file yet.
    pub(crate) fn create(path: &Path) -> Result<Self, RestoreError> {
        Self::create_database(path)
            .map_err(|source| RestoreError::Create { path: path.to_owned(), source })
    }

    fn create_database(path: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        // Nothing needs to survive a crash.
        connection.execute_batch("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;")?;
        connection.execute_batch(ROWS_CACHE)?;
        // Indexes are sorted on more threads than the one that runs their statements.
        connection.execute_batch("PRAGMA threads=2; PRAGMA locking_mode=EXCLUSIVE;")?;
        // Rows may come before those they refer to.
        connection.execute_batch("PRAGMA foreign_keys=OFF;")?;
        connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, i32::MAX)?;
        connection.set_limit(Limit::SQLITE_LIMIT_SQL_LENGTH, i32::MAX)?;
        // A dump writes to its own database only. With this limit a text that is no dump can't write to other
        // files either: ATTACH fails, and so does VACUUM INTO, which attaches its target.
        connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
        let max_statement = connection.limit(Limit::SQLITE_LIMIT_SQL_LENGTH)?;
        Ok(Self {
            path: path.to_owned(),
            runner: StatementRunner::start(connection)?,
            max_statement: usize::try_from(max_statement).unwrap_or(usize::MAX),
            statement: Vec::new(),
            drops_returns: true,
            has_failed: false,
        })
    }

    /// The file, closed.
    pub(crate) fn into_path(self) -> PathBuf {
        self.path
    }

    /// The dump is not meant for the `sqlite3` program: carriage returns are kept.
    pub(crate) fn keep_returns(&mut self) {
        self.drops_returns = false;
    }

    /// Takes bytes of a statement.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        // A statement longer than SQLite takes is not kept whole; it will fail by its length.
        if !self.has_failed && self.statement.len() <= self.max_statement {
            self.statement.extend_from_slice(bytes);
        }
    }

    /// Forgets the bytes taken: they are no statement.
    pub(crate) fn skip(&mut self) {
        self.statement.clear();
    }

    /// Has the statement run whose bytes were taken.
    pub(crate) fn run(&mut self, span: &Span) {
        if self.has_failed {
            return;
        }
        // The next one is about as long.
        let room = self.statement.len().min(MAX_ROOM);
        let mut text = std::mem::replace(&mut self.statement, Vec::with_capacity(room));
        if self.drops_returns && memmem::find(&text, b"\r\n").is_some() {
            drop_returns(&mut text);
        }
        let is_too_long = text.len() > self.max_statement;
        let limit = is_too_long.then_some(self.max_statement);
        let insert = if is_too_long { None } else { Insert::parse(text.trim_ascii_start()) };
        self.has_failed = !self.runner.run(Work { start: span.start, text, limit, insert });
    }

    /// Why a statement has failed, once.
    pub(crate) fn take_failure(&mut self) -> Option<RestoreError> {
        self.runner.take_failure()
    }

    /// Closes the database.
    pub(crate) fn finish(self) -> Result<(), RestoreError> {
        self.runner.finish()
    }
}

/// Drops one carriage return before each line end.
fn drop_returns(text: &mut Vec<u8>) {
    let mut kept = 0;
    for at in 0..text.len() {
        if text[at] != b'\r' || text.get(at + 1) != Some(&b'\n') {
            text[kept] = text[at];
            kept += 1;
        }
    }
    text.truncate(kept);
}

#[cfg(test)]
mod tests {
    use super::super::check::DumpChecker;
    use super::*;

    /// What restoring a dump of these statements comes to, and the file.
    fn restored(statements: &str) -> (Result<(), RestoreError>, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let mut checker = DumpChecker::restoring_into(&folder.path().join("scratch.db")).unwrap();
        let dump =
            format!("-- partway:begin sql 1\n{statements}\n-- partway:end tables=0 rows=0\nx;");
        dump.as_bytes().chunks(5).for_each(|bytes| checker.feed(bytes).unwrap());
        (checker.finish().unwrap().restored.unwrap(), folder)
    }

    #[test]
    fn a_dump_comes_back_statement_by_statement() {
        let (result, folder) = restored(
            "PRAGMA encoding='UTF-16le';BEGIN;CREATE TABLE t(a);-- x\n;INSERT INTO \"t\" VALUES(1),\n('ü;');COMMIT;",
        );
        assert!(matches!(result, Ok(())), "{result:?}");
        let connection = Connection::open(folder.path().join("scratch.db")).unwrap();
        let sum: String = connection
            .query_row("SELECT group_concat(a, ' ') FROM t", [], |row| row.get(0))
            .unwrap();
        assert_eq!(sum, "1 ü;");
    }

    #[test]
    fn a_statement_that_fails_is_named() {
        let long = "x".repeat(100);
        for (statements, expected) in [
            (
                "BEGIN; INSERT INTO \"t\" VALUES(1);".to_owned(),
                "the statement at byte 30, \"INSERT INTO \\\"t\\\" VALUES(1);\", fails: no such table: t".to_owned(),
            ),
            (
                format!("SELECT {long};"),
                format!("the statement at byte 23, \"SELECT {}…\", fails: no such column: {long}", &long[..73]),
            ),
        ] {
            let expected = format!("can't be restored: {expected}");
            assert_eq!(restored(&statements).0.unwrap_err().to_string(), expected);
        }
        let uncommitted = restored("BEGIN; CREATE TABLE t(a);").0;
        assert!(matches!(uncommitted, Err(RestoreError::NotCommitted)), "{uncommitted:?}");
    }

    #[test]
    fn carriage_returns_count_as_they_do_where_the_dump_is_meant_for() {
        for (first, expected) in [
            ("BEGIN;COMMIT;", "610D0A620A630D64"),
            ("PRAGMA defer_foreign_keys=TRUE;", "610D0D0A620D0A630D64"),
        ] {
            let (result, folder) = restored(&format!(
                "{first}CREATE TABLE t(a DEFAULT 'a\r\r\nb\r\nc\rd');INSERT INTO t DEFAULT VALUES;"
            ));
            assert!(matches!(result, Ok(())), "{result:?}");
            let connection = Connection::open(folder.path().join("scratch.db")).unwrap();
            let hex: String =
                connection.query_row("SELECT hex(a) FROM t", [], |row| row.get(0)).unwrap();
            assert_eq!(hex, expected);
        }
    }

    #[test]
    fn no_other_file_is_written() {
        for sql in ["ATTACH '{}' AS other;", "VACUUM INTO '{}';"] {
            let folder = tempfile::tempdir().unwrap();
            let other = folder.path().join("other.db");
            let (result, _folder) = restored(&sql.replace("{}", other.to_str().unwrap()));
            let Err(error) = result else { panic!("{sql} is run") };
            let reason = error.to_string();
            assert!(reason.contains("too many attached databases"), "{reason}");
            assert!(!other.exists());
        }
    }
}
