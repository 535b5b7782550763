//! A dump of some tables brings their AUTOINCREMENT counters, and leaves those of others alone.

use std::path::{Path, PathBuf};
use std::process::Command;

use partway_testbed::restore;
use rusqlite::Connection;

use crate::support::{database, program};

/// Exports some tables.
fn dump(file: &Path, tables: &[&str], more: &[&str]) -> PathBuf {
    let tables = tables.iter().flat_map(|table| ["--table", table]);
    let output =
        Command::new(program()).arg("export").arg(file).args(tables).args(more).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let dump = file.with_extension("sql");
    std::fs::write(&dump, output.stdout).unwrap();
    dump
}

/// The counters of a database.
fn counters(connection: &Connection) -> Vec<(String, i64)> {
    let mut statement =
        connection.prepare("SELECT name, seq FROM sqlite_sequence ORDER BY name").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

/// Three counters, each further than its table's largest id.
const TABLES: &str = "CREATE TABLE \"a 'ä'\" (id INTEGER PRIMARY KEY AUTOINCREMENT, v);
    CREATE TABLE b (id INTEGER PRIMARY KEY AUTOINCREMENT, v);
    CREATE TABLE empty (id INTEGER PRIMARY KEY AUTOINCREMENT, v);
    CREATE TABLE plain (id INTEGER PRIMARY KEY, \"AUTOINCREMENT\");
    INSERT INTO \"a 'ä'\" VALUES (10, 'x'), (20, 'gone'); DELETE FROM \"a 'ä'\" WHERE id = 20;
    INSERT INTO b VALUES (7, 'x'), (70, 'gone'); DELETE FROM b WHERE id = 70;
    INSERT INTO empty VALUES (5, 'gone'); DELETE FROM empty; INSERT INTO plain VALUES (3, 4);";

#[test]
fn the_next_insert_gets_the_id_that_it_would_have_got() {
    for encoding in ["UTF-8", "UTF-16le", "UTF-16be"] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("original.db");
        drop(database(&file, &format!("PRAGMA encoding='{encoding}'; {TABLES}")));
        for (table, counter) in [("a 'ä'", 20), ("B", 70), ("empty", 5)] {
            let restored = folder.path().join(format!("{table}.restored"));
            restore(&dump(&file, &[table], &[]), &restored).unwrap();
            let connection = Connection::open(restored).unwrap();
            let found = counters(&connection);
            assert_eq!(found.len(), 1, "{encoding}: {found:?}");
            let next = format!("INSERT INTO \"{table}\" (v) VALUES ('next') RETURNING id");
            let id: i64 = connection.query_row(&next, [], |row| row.get(0)).unwrap();
            assert_eq!(id, counter + 1, "{encoding}: {table}");
        }
    }
}

#[test]
fn counters_of_other_tables_stay_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("original.db");
    drop(database(&file, TABLES));
    // There is a table with a counter already where it is restored.
    let existing = folder.path().join("existing.db");
    let other =
        "CREATE TABLE other (id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO other VALUES (99);";
    drop(database(&existing, other));
    let script = dump(&file, &["b", "a 'ä'"], &[]);
    restore(&script, &existing).unwrap();
    let expected = [("a 'ä'", 20), ("b", 70), ("other", 99)].map(|(name, seq)| (name.into(), seq));
    assert_eq!(counters(&Connection::open(&existing).unwrap()), expected);
    for target in ["sqlite", "d1"] {
        let text = std::fs::read_to_string(dump(&file, &["plain"], &["--target", target])).unwrap();
        assert!(!text.contains("sqlite_sequence"), "{text}");
        let text = std::fs::read_to_string(dump(&file, &["b"], &["--target", target])).unwrap();
        assert!(text.contains("DELETE FROM sqlite_sequence WHERE name='b';"), "{text}");
        assert!(text.contains("INSERT INTO \"sqlite_sequence\" VALUES\n('b',70);"), "{text}");
    }
}
