//! A dump, restored by the stock `sqlite3` program, gives back the database.

mod byte_order_marks;
mod counters;
#[cfg(feature = "workerd")]
mod d1;
mod damage;
mod hard_cases;
mod image;
mod large_values;
mod proj;
mod random;
mod subsets;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use partway_testbed::{Random, compare, restore, write_sample};
use rusqlite::Connection;

use crate::support::{database, export, program};

/// Exports in many slices, restores and compares; the dump's text to look at.
#[track_caller]
fn round_trip(folder: &Path, file: &Path) -> String {
    let dump = export(file, folder, 4096, || 3);
    let restored = PathBuf::from(format!("{}.restored", dump.file.display()));
    restore(&dump.file, &restored).unwrap();
    assert_eq!(compare(file, &restored).unwrap(), []);
    String::from_utf8_lossy(&std::fs::read(&dump.file).unwrap()).into_owned()
}

/// The same, of a database made by SQL.
#[track_caller]
fn round_trip_of(sql: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("original.db");
    drop(database(&file, sql));
    round_trip(folder.path(), &file)
}

#[test]
fn the_sample_shop_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sample.db");
    write_sample(&file, 1).unwrap();
    round_trip(folder.path(), &file);
}

#[test]
fn an_empty_database_comes_back() {
    let dump = round_trip_of("");
    assert!(dump.ends_with("COMMIT;\n-- partway:end tables=0 rows=0\n"), "{dump}");
}

#[test]
fn every_storage_class_comes_back_exactly() {
    round_trip_of(
        "CREATE TABLE t (a, b BLOB, c TEXT, d REAL, e NUMERIC, f INTEGER);
         INSERT INTO t VALUES (NULL, NULL, NULL, NULL, NULL, NULL);
         INSERT INTO t VALUES (9223372036854775807, -9223372036854775808, '', 1e999, -1e999, 0);
         INSERT INTO t VALUES (-0.0, 0.1, 'it''s', 5e-324, 1.7976931348623157e308, -1);
         INSERT INTO t VALUES (x'', x'00ff', 'a' || char(0) || 'b', 3.0, 1e15, 2);
         INSERT INTO t VALUES (CAST(x'ff' AS TEXT), CAST(x'c3' AS TEXT), char(13, 10), 1, '7', '8');
         INSERT INTO t VALUES ('\\r' || char(13), '\\r0.', 'a' || char(10) || '.quit', 1, 1, 1);
         INSERT INTO t VALUES ('--', '/*', ';', 2.5, x'27', 'x''27''');",
    );
}

#[test]
fn floats_come_back_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("floats.db");
    let connection = database(&file, "CREATE TABLE t (a REAL, b); BEGIN;");
    let mut random = Random::new(3);
    {
        let mut insert = connection.prepare("INSERT INTO t VALUES (?1, ?2)").unwrap();
        for _ in 0..60_000 {
            let any = f64::from_bits(random.number());
            let short = random.below(1_000_000_000) as f64 / 10f64.powi(random.below(12) as i32);
            insert.execute((Some(any).filter(|any| !any.is_nan()), short)).unwrap();
        }
        for exponent in 0..2046 {
            let value = f64::from_bits(exponent << 52);
            insert.execute((value, value.next_up())).unwrap();
        }
    }
    connection.execute_batch("COMMIT").unwrap();
    round_trip(folder.path(), &file);
}

#[test]
fn header_numbers_and_encodings_come_back() {
    for encoding in ["UTF-8", "UTF-16le", "UTF-16be"] {
        round_trip_of(&format!(
            "PRAGMA encoding='{encoding}'; PRAGMA user_version=-7; PRAGMA application_id=1196444487;
             CREATE TABLE \"täble\" (\"cölumn\" TEXT DEFAULT 'ß');
             INSERT INTO \"täble\" VALUES ('grüße'), ('😀'), (char(65534, 65535)), (x'00'), (NULL),
               (char(65279) || 'bom'), ('a' || char(0) || 'b'), ('a' || char(13, 10) || 'b');
             CREATE TABLE w (k TEXT PRIMARY KEY, v) WITHOUT ROWID;
             INSERT INTO w SELECT 'schlüssel ' || value, value FROM json_each('[1,2,3,4,5,6,7,8,9]');"
        ));
    }
}

#[test]
fn names_of_any_spelling_come_back() {
    round_trip_of(
        "CREATE TABLE \"select\" (\"from\", \"a \"\"b\"\"\", [c d], `e`, 'f''g', \"--\", \"1\");
         INSERT INTO \"select\" VALUES (1, 2, 3, 4, 5, 6, 7);
         CREATE TABLE \"tmp_%\" (a); INSERT INTO \"tmp_%\" VALUES (1);
         CREATE TABLE tmpX (a); INSERT INTO tmpX VALUES (2);
         CREATE INDEX \"in dex\" ON \"select\" (\"a \"\"b\"\"\" DESC, [c d] COLLATE NOCASE);
         CREATE VIEW \"v;w\" AS SELECT \"from\" FROM \"select\" -- a comment at the end",
    );
}

