//! Engines other than SQLite's library, behind `rows`: the example that reads by Turso and by DuckDB.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use partway_testbed::{TextEncoding, hard_cases, write_hard_cases, write_sample};
use rusqlite::Connection;
use rusqlite::types::Value;

use super::examples::{component, exported, run};
use crate::support::{python_tools, rows_check, sha256};

/// What the example's README says that Turso does not read, and what is said of it.
const REFUSED: [(&str, &str); 11] = [
    ("text that is not valid in its encoding", "table invalid: TEXT value contains invalid UTF-8"),
    ("unpaired surrogates", "table surrogates: TEXT value contains invalid UTF-8"),
    ("byte order marks and noncharacters", "table marks: TEXT value contains invalid UTF-8"),
    ("WITHOUT ROWID with keys of every storage class", "wo_any: TEXT value contains invalid UTF-8"),
    ("keys that look like INTEGER PRIMARY KEY but are not", "key_quoted.id"),
    ("generated columns, before and between ordinary ones", "Stored generated columns"),
    ("FTS5 with its own content", "does not know the table fts5_own"),
    ("FTS5 with external content and without content", "does not know the table fts5_external"),
    ("FTS3 and FTS4", "does not know the table fts3_own"),
    ("R-trees", "does not know the table rtree_plain"),
    ("a table of 2,000 columns", "table columns_2000: Parse error: too many columns"),
];

/// What it says that Turso reads as something else.
const MISREAD: [&str; 2] = [
    "schema text with tabs, blank lines and odd spacing",
    "WITHOUT ROWID with the same column twice in the key",
];

/// A script of the example, with the engine's name.
fn script(name: &str, engine: &str) -> Option<Vec<PathBuf>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/other-engines");
    Some(vec![python_tools()?.join("python"), folder.join(name), engine.into()])
}

/// Runs a script that may fail.
fn attempt(command: &[PathBuf], arguments: &[&Path]) -> Output {
    let mut started = Command::new(&command[0]);
    started.args(&command[1..]).args(arguments).env("PYTHONDONTWRITEBYTECODE", "1");
    started.output().expect("the script starts")
}

#[test]
fn what_turso_reads_is_what_the_program_writes() {
    let Some(export) = script("export.py", "turso") else { return };
    let folder = tempfile::tempdir().unwrap();
    let component = component(folder.path());
    let path = folder.path().join("hard.db");
    let cases = hard_cases();
    // One case of long values is enough: the others take Python long.
    let long = cases.iter().map(|case| case.name).filter(|name| name.starts_with("long "));
    let refused = REFUSED.iter().map(|(name, _)| *name);
    let without: Vec<&str> = refused.chain(MISREAD).chain(long).collect();
    write_hard_cases(&path, TextEncoding::Utf8, &without).unwrap();
    let output = folder.path().join("hard.turso.sql");
    run(&export, &[&path, &component, &output], &[]);
    assert_eq!(sha256(&output), sha256(&exported(&path)));
}

#[test]
fn what_turso_does_not_read_is_refused_by_name() {
    let Some(export) = script("export.py", "turso") else { return };
    let folder = tempfile::tempdir().unwrap();
    let component = component(folder.path());
    let refuses = |path: &Path, reason: &str| {
        let output = path.with_extension("sql");
        let done = attempt(&export, &[path, &component, &output]);
        let errors = String::from_utf8_lossy(&done.stderr);
        let is_told = errors.starts_with("the export failed: ") && errors.contains(reason);
        assert!(!done.status.success() && is_told, "{}: {errors}", path.display());
        assert!(!output.exists(), "{}: an object appears", path.display());
    };
    // One of invalid text is enough: the component runs before it is found.
    let cases = hard_cases();
    for (name, reason) in REFUSED.into_iter().skip(3) {
        let case = cases.iter().find(|case| case.name == name).unwrap();
        let path = folder.path().join(format!("{}.db", name.replace(' ', "_")));
        case.write(&path, TextEncoding::Utf8).unwrap();
        refuses(&path, reason);
    }
    let path = folder.path().join("utf16.db");
    write_hard_cases(&path, TextEncoding::Utf16be, &[]).unwrap();
    refuses(&path, "Unsupported text encoding");
}

