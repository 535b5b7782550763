//! CSV, NDJSON and JSON, read back by programs that nobody here wrote: `judges/formats.py` says which.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex, OnceLock};

use partway_sqlite::Snapshot;
use partway_testbed::{
    Random, RandomDatabase, RandomOptions, RandomSize, TextEncoding, hard_cases, write_hard_cases,
    write_sample,
};
use partway_wasmtime::PipeCtx;
use partway_wasmtime::exporter::{Budget, Exporter, Options, Outcome};
use partway_wasmtime::parts::{self, Parts};
use rusqlite::Connection;

use crate::support::{Program, damage, database, of_many_pages, program, python_tools};

fn exporter() -> &'static Exporter {
    static EXPORTER: OnceLock<Exporter> = OnceLock::new();
    EXPORTER.get_or_init(|| Exporter::prebuilt().unwrap())
}

/// The user's own tables, which have rows of their own.
pub fn tables(file: &Path) -> Vec<String> {
    let connection = Connection::open(file).unwrap();
    let sql = "SELECT s.name FROM sqlite_schema s JOIN pragma_table_list t ON t.name = s.name
               WHERE s.type = 'table' AND t.schema = 'main' AND t.type = 'table'
                 AND s.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY s.rowid";
    let mut statement = connection.prepare(sql).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// What an export writes, in memory.
#[derive(Clone, Default)]
struct Object(Arc<Mutex<Vec<u8>>>);

#[async_trait::async_trait]
impl Parts for Object {
    async fn write(&mut self, _: u32, bytes: &[u8]) -> Result<(), parts::Error> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(())
    }
}

/// An export of a snapshot; each slice has so many parts.
struct Wanted<'a> {
    format: &'a str,
    tables: &'a [String],
    settings: &'a [(&'a str, &'a str)],
    part_size: u32,
}

impl Wanted<'_> {
    fn export(&self, snapshot: &Snapshot, mut parts: impl FnMut() -> u32) -> Vec<u8> {
        let mut options = Options::new(self.format, self.part_size);
        options.tables = self.tables.to_vec();
        options.settings =
            self.settings.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let object = Object::default();
        let mut checkpoint = exporter().start(snapshot.clone(), &options).unwrap();
        loop {
            let ctx = PipeCtx::builder().build(snapshot.clone(), object.clone());
            match exporter().resume(ctx, &checkpoint, Budget { parts: parts() }).unwrap() {
                Outcome::More(more) => checkpoint = more.checkpoint,
                Outcome::Done(_) => return std::mem::take(&mut object.0.lock().unwrap()),
            }
        }
    }
}

/// A setting's name and value.
type Setting = (&'static str, &'static str);

/// The objects of one table, and of how many tables each is made: in JSON, all of them are in one object, too.
const OF_TABLE: [(&str, &[Setting], usize); 4] =
    [("csv", &[], 1), ("null.csv", &[("null", "\\N")], 2), ("ndjson", &[], 4), ("json", &[], 4)];

/// Exports a database in all formats, and has Python compare. Slices change nothing.
fn come_back(file: &Path, folder: &Path, seed: u64) {
    let tables = tables(file);
    fs::write(folder.join("tables.json"), serde_json::to_string(&tables).unwrap()).unwrap();
    let snapshot = Snapshot::hold(file).unwrap();
    let mut random = Random::new(seed);
    for (number, table) in tables.iter().enumerate() {
        for (name, settings, _) in OF_TABLE.iter().filter(|(.., each)| number % each == 0) {
            let (format, tables) = (name.rsplit('.').next().unwrap(), std::slice::from_ref(table));
            let wanted = Wanted { format, tables, settings, part_size: 4096 };
            let object = wanted.export(&snapshot, || 1 + random.below(200) as u32);
            fs::write(folder.join(format!("{number}.{name}")), object).unwrap();
        }
    }
    for format in ["ndjson", "json"] {
        let wanted = Wanted { format, tables: &[], settings: &[], part_size: 5000 };
        let whole = wanted.export(&snapshot, || u32::MAX);
        let most = 1 + whole.len() as u64 / 5000 / 20;
        assert!(whole == wanted.export(&snapshot, || 1 + random.below(most) as u32), "{format}");
        fs::write(folder.join(format!("all.{format}")), whole).unwrap();
    }
    let judge = Path::new(env!("CARGO_MANIFEST_DIR")).join("judges/formats.py");
    let python = python_tools().map_or_else(|| "python3".into(), |tools| tools.join("python"));
    let output = Command::new(python).arg(judge).arg(file).arg(folder).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {printed}", file.display());
    print!("{}", String::from_utf8_lossy(&output.stdout));
}

