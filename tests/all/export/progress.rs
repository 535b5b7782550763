//! How far an export is, by the estimate that was made before its first byte, against how far it was.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use partway_jobs::Job;
use partway_sqlite::Snapshot;
use partway_store::{FolderStore, Store};
use partway_testbed::{Random, RandomDatabase, RandomOptions, RandomSize, Shape};
use partway_wasmtime::Counters;
use partway_wasmtime::exporter::{Budget, Exporter, Options};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::support::{Never, database, runtime};

/// The largest distance that is promised between the share that is told and the share of the object's bytes.
const TOLERANCE: f64 = 0.10;

/// Exports in slices of so many parts, and compares after each the share that would be told with that of the bytes. The
/// largest distance.
fn distance(file: &Path, part_size: u32, parts: u32, tables: &[&str]) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(FolderStore::new(folder.path()));
    let exporter = Exporter::prebuilt().unwrap();
    let tables: Vec<String> = tables.iter().map(ToString::to_string).collect();
    let options = Options { tables: tables.clone(), ..Options::new("sql", part_size) };
    let mut told = Vec::new();
    runtime().block_on(async {
        let snapshot = Snapshot::hold(file).unwrap();
        let expected = snapshot.expected(&tables);
        let mut job = Job::begin(&exporter, &snapshot, &store, "dump.sql", options).await.unwrap();
        while !job.is_ended() {
            // As in another process: nothing is left but what is saved.
            let counters = Arc::new(Counters::default());
            let budget = Budget { parts };
            job.slice(&exporter, &snapshot, &store, Never, budget, &counters).await.unwrap();
            let saved = serde_json::to_string(&job).unwrap();
            job = serde_json::from_str(&saved).unwrap();
            let share = expected.share(job.totals.work_done()).unwrap();
            told.push((share, job.totals.bytes as f64));
        }
    });
    let (_, whole) = told[told.len() - 1];
    let distances = told.iter().map(|(share, bytes)| (share - bytes / whole).abs());
    distances.fold(0.0, f64::max)
}

#[track_caller]
fn is_near(what: &str, file: &Path, part_size: u32, parts: u32, tables: &[&str]) {
    let distance = distance(file, part_size, parts, tables);
    println!("{what}: {distance:.3}");
    assert!(distance <= TOLERANCE, "{what}: {distance}");
}

/// A database that this SQL makes.
fn made(sql: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("made.db");
    drop(database(&file, sql));
    (folder, file)
}

/// Rows of a table, by an expression of `i`, which counts from 1.
fn rows(table: &str, count: u32, values: &str) -> String {
    format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
         INSERT INTO {table} SELECT {values} FROM n;"
    )
}

#[test]
fn progress_is_true_for_databases_of_every_shape() {
    let folder = tempfile::tempdir().unwrap();
    for shape in Shape::ALL {
        let file = folder.path().join(format!("{}.db", shape.name()));
        shape.write(&file, 20).unwrap();
        is_near(shape.name(), &file, 256 * 1024, 2, &[]);
        // As nobody has analyzed it, which only the shop is.
        Connection::open(&file)
            .unwrap()
            .execute_batch("DROP TABLE IF EXISTS sqlite_stat4; DROP TABLE IF EXISTS sqlite_stat1")
            .ok();
        is_near(shape.name(), &file, 1024 * 1024, 1, &[]);
    }
}

#[test]
fn progress_is_true_over_thousands_of_slices() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shop.db");
    Shape::Real.write(&file, 4).unwrap();
    is_near("the smallest slices", &file, 4096, 1, &[]);
}

#[test]
fn progress_is_true_where_tables_differ() {
    let text = "printf('%.*c', 40 + i % 400, 'x')";
    let unlike = [
        "CREATE TABLE blobs (id INTEGER PRIMARY KEY, b); CREATE TABLE flags (a, b, c, d);
         CREATE TABLE words (key TEXT PRIMARY KEY, value) WITHOUT ROWID; CREATE TABLE reals (r REAL);
         CREATE TABLE times (at INTEGER, until INTEGER, note); CREATE TABLE none (a, b, c, d, e, f);
         CREATE INDEX i ON times (at, until, note);",
        &rows("blobs", 600, "i, randomblob(3000 + i)"),
        &rows("flags", 200_000, "i % 2, i % 3, 0, 1"),
        &rows("words", 12_000, &format!("printf('%09d', i), {text}")),
        &rows("reals", 100_000, "i / 7.0"),
        &rows("times", 60_000, "1700000000000 + i, -1700000000000 - i, NULL"),
        &rows("none", 40_000, "NULL, NULL, NULL, NULL, NULL, NULL"),
    ];
    let (_folder, file) = made(&unlike.concat());
    is_near("tables that differ", &file, 64 * 1024, 3, &[]);
    is_near("some of the tables", &file, 64 * 1024, 1, &["flags", "WORDS"]);
}

