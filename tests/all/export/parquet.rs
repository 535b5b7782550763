//! Parquet, read back by programs that nobody here wrote: `judges/parquet.py`.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::OnceLock;

use partway_testbed::{
    Random, RandomDatabase, RandomOptions, RandomSize, TextEncoding, write_sample,
};
use partway_wasmtime::exporter::{Exporter, Options};
use rusqlite::Connection;

use super::text_formats::{tables, write_most_hard_cases};
use crate::support::{
    Program, damage, database, export_with, of_many_pages, program, python_tools,
};

fn exporter() -> &'static Exporter {
    static EXPORTER: OnceLock<Exporter> = OnceLock::new();
    EXPORTER.get_or_init(|| Exporter::prebuilt_for("parquet").unwrap())
}

/// A table's file, by the library; `parts` gives the parts of each slice.
fn export(
    file: &Path,
    table: &str,
    settings: &[(&str, &str)],
    part_size: u32,
    parts: impl FnMut() -> u32,
) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let mut options = Options::new("parquet", part_size);
    options.tables = vec![table.to_owned()];
    options.settings =
        settings.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let sliced = export_with(exporter(), file, folder.path(), options, parts).unwrap();
    fs::read(sliced.file).unwrap()
}

/// What the judge says of files of a database's tables, which are in a folder.
fn judge(tools: &Path, file: &Path, folder: &Path, tables: &[String]) {
    fs::write(folder.join("tables.json"), serde_json::to_string(tables).unwrap()).unwrap();
    let judge = Path::new(env!("CARGO_MANIFEST_DIR")).join("judges/parquet.py");
    let output =
        Command::new(tools.join("python")).arg(judge).arg(file).arg(folder).output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {complaint}", file.display());
    print!("{}", String::from_utf8_lossy(&output.stdout));
}

/// Exports a database's tables, whole and in slices, which changes nothing, and has others read them.
fn come_back(file: &Path, folder: &Path, seed: u64) {
    let Some(tools) = python_tools() else { return };
    let tables = tables(file);
    let mut random = Random::new(seed);
    for (number, table) in tables.iter().enumerate() {
        // By what is stored, in STRICT tables too.
        let settings = [("types", "stored"), ("row-group", "65536")];
        let settings = if number % 3 == 0 { &settings[..1] } else { &settings };
        let whole = export(file, table, settings, 1 << 20, || u32::MAX);
        // A slice reads the schema, which may be long.
        if number % 4 == 0 || whole.len() > 1 << 16 {
            let part_size = 4096.max(whole.len() as u32 / 16);
            let sliced = export(file, table, settings, part_size, || 1 + random.below(5) as u32);
            assert!(whole == sliced, "{table}");
        }
        fs::write(folder.join(format!("{number}.parquet")), whole).unwrap();
    }
    judge(&tools, file, folder, &tables);
}

fn hard_cases_come_back(encoding: TextEncoding, long: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hard cases.db");
    write_most_hard_cases(&file, encoding, long);
    come_back(&file, folder.path(), 7);
}

#[test]
fn hard_cases_come_back_from_parquet() {
    hard_cases_come_back(TextEncoding::Utf8, &[]);
}

#[test]
#[ignore = "takes long; cargo xtask test --long"]
fn all_hard_cases_come_back_from_parquet() {
    for encoding in TextEncoding::ALL {
        hard_cases_come_back(encoding, &["long"]);
    }
}

#[test]
fn random_databases_come_back_from_parquet() {
    for seed in 0..3 {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("random.db");
        let options = RandomOptions { size: RandomSize::Ordinary, odd_lines: true };
        RandomDatabase::new(seed, options).write(&file).unwrap();
        come_back(&file, folder.path(), seed);
    }
}

/// In UTF-16, what is converted; and values of each way to be read: in a batch, long, too long for memory.
#[test]
fn long_values_and_mixed_columns_come_back_from_parquet() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("utf-16.db");
    drop(database(
        &file,
        "PRAGMA encoding = 'UTF-16le';
         CREATE TABLE longs (t TEXT, b BLOB, n INT);
         INSERT INTO longs VALUES (replace(hex(zeroblob(60000)), '00', 'é€x'), randomblob(400000), 1), (NULL, NULL, NULL),
           (replace(hex(zeroblob(1000000)), '00', 'é😀x'), NULL, 2), (NULL, randomblob(5000000), 3), ('', x'', 4);
         CREATE TABLE mixed (a, b, c, d, e, f NUMERIC, g DATETIME, h ANY);
         INSERT INTO mixed VALUES (1, 'x', 1, 9007199254740993, CAST(x'00d86100' AS TEXT), '1.5', '2024-01-01', NULL),
           (2.5, x'02', 9007199254740993, 1, 'ok€', 7, NULL, NULL), ('t', 3, 2.5, -5, x'03', -9e999, 5, NULL);
         CREATE TABLE keyed (k TEXT, n INT, v, PRIMARY KEY (k DESC, n)) WITHOUT ROWID;
         WITH i(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM i WHERE n < 30000)
         INSERT INTO keyed SELECT 'key ' || n % 7, n, iif(n % 5, n * 1.5, NULL) FROM i;
         CREATE TABLE strict (i INT, r REAL, t TEXT, b BLOB) STRICT;
         INSERT INTO strict VALUES (1, 1, 'ä', x'00'), (NULL, NULL, NULL, NULL);",
    ));
    come_back(&file, folder.path(), 3);
}

/// `partway export` to standard output.
fn printed(file: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(program());
    command.arg("export").arg(file).args(["--format", "parquet"]).args(arguments).output().unwrap()
}

