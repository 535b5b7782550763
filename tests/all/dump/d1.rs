//! A dump for D1 loads into a real SQLite-backed Durable Object, and gives back the database.

mod harness;
mod original;
mod utf16;

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use partway_testbed::{Random, write_sample};
use rusqlite::{Connection, params};
use serde_json::Value;
use tempfile::TempDir;

use self::harness::{Way, load};
use crate::support::{Program, database, summary};

/// What one statement may have, in bytes.
const MOST_BYTES: u64 = 100_000;

/// A database and room for its dump.
struct Case {
    folder: TempDir,
    file: PathBuf,
}

impl Case {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("original.db");
        Self { folder, file }
    }

    /// One made by SQL.
    fn of(sql: &str) -> Self {
        let case = Self::new();
        drop(database(&case.file, sql));
        case
    }

    /// Exports in many slices, with every part's end in another place.
    fn export(&self) -> PathBuf {
        self.export_with_warnings().0
    }

    /// The same, and what the dump does not keep.
    fn export_with_warnings(&self) -> (PathBuf, Vec<String>) {
        let store = self.folder.path().join("store");
        fs::create_dir_all(&store).unwrap();
        let program = Program::export(&self.file, store.to_str().unwrap(), self.folder.path());
        let options = ["--target", "d1", "--part-size", "16KiB", "--slice-parts", "3"];
        let output = program.with(options).run();
        let printed = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{printed}");
        let summary = summary(&output);
        let dump = PathBuf::from(summary["location"].as_str().unwrap());
        // Who loads it reads it as text, and would lose what is not.
        let text = String::from_utf8(fs::read(&dump).unwrap());
        match text {
            Ok(text) => check_text(&text),
            Err(error) => panic!("the dump is not UTF-8: {error}"),
        }
        let warnings = printed.lines().filter_map(|line| line.strip_prefix("partway: warning: "));
        (dump, warnings.map(str::to_owned).collect())
    }

    /// Exports, loads and compares all but the statistics.
    #[track_caller]
    fn round_trip(&self, ways: &[Way]) {
        let dump = self.export();
        for way in ways {
            self.compare(&dump, *way);
        }
    }

    /// Loads a dump and compares.
    #[track_caller]
    fn compare(&self, dump: &Path, way: Way) {
        let [mut original, mut loaded] = self.both(dump, way);
        original["stat1"] = Value::Null;
        loaded["stat1"] = Value::Null;
        let differences = differences(&original, &loaded);
        assert!(differences.is_empty(), "{way:?}: {differences}");
    }

    /// What the original holds, and what a dump makes.
    #[track_caller]
    fn both(&self, dump: &Path, way: Way) -> [Value; 2] {
        let loaded = match load(dump, way) {
            Ok(loaded) => loaded,
            Err(printed) => panic!("{way:?}: {printed}"),
        };
        let longest = loaded["longest"].as_u64().unwrap();
        assert!(longest <= MOST_BYTES, "{way:?}: a statement of {longest} bytes");
        [original::read(&Connection::open(&self.file).unwrap()).unwrap(), loaded]
    }
}

const BOTH: [Way; 2] = [Way::Transaction, Way::D1];

#[test]
fn the_sample_shop_comes_back() {
    let case = Case::new();
    write_sample(&case.file, 2).unwrap();
    case.round_trip(&BOTH);
}

#[test]
fn an_empty_database_comes_back() {
    Case::of("").round_trip(&BOTH);
}