#[test]
fn progress_is_true_where_rows_were_deleted_and_values_are_long() {
    let sql = [
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v); CREATE TABLE long (v); CREATE TABLE u (v);",
        &rows("t", 100_000, "i * 1000, printf('%.*c', i % 300, 'x')"),
        "DELETE FROM t WHERE id > 3000000 AND id % 7 > 0;",
        &rows("long", 6, "randomblob(1000000)"),
        &rows("long", 6, "printf('%.*c', 1500000, 'y')"),
        &rows("u", 100_000, "i"),
    ];
    let (_folder, file) = made(&sql.concat());
    is_near("long values", &file, 64 * 1024, 2, &[]);
    is_near("long values, each in many slices", &file, 16 * 1024, 1, &[]);
}

#[test]
fn progress_is_true_where_the_newest_pages_are_in_the_log() {
    let (_folder, file) = made("PRAGMA journal_mode=WAL;");
    let writer = Connection::open(&file).unwrap();
    writer
        .execute_batch("PRAGMA wal_autocheckpoint=0; CREATE TABLE a (v); CREATE TABLE b (v);")
        .unwrap();
    writer.execute_batch(&rows("a", 20_000, "printf('%.*c', 300, 'x')")).unwrap();
    // All of it is in the log.
    is_near("nothing but a log", &file, 64 * 1024, 4, &[]);
    writer.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    writer.execute_batch(&rows("b", 30_000, "i")).unwrap();
    writer.execute_batch("DELETE FROM a WHERE rowid % 3 = 0").unwrap();
    is_near("a file and a log", &file, 64 * 1024, 4, &[]);
    // What is not committed does not count.
    writer.execute_batch("BEGIN; PRAGMA cache_spill=1; PRAGMA cache_size=1;").unwrap();
    writer.execute_batch(&rows("b", 200_000, "i")).unwrap();
    is_near("a transaction under way", &file, 64 * 1024, 4, &[]);
}

#[test]
fn rows_are_estimated_without_counting_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("large.db");
    Shape::OneTable.write(&file, 60).unwrap();
    let snapshot = Snapshot::hold(&file).unwrap();
    let began = Instant::now();
    let expected = snapshot.expected(&[]);
    println!("estimated in {:?}", began.elapsed());
    let rows = 60.0 * 6_400.0;
    assert!((expected.rows as f64 / rows - 1.0).abs() < 0.05, "{expected:?}");
}

#[test]
fn whatever_a_file_holds_it_is_estimated() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("random.db");
    let mut random = Random::new(41);
    let mut estimated = 0;
    for seed in 0..60 {
        std::fs::remove_file(&file).ok();
        RandomDatabase::new(seed, RandomOptions { size: RandomSize::Ordinary, odd_lines: true })
            .write(&file)
            .unwrap();
        let whole = std::fs::read(&file).unwrap();
        let snapshot = Snapshot::hold(&file).unwrap();
        assert!(snapshot.expected(&[]).tables > 0);
        drop(snapshot);
        for _ in 0..10 {
            let mut bytes = whole.clone();
            for _ in 0..1 + random.below(200) {
                // The header is checked by SQLite, and is no page of a tree.
                let place = 100 + random.below(bytes.len() as u64 - 100) as usize;
                bytes[place] = random.pick(&[0, 1, 2, 5, 10, 13, 127, 128, 255]);
            }
            std::fs::write(&file, &bytes).unwrap();
            if let Ok(snapshot) = Snapshot::hold(&file) {
                snapshot.expected(&[]);
                estimated += 1;
            }
        }
    }
    assert!(estimated > 100, "{estimated}");
}
