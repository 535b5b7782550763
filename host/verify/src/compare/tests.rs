//! Each kind of difference is found, and none where there is none.

use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;

use rusqlite::Connection;

use super::*;

struct Case {
    _folder: tempfile::TempDir,
    original: PathBuf,
    copy: PathBuf,
}

impl Case {
    /// Two databases that begin alike, and then go their own ways.
    fn new(common: &str, original: &str, copy: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let make = |name: &str, sql: &str| {
            let file = folder.path().join(name);
            let connection = Connection::open(&file).unwrap();
            connection.execute_batch(common).unwrap();
            connection.execute_batch(sql).unwrap();
            file
        };
        let (original, copy) = (make("original.db", original), make("copy.db", copy));
        Self { _folder: folder, original, copy }
    }

    fn found(&self) -> Vec<String> {
        let differences = compare(&self.original, &self.copy).unwrap();
        differences.iter().map(ToString::to_string).collect()
    }
}

/// The copy is a database like the original but for some statements more.
#[track_caller]
fn changed(common: &str, change: &str, expected: &[&str]) {
    assert_eq!(Case::new(common, "", "").found(), [""; 0], "without the change");
    assert_eq!(Case::new(common, "", change).found(), expected);
}

const SHOP: &str = "CREATE TABLE t (a, b); INSERT INTO t VALUES (1, 'one'), (2, 'two'), (3, NULL);";

#[test]
fn header_numbers_are_compared() {
    changed(SHOP, "PRAGMA user_version = 7", &["user_version: 0 became 7"]);
    changed(SHOP, "PRAGMA application_id = -1", &["application_id: 0 became -1"]);
}

#[test]
fn an_encoding_is_one_difference_and_text_the_same_characters() {
    let case = Case::new("", SHOP, &format!("PRAGMA encoding = 'UTF-16le'; {SHOP}"));
    assert_eq!(case.found(), ["encoding: UTF-8 became UTF-16le"]);
}

#[test]
fn objects_and_their_text_are_compared() {
    changed(SHOP, "DROP TABLE t", &["table \"t\" is missing"]);
    changed(
        SHOP,
        "CREATE VIEW \"v\n\" AS SELECT 1; CREATE INDEX i ON t (a);
         CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; END;",
        &["index \"i\" is new", "trigger \"g\" is new", "view \"v\\n\" is new"],
    );
    let case = Case::new("", "CREATE TABLE t (a)", "CREATE TABLE t (a )");
    assert_eq!(
        case.found(),
        ["table \"t\": its schema \"CREATE TABLE t (a)\" became \"CREATE TABLE t (a )\""]
    );
}

#[test]
fn a_storage_class_and_a_bit_are_differences() {
    for (before, after, shown) in [
        ("1", "2", "1 became 2"),
        ("1", "1.0", "1 became 1.0"),
        ("1", "'1'", "1 became \"1\""),
        ("0.0", "-0.0", "0.0 became -0.0"),
        ("0.1", "0.1 + 1e-17 * 2", "0.1 became 0.10000000000000002"),
        ("''", "NULL", "\"\" became NULL"),
        ("''", "x''", "\"\" became x''"),
        ("'a'", "'a' || char(0)", "\"a\" became \"a\\0\""),
        ("CAST(x'ff' AS TEXT)", "CAST(x'fe' AS TEXT)", "text x'ff' became text x'fe'"),
        ("x'00'", "x'01'", "x'00' became x'01'"),
        (
            "9223372036854775807",
            "9223372036854775806",
            "9223372036854775807 became 9223372036854775806",
        ),
    ] {
        for options in ["", "WITHOUT ROWID"] {
            let table = format!("CREATE TABLE t (k INTEGER PRIMARY KEY, v) {options};");
            let insert = |value| format!("INSERT INTO t VALUES (5, {value})");
            let key = if options.is_empty() { "rowid 5" } else { "key \"k\" 5" };
            let case = Case::new(&table, &insert(before), &insert(after));
            assert_eq!(case.found(), [format!("table \"t\", {key}, column \"v\": {shown}")]);
        }
    }
}

