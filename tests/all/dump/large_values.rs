//! Values as large as SQLite allows: in little memory out, and by the stock program in again.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use partway_testbed::{compare, restore};
use tempfile::TempDir;
use wait4::Wait4;

use crate::support::{Program, database, program, turn};

const MIB: u64 = 1024 * 1024;

/// Set in a process that runs one test alone.
const ALONE: &str = "PARTWAY_TEST_ALONE";

/// Lets a test pass in a process of its own.
fn pass_alone(test: &str) {
    let _turn = turn();
    let output = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--include-ignored", "--nocapture"])
        .env(ALONE, "1")
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && printed.contains(" 1 passed"), "{printed}{complained}");
}

const SCHEMA: &str = "PRAGMA journal_mode=OFF;
    CREATE TABLE b (id INTEGER PRIMARY KEY, v BLOB, n);
    INSERT INTO b VALUES (1, randomblob(999000000), 7);
    CREATE TABLE t (v TEXT, n);
    INSERT INTO t VALUES (replace(hex(zeroblob(13636364)), '00', 'it''s grüße, 世界' || char(10)), 8);";

/// Makes a database with the stock program: its memory is not this one's.
fn make(file: &Path, schema: &str) {
    let mut make = Command::new("sqlite3").arg(file).stdin(Stdio::piped()).spawn().unwrap();
    make.stdin.take().unwrap().write_all(schema.as_bytes()).unwrap();
    assert!(make.wait().unwrap().success());
}

/// Exports a database; whether that succeeded, and the most memory that it took.
fn export(file: &Path, dump: &Path) -> (bool, u64) {
    let used = Command::new(program())
        .arg("export")
        .arg(file)
        .stdout(std::fs::File::create(dump).unwrap())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
        .wait4()
        .unwrap();
    (used.status.success(), used.rusage.maxrss)
}

#[test]
#[ignore = "takes long, and 5 GB of memory to restore; cargo xtask test --long"]
fn a_blob_of_1_gb_and_a_text_of_300_mb_go_through_little_memory() {
    // What a process has used before it starts a child is counted as the child's. So it is measured from a process that
    // has used next to nothing: not from this one, which may have run other tests, nor is the database made in it.
    if std::env::var_os(ALONE).is_none() {
        return pass_alone(
            "dump::large_values::a_blob_of_1_gb_and_a_text_of_300_mb_go_through_little_memory",
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("large.db");
    make(&file, SCHEMA);
    let dump = folder.path().join("large.sql");
    // The component is held to 64 MiB by its host.
    let (succeeded, memory) = export(&file, &dump);
    assert!(succeeded && memory < 200 * MIB, "{} MiB", memory / MIB);
    let restored = folder.path().join("restored.db");
    restore(&dump, &restored).unwrap();
    assert_eq!(compare(&file, &restored).unwrap(), []);
}

#[test]
#[ignore = "measures memory, alone; cargo xtask test --long"]
fn values_beside_generated_columns_and_hidden_rowids_take_little_memory_too() {
    if std::env::var_os(ALONE).is_none() {
        return pass_alone(
            "dump::large_values::values_beside_generated_columns_and_hidden_rowids_take_little_memory_too",
        );
    }
    let folder = tempfile::tempdir().unwrap();
    // The last is as large a row as is loaded by default.
    for (name, schema) in [
        (
            "generated",
            "CREATE TABLE t (id INTEGER PRIMARY KEY, n, x AS (n + 1), s AS (n * 2) STORED, v BLOB);
             INSERT INTO t (id, n, v) VALUES (1, 7, zeroblob(400000000)), (2, 8, x'01');",
        ),
        (
            "hidden",
            "CREATE TABLE t (rowid, _rowid_, oid, v); INSERT INTO t VALUES (1, 2, 3, zeroblob(400000000)), (4, 5, 6, 7);",
        ),
        (
            "keyed",
            "CREATE TABLE t (k PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO t VALUES (1, zeroblob(67000000)), (2, 3);",
        ),
    ] {
        let file = folder.path().join(name);
        make(&file, &format!("PRAGMA journal_mode=OFF; {schema}"));
        let dump = folder.path().join("dump.sql");
        let (succeeded, memory) = export(&file, &dump);
        assert!(succeeded && memory < 200 * MIB, "{name}: {} MiB", memory / MIB);
        assert!(std::fs::metadata(&dump).unwrap().len() > 130_000_000, "{name}");
    }
    let file = folder.path().join("too large");
    let schema = "CREATE TABLE t (k PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO t VALUES (1, zeroblob(400000000));";
    make(&file, &format!("PRAGMA journal_mode=OFF; {schema}"));
    let (succeeded, memory) = export(&file, &folder.path().join("dump.sql"));
    assert!(!succeeded && memory < 200 * MIB, "{} MiB", memory / MIB);
}

/// A database, and room for its dump.
struct Bounded {
    folder: TempDir,
}

impl Bounded {
    fn new(schema: &str) -> Self {
        let case = Self { folder: tempfile::tempdir().unwrap() };
        drop(database(&case.file(), schema));
        std::fs::create_dir(case.store()).unwrap();
        case
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("keyed.db")
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    /// Exports it with a bound on rows that are loaded whole.
    fn export(&self, limit: &str) -> Output {
        Program::export(&self.file(), self.store().to_str().unwrap(), self.folder.path())
            .with(["--name", "dump.sql", "--max-loaded-row", limit])
            .run()
    }

    /// Refused; what is printed names all of this.
    fn is_refused(&self, limit: &str, parts: &[&str]) -> String {
        let refused = self.export(limit);
        let printed = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success());
        for part in parts {
            assert!(printed.contains(part), "{part}: {printed}");
        }
        printed
    }

    /// Comes back as it was, with so many rows.
    fn comes_back(&self, limit: &str, rows: u64) {
        assert_eq!(crate::support::summary(&self.export(limit))["rows"], rows);
        let restored = self.folder.path().join("restored.db");
        restore(&self.store().join("dump.sql"), &restored).unwrap();
        assert_eq!(compare(&self.file(), &restored).unwrap(), []);
    }
}

#[test]
fn a_row_that_is_too_large_to_be_loaded_is_refused_with_its_size() {
    let case = Bounded::new(
        "CREATE TABLE kept (a); INSERT INTO kept VALUES (1);
        CREATE TABLE keyed (k TEXT PRIMARY KEY, n, \"the value\" BLOB) WITHOUT ROWID;
        INSERT INTO keyed VALUES ('a', 1, zeroblob(300000)), ('b', 2, zeroblob(2000000)), ('c', 3, x'00');",
    );
    let parts = ["table \"keyed\"", "its row 2", "2000002 bytes", "\"the value\"", "1048576"];
    let printed = case.is_refused("1MiB", &parts);
    // It is not tried again, and leaves nothing that looks like damage.
    assert!(!printed.contains("retry") && !printed.contains("incomplete"), "{printed}");
    assert_eq!(std::fs::read_dir(case.store()).unwrap().count(), 0);
    case.comes_back("2MiB", 4);
}

#[test]
fn a_long_text_in_a_real_column_is_measured_without_loading_more_than_allowed() {
    let case = Bounded::new(
        "CREATE TABLE keyed (k PRIMARY KEY, r REAL, v) WITHOUT ROWID;
        INSERT INTO keyed VALUES ('a', 1, zeroblob(300000)), ('b', 'x' || hex(zeroblob(400000)), 1), ('c', 2.5, 3);",
    );
    case.is_refused("700KiB", &["table \"keyed\"", "its row 2", "REAL", "716800"]);
    case.comes_back("1MiB", 3);
}
