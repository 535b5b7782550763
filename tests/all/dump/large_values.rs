//! Values as large as SQLite allows: in little memory out, and by the stock program in again.

use std::io::Write;
use std::process::{Command, Stdio};

use partway_testbed::{compare, restore};
use wait4::Wait4;

use crate::support::{program, turn};

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
    let mut make = Command::new("sqlite3").arg(&file).stdin(Stdio::piped()).spawn().unwrap();
    make.stdin.take().unwrap().write_all(SCHEMA.as_bytes()).unwrap();
    assert!(make.wait().unwrap().success());
    let dump = folder.path().join("large.sql");
    let used = Command::new(program())
        .arg("export")
        .arg(&file)
        .stdout(std::fs::File::create(&dump).unwrap())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
        .wait4()
        .unwrap();
    assert!(used.status.success());
    // The component is held to 64 MiB by its host.
    assert!(used.rusage.maxrss < 200 * MIB, "{} MiB", used.rusage.maxrss / MIB);
    let restored = folder.path().join("restored.db");
    restore(&dump, &restored).unwrap();
    assert_eq!(compare(&file, &restored).unwrap(), []);
}