#[test]
fn byte_order_marks_that_sqlite_does_not_read_are_compared() {
    let marked =
        |mark: &str| format!("CAST({mark} || CAST(printf('%.*c', 3000, 'x') AS BLOB) AS TEXT)");
    for encoding in ["UTF-16le", "UTF-16be"] {
        let of = |mark| {
            let text = marked(mark);
            format!(
                "PRAGMA encoding = '{encoding}'; CREATE TABLE t (a); INSERT INTO t VALUES ({text});"
            )
        };
        for (original, copy, is_equal) in [
            ("x'fffe'", "x'fffe'", true),
            ("x'feff'", "x'feff'", true),
            ("x'fffe'", "x''", false),
            ("x'feff'", "x''", false),
            ("x'fffe'", "x'feff'", false),
            ("x'fffefffe'", "x'fffe'", false),
        ] {
            let case = Case::new("", &of(original), &of(copy));
            assert_eq!(case.found().is_empty(), is_equal, "{encoding}: {original} and {copy}");
        }
    }
}

#[test]
fn text_in_utf16_is_compared_as_it_is_stored() {
    // Both are halves of a surrogate pair alone, and the same when converted.
    let sql = |half| {
        format!(
            "PRAGMA encoding = 'UTF-16le'; CREATE TABLE t (a); CREATE TABLE w (k TEXT PRIMARY KEY, v) WITHOUT ROWID;
             INSERT INTO t VALUES (CAST(x'{half}' AS TEXT)), ('ü'), (x'00d8'), (1), (NULL), (2.5);
             INSERT INTO w VALUES (CAST(x'{half}' AS TEXT), 'é');"
        )
    };
    assert_eq!(Case::new("", &sql("00d8"), &sql("00d8")).found(), [""; 0]);
    assert_eq!(
        Case::new("", &sql("00d8"), &sql("01d8")).found(),
        [
            "table \"t\", rowid 1, column \"a\": text x'00d8' became text x'01d8'",
            "table \"w\", key \"k\" text x'00d8': the row is missing",
            "table \"w\", key \"k\" text x'01d8': the row is new",
        ]
    );
}

#[test]
fn rows_that_are_missing_or_new_are_named_and_the_others_still_compared() {
    changed(
        SHOP,
        "DELETE FROM t WHERE a = 1; INSERT INTO t (rowid, a) VALUES (-7, 1), (9, 9);
         UPDATE t SET b = 'zwei' WHERE a = 2;",
        &[
            "table \"t\", rowid -7: the row is new",
            "table \"t\", rowid 1: the row is missing",
            "table \"t\", rowid 2, column \"b\": \"two\" became \"zwei\"",
            "table \"t\", rowid 9: the row is new",
        ],
    );
}

#[test]
fn a_rowid_is_compared_by_whatever_name_reaches_it() {
    changed(
        "CREATE TABLE t (rowid, oid); INSERT INTO t VALUES (1, 2);",
        "UPDATE t SET _rowid_ = 4",
        &["table \"t\", rowid 1: the row is missing", "table \"t\", rowid 4: the row is new"],
    );
}

#[test]
fn keys_are_followed_in_their_own_order() {
    changed(
        "CREATE TABLE t (v, x TEXT COLLATE NOCASE, y, PRIMARY KEY (x DESC, y COLLATE RTRIM)) WITHOUT ROWID;
         INSERT INTO t (x, y) VALUES ('a', 1), ('B', 2), ('c', 3), ('c', 'x'), ('d', x'00'), ('e', 2.5);",
        "DELETE FROM t WHERE x = 'b'; INSERT INTO t (x, y) VALUES ('bb', 'x');
         UPDATE t SET x = 'A' WHERE x = 'a'; UPDATE t SET v = 1 WHERE x = 'e';",
        &[
            "table \"t\", key \"x\" \"e\", \"y\" 2.5, column \"v\": NULL became 1",
            "table \"t\", key \"x\" \"B\", \"y\" 2: the row is missing",
            "table \"t\", key \"x\" \"bb\", \"y\" \"x\": the row is new",
            "table \"t\", key \"x\" \"a\", \"y\" 1, column \"x\": \"a\" became \"A\"",
        ],
    );
}