#[test]
fn every_storage_class_comes_back_exactly() {
    Case::of(
        "CREATE TABLE t (a, b BLOB, c TEXT, d REAL, e NUMERIC, f INTEGER);
         INSERT INTO t VALUES (NULL, NULL, NULL, NULL, NULL, NULL);
         INSERT INTO t VALUES (9223372036854775807, -9223372036854775808, '', 1e999, -1e999, 0);
         INSERT INTO t VALUES (-0.0, 0.1, 'it''s', 5e-324, 1.7976931348623157e308, -1);
         INSERT INTO t VALUES (x'', x'00ff', 'a' || char(0) || 'b', 3.0, 1e15, 2);
         INSERT INTO t VALUES (CAST(x'ff' AS TEXT), CAST(x'c3' AS TEXT), char(13, 10), 1, '7', '8');
         INSERT INTO t VALUES ('\\r' || char(13), '\\r0.', 'a' || char(10) || '.quit', 1, 1, 1);
         INSERT INTO t VALUES ('--', '/*', ';', 2.5, x'27', 'x''27''');
         CREATE TABLE \"it's \"\"quoted\"\";\" (\"a;b\", [c d], `e`, \"--\", \"select\");
         INSERT INTO \"it's \"\"quoted\"\";\" VALUES (char(0), char(0, 0), char(65279), '? ?1 :a', '$a$');",
    )
    .round_trip(&BOTH);
}

#[test]
fn floats_come_back_to_the_bit() {
    let case = Case::of("CREATE TABLE t (a REAL, b)");
    let connection = Connection::open(&case.file).unwrap();
    let mut random = Random::new(3);
    connection.execute_batch("BEGIN").unwrap();
    for _ in 0..5_000 {
        let any = f64::from_bits(random.number());
        let short = random.below(1_000_000_000) as f64 / 10f64.powi(random.below(12) as i32);
        let row = (Some(any).filter(|any| !any.is_nan()), short);
        connection.execute("INSERT INTO t VALUES (?1, ?2)", row).unwrap();
    }
    connection.execute_batch("COMMIT").unwrap();
    case.round_trip(&BOTH);
}

#[test]
fn foreign_keys_may_come_in_any_order() {
    let case = Case::of(
        "PRAGMA foreign_keys=OFF;
         CREATE TABLE child (id INTEGER PRIMARY KEY, parent REFERENCES parent (id), code REFERENCES coded (code));
         CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT);
         CREATE TABLE coded (code TEXT, name TEXT);
         CREATE TABLE tree (id INTEGER PRIMARY KEY, up INTEGER NOT NULL REFERENCES tree (id) ON DELETE CASCADE);
         CREATE TABLE ring (a INTEGER PRIMARY KEY, b REFERENCES other (a));
         CREATE TABLE other (a INTEGER PRIMARY KEY, b REFERENCES ring (a));
         CREATE UNIQUE INDEX codes ON coded (code);
         INSERT INTO child VALUES (1, 2, 'x'), (2, NULL, NULL), (3, 1, 'y');
         INSERT INTO parent VALUES (1, 'one'), (2, 'two'); INSERT INTO coded VALUES ('x', 'ex'), ('y', 'why');
         INSERT INTO ring VALUES (1, 2); INSERT INTO other VALUES (2, 1);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
           INSERT INTO tree SELECT i, 3001 - i FROM n;",
    );
    case.round_trip(&[Way::Transaction, Way::Turn, Way::D1]);
}

#[test]
fn values_longer_than_a_statement_come_back() {
    let case = Case::of("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b BLOB, c)");
    let connection = Connection::open(&case.file).unwrap();
    // Quotes and characters of two bytes about where a piece may end.
    let mut text = String::new();
    while text.len() < 300_000 {
        let near = text.len() % 45_000;
        text.push_str(if !(100..=44_900).contains(&near) { "é'é''é\n" } else { "plain text; " });
    }
    let quotes = "'".repeat(250_000);
    let accents = format!("x{}", "é".repeat(150_000));
    let mut zeros = "a\0b".repeat(70_000);
    zeros.push('é');
    let blob = Random::new(5).bytes(1_500_000);
    let mut invalid = Random::new(6).bytes(120_000);
    invalid.extend([0xc3, 0xff, 0]);
    let mut insert = connection.prepare("INSERT INTO t (a, b, c) VALUES (?1, ?2, ?3)").unwrap();
    insert.execute(params![text, "short", 1]).unwrap();
    insert.execute(params![quotes, zeros, accents]).unwrap();
    insert.execute(params!["short", blob, 1.5]).unwrap();
    insert.execute(params![None::<String>, vec![0u8; 150_000], "\0"]).unwrap();
    for length in [49_900, 49_999, 50_000, 99_900, 99_999, 100_000, 100_001] {
        insert.execute(params!["x".repeat(length), vec![1u8; length / 2], length]).unwrap();
    }
    drop(insert);
    connection
        .execute("INSERT INTO t (a, c) VALUES (CAST(?1 AS TEXT), CAST(?1 AS TEXT))", [invalid])
        .unwrap();
    connection
        .execute_batch(
            "CREATE TABLE w (k TEXT PRIMARY KEY, v TEXT) WITHOUT ROWID;
             INSERT INTO w SELECT a, a FROM t WHERE id IN (1, 2);
             CREATE TABLE s (k TEXT, v BLOB) STRICT; INSERT INTO s SELECT a, b FROM t WHERE id = 3;
             CREATE TABLE partway_value (n INTEGER PRIMARY KEY, v); INSERT INTO partway_value VALUES (1, 'mine');",
        )
        .unwrap();
    drop(connection);
    case.round_trip(&BOTH);
}

