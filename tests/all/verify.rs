//! A dump is checked: whole or not, and whether it restores to what a database holds.

mod names_and_rowids;
mod pipes;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use partway_testbed::write_sample;
use rusqlite::Connection;
use serde_json::json;

use crate::support::{Program, database, export, sha256, summary};

/// A database, and its dump.
struct Case {
    folder: tempfile::TempDir,
    file: PathBuf,
    dump: PathBuf,
}

impl Case {
    fn new(sql: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("original.db");
        drop(database(&file, sql));
        Self::of(folder, file)
    }

    fn of(folder: tempfile::TempDir, file: PathBuf) -> Self {
        let dump = export(&file, folder.path(), 4096, || 100).file;
        Self { folder, file, dump }
    }

    fn small() -> Self {
        Self::new(SMALL)
    }

    /// Verifies a dump of this text.
    fn verify_text(&self, text: impl AsRef<[u8]>, arguments: &[&str]) -> Output {
        fs::write(&self.dump, text).unwrap();
        self.verify(arguments)
    }

    fn verify(&self, arguments: &[&str]) -> Output {
        let mut verify = Program::verify(self.dump.to_str().unwrap());
        // What is left in it would be found.
        let temporary = self.folder.path().join("temporary");
        fs::create_dir_all(&temporary).unwrap();
        verify.command.env("TMPDIR", &temporary);
        let output = verify.with(arguments.iter().copied()).run();
        assert_eq!(fs::read_dir(temporary).unwrap().count(), 0, "a temporary file is left");
        output
    }

    fn against(&self) -> [&str; 2] {
        ["--against", self.file.to_str().unwrap()]
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.dump).unwrap()
    }

    /// The dump with one thing in it changed.
    #[track_caller]
    fn changed(&self, from: &str, to: &str) -> String {
        let text = self.text();
        assert_eq!(text.matches(from).count(), 1, "{text}");
        text.replace(from, to)
    }
}

const SMALL: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, name, amount);
     INSERT INTO t VALUES (1, 'one; (''1'')', 10.5), (2, 'two' || char(10) || '-- partway:end', x'00ff'), (3, NULL, 777);
     CREATE TABLE \"other \"\"table\" (a INTEGER PRIMARY KEY AUTOINCREMENT, b);
     INSERT INTO \"other \"\"table\" (b) VALUES ('x'), ('y');
     CREATE VIRTUAL TABLE f USING fts5(body); INSERT INTO f VALUES ('the quick brown fox');
     CREATE TRIGGER g AFTER INSERT ON t BEGIN UPDATE t SET name = 'END;'; DELETE FROM f; END;
     CREATE VIEW v AS SELECT 1 -- a comment at the end";

#[track_caller]
fn assert_fails(output: &Output, code: i32, expected: &[&str]) {
    let printed = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{printed}");
    for expected in expected {
        assert!(printed.contains(expected), "{printed}");
    }
    assert!(printed.starts_with("partway: ") || code == 2, "{printed}");
}

#[test]
fn a_whole_dump_is_found_whole_and_the_same() {
    let case = Case::small();
    let output = case.verify(&case.against());
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}");
    assert!(printed.contains("the dump is complete: "), "{printed}");
    assert!(
        printed.contains(&format!("restored, it has the same contents as {}", case.file.display())),
        "{printed}"
    );
    let hash = sha256(&case.dump);
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        format!("{hash}  {}\n", case.dump.canonicalize().unwrap().display())
    );
    assert!(case.verify(&["--sha256", &hash.to_uppercase()]).status.success());
}

#[test]
fn the_sample_shop_is_found_whole_with_the_counts_of_its_export() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sample.db");
    write_sample(&file, 8).unwrap();
    let sliced = export(&file, folder.path(), 65_536, || 20);
    let totals = &sliced.finished.totals;
    let expected = json!({
        "complete": true, "tables": totals.tables, "rows": totals.rows, "bytes": totals.bytes,
        "sha256": sliced.finished.sha256, "differences": 0,
    });
    let dump = sliced.file.to_str().unwrap();
    let run = Program::verify(dump).with(["--json", "--against", file.to_str().unwrap()]);
    assert_eq!(summary(&run.run()), expected);
}

