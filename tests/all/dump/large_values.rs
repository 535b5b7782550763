//! Values as large as SQLite allows: in little memory out, and by the stock program in again.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use partway_testbed::{compare, restore};
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

#[test]
fn a_row_that_is_too_large_to_be_loaded_is_refused_with_its_size() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keyed.db");
    let rows = "CREATE TABLE kept (a); INSERT INTO kept VALUES (1);
        CREATE TABLE keyed (k TEXT PRIMARY KEY, n, \"the value\" BLOB) WITHOUT ROWID;
        INSERT INTO keyed VALUES ('a', 1, zeroblob(300000)), ('b', 2, zeroblob(2000000)), ('c', 3, x'00');";
    drop(database(&file, rows));
    let store = folder.path().join("store");
    std::fs::create_dir(&store).unwrap();
    let export = |limit: &str| {
        Program::export(&file, store.to_str().unwrap(), folder.path())
            .with(["--name", "dump.sql", "--max-loaded-row", limit])
            .run()
    };
    let refused = export("1MiB");
    let printed = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success());
    for part in ["table \"keyed\"", "its row 2", "2000002 bytes", "\"the value\"", "1048576"] {
        assert!(printed.contains(part), "{part}: {printed}");
    }
    // It is not tried again, and leaves nothing that looks like damage.
    assert!(!printed.contains("retry") && !printed.contains("incomplete"), "{printed}");
    assert_eq!(std::fs::read_dir(&store).unwrap().count(), 0);
    let output = export("2MiB");
    assert_eq!(crate::support::summary(&output)["rows"], 4);
    let restored = folder.path().join("restored.db");
    restore(&store.join("dump.sql"), &restored).unwrap();
    assert_eq!(compare(&file, &restored).unwrap(), []);
}

#[test]
fn a_long_text_in_a_real_column_is_measured_without_loading_more_than_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keyed.db");
    let rows = "CREATE TABLE keyed (k PRIMARY KEY, r REAL, v) WITHOUT ROWID;
        INSERT INTO keyed VALUES ('a', 1, zeroblob(300000)), ('b', 'x' || hex(zeroblob(400000)), 1), ('c', 2.5, 3);";
    drop(database(&file, rows));
    let store = folder.path().join("store");
    std::fs::create_dir(&store).unwrap();
    let export = |limit: &str| {
        Program::export(&file, store.to_str().unwrap(), folder.path())
            .with(["--name", "dump.sql", "--max-loaded-row", limit])
            .run()
    };
    let refused = export("700KiB");
    let printed = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success());
    for part in ["table \"keyed\"", "its row 2", "REAL", "716800"] {
        assert!(printed.contains(part), "{part}: {printed}");
    }
    let output = export("1MiB");
    assert_eq!(crate::support::summary(&output)["rows"], 3);
    let restored = folder.path().join("restored.db");
    restore(&store.join("dump.sql"), &restored).unwrap();
    assert_eq!(compare(&file, &restored).unwrap(), []);
}
