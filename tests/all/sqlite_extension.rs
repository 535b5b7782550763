//! Exports from inside SQLite, in the stock `sqlite3` program.

mod python;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use partway_store::Store;
use partway_testbed::{TextEncoding, write_hard_cases, write_sample};
use serde_json::Value;

use crate::support::{Program, database, extension, garage, runtime, sha256, sqlite3};

/// What the program makes of a database.
fn by_the_program(database: &Path, folder: &Path) -> String {
    let store = folder.join("by-the-program");
    fs::create_dir_all(&store).unwrap();
    let summary = Program::export(database, store.to_str().unwrap(), folder).succeed();
    summary["sha256"].as_str().expect("a hash").to_owned()
}

/// A database, a folder to export to, and the extension.
struct Case {
    folder: tempfile::TempDir,
    extension: PathBuf,
}

impl Case {
    /// None where there is no extension.
    fn new() -> Option<Self> {
        let extension = extension()?;
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("store")).unwrap();
        Some(Self { folder, extension })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder of objects, as SQL text.
    fn store(&self) -> String {
        format!("'file://{}'", self.path("store").display())
    }

    fn objects(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("store")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    fn sql(&self, database: impl AsRef<OsStr>, sql: &str) -> Result<String, String> {
        sqlite3(self.extension.as_os_str(), database.as_ref(), sql)
    }

    #[track_caller]
    fn fails(&self, database: impl AsRef<OsStr>, sql: &str, said: &str) {
        let error = self.sql(database, sql).expect_err(sql);
        assert!(error.contains(said), "{sql}: {error}");
    }
}

#[test]
fn an_export_is_what_the_program_makes_of_the_file() {
    let Some(case) = Case::new() else { return };
    for encoding in TextEncoding::ALL {
        let path = case.path(&format!("{encoding}.db"));
        write_hard_cases(&path, encoding, &[]).unwrap();
        let expected = by_the_program(&path, case.folder.path());
        let name = format!("{encoding}.sql");
        let options = format!("'name', '{name}', 'part_size', 1048576, 'slice_parts', 9");
        let sql = format!("SELECT partway_export({}, json_object({options}))", case.store());
        let summary: Value = serde_json::from_str(&case.sql(&path, &sql).unwrap()).unwrap();
        assert_eq!(summary["sha256"], expected.as_str(), "{encoding}");
        let object = case.path("store").join(&name);
        assert_eq!(sha256(&object), expected, "{encoding}");
        assert_eq!(summary["bytes"], fs::metadata(&object).unwrap().len());
        assert_eq!(summary["location"], object.display().to_string());
        assert!(summary["slices"].as_u64() > Some(1) && summary["parts"].as_u64() > Some(3));
        // A hard case loses something, and that is said.
        assert!(summary["warnings"].is_array(), "{summary}");
    }
}

#[test]
fn databases_in_memory_temporary_and_attached_are_exported_and_never_mixed() {
    let Some(case) = Case::new() else { return };
    let attached = case.path("attached.db");
    drop(database(
        &attached,
        "CREATE TABLE t (a PRIMARY KEY, b) WITHOUT ROWID; INSERT INTO t VALUES ('attached', 1);",
    ));
    let sql = format!(
        "CREATE TABLE t (a); INSERT INTO t VALUES ('main');
         CREATE TEMP TABLE t (a); INSERT INTO temp.t VALUES ('temp');
         ATTACH '{}' AS \"o\"\"ther\";
         SELECT partway_export({store}, json_object('name', 'main.sql')) ->> 'rows';
         SELECT partway_export({store}, json_object('name', 'temp.sql', 'schema', 'TEMP')) ->> 'rows';
         SELECT partway_export({store}, json_object('name', 'other.sql', 'schema', 'o\"ther')) ->> 'sha256';",
        attached.display(),
        store = case.store()
    );
    let printed = case.sql(":memory:", &sql).unwrap();
    let other = by_the_program(&attached, case.folder.path());
    assert_eq!(printed, format!("1\n1\n{other}"));
    for (name, other) in [("main", "temp"), ("temp", "main")] {
        let dump = fs::read_to_string(case.path("store").join(format!("{name}.sql"))).unwrap();
        assert!(dump.contains(&format!("'{name}'")) && !dump.contains(other), "{dump}");
        // And back, by the program that wrote it.
        let restored = case.path(&format!("{name}.db"));
        let read = format!(
            ".read {}\nSELECT a FROM t;",
            case.path("store").join(format!("{name}.sql")).display()
        );
        assert_eq!(case.sql(&restored, &read).unwrap(), name);
    }
}

#[test]
fn parts_are_rows_and_together_the_dump() {
    let Some(case) = Case::new() else { return };
    let path = case.path("sample.db");
    write_sample(&path, 1).unwrap();
    let expected = by_the_program(&path, case.folder.path());
    let parts = case.path("parts.db");
    // Into another database, joined with another table; and of two dumps side by side.
    let sql = format!(
        "ATTACH '{parts}' AS store; CREATE TABLE store.part (number, bytes);
         INSERT INTO store.part SELECT number, bytes FROM partway_parts(json_object('part_size', 4096));
         SELECT count(*) > 100, min(length(bytes)) < 4096, max(length(bytes)), count(DISTINCT number) = max(number) FROM part;
         WITH size(n) AS (VALUES (5000), (10000))
           SELECT sum(length(p.bytes)) = (SELECT sum(length(bytes)) FROM part) FROM size, partway_parts(json_object('part_size', n)) AS p
           GROUP BY n;
         SELECT number FROM partway_parts LIMIT 1;
         SELECT number FROM partway_parts WHERE options = json_object('part_size', 5000) AND number = 2;",
        parts = parts.display()
    );
    assert_eq!(case.sql(&path, &sql).unwrap(), "1|1|4096|1\n1\n1\n1\n2");
    let connection = rusqlite::Connection::open(&parts).unwrap();
    let mut statement = connection.prepare("SELECT bytes FROM part ORDER BY number").unwrap();
    let rows = statement.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
    let dump: Vec<u8> = rows.flat_map(Result::unwrap).collect();
    fs::write(case.path("together.sql"), dump).unwrap();
    assert_eq!(sha256(&case.path("together.sql")), expected);
}

#[test]
fn what_may_be_rolled_back_is_exported_on_demand_only_and_half_a_statement_never() {
    let Some(case) = Case::new() else { return };
    let path = case.path("open.db");
    drop(database(&path, "CREATE TABLE t (a); INSERT INTO t VALUES (1);"));
    let store = case.store();
    let open = "BEGIN; INSERT INTO t VALUES (2);";
    let export = format!("partway_export({store})");
    let refused = "partway_export: this connection has a transaction open that has written to \"main\", and what it wrote \
                   may be rolled back: COMMIT it first, or set the option uncommitted to 1";
    case.fails(&path, &format!("{open} SELECT {export};"), refused);
    case.fails(
        &path,
        &format!("{open} SELECT * FROM partway_parts;"),
        "partway_parts: this connection has a transaction open",
    );
    let half = "partway_export: a statement that writes to \"main\" is not finished";
    for sql in [
        format!("INSERT INTO t SELECT {export};"),
        format!("UPDATE t SET a = {export};"),
        format!("INSERT INTO t VALUES (3) RETURNING {export};"),
        format!(
            "{open} INSERT INTO t SELECT partway_export({store}, json_object('uncommitted', 1));"
        ),
    ] {
        case.fails(&path, &sql, half);
    }
    assert_eq!(case.objects(), Vec::<String>::new());
    // On demand; in a transaction that has only read; and by a statement that writes elsewhere.
    let sql = format!(
        "{open} SELECT partway_export({store}, json_object('uncommitted', 1)) ->> 'rows'; ROLLBACK;
         BEGIN; SELECT count(*) FROM t; SELECT {export} ->> 'rows'; COMMIT;
         CREATE TEMP TABLE done (summary); INSERT INTO done SELECT {export};
         SELECT summary ->> 'rows' FROM done;"
    );
    assert_eq!(case.sql(&path, &sql).unwrap(), "2\n1\n1\n1");
}

#[test]
fn what_is_asked_for_wrongly_is_named_and_leaves_nothing() {
    let Some(case) = Case::new() else { return };
    let store = case.store();
    let missing = case.path("missing");
    for (call, said) in [
        (
            format!("partway_export({store}, json_object('colour', 1))"),
            "there is no option \"colour\": the options are blobs, compress,",
        ),
        (format!("partway_export({store}, 'x')"), "the options are no JSON object"),
        (
            format!("partway_export({store}, json_object('schema', 'aux1'))"),
            "there is no database \"aux1\" on this connection: it has main",
        ),
        (
            format!("partway_export({store}, json_object('part_size', '1KiB'))"),
            "part_size: a part size of 1024 bytes is too small for this store: the minimum is 4096",
        ),
        (format!("partway_export({store}, json_object('table', 'nowhere'))"), "nowhere"),
        (format!("partway_export({store}, json_object('format', 'xml'))"), "xml"),
        ("partway_export(NULL)".to_owned(), "no store was given"),
        ("partway_export(7)".to_owned(), "an argument is neither text nor NULL"),
        ("partway_export('ftp://x')".to_owned(), "is not a store"),
        (format!("partway_export('{}')", missing.display()), "does not exist: create it first"),
        ("partway_export()".to_owned(), "wrong number of arguments to function partway_export()"),
        (
            "count(*) FROM partway_parts(json_object('name', 'a'))".to_owned(),
            "partway_parts: there is no option \"name\"",
        ),
        ("count(*) FROM partway_parts('{\"part_size\":1}')".to_owned(), "the minimum is 4096"),
    ] {
        case.fails(":memory:", &format!("SELECT {call};"), said);
    }
    assert_eq!(case.objects(), Vec::<String>::new());
    assert!(!missing.exists());
}

#[test]
fn a_schema_that_somebody_else_wrote_can_not_export() {
    let Some(case) = Case::new() else { return };
    let path = case.path("trap.db");
    let store = case.store();
    drop(database(
        &path,
        &format!(
            "CREATE TABLE t (a); CREATE VIEW v AS SELECT partway_export({store});
             CREATE VIEW p AS SELECT * FROM partway_parts;
             CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT partway_export({store}); END;"
        ),
    ));
    case.fails(&path, "SELECT * FROM v;", "unsafe use of partway_export()");
    case.fails(&path, "SELECT * FROM p;", "unsafe use of virtual table \"partway_parts\"");
    case.fails(&path, "INSERT INTO t VALUES (1);", "unsafe use of partway_export()");
    assert_eq!(case.objects(), Vec::<String>::new());
}

#[test]
fn one_statement_may_export_twice() {
    let Some(case) = Case::new() else { return };
    let path = case.path("twice.db");
    write_sample(&path, 1).unwrap();
    let sql = format!(
        "SELECT partway_export({}, json_object('name', name)) ->> 'sha256'
           FROM (SELECT column1 AS name FROM (VALUES ('a.sql'), ('a.sql'))) WHERE partway_version() LIKE '0.%';",
        case.store()
    );
    let expected = by_the_program(&path, case.folder.path());
    assert_eq!(case.sql(&path, &sql).unwrap(), format!("{expected}\n{expected}"));
    let mut objects = case.objects();
    objects.sort();
    let manifests = ["a-2.sql.manifest.json", "a.sql.manifest.json"];
    assert_eq!(objects, ["a-2.sql", manifests[0], "a.sql", manifests[1]]);
}

#[test]
fn the_manifest_beside_an_object_is_its_own() {
    let Some(case) = Case::new() else { return };
    let path = case.path("sample.db");
    write_sample(&path, 2).unwrap();
    let export = |options: &str| {
        let options = format!("json_object('name', 'a.sql.zst', 'compress', 'zstd'{options})");
        case.sql(&path, &format!("SELECT partway_export({}, {options})", case.store())).unwrap()
    };
    let object = case.path("store").join("a.sql.zst");
    let verified = || {
        let output = Program::verify(object.to_str().unwrap()).run();
        let printed = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{printed}");
        printed
    };
    export(", 'slice_parts', 1, 'part_size', 65536");
    let manifest = case.path("store").join("a.sql.zst.manifest.json");
    let text: Value = serde_json::from_slice(&fs::read(&manifest).unwrap()).unwrap();
    let parts = text["parts"].as_array().unwrap().len();
    assert!(parts > 2 && verified().contains(&format!("its manifest says: {parts} parts and ")));
    assert_eq!(text["object"]["compression"], "zstd");
    // That of an object that is gone is replaced, or goes too.
    fs::remove_file(&object).unwrap();
    export(", 'table', 'products'");
    assert!(verified().contains("its manifest says: 1 part and 1 table"));
    fs::remove_file(&object).unwrap();
    export(", 'no_manifest', 1");
    assert!(!manifest.exists() && !verified().contains("manifest"));
    // And what is something else stays.
    fs::remove_file(&object).unwrap();
    fs::write(&manifest, "mine").unwrap();
    export("");
    assert_eq!(fs::read_to_string(&manifest).unwrap(), "mine");
    assert!(!object.exists() && case.objects().len() == 3, "{:?}", case.objects());
}

#[test]
fn an_export_arrives_at_a_real_s3_server() {
    let (Some(case), Some(server)) = (Case::new(), garage()) else { return };
    let path = case.path("sample.db");
    write_sample(&path, 8).unwrap();
    let prefix = server.prefix("extension");
    let mut program = std::process::Command::new("sqlite3");
    program.arg("-bail").arg(&path).arg(format!(".load {}", case.extension.display()));
    program.arg(format!("SELECT partway_export('{prefix}', json_object('name', 'a.sql'))"));
    let summary = server.with(Program { command: program }).succeed();
    assert_eq!(summary["sha256"], by_the_program(&path, case.folder.path()).as_str());
    assert_eq!(summary["location"], format!("{prefix}/a.sql"));
    let length = runtime().block_on(server.store(&prefix).stat("a.sql")).unwrap().length;
    assert_eq!(summary["bytes"], length);
    assert!(summary["parts"].as_u64() > Some(1), "{summary}");
}