#[test]
fn rowids_come_back() {
    let dump = round_trip_of(
        "CREATE TABLE plain (a); INSERT INTO plain (rowid, a) VALUES (5, 'x'), (-3, 'y'),
           (9223372036854775807, 'last'), (-9223372036854775808, 'first');
         CREATE TABLE key (id INTEGER PRIMARY KEY, a); INSERT INTO key VALUES (7, 'x'), (-9, 'y');
         CREATE TABLE descending (id INTEGER PRIMARY KEY DESC, a);
         INSERT INTO descending (rowid, id, a) VALUES (4, 1, 'x'), (3, 2, 'y');
         CREATE TABLE shadowed (rowid TEXT, oid TEXT); INSERT INTO shadowed (_rowid_, rowid) VALUES (9, 'r');
         CREATE TABLE auto (id INTEGER PRIMARY KEY AUTOINCREMENT, a);
         INSERT INTO auto VALUES (10, 'x'), (20, 'gone'); DELETE FROM auto WHERE id = 20;",
    );
    assert!(dump.contains("INSERT INTO \"shadowed\"(\"_rowid_\","), "{dump}");
}

#[test]
fn a_table_whose_rowid_no_name_reaches_keeps_its_rows() {
    let dump = round_trip_of(
        "CREATE TABLE t (rowid, _rowid_, oid, x);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
           INSERT INTO t SELECT -i, i % 7, 'row ' || i, NULL FROM n;
         CREATE INDEX i ON t (rowid, _rowid_, oid, x);",
    );
    assert!(dump.contains("'row 3000'"));
}

#[test]
fn keys_of_tables_without_rowid_are_followed_in_their_own_order() {
    // With parts of 4 KiB and slices of three, each table is gone on with in many places.
    round_trip_of(
        "CREATE TABLE a (x TEXT COLLATE NOCASE, y INTEGER, z REAL, v TEXT,
           PRIMARY KEY (x DESC, y, z DESC)) WITHOUT ROWID;
         CREATE TABLE b (k, v, PRIMARY KEY (k COLLATE RTRIM DESC)) WITHOUT ROWID;
         CREATE TABLE c (k INTEGER PRIMARY KEY, v ANY) WITHOUT ROWID, STRICT; INSERT INTO c VALUES (1, '1');
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000)
           INSERT INTO a SELECT char(65 + i % 5) || char(97 + i % 3), i % 11, i / 7.0, 'value ' || i FROM n;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
           INSERT INTO b SELECT CASE i % 4 WHEN 0 THEN i WHEN 1 THEN i / 3.0 WHEN 2 THEN 'k' || i
             ELSE CAST('b' || i AS BLOB) END, printf('%.*c', 50, 'x') FROM n;",
    );
}

#[test]
fn triggers_do_not_fire_and_foreign_keys_may_come_in_any_order() {
    round_trip_of(
        "PRAGMA foreign_keys=OFF; PRAGMA ignore_check_constraints=ON;
         CREATE TABLE checked (a CHECK (a > 0)); INSERT INTO checked VALUES (-1);
         CREATE TABLE child (id INTEGER PRIMARY KEY, parent REFERENCES parent(id));
         CREATE TABLE parent (id INTEGER PRIMARY KEY, n);
         INSERT INTO child VALUES (1, 2), (2, 99); INSERT INTO parent VALUES (2, 0);
         CREATE VIEW v2 AS SELECT * FROM v1; CREATE VIEW v1 AS SELECT id FROM child;
         CREATE TRIGGER never BEFORE INSERT ON child BEGIN SELECT RAISE(ABORT, 'no; never'); END;
         CREATE TRIGGER count AFTER INSERT ON parent BEGIN UPDATE parent SET n = n + 1; END;
         CREATE TRIGGER instead INSTEAD OF INSERT ON v1 BEGIN SELECT 1; END;",
    );
}

#[test]
fn generated_columns_and_defaults_come_back() {
    round_trip_of(
        "CREATE TABLE t (a INTEGER, b AS (a * 2) STORED, c TEXT DEFAULT (datetime('now')), d AS (a || c));
         INSERT INTO t (a, c) VALUES (1, 'x'), (2, NULL);
         ALTER TABLE t ADD COLUMN e DEFAULT 'added'; INSERT INTO t (a) VALUES (3);
         ALTER TABLE t ADD COLUMN f; ALTER TABLE t DROP COLUMN f;
         CREATE INDEX partial ON t (a) WHERE a > 1; CREATE INDEX expression ON t (abs(a), lower(c));",
    );
}