/// The host holds the component to 64 MiB, of which the part takes 16: incompressible row groups fit, and so do columns in
/// thousands.
#[test]
fn row_groups_fit_the_memory_of_a_component() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("large.db");
    let columns = |of: fn(usize) -> String| (0..1500).map(of).collect::<Vec<_>>().join(", ");
    let (names, values) = (columns(|n| format!("c{n}")), columns(|_| "random()".to_owned()));
    drop(database(
        &file,
        &format!(
            "CREATE TABLE noise (b BLOB);
             WITH i(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM i WHERE n < 90)
             INSERT INTO noise SELECT randomblob(230000) FROM i;
             CREATE TABLE wide ({names});
             WITH i(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM i WHERE n < 1600)
             INSERT INTO wide SELECT {values} FROM i;"
        ),
    ));
    for table in ["noise", "wide"] {
        assert!(export(&file, table, &[], 16 << 20, || u32::MAX).len() > 18_000_000, "{table}");
    }
}

#[test]
fn what_can_not_be_a_parquet_file_is_refused_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("two.db");
    drop(database(
        &file,
        "CREATE TABLE a (x INT, y REAL, z TEXT); CREATE TABLE b (y) STRICT;
         INSERT INTO a VALUES (1, 2, 'x'), (2, 3, 'y'), ('three', 4, 'z');
         CREATE VIRTUAL TABLE v USING fts5(t); CREATE VIEW w AS SELECT 1;"
            .replace("(y) STRICT", "(y ANY) STRICT")
            .as_str(),
    ));
    for (arguments, told) in [
        (&[][..], "a Parquet file has one table, and this would be 2 (\"a\", \"b\")"),
        (&["--table", "w"], "it is a view"),
        (&["--table", "v"], "it is a virtual table"),
        (&["--table", "a", "--schema-only"], "format \"parquet\" has rows alone"),
        (&["--table", "a", "--null", "x"], "--null can't be used with --format parquet"),
        (
            &["--table", "a", "--types", "declared"],
            "row 3 of table \"a\" has text in column \"x\", which is exported as integers because it is declared so",
        ),
    ] {
        let output = printed(&file, arguments);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(message.contains(told), "{arguments:?}: {message}");
        assert!(!output.status.success(), "{arguments:?}: {message}");
    }
    let declared = printed(&file, &["--table", "a", "--types", "declared", "--limit", "2"]);
    assert!(declared.status.success() && declared.stdout.ends_with(b"PAR1"));
    let csv = ["export", file.to_str().unwrap(), "--format", "csv", "--uncompressed"];
    let csv = Command::new(program()).args(csv).output().unwrap();
    let told = String::from_utf8_lossy(&csv.stderr).into_owned();
    assert!(told.contains("--uncompressed can't be used with --format csv"), "{told}");
    let mixed = printed(&file, &["--table", "a"]);
    let told = String::from_utf8_lossy(&mixed.stderr).into_owned();
    assert!(told.contains("\"x\" (integers and text, all as text)"), "{told}");
}

#[test]
fn what_can_be_read_of_a_damaged_table_is_in_a_parquet_file_that_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = of_many_pages(folder.path());
    damage(&file);
    let store = folder.path().join("store");
    fs::create_dir(&store).unwrap();
    let output = Program::export(&file, store.to_str().unwrap(), folder.path())
        .with(["--format", "parquet", "--name", "x"])
        .run();
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("incomplete"), "{message}");
    let object = fs::read(store.join("x.incomplete")).unwrap();
    assert!(printed(&file, &[]).stdout == object);
    let Some(tools) = python_tools() else { return };
    let read = "import pyarrow.parquet, sys; file = pyarrow.parquet.ParquetFile(sys.argv[1])
rows = file.read().num_rows
assert rows > 8000, rows
assert file.metadata.metadata[b'partway:incomplete'] == f'tables=1 rows={rows} damaged=1'.encode(), file.metadata.metadata";
    let mut read_it = Command::new(tools.join("python"));
    let read = read_it.args(["-c", read]).arg(store.join("x.incomplete")).output().unwrap();
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
}

#[test]
fn a_parquet_file_is_verified_by_its_hash_and_compressed_as_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sample.db");
    write_sample(&file, 1).unwrap();
    let connection = Connection::open(&file).unwrap();
    let table: String = connection
        .query_row("SELECT name FROM sqlite_schema WHERE type = 'table'", [], |row| row.get(0))
        .unwrap();
    let whole = printed(&file, &["--table", &table, "--uncompressed"]).stdout;
    let done = Program::export(&file, folder.path().to_str().unwrap(), folder.path())
        .with(["--format", "parquet", "--table", &table, "--uncompressed", "--compress", "gzip"])
        .succeed();
    let object = done["location"].as_str().unwrap();
    assert!(object.ends_with(".parquet.gz"), "{object}");
    let read = "import gzip, sys; sys.stdout.buffer.write(gzip.open(sys.argv[1]).read())";
    let read = Command::new("python3").args(["-c", read, object]).output().unwrap();
    assert!(read.stdout == whole && whole.len() > 1000);
    let hash = done["sha256"].as_str().unwrap();
    assert!(Program::verify(object).with(["--sha256", hash]).run().status.success());
    let plain = folder.path().join("x.parquet");
    fs::write(&plain, whole).unwrap();
    let plain = plain.to_str().unwrap();
    for output in [
        Program::verify(plain).run(),
        Program::restore(plain, &folder.path().join("restored.db")).run(),
    ] {
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(message.contains("is not a SQL dump made by partway"), "{message}");
    }
}