/// Writes the hard cases but for 300 tables, and of those of long values only the ones whose name holds one of these words.
pub(super) fn write_most_hard_cases(file: &Path, encoding: TextEncoding, long: &[&str]) {
    let cases = hard_cases();
    let names = cases.iter().map(|case| case.name);
    let is_left_out = |name: &&str| {
        // Each slice reads the schema, of these tables too.
        let is_long = name.starts_with("long ") && !long.iter().any(|word| name.contains(word));
        is_long || *name == "300 tables"
    };
    let without: Vec<&str> = names.filter(is_left_out).collect();
    write_hard_cases(file, encoding, &without).unwrap();
}

fn hard_cases_come_back(encoding: TextEncoding, long: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hard cases.db");
    write_most_hard_cases(&file, encoding, long);
    come_back(&file, folder.path(), 7);
}

#[test]
fn hard_cases_come_back_in_utf_8() {
    hard_cases_come_back(TextEncoding::Utf8, &["among"]);
}

#[test]
fn hard_cases_come_back_in_utf_16() {
    hard_cases_come_back(TextEncoding::Utf16le, &["invalid bytes"]);
}

#[test]
#[ignore = "takes long; cargo xtask test --long"]
fn all_hard_cases_come_back() {
    for encoding in TextEncoding::ALL {
        hard_cases_come_back(encoding, &["long"]);
    }
}

fn random_databases_come_back(seeds: std::ops::Range<u64>, size: RandomSize) {
    for seed in seeds {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("random.db");
        let options = RandomOptions { size, odd_lines: true };
        RandomDatabase::new(seed, options).write(&file).unwrap();
        come_back(&file, folder.path(), seed);
    }
}

#[test]
fn random_databases_come_back_from_each_format() {
    random_databases_come_back(0..6, RandomSize::Ordinary);
}

#[test]
#[ignore = "takes long; cargo xtask test --long"]
fn hundreds_of_random_databases_come_back_from_each_format() {
    random_databases_come_back(1_000..1_300, RandomSize::Ordinary);
}

/// The format of `examples/format-python`, of which another judge knows the bytes.
#[test]
fn all_tables_in_ndjson_are_what_the_examples_write() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sample.db");
    write_sample(&file, 2).unwrap();
    let judge = Path::new(env!("CARGO_MANIFEST_DIR")).join("judges/ndjson.py");
    let expected = Command::new("python3").arg(judge).arg(&file).output().unwrap();
    assert!(expected.status.success() && expected.stdout.len() > 1_000_000);
    let found = printed(&file, &["--format", "ndjson"]);
    assert!(found.stdout == expected.stdout);
}

/// `partway export` to standard output.
fn printed(file: &Path, arguments: &[&str]) -> Output {
    Command::new(program()).arg("export").arg(file).args(arguments).output().unwrap()
}

#[test]
fn options_are_refused_with_a_format_that_has_them_not() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("two.db");
    let sql = "CREATE TABLE a (x); CREATE TABLE b (y); INSERT INTO a VALUES (NULL), (''), (x'01');
               CREATE VIRTUAL TABLE v USING fts5(t); CREATE VIEW w AS SELECT 1;";
    drop(database(&file, sql));
    for (arguments, told) in [
        (&["--null", "x"][..], "--null can't be used with --format sql: it is for csv"),
        (
            &["--format", "json", "--no-header"],
            "--no-header can't be used with --format json: it is for csv",
        ),
        (
            &["--blobs", "hex"],
            "--blobs can't be used with --format sql: it is for csv, ndjson, json",
        ),
        (
            &["--format", "csv", "--no-rowids"],
            "--no-rowids can't be used with --format csv: it is for sql",
        ),
        (&["--format", "csv", "--target", "d1"], "--target can't be used with --format csv"),
        (
            &["--format", "csv"],
            "this would be 2 (\"a\", \"b\"): choose one with the option table (--table TABLE), or export each",
        ),
        (&["--format", "csv", "--table", "a", "--table", "b"], "this would be 2"),
        (&["--format", "csv", "--table", "a", "--null", "7"], "\"7\" can't stand for NULL"),
        (&["--format", "csv", "--table", "w"], "it is a view"),
        (&["--format", "json", "--table", "v"], "it is a virtual table"),
        (&["--format", "csv", "--exclude-table", "*"], "no table is left to export"),
        (&["--format", "json", "--schema-only"], "format \"json\" has rows alone"),
        (
            &["--format", "xml"],
            "use sql, sqlite, csv, ndjson, json or parquet; --component brings others",
        ),
    ] {
        let output = printed(&file, arguments);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(message.contains(told), "{arguments:?}: {message}");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
        assert!(output.stdout.is_empty());
    }
    let csv = printed(&file, &["--format", "csv", "--table", "A", "--null", "\\N", "--no-header"]);
    assert_eq!(String::from_utf8_lossy(&csv.stdout), "\\N\r\n\"\"\r\n\"01\"\r\n");
    let told = String::from_utf8_lossy(&csv.stderr).into_owned();
    assert!(told.contains("warning: blobs of table \"a\" are written as text"), "{told}");
    let json = printed(&file, &["--format", "json"]);
    let told = String::from_utf8_lossy(&json.stderr).into_owned();
    assert!(
        told.contains("virtual table \"v\" is left out: its data is in the tables \"v_data\""),
        "{told}"
    );
}

