//! A dump restored into a file of its own, statement by statement.

use std::path::Path;

use memchr::memmem;
use rusqlite::limits::Limit;
use rusqlite::{Connection, Error, ErrorCode};

use super::lexer::Piece;

/// How much of a statement is shown.
const SHOWN: usize = 80;

/// What restoring came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Restored {
    /// A whole database.
    Whole,
    /// What is there was never committed.
    Uncommitted,
    /// It stopped at a statement: a reason to follow on the dump's name.
    Failed(String),
}

/// A database that is being restored.
pub struct Scratch {
    connection: Connection,
    /// The longest statement that SQLite takes.
    longest: usize,
    /// What has come of the statement.
    statement: Vec<u8>,
    /// The text is meant for the `sqlite3` program, which drops one carriage return before a line's end.
    drops_returns: bool,
    /// Why one could not be run; those behind it are not tried.
    failed: Option<String>,
}

impl Scratch {
    /// Makes a new database.
    pub fn new(path: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        // Nothing needs to survive a crash.
        connection.execute_batch("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;")?;
        // Rows may come before those they refer to.
        connection.execute_batch("PRAGMA foreign_keys=OFF;")?;
        connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, i32::MAX)?;
        connection.set_limit(Limit::SQLITE_LIMIT_SQL_LENGTH, i32::MAX)?;
        // A dump writes to its own database. With no other file to be attached, which VACUUM INTO needs as well,
        // another text does too.
        connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
        let longest = connection.limit(Limit::SQLITE_LIMIT_SQL_LENGTH)?;
        let longest = usize::try_from(longest).unwrap_or(usize::MAX);
        Ok(Self { connection, longest, statement: Vec::new(), drops_returns: true, failed: None })
    }

    /// The text is not meant for the `sqlite3` program: carriage returns count.
    pub fn keep_returns(&mut self) {
        self.drops_returns = false;
    }

    /// Takes bytes of a statement.
    pub fn take(&mut self, bytes: &[u8]) {
        // One that is longer than SQLite takes is not kept whole; it fails by its length.
        if self.failed.is_none() && self.statement.len() <= self.longest {
            self.statement.extend_from_slice(bytes);
        }
    }

    /// What was taken is no statement.
    pub fn skip(&mut self) {
        self.statement.clear();
    }

    /// Runs the statement that was taken.
    pub fn run(&mut self, piece: &Piece) {
        if self.failed.is_some() {
            return;
        }
        if let Err(reason) = self.execute() {
            self.failed = Some(format!(
                "can't be restored: the statement at byte {}, {:?}, fails: {reason}",
                piece.start,
                beginning(&piece.head)
            ));
        }
        self.statement.clear();
    }

    fn execute(&mut self) -> Result<(), String> {
        if self.statement.len() > self.longest {
            return Err(format!("it is longer than the {} bytes that SQLite takes", self.longest));
        }
        if self.drops_returns && memmem::find(&self.statement, b"\r\n").is_some() {
            drop_returns(&mut self.statement);
        }
        let sql = std::str::from_utf8(&self.statement).map_err(|_| {
            "it is not UTF-8, which the sqlite3 program may restore, but not this one".to_owned()
        })?;
        self.connection.execute_batch(sql).map_err(|error| match error {
            // Its own words would hold the whole statement.
            Error::SqlInputError { msg, .. } => msg,
            error if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => {
                format!("{error}: set TMPDIR to a folder with room for the database")
            }
            error => error.to_string(),
        })
    }

    /// Closes the database.
    pub fn finish(self) -> Restored {
        if let Some(reason) = self.failed {
            return Restored::Failed(reason);
        }
        if !self.connection.is_autocommit() {
            return Restored::Uncommitted;
        }
        match self.connection.close() {
            Ok(()) => Restored::Whole,
            Err((_, error)) => Restored::Failed(format!("can't be restored: {error}")),
        }
    }
}

/// Drops one carriage return before each line's end.
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

fn beginning(head: &[u8]) -> String {
    let text = String::from_utf8_lossy(head);
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::Check;
    use super::*;

    /// What restoring a dump of these statements comes to, and the file.
    fn restored(statements: &str) -> (Restored, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(&folder.path().join("scratch.db")).unwrap();
        let mut check = Check::new(Some(scratch));
        let dump =
            format!("-- partway:begin sql 1\n{statements}\n-- partway:end tables=0 rows=0\nx;");
        dump.as_bytes().chunks(5).for_each(|bytes| check.feed(bytes).unwrap());
        (check.finish().unwrap().restored.unwrap(), folder)
    }

    #[test]
    fn a_dump_comes_back_statement_by_statement() {
        let (result, folder) = restored(
            "PRAGMA encoding='UTF-16le';BEGIN;CREATE TABLE t(a);-- x\n;INSERT INTO \"t\" VALUES(1),\n('ü;');COMMIT;",
        );
        assert_eq!(result, Restored::Whole);
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
            assert_eq!(restored(&statements).0, Restored::Failed(expected));
        }
        assert_eq!(restored("BEGIN; CREATE TABLE t(a);").0, Restored::Uncommitted);
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
            assert_eq!(result, Restored::Whole);
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
            let Restored::Failed(reason) = result else { panic!("{sql} is run") };
            assert!(reason.contains("too many attached databases"), "{reason}");
            assert!(!other.exists());
        }
    }
}