#[test]
fn an_export_by_turso_goes_on_in_another_process() {
    let Some(export) = script("export.py", "turso") else { return };
    let folder = tempfile::tempdir().unwrap();
    let component = component(folder.path());
    let path = folder.path().join("original.db");
    write_sample(&path, 2).unwrap();
    let connection = Connection::open(&path).unwrap();
    let tables =
        "CREATE TABLE keys (k TEXT COLLATE NOCASE, n, v, PRIMARY KEY (k DESC, n)) WITHOUT ROWID;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
           INSERT INTO keys SELECT 'Key ' || (i % 97), i, printf('%.60d', i) FROM n;
         CREATE INDEX keys_v ON keys (v, k);";
    connection.execute_batch(tables).unwrap();
    let expected = sha256(&exported(&path));
    connection.pragma_update(None, "journal_mode", "WAL").unwrap();
    let output = folder.path().join("turso.sql");
    let printed = run(&export, &[&path, &component, &output], &["1"]);
    assert!(!output.exists() && printed.ends_with("goes on from here\n"), "{printed}");
    connection.execute("DELETE FROM keys WHERE n % 3 = 1", []).unwrap();
    run(&export, &[&path, &component, &output], &[]);
    assert_eq!(sha256(&output), expected);
}

#[test]
fn the_rows_of_turso_are_what_the_contract_says_but_for_what_it_does_not_read() {
    let Some(check) = script("check.py", "turso") else { return };
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rows-check.wasm");
    fs::write(&rules, rows_check()).unwrap();
    let path = folder.path().join("sample.db");
    let sample = include_str!("../../../component/rows-check/sample.sql");
    // With a stored column Turso opens nothing.
    let sample = sample.replace(" STORED);", ");");
    Connection::open(&path).unwrap().execute_batch(&sample).unwrap();
    let done = attempt(&check, &[&path, &rules, Path::new("--sample")]);
    let printed = String::from_utf8_lossy(&done.stdout);
    let (failures, sum) = printed.trim_end().rsplit_once('\n').expect("failures, and their sum");
    assert!(
        sum.ends_with(" rows of 14 tables"),
        "{printed}\n{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let expected = [
        "next-returns: texts: failed: table texts: TEXT value contains invalid UTF-8",
        "next-returns: keys: failed: table keys: TEXT value contains invalid UTF-8",
        "sample-schema: generated: ",
    ];
    for line in failures.lines() {
        assert!(expected.iter().any(|text| line.starts_with(text)), "{line}");
    }
    for text in expected {
        assert!(failures.contains(text), "{text} is not among the failures:\n{failures}");
    }
}

/// Makes a DuckDB database.
fn duckdb(python: &Path, path: &Path, sql: &str) {
    let made = "import duckdb, sys; duckdb.connect(sys.argv[1]).execute(sys.argv[2]).close()";
    let status = Command::new(python).args(["-c", made]).arg(path).arg(sql).status().unwrap();
    assert!(status.success());
}

