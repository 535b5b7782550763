//! A database that is damaged in one table: the others come out, and nothing passes for complete.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use partway_testbed::restore;
use rusqlite::Connection;

use crate::support::{Program, database, program, sha256, stored, summary};

/// Three tables of 3,000 rows, all of which are complete in their leaf.
const TABLES: [&str; 3] = ["a", "b", "c"];

fn create() -> String {
    let fill = |table: &str| {
        format!(
            "CREATE TABLE {table} (id INTEGER PRIMARY KEY, v TEXT);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
               INSERT INTO {table} SELECT i, printf('{table}%.*c%06d', 200, '.', i) FROM n;"
        )
    };
    TABLES.map(fill).concat()
}

/// What a row of one of them looks like in its page.
fn row(table: &str, id: u32) -> Vec<u8> {
    format!("{table}{}{id:06}", ".".repeat(200)).into_bytes()
}

/// Where bytes are in others.
fn place(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// The page, from 0, in which a row of `b` is.
fn page_of(bytes: &[u8], id: u32) -> usize {
    place(bytes, &row("b", id)).unwrap() / PAGE
}

const PAGE: usize = 4096;

fn page(bytes: &[u8], number: usize) -> &[u8] {
    &bytes[number * PAGE..(number + 1) * PAGE]
}

/// Overwrites pages.
fn destroy(file: &Path, pages: &[usize]) {
    let mut bytes = fs::read(file).unwrap();
    for page in pages {
        bytes[page * PAGE..(page + 1) * PAGE].fill(0xa5);
    }
    fs::write(file, bytes).unwrap();
}

/// The tables, with a page in the middle of the second overwritten.
fn damaged(folder: &Path) -> PathBuf {
    let file = folder.join("damaged.db");
    drop(database(&file, &create()));
    let page = page_of(&fs::read(&file).unwrap(), 1500);
    destroy(&file, &[page]);
    file
}

/// Exports a damaged database with slices of several sizes, which must give the same bytes; the dump, and what was
/// printed.
#[track_caller]
fn export_sliced(file: &Path, folder: &Path) -> (PathBuf, String) {
    let export = |parts: &&str| {
        let store = folder.join(parts);
        fs::create_dir(&store).unwrap();
        let output = Program::export(file, store.to_str().unwrap(), folder)
            .with(["--name", "dump.sql", "--part-size", "16384", "--slice-parts", *parts])
            .run();
        let printed = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{printed}");
        assert!(printed.contains("incomplete"), "{printed}");
        assert_eq!(stored(&store), ["dump.sql.incomplete"]);
        (store.join("dump.sql.incomplete"), printed)
    };
    let dumps: Vec<_> = ["1", "7", "100000"].iter().map(export).collect();
    let mut hashes: Vec<_> = dumps.iter().map(|(dump, _)| sha256(dump)).collect();
    hashes.dedup();
    assert_eq!(hashes.len(), 1, "the bytes depend on the slices");
    dumps.into_iter().next().unwrap()
}

/// The numbers that a query gives in a restored dump.
#[track_caller]
fn numbers(dump: &Path, sql: &str) -> Vec<i64> {
    let restored = dump.with_extension("restored");
    if !restored.exists() {
        restore(dump, &restored).unwrap();
    }
    let connection = Connection::open(restored).unwrap();
    let mut statement = connection.prepare(sql).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

/// The rows of each table in a restored dump.
fn rows(dump: &Path) -> [i64; 3] {
    TABLES.map(|table| numbers(dump, &format!("SELECT count(*) FROM {table}"))[0])
}

#[test]
fn the_other_tables_come_out_and_the_object_is_called_incomplete() {
    let folder = tempfile::tempdir().unwrap();
    let file = damaged(folder.path());
    let (dump, printed) = export_sliced(&file, folder.path());
    assert!(printed.contains("in table b;"), "{printed}");
    let text = fs::read_to_string(&dump).unwrap();
    assert!(!text.contains("-- partway:end"));
    assert_eq!(text.matches("\n-- partway:missing rows\n").count(), 1);
    assert!(text.lines().last().unwrap().starts_with("-- partway:incomplete tables=3 "));
    let [a, b, c] = rows(&dump);
    assert_eq!((a, c), (3000, 3000));
    // A page holds some twenty.
    assert!((2975..3000).contains(&b), "{b} rows");
}

#[test]
fn the_rows_of_all_intact_pages_of_a_damaged_table_come_out() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("damaged.db");
    drop(database(&file, &create()));
    let bytes = fs::read(&file).unwrap();
    // The first and the last, several in a row, and two with one intact page between them.
    let at = |id| page_of(&bytes, id);
    let next = at(600);
    let mut pages = vec![at(1), next, next + 1, next + 2, at(1500), at(3000)];
    let after = (1501..).find(|id| at(*id) != at(1500)).unwrap();
    let behind = (after..).find(|id| at(*id) != at(after)).unwrap();
    pages.push(at(behind));
    destroy(&file, &pages);
    let is_lost = |id: &i64| {
        pages.iter().any(|number| place(page(&bytes, *number), &row("b", *id as u32)).is_some())
    };
    let intact: Vec<i64> = (1..=3000).filter(|id| !is_lost(id)).collect();
    assert!((2800..2900).contains(&intact.len()), "{} are intact", intact.len());
    let (dump, printed) = export_sliced(&file, folder.path());
    assert_eq!(numbers(&dump, "SELECT id FROM b ORDER BY id"), intact);
    assert!(printed.contains("in table b, where rows are missing in 5 places;"), "{printed}");
    let whole = "SELECT count(*) FROM b WHERE v = printf('b%.*c%06d', 200, '.', id)";
    assert_eq!(numbers(&dump, whole), [intact.len() as i64]);
    assert_eq!(numbers(&dump, "SELECT count(*) FROM a"), [3000]);
}

#[test]
fn rows_behind_a_damaged_inner_page_come_out() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("damaged.db");
    // Rowids from one end of the integers to the other, with wide gaps.
    let create = "CREATE TABLE b (id INTEGER PRIMARY KEY, v TEXT);
        WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 40000)
          INSERT INTO b SELECT (i - 20000) * 461168601842738, printf('%.*c', 200, '.') FROM n;";
    let connection = database(&file, create);
    let root: usize = connection
        .query_row("SELECT rootpage FROM sqlite_master WHERE name = 'b'", [], |row| row.get(0))
        .unwrap();
    drop(connection);
    let bytes = fs::read(&file).unwrap();
    let root = page(&bytes, root - 1);
    // The root's cells: a child's number, and the largest rowid below that child.
    let cells = usize::from(u16::from_be_bytes([root[3], root[4]]));
    assert!(root[0] == 5 && cells >= 3, "{cells} pages below the root");
    let child = |cell: usize| {
        let at = 12 + 2 * cell;
        let at = usize::from(u16::from_be_bytes([root[at], root[at + 1]]));
        let (mut rowid, mut bytes) = (0_i64, root[at + 4..].iter());
        for number in 0..9 {
            let byte = *bytes.next().unwrap();
            let bits = if number == 8 { 8 } else { 7 };
            rowid = rowid << bits | i64::from(if number == 8 { byte } else { byte & 0x7f });
            if number < 8 && byte < 0x80 {
                break;
            }
        }
        (u32::from_be_bytes(root[at..at + 4].try_into().unwrap()) as usize - 1, rowid)
    };
    let ((_, before), (destroyed, last)) = (child(0), child(1));
    assert_eq!(page(&bytes, destroyed)[0], 5);
    destroy(&file, &[destroyed]);
    let (dump, printed) = export_sliced(&file, folder.path());
    let intact: Vec<i64> = (0..=40_000)
        .map(|i| (i - 20_000) * 461_168_601_842_738)
        .filter(|id| *id <= before || *id > last)
        .collect();
    assert!(intact.len() < 39_000, "{} are intact", intact.len());
    assert_eq!(numbers(&dump, "SELECT id FROM b ORDER BY id"), intact);
    assert!(printed.contains("in table b;"), "{printed}");
}

