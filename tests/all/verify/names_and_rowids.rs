//! What dumps may lack or hold: rowids, and names that are not UTF-8.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Case, assert_fails};
use crate::support::{Program, database};

/// Runs SQL, whatever its bytes, in the stock program.
fn sqlite3(file: &Path, sql: &[u8]) {
    let mut program = Command::new("sqlite3");
    let mut child = program.arg("-bail").arg(file).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(sql).unwrap();
    assert!(child.wait().unwrap().success());
}

const NAMES: &[u8] = b"
    CREATE TABLE \"t\xff\" (id INTEGER PRIMARY KEY, \"c\xfe\", \"c\xfd\" AS (\"c\xfe\" || 'x') STORED);
    INSERT INTO \"t\xff\" (\"c\xfe\") VALUES (1), (2.5), ('x'), (NULL);
    CREATE TABLE \"t\xfe\" (\"k\xff\" PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO \"t\xfe\" VALUES ('a', 1), ('b', 2);
    CREATE TABLE \"r\x80\" (rowid, oid, _rowid_, \"\xf0\x9f\"); INSERT INTO \"r\x80\" VALUES (1, 2, 3, 4);
    CREATE INDEX \"i\xff\" ON \"t\xff\" (\"c\xfe\"); CREATE VIEW \"v\xff\" AS SELECT \"c\xfe\" FROM \"t\xff\";";

#[test]
fn names_need_not_be_utf_8() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("names.db");
    sqlite3(&file, NAMES);
    let case = Case::of(folder, file);
    let output = case.verify(&case.against());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let change = b"UPDATE \"t\xff\" SET \"c\xfe\" = 3 WHERE id = 2; UPDATE \"t\xfe\" SET v = 3 WHERE \"k\xff\" = 'b';
        INSERT INTO \"t\xfe\" VALUES ('c', 3); UPDATE \"r\x80\" SET \"\xf0\x9f\" = 5; DROP VIEW \"v\xff\";";
    sqlite3(&case.file, change);
    let expected = [
        r#"partway: view "v\xff" is new"#,
        r#"partway: table "t\xff", rowid 2, column "c\xfe": 3 became 2.5"#,
        r#"partway: table "t\xff", rowid 2, column "c\xfd": "3x" became "2.5x""#,
        r#"partway: table "t\xfe", key "k\xff" "b", column "v": 3 became 2"#,
        r#"partway: table "t\xfe", key "k\xff" "c": the row is missing"#,
        r#"partway: table "r\x80", row "rowid" 1, "oid" 2, "_rowid_" 3, "\xf0\x9f" 5: the row is missing"#,
        "in 7 places",
    ];
    assert_fails(&case.verify(&case.against()), 1, &expected);
}

/// Tables whose rowids have gaps, and some whose rowid is not left out.
const GAPS: &str = "CREATE TABLE t (a, b); INSERT INTO t VALUES (1, 'x'), (2, 'y'), (2, 'y'), (3, 'z');
     DELETE FROM t WHERE a = 1; CREATE TABLE ids (id INTEGER PRIMARY KEY, a); INSERT INTO ids VALUES (7, 'seven');
     CREATE TABLE descending (id INTEGER PRIMARY KEY DESC, a); INSERT INTO descending (rowid, id) VALUES (9, 5);
     CREATE TABLE generated (a, rowid AS (a), b); INSERT INTO generated (_rowid_, a, b) VALUES (6, 1, 2);
     CREATE TABLE first (rowid, a, c AS (a)); INSERT INTO first (oid, rowid, a) VALUES (8, 1, 2);
     CREATE TABLE empty (a); CREATE TABLE w (k PRIMARY KEY) WITHOUT ROWID; INSERT INTO w VALUES (1);";

/// A dump with these options, of this database.
fn exported(case: &Case, options: &[&str]) -> PathBuf {
    let folder = case.folder.path();
    let export = Program::export(&case.file, folder.to_str().unwrap(), folder);
    PathBuf::from(export.with(options.iter().copied()).succeed()["location"].as_str().unwrap())
}

#[test]
fn rowids_that_a_dump_leaves_out_are_no_differences() {
    for target in [&["--target", "sqlite"], &["--target", "d1"]] {
        let mut case = Case::new(GAPS);
        case.dump = exported(&case, target);
        let output = case.verify(&case.against());
        let printed = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !printed.contains("without rowids"), "{printed}");

        case.dump = exported(&case, &[&target[..], &["--no-rowids"]].concat());
        let output = case.verify(&case.against());
        let printed = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{printed}");
        assert!(
            printed.contains("without rowids: the dump was made with --no-rowids"),
            "{printed}"
        );

        // All else is still compared, and the keys that a dump always holds.
        drop(database(
            &case.file,
            "UPDATE t SET b = 'other' WHERE a = 3; UPDATE ids SET id = 8; UPDATE descending SET id = 6;",
        ));
        let expected = [
            r#"table "t", row "a" 3, "b" "other": the row is missing"#,
            r#"table "t", row "a" 3, "b" "z": the row is new"#,
            r#"table "ids", rowid 7: the row is new"#,
            r#"table "ids", rowid 8: the row is missing"#,
            r#"table "descending", row "id" 6, "a" NULL: the row is missing"#,
            "in 6 places",
        ];
        assert_fails(&case.verify(&case.against()), 1, &expected);
    }
}

#[test]
fn rowids_that_a_dump_holds_are_compared() {
    let case = Case::new(GAPS);
    drop(database(&case.file, "UPDATE t SET rowid = 77 WHERE a = 3"));
    let expected =
        [r#"table "t", rowid 4: the row is new"#, r#"table "t", rowid 77: the row is missing"#];
    assert_fails(&case.verify(&case.against()), 1, &expected);
}
