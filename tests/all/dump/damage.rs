//! A database that is damaged in one table: the others come out, and nothing passes for complete.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use partway_testbed::restore;
use rusqlite::Connection;

use crate::support::{Program, database, program, sha256, summary};

/// Three tables of 3,000 rows, with a page in the middle of the second overwritten.
fn damaged(folder: &Path) -> PathBuf {
    let file = folder.join("damaged.db");
    let fill = |table: &str| {
        format!(
            "CREATE TABLE {table} (id INTEGER PRIMARY KEY, v TEXT);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
               INSERT INTO {table} SELECT i, printf('{table}%.*c%d', 200, '.', i) FROM n;"
        )
    };
    drop(database(&file, &["a", "b", "c"].map(fill).concat()));
    let mut bytes = fs::read(&file).unwrap();
    let row = format!("b{}1500", ".".repeat(200)).into_bytes();
    let at = bytes.windows(row.len()).position(|window| window == row).unwrap();
    let page = at / 4096 * 4096;
    bytes[page..page + 4096].fill(0xa5);
    fs::write(&file, bytes).unwrap();
    file
}

/// The rows of each table in a restored dump.
fn rows(dump: &Path) -> [u32; 3] {
    let restored = dump.with_extension("restored");
    restore(dump, &restored).unwrap();
    let connection = Connection::open(restored).unwrap();
    ["a", "b", "c"].map(|table| {
        let sql = format!("SELECT count(*) FROM {table}");
        connection.query_row(&sql, [], |row| row.get(0)).unwrap()
    })
}

#[test]
fn the_other_tables_come_out_and_the_object_is_called_incomplete() {
    let folder = tempfile::tempdir().unwrap();
    let file = damaged(folder.path());
    let mut hashes = Vec::new();
    for parts in ["1", "7", "1000"] {
        let store = folder.path().join(parts);
        fs::create_dir(&store).unwrap();
        let output = Program::export(&file, store.to_str().unwrap(), folder.path())
            .with(["--name", "dump.sql", "--part-size", "4096", "--slice-parts", parts])
            .run();
        let printed = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{printed}");
        assert!(printed.contains("incomplete") && printed.contains("in table b;"), "{printed}");
        let names: Vec<_> =
            fs::read_dir(&store).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["dump.sql.incomplete"]);
        let dump = store.join("dump.sql.incomplete");
        let text = fs::read_to_string(&dump).unwrap();
        assert!(!text.contains("-- partway:end"));
        assert!(text.lines().last().unwrap().starts_with("-- partway:incomplete tables=3 "));
        hashes.push(sha256(&dump));
        if parts == "7" {
            let [a, b, c] = rows(&dump);
            assert_eq!((a, c), (3000, 3000));
            // All rows before the damaged page, which holds some twenty.
            assert!((1480..1500).contains(&b), "{b} rows");
        }
    }
    hashes.dedup();
    assert_eq!(hashes.len(), 1, "the bytes depend on the slices");
}

#[test]
fn standard_output_gets_the_other_tables_too_and_the_exit_code_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = damaged(folder.path());
    let output = Command::new(program()).arg("export").arg(&file).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let dump = folder.path().join("dump.sql");
    fs::write(&dump, &output.stdout).unwrap();
    let [a, b, c] = rows(&dump);
    assert_eq!((a, c), (3000, 3000));
    assert!(b < 1500);
    assert!(!String::from_utf8_lossy(&output.stdout).contains("-- partway:end"));
}

#[test]
fn a_value_that_is_damaged_in_its_middle_does_not_take_the_other_rows_along() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("long.db");
    let connection = database(
        &file,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB);
         INSERT INTO t VALUES (1, zeroblob(1000000)), (2, x'01'), (3, zeroblob(600000));",
    );
    drop(connection);
    // The chain of overflow pages of the first value is broken: a page's first bytes are the next one's number.
    let mut bytes = fs::read(&file).unwrap();
    let page = 150 * 4096;
    bytes[page..page + 4].copy_from_slice(&u32::MAX.to_be_bytes());
    fs::write(&file, bytes).unwrap();
    let store = folder.path().join("store");
    fs::create_dir(&store).unwrap();
    let output = Program::export(&file, store.to_str().unwrap(), folder.path())
        .with(["--name", "dump.sql", "--part-size", "16384", "--slice-parts", "2"])
        .run();
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{printed}");
    assert!(
        printed.contains("a value of 1000000 bytes in column v is cut off at byte"),
        "{printed}"
    );
    let dump = store.join("dump.sql.incomplete");
    let restored = folder.path().join("restored.db");
    restore(&dump, &restored).unwrap();
    let lengths: Vec<(i64, i64)> = Connection::open(restored)
        .unwrap()
        .prepare("SELECT id, length(v) FROM t")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(lengths.len(), 3, "{lengths:?}");
    assert!(lengths[0].1 < 1_000_000);
    assert_eq!(lengths[1..], [(2, 1), (3, 600_000)]);
}

#[test]
fn damage_elsewhere_is_no_damage() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("index.db");
    drop(database(
        &file,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
           INSERT INTO t SELECT i, printf('%.*c%d', 100, '.', i) FROM n;
         CREATE INDEX i ON t (v);",
    ));
    let root: usize = Connection::open(&file)
        .unwrap()
        .query_row("SELECT rootpage FROM sqlite_master WHERE name = 'i'", [], |row| row.get(0))
        .unwrap();
    let mut bytes = fs::read(&file).unwrap();
    bytes[(root - 1) * 4096..root * 4096].fill(0xa5);
    fs::write(&file, bytes).unwrap();
    let store = folder.path().join("store");
    fs::create_dir(&store).unwrap();
    let output = Program::export(&file, store.to_str().unwrap(), folder.path()).run();
    assert_eq!(summary(&output)["rows"], 3000);
}