#[test]
fn a_row_whose_overflow_pages_are_damaged_is_the_only_one_that_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("damaged.db");
    // Values that fit a batch, and behind each of two a value that does not: slices end inside it.
    let create = "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT, w);
        INSERT INTO t SELECT id, printf('%.*c', length, letter), 1 FROM (SELECT 1 AS id, 1 AS length, 'x' AS letter
          UNION ALL VALUES (5, 60000, 'A'), (6, 61000, 'B'), (7, 500000, 'C'), (900, 62000, 'D'), (901, 63000, 'E'),
            (1000000, 600000, 'F'), (1000001, 2, 'y'));";
    drop(database(&file, create));
    let mut bytes = fs::read(&file).unwrap();
    // A page in the middle of a value's chain begins with the number of the next page.
    for letter in *b"BDE" {
        let is_of_it = |page: &[u8]| page[8..] == [letter; PAGE - 8];
        let number = bytes.chunks(PAGE).rposition(is_of_it).unwrap() - 3;
        bytes[number * PAGE..number * PAGE + 4].copy_from_slice(&u32::MAX.to_be_bytes());
    }
    fs::write(&file, bytes).unwrap();
    let (dump, printed) = export_sliced(&file, folder.path());
    let ids = numbers(&dump, "SELECT id FROM t ORDER BY id");
    assert_eq!(ids, [1, 5, 7, 1_000_000, 1_000_001]);
    let lengths = numbers(&dump, "SELECT length(v) FROM t ORDER BY id");
    assert_eq!(lengths, [1, 60_000, 500_000, 600_000, 2]);
    assert!(printed.contains("in table t, where rows are missing in 2 places;"), "{printed}");
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
    assert!((2975..3000).contains(&b), "{b} rows");
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