#[test]
fn rows_that_nothing_tells_apart_are_a_set() {
    let table = "CREATE TABLE t (rowid, _rowid_, oid);";
    let case = Case::new(
        table,
        "INSERT INTO t VALUES (1, 2, 3), (1, 2, 3), (4, 5, 6);",
        "INSERT INTO t VALUES (4, 5, 6), (1, 2, 3), (1, 2, 3);",
    );
    assert_eq!(case.found(), [""; 0]);
    changed(
        &format!("{table} INSERT INTO t VALUES (1, 2, 3), (1, 2, 3);"),
        "DELETE FROM t; INSERT INTO t VALUES (1, 2, 3), (1, 2, 3.0);",
        &[
            "table \"t\", row \"rowid\" 1, \"_rowid_\" 2, \"oid\" 3: the row is missing",
            "table \"t\", row \"rowid\" 1, \"_rowid_\" 2, \"oid\" 3.0: the row is new",
        ],
    );
}

#[test]
fn what_sqlite_keeps_for_itself_is_a_set() {
    let sequence =
        "CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT); CREATE INDEX i ON a (id);
         CREATE TABLE b (id INTEGER PRIMARY KEY AUTOINCREMENT); DELETE FROM sqlite_sequence;";
    let case = Case::new(
        sequence,
        "INSERT INTO sqlite_sequence VALUES ('a', 1), ('b', 2)",
        "INSERT INTO sqlite_sequence VALUES ('b', 2), ('a', 1)",
    );
    assert_eq!(case.found(), [""; 0]);
    changed(
        &format!("{sequence} INSERT INTO sqlite_sequence VALUES ('a', 1)"),
        "UPDATE sqlite_sequence SET seq = 2",
        &[
            "table \"sqlite_sequence\", row \"name\" \"a\", \"seq\" 1: the row is missing",
            "table \"sqlite_sequence\", row \"name\" \"a\", \"seq\" 2: the row is new",
        ],
    );
    let analyzed = format!("{sequence} INSERT INTO a VALUES (1), (2); ANALYZE;");
    let stat = "UPDATE sqlite_stat1 SET stat = '9 9'";
    assert_eq!(Case::new(&analyzed, "", "").found(), [""; 0]);
    assert_eq!(Case::new(&analyzed, "", stat).found().len(), 2);
    // Some builds of SQLite create a second table.
    let first = "CREATE TABLE a (b); INSERT INTO a VALUES (1); ANALYZE;";
    assert_eq!(Case::new(first, "DROP TABLE IF EXISTS sqlite_stat4", "").found(), [""; 0]);
}