#[test]
fn what_duckdb_holds_restores_with_sqlite() {
    let Some(export) = script("export.py", "duckdb") else { return };
    let folder = tempfile::tempdir().unwrap();
    let component = component(folder.path());
    let path = folder.path().join("duck.db");
    let sample = include_str!("../../../examples/other-engines/sample.sql");
    let many = "CREATE TABLE many AS SELECT range AS id, repeat('x', 100) AS x FROM range(30000);";
    duckdb(&export[0], &path, &format!("{sample}{many}"));
    let output = folder.path().join("duck.sql");
    let printed = run(&export, &[&path, &component, &output], &["1"]);
    assert!(!output.exists() && printed.ends_with("goes on from here\n"), "{printed}");
    let done = attempt(&export, &[&path, &component, &output]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let whole = folder.path().join("whole.sql");
    let done = attempt(&export, &[&path, &component, &whole]);
    let told = String::from_utf8_lossy(&done.stderr);
    let left_out =
        "CHECK((id > 0)), child.twice, by_expression, view seen, macro double_of, other.elsewhere";
    for what in left_out.split(", ") {
        assert!(told.contains(what), "{what} is left out without a word:\n{told}");
    }
    assert_eq!(sha256(&output), sha256(&whole), "slices change the object");

    let restored = folder.path().join("restored.db");
    let dump = fs::File::open(&output).unwrap();
    let status = Command::new("sqlite3").arg("-bail").arg(&restored).stdin(dump).status();
    assert!(status.unwrap().success());
    let restored = Connection::open(restored).unwrap();
    for (select, expected) in RESTORED {
        assert_eq!(rows(&restored, select), expected, "{select}");
    }
}

/// What the restored database answers.
const RESTORED: [(&str, &str); 11] = [
    ("SELECT * FROM numbers", NUMBERS),
    ("SELECT * FROM times", TIMES),
    ("SELECT * FROM texts WHERE length(bytes) < 9", TEXTS),
    (
        "SELECT length(text), length(bytes), hex(substr(bytes, 300000)) FROM texts WHERE length(bytes) > 9",
        "300000 300000 '01'\n",
    ),
    ("SELECT * FROM nested", NESTED),
    ("SELECT * FROM child", "1 2 7\nNULL NULL 7\n"),
    ("SELECT count(*), sum(id), count(DISTINCT \"a \"\"b\"\"\") FROM gaps", "312 632088 312\n"),
    ("SELECT count(*), sum(id) FROM many", "30000 449985000\n"),
    (
        "SELECT group_concat(name, ' ') FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
        "'by_numbers by_text'\n",
    ),
    ("SELECT count(*) FROM pragma_foreign_key_check", "0\n"),
    ("SELECT * FROM pragma_integrity_check", "'ok'\n"),
];

const NUMBERS: &str = "\
1 -128 9223372036854775807 '18446744073709551615' '-170141183460469231731687303715884105727' \
'340282366920938463463374607431768211455' '1.100' 0.10000000149011612 0.0
0 127 -9223372036854775808 '0' '0' '0' '-999999999999999.999' inf 5e-324
NULL NULL NULL NULL NULL NULL NULL 'NaN' 'NaN'
";

const TIMES: &str = "\
'2024-02-29' '12:34:56.789' '2024-02-29 12:34:56' '2024-02-29 10:34:56+00' '2024-02-29 12:34:56.123456789' '1 month 2 days'
'infinity' NULL '-infinity' NULL NULL NULL
";

const TEXTS: &str = "\
'a\0é'' x00ff '10101' 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11' 'ok' '{\"a\": 1.0}'
'' x NULL NULL NULL NULL
";

const NESTED: &str = "\
'[1,null,3]' '[[\"a\"],[]]' '[1,2]' '{\"a\":1,\"b\":\"x\"}' '{\"k\":1}' '{\"y\":\"q\"}'
";

/// What a query returns: a line a row.
fn rows(database: &Connection, select: &str) -> String {
    let mut statement = database.prepare(select).unwrap();
    let columns = statement.column_count();
    let mut found = statement.query([]).unwrap();
    let mut lines = String::new();
    while let Some(row) = found.next().unwrap() {
        let cells = (0..columns).map(|column| match row.get(column).unwrap() {
            Value::Null => "NULL".to_owned(),
            Value::Integer(value) => value.to_string(),
            Value::Real(value) => format!("{value:?}"),
            Value::Text(value) => format!("'{value}'"),
            Value::Blob(value) => {
                format!("x{}", value.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
            }
        });
        lines += &cells.collect::<Vec<_>>().join(" ");
        lines.push('\n');
    }
    lines
}

#[test]
fn the_rows_of_duckdb_are_what_the_contract_says() {
    let Some(check) = script("check.py", "duckdb") else { return };
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rows-check.wasm");
    fs::write(&rules, rows_check()).unwrap();
    let path = folder.path().join("duck.db");
    duckdb(&check[0], &path, include_str!("../../../examples/other-engines/sample.sql"));
    let printed = run(&check, &[&path, &rules], &[]);
    assert!(printed.starts_with("0 failures in "), "{printed}");
}