#[test]
fn virtual_tables_come_back_with_their_shadow_tables() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("virtual.db");
    drop(database(
        &file,
        "CREATE VIRTUAL TABLE f USING fts5(title, body);
         INSERT INTO f VALUES ('one', 'the quick brown fox'), ('two', 'jumps');
         CREATE VIRTUAL TABLE r USING rtree(id, x0, x1); INSERT INTO r VALUES (1, 2.0, 3.0);",
    ));
    let dump = export(&file, folder.path(), 4096, || 1);
    let restored = folder.path().join("restored.db");
    restore(&dump.file, &restored).unwrap();
    assert_eq!(compare(&file, &restored).unwrap(), []);
    let restored = Connection::open(restored).unwrap();
    let found: String = restored
        .query_row("SELECT title FROM f WHERE f MATCH 'fox'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(found, "one");
}

#[test]
fn every_part_but_the_last_has_the_part_size_and_rows_share_statements() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sample.db");
    write_sample(&file, 1).unwrap();
    for part_size in [4096, 5000, 65_536] {
        let dump = export(&file, folder.path(), part_size, || 2);
        let length = std::fs::metadata(&dump.file).unwrap().len();
        let totals = dump.finished.totals;
        assert_eq!(totals.bytes, length);
        assert_eq!(u64::from(totals.parts), length.div_ceil(u64::from(part_size)));
    }
    let dump = export(&file, folder.path(), 1024 * 1024, || 1);
    let text = std::fs::read_to_string(&dump.file).unwrap();
    let statements = text.matches("INSERT INTO").count() as u64;
    assert!(statements * 20 < dump.finished.totals.rows, "{statements} statements");
    let longest = text.split("INSERT INTO").map(str::len).max().unwrap();
    assert!(longest < 128 * 1024, "a statement of {longest} bytes");
}

#[test]
fn a_dump_through_a_pipe_restores() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sample.db");
    write_sample(&file, 1).unwrap();
    let restored = folder.path().join("new.db");
    let mut export =
        Command::new(program()).arg("export").arg(&file).stdout(Stdio::piped()).spawn().unwrap();
    let restore = Command::new("sqlite3")
        .arg(&restored)
        .stdin(export.stdout.take().unwrap())
        .output()
        .unwrap();
    assert!(export.wait().unwrap().success());
    assert!(restore.status.success() && restore.stderr.is_empty(), "{restore:?}");
    assert_eq!(compare(&file, &restored).unwrap(), []);
}

#[test]
fn one_table_can_be_exported_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sample.db");
    write_sample(&file, 1).unwrap();
    let output = Command::new(program())
        .arg("export")
        .arg(&file)
        .args(["--table", "ORDERS", "--table", "page views"])
        .output()
        .unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let created: Vec<&str> = text.lines().filter(|line| line.starts_with("CREATE")).collect();
    assert_eq!(
        created,
        [
            "CREATE TABLE orders (",
            "CREATE TABLE \"page views\" (at INTEGER, path TEXT, seconds REAL, customer_id INTEGER);",
            "CREATE INDEX orders_by_customer ON orders (customer_id, placed_at DESC);",
            "CREATE TRIGGER orders_are_kept BEFORE DELETE ON orders",
        ]
    );
    assert!(text.contains("-- partway:end tables=2 rows="));
}

#[test]
fn writers_go_on_in_wal_mode_and_the_dump_is_the_state_at_its_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wal.db");
    let connection = database(
        &file,
        "PRAGMA journal_mode=WAL; CREATE TABLE t (id INTEGER PRIMARY KEY, amount INTEGER);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
           INSERT INTO t SELECT i, 100 FROM n;",
    );
    let snapshot = partway_sqlite::Snapshot::hold(&file).unwrap();
    connection.execute_batch("UPDATE t SET amount = 0; DELETE FROM t WHERE id > 10;").unwrap();
    let exporter = partway_wasmtime::exporter::Exporter::prebuilt().unwrap();
    let store: std::sync::Arc<dyn partway_store::Store> =
        std::sync::Arc::new(partway_store::FolderStore::new(folder.path()));
    let finished = crate::support::runtime().block_on(async {
        let options = crate::support::job_options(4096);
        let mut job = partway_jobs::Job::begin(&exporter, &snapshot, &store, "wal.sql", options)
            .await
            .unwrap();
        while !job.is_ended() {
            connection.execute_batch("INSERT INTO t (amount) VALUES (-1)").unwrap();
            let budget = partway_wasmtime::exporter::Budget { parts: 2 };
            let counters = Default::default();
            job.slice(&exporter, &snapshot, &store, crate::support::Never, budget, &counters)
                .await
                .unwrap();
        }
        job.complete(&store).await.unwrap()
    });
    let restored = folder.path().join("restored.db");
    restore(&folder.path().join(finished.name), &restored).unwrap();
    let sum: (i64, i64) = Connection::open(restored)
        .unwrap()
        .query_row("SELECT count(*), sum(amount) FROM t", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    assert_eq!(sum, (20_000, 2_000_000));
}
