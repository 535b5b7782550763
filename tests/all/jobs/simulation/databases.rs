//! Some small databases, and what a plain export makes of them.

use std::fs;
use std::path::{Path, PathBuf};

use partway_wasmtime::exporter::{Exporter, Options};
use rusqlite::Connection;

use crate::support::{database, export_with, job_options};

/// What changes a database.
pub const CHANGE: &str =
    "INSERT INTO b (text) VALUES ('one more row'); DELETE FROM a WHERE id = 7;";

/// A database, and its dump.
#[derive(Debug)]
pub struct Prepared {
    pub database: PathBuf,
    pub dump: Vec<u8>,
    /// Those of its tables alone.
    pub tables: [Vec<u8>; 2],
    /// The dump after [`CHANGE`], which needs write-ahead logging, and those of its tables.
    pub changed: Option<(Vec<u8>, [Vec<u8>; 2])>,
}

/// Makes them all: of 6 to 12 parts of 4 KiB.
pub fn prepare(exporter: &Exporter, folder: &Path) -> Vec<Prepared> {
    let one = |number: usize, mode: &str, rows: u32, width: u32| {
        let path = folder.join(format!("database-{number}.db"));
        let sql = format!(
            "PRAGMA journal_mode={mode};
             CREATE TABLE a (id INTEGER PRIMARY KEY, text TEXT, bytes BLOB);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
             INSERT INTO a SELECT i, printf('row %d of {number}', i), CAST(printf('%.*c', {width}, 'x') AS BLOB) FROM n;
             CREATE TABLE b (text TEXT, number REAL);
             INSERT INTO b SELECT text, id * 0.5 FROM a WHERE id % 3 = 0;
             CREATE INDEX b_text ON b (text);
             CREATE VIEW v AS SELECT count(*) FROM a;"
        );
        drop(database(&path, &sql));
        let changed = (mode == "wal").then(|| {
            let copy = folder.join(format!("changed-{number}.db"));
            fs::copy(&path, &copy).expect("a copy");
            change(&Connection::open(&copy).expect("the copy")).expect("a change");
            (dump(exporter, &copy, &[]), tables(exporter, &copy))
        });
        let (dump, tables) = (dump(exporter, &path, &[]), tables(exporter, &path));
        Prepared { dump, tables, changed, database: path }
    };
    vec![one(0, "wal", 200, 30), one(1, "delete", 120, 100), one(2, "wal", 60, 220)]
}

/// Changes a database.
pub fn change(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(CHANGE)
}

fn tables(exporter: &Exporter, database: &Path) -> [Vec<u8>; 2] {
    ["a", "b"].map(|table| dump(exporter, database, &[table]))
}

fn dump(exporter: &Exporter, database: &Path, tables: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let tables = tables.iter().map(|&table| table.to_owned()).collect();
    let options = Options { tables, ..job_options(1 << 20) };
    let exported =
        export_with(exporter, database, folder.path(), options, || u32::MAX).expect("an export");
    fs::read(exported.file).expect("the dump")
}