#[test]
fn a_row_that_is_longer_than_a_statement_comes_back() {
    let case = Case::of("");
    let connection = Connection::open(&case.file).unwrap();
    let names: Vec<String> = (0..95).map(|number| format!("c{number}")).collect();
    connection.execute_batch(&format!("CREATE TABLE t ({})", names.join(", "))).unwrap();
    let cells: Vec<String> =
        (0..95).map(|number| format!("'{}'", "é''x".repeat(800 + number))).collect();
    for _ in 0..3 {
        connection.execute_batch(&format!("INSERT INTO t VALUES ({})", cells.join(", "))).unwrap();
    }
    drop(connection);
    case.round_trip(&BOTH);
}

#[test]
fn many_small_rows_stay_within_the_operations_of_a_statement() {
    // SQLite compiles each row of an INSERT to some operations, and workerd allows 25,000 of them.
    Case::of(
        "CREATE TABLE one (a); CREATE TABLE three (a, b, c); CREATE TABLE lines (a TEXT, b REAL);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000)
           INSERT INTO one SELECT i % 10 FROM n;
         INSERT INTO three SELECT a, NULL, 0 FROM one;
         INSERT INTO lines SELECT 'a' || char(10) || a || char(13, 0), a / 7.0 FROM one;",
    )
    .round_trip(&[Way::Transaction]);
}

#[test]
fn sequences_come_back() {
    Case::of(
        "CREATE TABLE auto (id INTEGER PRIMARY KEY AUTOINCREMENT, a);
         CREATE TABLE empty (id INTEGER PRIMARY KEY AUTOINCREMENT, a);
         CREATE TABLE never (id INTEGER PRIMARY KEY AUTOINCREMENT, a);
         INSERT INTO auto VALUES (10, 'x'), (20, 'gone'); DELETE FROM auto WHERE id = 20;
         INSERT INTO empty VALUES (9223372036854775806, 'gone'); DELETE FROM empty;",
    )
    .round_trip(&BOTH);
}

#[test]
fn statistics_come_back() {
    let case = Case::of(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a, b); CREATE INDEX i ON t (a, b); CREATE TABLE none (a);
         INSERT INTO t (a, b) VALUES (1, 2), (1, 3), (2, 3); INSERT INTO none VALUES (1); ANALYZE;",
    );
    let dump = case.export();
    for way in BOTH {
        let [original, loaded] = case.both(&dump, way);
        assert_eq!(differences(&original, &loaded), "", "{way:?}");
    }
}

