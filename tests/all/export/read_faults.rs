//! Reads that fail while a state of the database is held. SQLite ends the transaction then, and the state is gone.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use partway_testbed::restore;
use rusqlite::Connection;

use crate::support::{Program, WAIT_LIMIT, database, preload, saved_parts};

const ROWS: i64 = 40_000;

struct Case {
    folder: tempfile::TempDir,
    file: PathBuf,
    store: PathBuf,
    /// Every row has the same number in it, whatever the state of the database.
    writer: Connection,
}

impl Case {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().canonicalize().unwrap().join("counted.db");
        let store = folder.path().join("store");
        fs::create_dir(&store).unwrap();
        let writer = database(
            &file,
            &format!(
                "PRAGMA journal_mode=WAL; CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, v TEXT);
                 WITH RECURSIVE i(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM i WHERE i < {ROWS})
                   INSERT INTO t SELECT i, 0, printf('%.*c', 200, 'x') FROM i;
                 PRAGMA wal_checkpoint(TRUNCATE);"
            ),
        );
        Self { folder, file, store, writer }
    }

    /// An export in small slices, one of whose reads fails when some parts are saved. Before that, `meanwhile` happens.
    fn export(&self, more: &[&str], meanwhile: impl FnOnce(&Connection)) -> (Option<i32>, String) {
        let trigger = self.folder.path().join("trigger");
        let mut program =
            Program::export(&self.file, self.store.to_str().unwrap(), self.folder.path())
                .with(["--part-size", "64KiB", "--slice-parts", "1", "--pause", "10ms"])
                .with(["--snapshot", "hold", "--name", "t.sql"])
                .with(more.iter().copied());
        program
            .command
            .env("LD_PRELOAD", preload("reads", self.folder.path()))
            .env("FAULT_FILE", &self.file)
            .env("FAULT_TRIGGER", &trigger)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = program.command.spawn().unwrap();
        let began = Instant::now();
        while saved_parts(self.folder.path()).unwrap_or(0) < 5 {
            assert!(began.elapsed() < WAIT_LIMIT, "no part was saved");
            thread::sleep(Duration::from_millis(1));
        }
        meanwhile(&self.writer);
        fs::write(&trigger, "").unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(!trigger.exists(), "no read has failed");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// How many rows the dump has, and which numbers are in them.
    fn restored(&self) -> (i64, i64, i64) {
        let restored = self.folder.path().join("restored.db");
        restore(&self.store.join("t.sql"), &restored).unwrap();
        let sql = "SELECT count(*), min(n), max(n) FROM t";
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        Connection::open(restored).unwrap().query_row(sql, [], read).unwrap()
    }
}

fn count_up(writer: &Connection) {
    writer.execute_batch("UPDATE t SET n = n + 1; PRAGMA wal_checkpoint(PASSIVE);").unwrap();
}

#[test]
fn two_states_of_a_database_are_never_mixed_after_a_read_has_failed() {
    let case = Case::new();
    let (code, printed) = case.export(&[], count_up);
    assert_eq!(code, Some(0), "{printed}");
    assert!(printed.contains("starting over"), "{printed}");
    assert_eq!(case.restored(), (ROWS, 1, 1), "{printed}");
}

#[test]
fn an_export_that_may_not_start_over_fails_after_a_read_has_failed() {
    let case = Case::new();
    let (code, printed) = case.export(&["--on-change", "fail"], count_up);
    assert_eq!(code, Some(1), "{printed}");
    assert!(printed.contains("the database has changed since"), "{printed}");
    assert_eq!(fs::read_dir(&case.store).unwrap().count(), 0, "something is left in the store");
}

#[test]
fn an_unchanged_database_is_read_on_after_a_read_has_failed() {
    let case = Case::new();
    let (code, printed) = case.export(&[], |_| ());
    assert_eq!(code, Some(0), "{printed}");
    assert!(!printed.contains("starting over"), "{printed}");
    assert_eq!(case.restored(), (ROWS, 0, 0), "{printed}");
}