#[test]
fn what_can_be_read_of_a_damaged_table_is_exported_and_marked() {
    let folder = tempfile::tempdir().unwrap();
    let file = of_many_pages(folder.path());
    damage(&file);
    let store = folder.path().join("store");
    fs::create_dir(&store).unwrap();
    for format in ["csv", "ndjson", "json"] {
        let output = Program::export(&file, store.to_str().unwrap(), folder.path())
            .with(["--format", format, "--name", format])
            .run();
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(message.contains("incomplete"), "{message}");
        let object = fs::read_to_string(store.join(format!("{format}.incomplete"))).unwrap();
        assert!(object.contains("partway:incomplete"), "{format}");
        assert!(object.lines().count() > 8000, "{format}");
        if format == "json" {
            serde_json::from_str::<serde_json::Value>(&object).unwrap();
        }
        let again = printed(&file, &["--format", format]);
        assert_eq!(again.status.code(), Some(1));
        assert_eq!(String::from_utf8_lossy(&again.stdout), object);
    }
}

#[test]
fn verify_says_what_it_can_not_check() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("one.db");
    drop(database(&file, "CREATE TABLE a (x); INSERT INTO a VALUES (1);"));
    for format in ["csv", "ndjson", "json"] {
        let done = Program::export(&file, folder.path().to_str().unwrap(), folder.path())
            .with(["--format", format, "--table", "a"])
            .succeed();
        let object = done["location"].as_str().unwrap();
        let output = Program::verify(object).with(["--no-manifest"]).run();
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(message.contains("only the SHA-256 can be checked"), "{message}");
        let hash = done["sha256"].as_str().unwrap();
        for known in [&["--sha256", hash, "--no-manifest"][..], &[]] {
            let verified = Program::verify(object).with(known.iter().copied()).run();
            let message = String::from_utf8_lossy(&verified.stderr).into_owned();
            assert!(verified.status.success(), "{message}");
            assert!(message.contains("has the expected SHA-256"), "{message}");
        }
        let wrong = "0".repeat(64);
        let wrong = Program::verify(object).with(["--sha256", &wrong]).run();
        assert_eq!(wrong.status.code(), Some(1));
    }
}

/// What Python makes of an object.
fn decompressed(object: &str) -> Vec<u8> {
    let read = "import gzip, sys; sys.stdout.buffer.write(gzip.open(sys.argv[1]).read())";
    let output = Command::new("python3").args(["-c", read, object]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn a_compressed_part_of_a_database_is_read_by_others_and_verified() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("orders.db");
    let sql = "CREATE TABLE orders (id INTEGER PRIMARY KEY, note); CREATE TABLE orders_old (x);
               CREATE TABLE users (x); WITH n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
               INSERT INTO orders SELECT i, hex(randomblob(50)) FROM n;";
    drop(database(&file, sql));
    let part = ["--format", "csv", "--table", "orders*", "--exclude-table", "*_old", "--limit"]
        .into_iter()
        .chain(["25000", "--where", "orders=id % 2 = 0"]);
    let plain = printed(&file, &part.clone().collect::<Vec<_>>()).stdout;
    let text = String::from_utf8_lossy(&plain);
    assert_eq!(text.lines().count(), 25_001);
    assert!(text.lines().last().unwrap().starts_with("50000,"));
    let done = Program::export(&file, folder.path().to_str().unwrap(), folder.path())
        .with(part)
        .with(["--compress", "gzip", "--part-size", "64KiB", "--slice-parts", "1"])
        .succeed();
    assert!(done["slices"].as_u64().unwrap() > 1, "{done}");
    let object = done["location"].as_str().unwrap();
    assert!(object.ends_with(".csv.gz"), "{object}");
    assert!(decompressed(object) == plain);
    let verify = |arguments: &[&str]| {
        let output = Program::verify(object).with(arguments.iter().copied()).run();
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), message, String::from_utf8(output.stdout).unwrap())
    };
    let (code, message, _) = verify(&["--no-manifest"]);
    assert_eq!(code, Some(1));
    assert!(message.contains("only the SHA-256 can be checked"), "{message}");
    let hash = done["sha256"].as_str().unwrap();
    let (code, message, printed) = verify(&["--sha256", hash, "--json"]);
    assert_eq!(code, Some(0), "{message}");
    let verified: serde_json::Value = serde_json::from_str(&printed).unwrap();
    assert_eq!((&verified["bytes"], &verified["sha256"]), (&done["bytes"], &done["sha256"]));
    let bytes = fs::read(object).unwrap();
    assert_eq!(done["bytes"], bytes.len());
    fs::write(object, &bytes[..bytes.len() - 1]).unwrap();
    let (code, message, _) = verify(&["--sha256", hash]);
    assert_eq!(code, Some(1), "{message}");
}