#[test]
fn rowids_and_keys_come_back() {
    Case::of(
        "CREATE TABLE plain (a); INSERT INTO plain (rowid, a) VALUES (5, 'x'), (-3, 'y'),
           (9223372036854775807, 'last'), (-9223372036854775808, 'first');
         CREATE TABLE descending (id INTEGER PRIMARY KEY DESC, a);
         INSERT INTO descending (rowid, id, a) VALUES (4, 1, 'x'), (3, 2, 'y');
         CREATE TABLE shadowed (rowid TEXT, oid TEXT); INSERT INTO shadowed (_rowid_, rowid) VALUES (9, 'r');
         CREATE TABLE hidden (rowid, _rowid_, oid); INSERT INTO hidden VALUES (3, 2, 1), (1, 2, 3);
         CREATE TABLE w (x TEXT COLLATE NOCASE, y INTEGER, v, PRIMARY KEY (x DESC, y)) WITHOUT ROWID;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
           INSERT INTO w SELECT char(65 + i % 26) || 'é', i, -i FROM n;",
    )
    .round_trip(&BOTH);
}

#[test]
fn schemas_come_back() {
    Case::of(
        "PRAGMA foreign_keys=OFF; PRAGMA ignore_check_constraints=ON;
         CREATE TABLE g (a INTEGER, b AS (a * 2) STORED, c TEXT DEFAULT (datetime('now')), d AS (a || c)) -- ends
         ;
         INSERT INTO g (a, c) VALUES (1, 'x'), (2, NULL);
         CREATE TABLE s (a INTEGER, b ANY, c TEXT NOT NULL) STRICT; INSERT INTO s VALUES (1, '1', 'x'), (2, 2, 'y');
         CREATE TABLE checked (a CHECK (a > 0) /* ; */); INSERT INTO checked VALUES (-1);
         CREATE INDEX partial ON g (a) WHERE a > 1; CREATE INDEX expression ON g (abs(a), lower(c) COLLATE NOCASE DESC);
         CREATE VIEW v2 AS SELECT * FROM v1; CREATE VIEW v1 AS SELECT a, 'it''s; END;' AS b FROM g -- a comment; at the end
         ;
         CREATE TRIGGER never BEFORE INSERT ON g BEGIN SELECT RAISE(ABORT, 'no; never'); END;
         CREATE TRIGGER count AFTER INSERT ON s BEGIN
           UPDATE s SET a = CASE WHEN a > 0 THEN a + 1 ELSE 0 END;
           -- it's a comment; END;
           SELECT 'END;';
         END;
         CREATE TRIGGER instead INSTEAD OF INSERT ON v1 BEGIN SELECT 1; END;
         CREATE TABLE \"tmp_%\" (a); INSERT INTO \"tmp_%\" VALUES (1); CREATE TABLE tmpX (a); INSERT INTO tmpX VALUES (2);",
    )
    .round_trip(&BOTH);
}

#[test]
fn full_text_search_comes_back() {
    Case::of(
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT);
         INSERT INTO notes VALUES (3, 'the quick brown fox'), (7, 'jumps; it''s over'), (-2, NULL);
         CREATE VIRTUAL TABLE own USING fts5(title, body, tokenize='porter unicode61');
         INSERT INTO own (rowid, title, body) VALUES (5, 'one', 'lazy dogs'), (-9, 'two', NULL);
         CREATE VIRTUAL TABLE external USING fts5(body, content='notes', content_rowid='id');
         INSERT INTO external (external) VALUES ('rebuild');
         CREATE TRIGGER noted AFTER INSERT ON notes BEGIN
           INSERT INTO external (rowid, body) VALUES (new.id, new.body);
         END;",
    )
    .round_trip(&BOTH);
}

#[test]
fn tables_without_a_circle_of_references_load_over_many_commits() {
    Case::of(
        "CREATE TABLE line (id INTEGER PRIMARY KEY, bill NOT NULL REFERENCES bill (number), n);
         CREATE TABLE bill (number TEXT, customer REFERENCES customer);
         CREATE UNIQUE INDEX numbers ON bill (number);
         CREATE TABLE customer (id INTEGER PRIMARY KEY, name);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
           INSERT INTO customer SELECT i, 'customer ' || i FROM n;
         INSERT INTO bill SELECT 'b' || id, id FROM customer; INSERT INTO bill VALUES ('nobody', NULL);
         INSERT INTO line SELECT id, 'b' || (3001 - id), id / 7.0 FROM customer;",
    )
    .round_trip(&[Way::Turns]);
}