#[test]
fn names_may_be_anything() {
    changed(
        "CREATE TABLE \"a \"\"b\"\"\nc'd\" (\"x\"\"\n'y\", [z`]); INSERT INTO \"a \"\"b\"\"\nc'd\" VALUES (1, 2);",
        "UPDATE \"a \"\"b\"\"\nc'd\" SET \"x\"\"\n'y\" = 3",
        &[r#"table "a \"b\"\nc'd", rowid 1, column "x\"\n'y": 1 became 3"#],
    );
}

#[test]
fn two_thousand_columns_are_compared_to_the_last() {
    let columns = |number| (0..number).map(|c| format!("c{c}")).collect::<Vec<_>>().join(",");
    let (all, key) = (columns(2000), columns(3));
    for encoding in ["UTF-8", "UTF-16be"] {
        for table in [
            format!("({all})"),
            format!("({all}, PRIMARY KEY ({key})) WITHOUT ROWID"),
            format!("({})", all.replace("c7,c8,c9,", "rowid,_rowid_,oid,")),
        ] {
            let values = (0..2000).map(|c| format!("'v{c}'")).collect::<Vec<_>>().join(",");
            let case = Case::new(
                &format!(
                    "PRAGMA encoding='{encoding}'; CREATE TABLE t {table}; INSERT INTO t VALUES ({values});"
                ),
                "",
                "UPDATE t SET c899 = 1; UPDATE t SET c900 = 'v0'; UPDATE t SET c1999 = x'00';",
            );
            let found = case.found();
            if table.contains("oid") {
                assert_eq!(found.len(), 2, "{found:?}");
                continue;
            }
            assert_eq!(found.len(), 3, "{found:?}");
            assert!(found[0].ends_with("column \"c899\": \"v899\" became 1"), "{found:?}");
            assert!(found[1].ends_with("column \"c900\": \"v900\" became \"v0\""), "{found:?}");
            assert!(found[2].ends_with("column \"c1999\": \"v1999\" became x'00'"), "{found:?}");
        }
    }
}

#[test]
fn generated_columns_are_compared_where_they_are_stored() {
    changed(
        "CREATE TABLE t (a, b AS (a * 2) STORED, c AS (a * 3)); INSERT INTO t (a) VALUES (1);",
        "UPDATE t SET a = 2",
        &[
            "table \"t\", rowid 1, column \"a\": 1 became 2",
            "table \"t\", rowid 1, column \"b\": 2 became 4",
        ],
    );
}

#[test]
fn other_columns_under_the_same_name_are_named() {
    let case = Case::new(
        "",
        "CREATE TABLE t (a, b); INSERT INTO t VALUES (1, 2);",
        "CREATE TABLE t (a, c); INSERT INTO t VALUES (1, 2);",
    );
    let found = case.found();
    assert_eq!(
        found[1..],
        [
            "table \"t\": its columns (\"a\", \"b\") became (\"a\", \"c\"), so its rows are not compared"
        ]
    );
}

#[test]
fn a_virtual_table_is_compared_by_its_text_and_its_shadow_tables() {
    let search = "CREATE VIRTUAL TABLE f USING fts5(body); INSERT INTO f VALUES ('fox');";
    assert_eq!(Case::new(search, "", "").found(), [""; 0]);
    let found = Case::new(search, "", "INSERT INTO f VALUES ('dog')").found();
    assert!(
        found.contains(&"table \"f_content\", rowid 2: the row is new".to_owned()),
        "{found:?}"
    );

    // A module that is not there is not needed.
    let unknown = |text: &str| {
        format!(
            "PRAGMA writable_schema=ON; INSERT INTO sqlite_master VALUES ('table', 'u', 'u', 0,
             'CREATE VIRTUAL TABLE u USING no_such_module({text})'); CREATE TABLE u_data (a); INSERT INTO u_data VALUES (1);"
        )
    };
    assert_eq!(Case::new("", &unknown("x"), &unknown("x")).found(), [""; 0]);
    let found =
        Case::new("", &unknown("x"), &format!("{} UPDATE u_data SET a = 2", unknown("y"))).found();
    assert_eq!(found.len(), 2, "{found:?}");
}

#[test]
fn a_table_that_cannot_be_read_is_a_difference_and_the_others_are_compared() {
    let case = Case::new(
        "PRAGMA page_size = 4096; CREATE TABLE a (x); CREATE TABLE b (x); INSERT INTO b VALUES (1);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
         INSERT INTO a SELECT printf('%.*c', 50, 'x') FROM n;",
        "",
        "UPDATE b SET x = 2",
    );
    // The root pages of the tables are 2 and 3: what is in the middle is a's.
    let mut file = std::fs::File::options().write(true).open(&case.copy).unwrap();
    file.seek(SeekFrom::Start(40_960)).unwrap();
    file.write_all(&[0xff; 40_960]).unwrap();
    assert_eq!(
        case.found(),
        [
            "table \"a\" can't be read in the copy: database disk image is malformed",
            "table \"b\", rowid 1, column \"x\": 1 became 2",
        ]
    );
    let backwards = compare(&case.copy, &case.original).unwrap();
    assert!(matches!(&backwards[0], Difference::Unreadable { side: Side::Original, .. }));
}

#[test]
fn only_the_first_differences_are_kept_and_all_are_found() {
    let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
         INSERT INTO t SELECT i, i FROM n;";
    let case = Case::new("CREATE TABLE t (a, b)", rows, "");
    assert_eq!(case.found().len(), MAX_DIFFERENCES);
    let mut number = 0;
    compare_each(&case.original, &case.copy, |_| number += 1).unwrap();
    assert_eq!(number, 500);
}

#[test]
fn a_file_that_is_no_database_is_an_error() {
    let case = Case::new(SHOP, "", "");
    let missing = case.copy.with_extension("missing");
    assert!(
        matches!(compare(&case.original, &missing), Err(CompareError::Open { path, .. }) if path == missing)
    );
    let text = case.copy.with_extension("text");
    std::fs::write(&text, "no database ".repeat(100)).unwrap();
    assert!(
        matches!(compare(&text, &case.copy), Err(CompareError::Read { path, .. }) if path == text)
    );
}