#[test]
fn a_dump_is_the_same_in_every_encoding_and_with_hard_names_and_values() {
    for encoding in ["UTF-8", "UTF-16le", "UTF-16be"] {
        let case = Case::new(&format!(
            "PRAGMA encoding='{encoding}'; PRAGMA user_version=-7;
             CREATE TABLE \"insert into \"\"values (\" (\"a);\", [b--], `c/*`);
             INSERT INTO \"insert into \"\"values (\" VALUES (-0.0, 'ü''); (' || char(0), x''), (1e999, '--', '/*');
             CREATE TABLE sqliteish (rowid, _rowid_, oid); INSERT INTO sqliteish VALUES (1, 2, 3), (1, 2, 3);
             CREATE TABLE w (k TEXT COLLATE NOCASE, j, PRIMARY KEY (k DESC, j)) WITHOUT ROWID;
             INSERT INTO w VALUES ('a', 1), ('B', 2), ('c', NULL OR 1); ANALYZE;"
        ));
        let output = case.verify(&case.against());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn definitions_and_values_that_the_stock_program_would_change_are_the_same() {
    let case = Case::new(
        "CREATE TABLE t (a, -- with a return\r\n b /*\n/\ngo\n*/);
         INSERT INTO t VALUES ('a' || char(13, 10) || 'b', char(13, 13, 10)), ('go', char(10) || '/' || char(10));
         CREATE VIEW v AS SELECT 'x\r\r\ny' AS b /* open",
    );
    assert!(case.text().contains("\r\r\n"), "{}", case.text());
    let output = case.verify(&case.against());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_dump_for_d1_is_whole_and_the_same() {
    let mut case = Case::new(
        "CREATE TABLE partway_value (a); INSERT INTO partway_value VALUES (zeroblob(200000)), ('a\r\r\nb');
         CREATE TABLE child (a REFERENCES parent(a), b TEXT DEFAULT '\r\n'); 
         CREATE TABLE parent (a INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1, '');
         CREATE TRIGGER g AFTER INSERT ON child BEGIN SELECT 1; END;",
    );
    let folder = case.folder.path().to_owned();
    let export = |file: &Path| {
        let run = Program::export(file, folder.to_str().unwrap(), &folder).with(["--target", "d1"]);
        PathBuf::from(run.succeed()["location"].as_str().unwrap())
    };
    case.dump = export(&case.file);
    assert!(case.text().ends_with("\nSELECT 1;\n"), "{}", case.text());
    let output = case.verify(&case.against());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = case.text();
    let output = case.verify_text(&text[..text.len() - 1], &[]);
    assert_fails(&output, 1, &[&format!("is cut off after {} bytes", text.len() - 1)]);

    // Of virtual tables some are counted and some not.
    let search = folder.join("search.db");
    drop(database(
        &search,
        "CREATE TABLE t (a, b); INSERT INTO t VALUES (1, 'x'); CREATE VIRTUAL TABLE empty USING fts5(a);
         CREATE VIRTUAL TABLE own USING fts5(a); INSERT INTO own VALUES ('x'), ('y');
         CREATE VIRTUAL TABLE other USING fts5(b, content='t'); CREATE VIRTUAL TABLE no USING fts5(a, content='');",
    ));
    let output = Program::verify(export(&search).to_str().unwrap()).run();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_dump_that_is_cut_off_is_known_wherever_it_is_cut() {
    let case = Case::small();
    let text = case.text();
    for end in [1, 10, 23, 24, text.len() / 3, text.len() / 2, text.len() - 40, text.len() - 1] {
        for arguments in [&[][..], &case.against()] {
            let output = case.verify_text(&text[..end], arguments);
            let expected = format!(" is cut off after {end} byte");
            assert_fails(&output, 1, &[&expected, "its end mark is missing"]);
            assert!(output.stdout.is_empty());
        }
    }
}

#[test]
fn what_stands_behind_the_end_is_told() {
    let case = Case::small();
    let text = case.text();
    let output = case.verify_text(text.clone() + "\n", &[]);
    assert_fails(&output, 1, &["has 1 byte after its end mark"]);
    let output = case.verify_text(text.repeat(2), &[]);
    assert_fails(&output, 1, &[&format!("has {} bytes after its end mark", text.len())]);
}

#[test]
fn a_changed_digit_is_found_in_its_table_row_and_column() {
    let case = Case::small();
    let changed = case.changed("777", "776");
    assert!(case.verify_text(&changed, &[]).status.success());
    let output = case.verify_text(&changed, &case.against());
    let expected = "partway: table \"t\", rowid 3, column \"amount\": 777 became 776\n";
    assert_fails(&output, 1, &[expected, "differs from", "original.db in 1 place\n"]);

    let other = "0".repeat(64);
    let output = case.verify_text(&changed, &["--sha256", &other]);
    let expected = format!("has the SHA-256 {}, not {other}", sha256(&case.dump));
    assert_fails(&output, 1, &[&expected]);
}

#[test]
fn a_row_that_is_missing_is_found_by_the_counts_and_by_the_database() {
    let case = Case::small();
    let rows = case.text().split_once(" rows=").unwrap().1.trim_end().parse::<u64>().unwrap();
    let changed = case.changed(",\n(3,NULL,777)", "");
    let expected = format!("has {} rows in ", rows - 1);
    assert_fails(&case.verify_text(&changed, &[]), 1, &[&expected, "and its end mark says"]);
    let output = case.verify_text(&changed, &case.against());
    assert_fails(&output, 1, &[&expected, "table \"t\", rowid 3: the row is missing"]);

    // Where the mark was changed as well, the database alone tells.
    let changed = changed.replace(&format!(" rows={rows}"), &format!(" rows={}", rows - 1));
    assert!(case.verify_text(&changed, &[]).status.success());
    assert_fails(&case.verify_text(&changed, &case.against()), 1, &["rowid 3: the row is missing"]);
}

#[test]
fn an_end_mark_with_other_counts_is_told() {
    let case = Case::small();
    let changed = case.changed("-- partway:end tables=", "-- partway:end tables=1");
    let output = case.verify_text(changed, &["--json"]);
    assert_fails(&output, 1, &["tables, and its end mark says"]);
    let outcome: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(outcome["complete"], false);
    assert_eq!(outcome["differences"], json!(null));
}

#[test]
fn an_export_that_says_it_is_incomplete_is_not_whole() {
    let case = Case::small();
    let (rest, counts) = case
        .text()
        .split_once("-- partway:end ")
        .map(|(a, b)| (a.to_owned(), b.trim_end().to_owned()))
        .unwrap();
    let text = format!("{rest}-- partway:incomplete {counts} damaged=1\n");
    let expected = "does not contain the whole database: 1 table could not be read to the end";
    assert_fails(&case.verify_text(text, &[]), 1, &[expected]);
}

#[test]
fn a_statement_that_fails_is_named_with_its_place() {
    let case = Case::small();
    let changed = case.changed("(3,NULL,777)", "(2,NULL,777)");
    let at = changed.find("INSERT INTO \"t\"").unwrap();
    let output = case.verify_text(changed, &case.against());
    let expected =
        format!("can't be restored: the statement at byte {at}, \"INSERT INTO \\\"t\\\" VALUES");
    assert_fails(&output, 1, &[&expected, "fails: UNIQUE constraint failed: t.id"]);
}

#[test]
fn what_is_no_dump_is_refused() {
    let case = Case::small();
    let newer = case.changed("-- partway:begin sql 1\n", "-- partway:begin sql 2\n");
    let none = case.changed("-- partway:begin sql 1\n", "");
    for (text, expected) in [
        (
            newer,
            "is a dump of format 2, and this version of partway knows format 1: check it with a newer one",
        ),
        (
            none,
            "is not a SQL dump made by partway: its first line is not \"-- partway:begin sql 1\"",
        ),
        ("\0".repeat(100_000), "is not a SQL dump made by partway"),
        ("-- part of something else".to_owned(), "is not a SQL dump made by partway"),
        (String::new(), "is empty"),
    ] {
        for arguments in [&["--json"][..], &case.against()] {
            let output = case.verify_text(&text, arguments);
            assert_fails(&output, 1, &["dump.sql", expected]);
            assert!(output.stdout.is_empty());
        }
    }
}

#[test]
fn a_file_or_database_that_is_missing_is_named() {
    let case = Case::small();
    let missing = case.folder.path().join("missing");
    let output = Program::verify(missing.to_str().unwrap()).run();
    assert_fails(&output, 1, &["missing does not exist: check the name"]);
    let output = Program::verify(case.folder.path().to_str().unwrap()).run();
    assert_fails(&output, 1, &["can't be read"]);
    let output = case.verify(&["--against", missing.to_str().unwrap()]);
    assert_fails(&output, 1, &["there is no database"]);
    let output = case.verify(&["--against", case.dump.to_str().unwrap()]);
    assert_fails(&output, 1, &["is not a SQLite database"]);
}

#[test]
fn wrong_usage_is_told_as_such() {
    let verify = |dump: &str, arguments: &[&str]| {
        Program::verify(dump).with(arguments.iter().copied()).run()
    };
    assert_fails(&verify("ftp://host/dump.sql", &[]), 2, &["is not an object: give a file"]);
    assert_fails(&verify("s3://bucket", &[]), 2, &["has no object: write s3://bucket/key"]);
    assert_fails(&verify("dump.sql", &["--sha256", "abc"]), 2, &["not a SHA-256"]);
}

#[test]
fn a_database_that_has_changed_since_is_told_with_the_first_differences() {
    let case = Case::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
         INSERT INTO t SELECT i, i FROM n;",
    );
    let connection = Connection::open(&case.file).unwrap();
    connection
        .execute_batch("UPDATE t SET a = -a WHERE id <= 25; PRAGMA user_version = 3")
        .unwrap();
    let before = sha256(&case.file);
    let output = case.verify(&[&case.against()[..], &["--json"]].concat());
    let expected = [
        "partway: user_version: 3 became 0\n",
        "partway: table \"t\", rowid 19, column \"a\": -19 became 19\npartway: and 6 more differences\n",
        "original.db in 26 places\n",
    ];
    assert_fails(&output, 1, &expected);
    let outcome: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&outcome["complete"], &outcome["differences"]), (&json!(true), &json!(26)));
    assert_eq!(sha256(&case.file), before, "the database was written to");
}