#[test]
fn definitions_longer_than_a_statement_are_left_out_with_what_belongs_to_them() {
    let long = "x".repeat(100_000);
    let schema = format!(
        "CREATE TABLE t (a); INSERT INTO t VALUES (1);
         CREATE TABLE long_table (a /* {long} */); INSERT INTO long_table VALUES (2);
         CREATE INDEX of_long_table ON long_table (a);
         CREATE TRIGGER on_long_table AFTER INSERT ON long_table BEGIN SELECT 1; END;
         CREATE VIEW short_view AS SELECT a FROM t;
         CREATE VIEW long_view AS SELECT '{long}' AS a;
         CREATE TRIGGER on_long_view INSTEAD OF INSERT ON long_view BEGIN SELECT 1; END;
         CREATE TRIGGER long_trigger AFTER INSERT ON t BEGIN SELECT '{long}'; END;
         CREATE INDEX long_index ON t (a || '{long}');
         CREATE TRIGGER short_trigger AFTER INSERT ON t BEGIN SELECT 1; END;"
    );
    let case = Case::of(&schema);
    let (dump, warnings) = case.export_with_warnings();
    for name in
        ["long_table", "on_long_table", "long_view", "on_long_view", "long_trigger", "long_index"]
    {
        assert!(warnings.iter().any(|warning| warning.contains(name)), "{name}: {warnings:?}");
    }
    for way in BOTH {
        let [_, loaded] = case.both(&dump, way);
        let objects = loaded["objects"].as_array().unwrap().iter();
        let names: Vec<_> = objects.map(|object| object[1].as_str().unwrap()).collect();
        assert_eq!(names, ["t", "short_trigger", "short_view"]);
    }
}

#[test]
fn references_to_nothing_are_refused_as_foreign_keys_are_on() {
    let case = Case::of(
        "PRAGMA foreign_keys=OFF;
         CREATE TABLE child (id INTEGER PRIMARY KEY, parent REFERENCES parent (id));
         CREATE TABLE parent (id INTEGER PRIMARY KEY);
         INSERT INTO child VALUES (1, 99), (2, NULL);",
    );
    let dump = case.export();
    for way in [Way::Transaction, Way::Turn, Way::D1] {
        let printed = load(&dump, way).unwrap_err().to_ascii_lowercase();
        assert!(printed.contains("foreign key"), "{way:?}: {printed}");
    }
}

/// The harness itself: what it reads of a database made by hand is what the test reads.
#[test]
fn a_dump_written_by_hand_is_read_alike() {
    let sql = "CREATE TABLE t (a, b REAL); INSERT INTO t VALUES (-0.0, 0.1), (9223372036854775807, 9e999),
                 (x'00ff', -9e999), (CAST(x'6100ffc3' AS TEXT), 5e-324), (NULL, NULL), ('', x'');
               CREATE TABLE w (k TEXT COLLATE NOCASE, n, d AS (k || n), PRIMARY KEY (k DESC, n)) WITHOUT ROWID;
               INSERT INTO w VALUES ('b', 1), ('A', 2), ('B', 3);
               CREATE TABLE auto (id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO auto VALUES (7);
               CREATE VIRTUAL TABLE f USING fts5(a); INSERT INTO f (rowid, a) VALUES (-3, 'hello');
               CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT CASE 1 WHEN 1 THEN 'END;' END; SELECT 1; END;
               CREATE VIEW v AS SELECT 1; ANALYZE;";
    let case = Case::of(sql);
    let dump = case.folder.path().join("hand.sql");
    fs::write(&dump, sql).unwrap();
    for way in [Way::Transaction, Way::Turn, Way::Turns, Way::D1] {
        case.compare(&dump, way);
    }

    fs::write(&dump, sql.replace("-0.0, 0.1", "0.0, 0.1").replace("(7)", "(8)")).unwrap();
    let original = original::read(&Connection::open(&case.file).unwrap()).unwrap();
    let found = differences(&original, &load(&dump, Way::Transaction).unwrap());
    for expected in ["8000000000000000", "auto", "sequence"] {
        assert!(found.contains(expected), "{found}");
    }

    fs::write(&dump, format!("CREATE TABLE t (a);\nSELECT '{}';", "x".repeat(100_000))).unwrap();
    let printed = load(&dump, Way::Transaction).unwrap_err();
    assert!(printed.contains("statement 2, 100010 bytes: statement too long"), "{printed}");
    fs::write(&dump, "BEGIN; CREATE TABLE t (a); COMMIT;").unwrap();
    assert!(load(&dump, Way::Turn).is_err());
}

/// What two documents differ in, the first of each kind.
fn differences(original: &Value, loaded: &Value) -> String {
    let mut found = String::new();
    for list in ["objects", "sequence", "stat1"] {
        if original[list].is_null() {
            continue;
        }
        compare_lists(&mut found, list, &original[list], &loaded[list]);
    }
    let names = |document: &Value| -> Value {
        document["tables"].as_array().unwrap().iter().map(|table| table["name"].clone()).collect()
    };
    compare_lists(&mut found, "tables", &names(original), &names(loaded));
    let tables = |document| Value::as_array(document).unwrap().iter();
    for (one, other) in tables(&original["tables"]).zip(tables(&loaded["tables"])) {
        let name = &one["name"];
        for field in ["rowid", "columns"] {
            if one[field] != other[field] {
                writeln!(found, "{name}: {field} {} became {}", one[field], other[field]).unwrap();
            }
        }
        compare_lists(&mut found, &name.to_string(), &one["rows"], &other["rows"]);
    }
    found
}

fn compare_lists(found: &mut String, what: &str, original: &Value, loaded: &Value) {
    let (original, loaded) = (original.as_array().unwrap(), loaded.as_array().unwrap());
    if original.len() != loaded.len() {
        writeln!(found, "{what}: {} became {}", original.len(), loaded.len()).unwrap();
    }
    let differ = original.iter().zip(loaded).enumerate().filter(|(_, (one, other))| one != other);
    for (number, (one, other)) in differ.take(3) {
        let (one, other) = apart(one, other);
        writeln!(found, "{what} {number}: {one} became {other}").unwrap();
    }
}

/// Two values from shortly before they differ.
fn apart(one: &Value, other: &Value) -> (String, String) {
    let (one, other) = (one.to_string(), other.to_string());
    let same = one.chars().zip(other.chars()).take_while(|(one, other)| one == other).count();
    let shown =
        |text: &str| -> String { text.chars().skip(same.saturating_sub(60)).take(200).collect() };
    (shown(&one), shown(&other))
}

/// Checks that no statement begins with a word that a Durable Object refuses.
#[track_caller]
fn check_text(text: &str) {
    for statement in without_literals(text).split(';') {
        let mut words = statement.split_whitespace();
        let first = words.next().unwrap_or_default().to_ascii_uppercase();
        let refused = ["ATTACH", "BEGIN", "COMMIT", "RELEASE", "ROLLBACK", "SAVEPOINT", "VACUUM"];
        assert!(!refused.contains(&first.as_str()), "the dump has the statement {statement:?}");
        assert!(!statement.to_ascii_lowercase().contains("writable_schema"), "{statement:?}");
    }
}

/// Without quoted text, names and comments.
fn without_literals(text: &str) -> String {
    let mut bare = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['\'', '"', '`', '[', '-', '/']) {
        bare.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = match rest {
            _ if rest.starts_with("--") => Some("\n"),
            _ if rest.starts_with("/*") => Some("*/"),
            _ if rest.starts_with('[') => Some("]"),
            _ if rest.starts_with(['-', '/']) => None,
            _ => Some(&rest[..1]),
        };
        let skipped = match end {
            None => 1,
            Some(end) => rest[1..].find(end).map_or(rest.len(), |at| 1 + at + end.len()),
        };
        rest = &rest[skipped..];
    }
    bare + rest
}
