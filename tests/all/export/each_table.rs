//! `--each-table`: each table is an object, all of one moment, and all of them are there or none.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::Value;

use crate::support::{
    Program, Server, WAIT_LIMIT, assert_sentences, garage, jobs, killed_often, preload, sha256,
    stored, tiny, wait_for_parts,
};

/// Tables of all kinds, some with names that files can't have.
const TABLES: &str = r#"
    CREATE TABLE orders (id INTEGER PRIMARY KEY AUTOINCREMENT, what TEXT, price REAL, photo BLOB);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
      INSERT INTO orders SELECT i, printf('%.*c', i % 90, 'x'), i * 1.5, randomblob(i % 50) FROM n;
    CREATE TABLE "a/b *?" (x TEXT NOT NULL); INSERT INTO "a/b *?" VALUES ('one'), ('two');
    CREATE TABLE "a/b" (x TEXT NOT NULL); INSERT INTO "a/b" VALUES ('three');
    CREATE TABLE empty (a, b);
    CREATE TABLE keys (k TEXT PRIMARY KEY, v) WITHOUT ROWID;
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
      INSERT INTO keys SELECT 'key ' || i, i FROM n;
    CREATE VIRTUAL TABLE docs USING fts5(text); INSERT INTO docs VALUES ('found');
    CREATE VIEW v AS SELECT 1;
"#;

const NAMES: [&str; 5] = ["orders", "a/b *?", "a/b", "empty", "keys"];

struct Case {
    folder: tempfile::TempDir,
    database: PathBuf,
}

impl Case {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("app.db");
        Connection::open(&database).unwrap().execute_batch(TABLES).unwrap();
        fs::create_dir(folder.path().join("store")).unwrap();
        Self { folder, database }
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    fn export(&self, options: &str) -> Program {
        let mut export = Program::export(&self.database, "store", self.folder.path());
        export.command.args(options.split_whitespace()).current_dir(self.folder.path());
        export
    }

    /// How many objects there are for all to see, without manifests.
    fn visible(&self) -> usize {
        stored(&self.store()).iter().filter(|name| !name.starts_with('.')).count()
    }

    /// Manifests in the store.
    fn manifests(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.store()).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|file| file.to_str().unwrap().ends_with(".manifest.json")).collect()
    }

    fn verify(&self, location: &Path, options: &[&str]) -> (Option<i32>, String) {
        let mut verify = Program::verify(location.to_str().unwrap()).with(options.iter().copied());
        let output = verify.command.current_dir(self.folder.path()).output().unwrap();
        let printed = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_sentences(&printed);
        (output.status.code(), printed)
    }
}

fn manifest(location: &Path) -> Value {
    serde_json::from_slice(&fs::read(location).unwrap()).unwrap()
}

fn location(exported: &Value) -> PathBuf {
    PathBuf::from(exported["location"].as_str().unwrap())
}

/// The tables that a manifest lists, each with the name of its object, which is what the manifest says.
fn objects(location: &Path) -> BTreeMap<String, PathBuf> {
    let listed = manifest(location);
    let of = |object: &Value| {
        let [table] = &object["contents"]["only_tables"].as_array().unwrap()[..] else {
            panic!("{object}")
        };
        let path = location.with_file_name(object["object"]["name"].as_str().unwrap());
        assert_eq!(object["object"]["sha256"], sha256(&path), "{}", path.display());
        (table.as_str().unwrap().to_owned(), path)
    };
    listed["objects"].as_array().unwrap().iter().map(of).collect()
}

#[test]
fn each_table_is_what_it_is_exported_alone() {
    let case = Case::new();
    for (format, options) in [
        ("csv", "--format csv --null NULL"),
        ("parquet", "--format parquet"),
        ("ndjson", "--format ndjson --compress zstd"),
        ("sql", "--slice-parts 1 --part-size 8KiB"),
    ] {
        let exported = case.export(&format!("{options} --each-table --name {format}")).succeed();
        assert_eq!((&exported["tables"], &exported["rows"]), (&5.into(), &5003.into()));
        assert_eq!(
            location(&exported),
            case.store().canonicalize().unwrap().join(format!("{format}.manifest.json"))
        );
        assert_eq!(exported["sha256"], sha256(&location(&exported)));
        let objects = objects(&location(&exported));
        assert_eq!(objects.len(), NAMES.len());
        for table in NAMES {
            let mut alone = case.export(options);
            alone.command.args(["--table", table]);
            let alone = alone.succeed();
            assert_eq!(alone["sha256"], sha256(&objects[table]), "{table} as {format}");
        }
        let (code, printed) = case.verify(&location(&exported), &[]);
        assert_eq!(code, Some(0), "{printed}");
        assert!(printed.contains("lists 5 objects, and all are what it says"), "{printed}");
    }
    // Virtual tables and what belongs to them are not to come.
    let expected = |job: &Value| job["tables_expected"] == 5 && job["tables"] == 5;
    assert!(jobs(case.folder.path()).iter().filter(|job| expected(job)).count() >= 3);
    let names = stored(&case.store());
    for name in ["csv.orders.csv", "csv.a%2Fb %2A%3F.csv", "ndjson.keys.ndjson.zst"] {
        assert!(names.contains(&name.to_owned()), "{names:?}");
    }
}

#[test]
fn dumps_of_tables_make_one_database_together() {
    let case = Case::new();
    let exported = location(&case.export("--each-table --name all").succeed());
    let restored = case.folder.path().join("restored.db");
    for object in objects(&exported).values() {
        run_sql(&restored, &fs::read_to_string(object).unwrap());
    }
    let connection = Connection::open(&restored).unwrap();
    let original = case.database.to_str().unwrap();
    connection.execute("ATTACH ?1 AS original", [original]).unwrap();
    for name in NAMES.into_iter().chain(["sqlite_sequence"]) {
        let differ = format!(
            "SELECT count(*) FROM (SELECT 1 FROM (SELECT * FROM main.\"{name}\" EXCEPT SELECT * FROM original.\"{name}\")
             UNION ALL SELECT 1 FROM (SELECT * FROM original.\"{name}\" EXCEPT SELECT * FROM main.\"{name}\"))"
        );
        let differ: u64 = connection.query_row(&differ, [], |row| row.get(0)).unwrap();
        assert_eq!(differ, 0, "{name}");
    }
    // Each by its own name: the manifest is none.
    let new = case.folder.path().join("new.db");
    let output = Program::restore(exported.to_str().unwrap(), &new).run();
    let printed = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{printed}");
    let told = "is no dump, but a manifest, which lists 5 objects: restore each of them";
    assert!(printed.contains(told) && !new.exists(), "{printed}");
}

/// Runs SQL by the stock program.
fn run_sql(database: &Path, sql: &str) {
    let mut sqlite = Command::new("sqlite3");
    let sqlite = sqlite.arg("-bail").arg(database).stdin(Stdio::piped()).spawn();
    let mut sqlite = sqlite.unwrap();
    sqlite.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
    assert!(sqlite.wait().unwrap().success());
}

#[test]
fn a_manifest_that_is_cut_off_is_named_as_one() {
    let case = Case::new();
    let exported = location(&case.export("--each-table --format csv --name all").succeed());
    let (code, printed) = case.verify(&exported, &["--no-manifest"]);
    assert!(code == Some(2) && printed.contains("--no-manifest can't be used"), "{printed}");
    let whole = fs::read(&exported).unwrap();
    for length in [0, 1, 5, 300, whole.len() / 2, whole.len() - 3] {
        fs::write(&exported, &whole[..length]).unwrap();
        let (code, printed) = case.verify(&exported, &[]);
        assert_eq!(code, Some(1), "{printed}");
        let told = "all.manifest.json can't be used: it is damaged, cut off or no manifest: EOF";
        assert!(printed.contains(told) && printed.matches("EOF").count() == 1, "{printed}");
    }
    // A dump may have any name.
    let dump = case.export("--name b.manifest.json --no-manifest").succeed();
    assert_eq!(case.verify(&location(&dump), &[]).0, Some(0));
}

#[test]
fn verify_names_the_object_that_differs() {
    let case = Case::new();
    let exported = location(&case.export("--each-table --format csv --name all").succeed());
    let orders = objects(&exported)["orders"].clone();
    let mut bytes = fs::read(&orders).unwrap();
    bytes[5000] ^= 1;
    fs::write(&orders, bytes).unwrap();
    let (code, printed) = case.verify(&exported, &[]);
    assert_eq!(code, Some(1), "{printed}");
    assert!(
        printed.contains("all.orders.csv is not what its manifest says in part 1"),
        "{printed}"
    );
    assert!(
        printed.contains("lists 5 objects, and 1 could not be verified or differ"),
        "{printed}"
    );
    // Each object alone, by the same manifest.
    let named = ["--manifest", exported.to_str().unwrap()];
    let keys = exported.with_file_name("all.keys.csv");
    assert_eq!(case.verify(&keys, &named).0, Some(0));
    assert_eq!(case.verify(&orders, &named).0, Some(1));
    fs::copy(&keys, exported.with_file_name("other.csv")).unwrap();
    let (code, printed) = case.verify(&exported.with_file_name("other.csv"), &named);
    assert!(code == Some(1) && printed.contains("lists no object other.csv"), "{printed}");
    fs::remove_file(&keys).unwrap();
    let (code, printed) = case.verify(&exported, &[]);
    assert!(code == Some(1) && printed.contains("and 2 could not be verified"), "{printed}");
    let newer = fs::read_to_string(&exported).unwrap();
    fs::write(&exported, newer.replace("\"manifest_set\": 1", "\"manifest_set\": 2")).unwrap();
    let (code, printed) = case.verify(&exported, &[]);
    assert!(code == Some(1) && printed.contains("it has version 2"), "{printed}");
}

#[test]
fn kills_change_nothing_and_leave_nothing() {
    let case = Case::new();
    let options = "--each-table --slice-parts 1 --part-size 4KiB --encrypt-to \
                   age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg";
    let plain = options.split(" --encrypt").next().unwrap();
    let once = objects(&location(&case.export(&format!("{plain} --name once")).succeed()));
    let killed =
        killed_often(case.folder.path(), || case.export(&format!("{plain} --name killed")));
    let killed = objects(&location(&serde_json::from_slice(&killed.stdout).unwrap()));
    for table in NAMES {
        assert_eq!(sha256(&once[table]), sha256(&killed[table]), "{table}");
    }
    // Whose manifest says nothing of the tables.
    let sealed = location(&case.export(&format!("{options} --name sealed")).succeed());
    let listed = manifest(&sealed);
    for object in listed["objects"].as_array().unwrap() {
        assert_eq!(object["contents"]["only_tables"], Value::Array(vec![]));
    }
    assert_eq!((case.manifests().len(), stored(&case.store()).len()), (3, 3 * NAMES.len()));
}

#[test]
fn nothing_appears_before_all_is_done_and_nothing_is_left_of_what_is_cancelled() {
    let case = Case::new();
    let visible = || {
        let mut names = stored(&case.store());
        names.retain(|name| !name.starts_with('.'));
        names
    };
    let slow = "--each-table --slice-parts 1 --part-size 4KiB --pause 20ms";
    let interrupted = |parts| {
        let mut child = case.export(slow).command.spawn().unwrap();
        wait_for_parts(case.folder.path(), parts);
        child.kill().unwrap();
        child.wait().unwrap();
    };
    // The table `keys` is the last, and has some 8 parts.
    interrupted(45);
    assert_eq!(visible(), [""; 0]);
    // What has changed since is in all objects or in none.
    let writer = Connection::open(&case.database).unwrap();
    writer.execute_batch("INSERT INTO orders (what) VALUES ('new'); DELETE FROM keys").unwrap();
    let output = case.export(slow).run();
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(printed.contains("starting over"), "{printed}");
    let exported: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(exported["rows"], 3004, "{printed}");
    assert_eq!(stored(&case.store()).len(), NAMES.len());

    writer.execute_batch("INSERT INTO keys VALUES ('later', 1)").unwrap();
    interrupted(20);
    let id = jobs(case.folder.path())[0]["job"].as_str().unwrap().to_owned();
    let cancelled = Program::jobs(case.folder.path(), ["cancel", &id]).run();
    assert!(cancelled.status.success(), "{}", String::from_utf8_lossy(&cancelled.stderr));
    assert_eq!((case.manifests().len(), stored(&case.store()).len()), (1, NAMES.len()));
}

/// Has the library count the calls about these folders of `root`, in a file.
fn counting(export: &mut Program, library: &Path, root: &Path, folders: &[&str]) -> PathBuf {
    let counts = root.join("counts");
    fs::write(&counts, [0; 8192]).unwrap();
    let folders = folders.iter().map(|name| root.join(name).to_str().unwrap().to_owned());
    export.command.env("LD_PRELOAD", library).env("FAULT_COUNTS", &counts);
    export.command.env("FAULT_FOLDERS", folders.collect::<Vec<_>>().join(":"));
    counts
}

/// Has a call of a kind fail: the one of this number.
fn failing(export: &mut Program, kind: &str, at: u64) {
    export.command.env("FAULT_KIND", kind).env("FAULT_AT", at.to_string()).env("FAULT_ERRNO", "5");
}

/// Runs an export that can make so many objects appear and no more, and kills it when there are `visible` in the store.
fn killed_at_object(mut export: Program, appearing: u64, visible: usize, case: &Case) {
    let library = preload("calls", case.folder.path());
    let root = case.folder.path().canonicalize().unwrap();
    counting(&mut export, &library, &root, &["store"]);
    failing(&mut export, "link", appearing + 1);
    let mut child = export.command.env("FAULT_AND_ALL_AFTER", "1").spawn().unwrap();
    let began = Instant::now();
    while case.visible() < visible {
        assert!(began.elapsed() < WAIT_LIMIT, "{:?}", stored(&case.store()));
        sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn what_was_not_saved_when_all_had_appeared_is_found_again() {
    let case = Case::new();
    let (state, saved) = (case.folder.path().join("state"), case.folder.path().join("saved"));
    let export = || case.export("--each-table --name all");
    killed_at_object(export(), NAMES.len() as u64, NAMES.len(), &case);
    let id = jobs(case.folder.path())[0]["job"].as_str().unwrap().to_owned();
    fs::create_dir(&saved).unwrap();
    for entry in fs::read_dir(&state).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), saved.join(entry.file_name())).unwrap();
    }
    export().succeed();
    let manifest = case.manifests();
    assert_eq!(manifest.len(), 1);

    // As if that had been killed a moment before its end. A manifest of now would say another time.
    fs::remove_dir_all(&state).unwrap();
    fs::rename(&saved, &state).unwrap();
    sleep(Duration::from_millis(1100));
    let resumed = Program::jobs(case.folder.path(), ["resume", &id]).run();
    assert!(resumed.status.success(), "{}", String::from_utf8_lossy(&resumed.stderr));
    assert_eq!(case.manifests(), manifest);
    assert_eq!(case.visible(), NAMES.len());
}

#[test]
fn the_manifest_of_another_with_the_same_bytes_is_left_alone() {
    let case = Case::new();
    // Others, who know nothing of this one's jobs.
    let elsewhere = case.folder.path().join("elsewhere");
    let theirs = || {
        let store = case.store();
        Program::export(&case.database, store.to_str().unwrap(), &elsewhere).with([
            "--each-table",
            "--name",
            "all",
        ])
    };
    let mut begun = theirs().with(["--slice-parts", "1", "--part-size", "8KiB", "--pause", "60s"]);
    let mut child = begun.command.spawn().unwrap();
    wait_for_parts(&elsewhere, 1);
    child.kill().unwrap();
    child.wait().unwrap();
    let exported = case.export("--each-table --name all").succeed();

    killed_at_object(theirs().with(["--part-size", "8KiB"]), 2, NAMES.len() + 1, &case);
    let id = jobs(&elsewhere)[0]["job"].as_str().unwrap().to_owned();
    let cancelled = Program::jobs(&elsewhere, ["cancel", &id]).run();
    assert!(cancelled.status.success(), "{}", String::from_utf8_lossy(&cancelled.stderr));
    let (code, printed) = case.verify(&location(&exported), &[]);
    assert_eq!(code, Some(0), "{printed}");
    assert_eq!((case.manifests().len(), stored(&case.store()).len()), (1, NAMES.len()));
}

#[test]
fn names_that_tables_would_share_are_told_apart() {
    let Some(server) = garage() else { return };
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("app.db");
    let tables = "CREATE TABLE t (a); INSERT INTO t VALUES (1);
        CREATE TABLE \"t-2\" (a); INSERT INTO \"t-2\" VALUES (1); CREATE TABLE manifest (a)";
    Connection::open(&database).unwrap().execute_batch(tables).unwrap();
    let prefix = server.prefix("shared-names");
    let export = |options: &[&str]| {
        let export = Program::export(&database, &prefix, folder.path());
        server.with(export.with(["--format", "json"]).with(options.iter().copied())).succeed()
    };
    export(&["--table", "t", "--name", "d.t.json"]);
    let exported = export(&["--each-table", "--name", "d"]);
    let location = exported["location"].as_str().unwrap();
    assert!(location.ends_with("/d.manifest.json"), "{location}");
    let verified = server.with(Program::verify(location)).run();
    let printed = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success(), "{printed}");
    for name in ["d.t-2.json", "d.t-2-2.json", "d.%6Danifest.json"] {
        assert!(printed.contains(name), "{name}: {printed}");
    }
}

#[test]
fn whichever_call_fails_all_objects_are_there_in_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let library = preload("calls", folder.path());
    let run = |fault: Option<(&str, u64)>| {
        let case = Case::new();
        Connection::open(&case.database).unwrap().execute_batch("DELETE FROM orders").unwrap();
        let root = case.folder.path().canonicalize().unwrap();
        let options = "--each-table --part-size 16KiB --retries 0 --name all";
        let mut export = case.export(options);
        let counts = counting(&mut export, &library, &root, &["state", "store"]);
        if let Some((kind, at)) = fault {
            failing(&mut export, kind, at);
        }
        let output = export.run();
        let counted = fs::read(&counts).unwrap();
        let printed = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_sentences(&printed);
        let mut names = stored(&case.store());
        names.retain(|name| !name.starts_with('.'));
        if !output.status.success() {
            assert!(fault.is_some(), "{printed}");
            // None is there without the manifest, unless the program says what it could not delete.
            let is_told =
                printed.contains("could not be deleted") || printed.contains("jobs resume");
            assert!(
                names.is_empty() || !case.manifests().is_empty() || is_told,
                "{fault:?}: {names:?}\n{printed}"
            );
            let again = case.export(options).run();
            let printed_again = String::from_utf8_lossy(&again.stderr);
            assert!(again.status.success(), "{fault:?}: {printed}, then\n{printed_again}");
        }
        let manifest = case.manifests().into_iter().max().unwrap();
        let (code, printed) = case.verify(&manifest, &[]);
        assert_eq!(code, Some(0), "{fault:?}: {printed}");
        (counted, output.status.success())
    };
    let (counted, _) = run(None);
    // In the order of the library's report.
    let kinds = ["open", "read", "write", "sync", "truncate", "link", "unlink"];
    let (mut faults, mut failed) = (0, 0);
    for (index, kind) in kinds.into_iter().enumerate() {
        let count = u64::from_ne_bytes(counted[8 * index..][..8].try_into().unwrap());
        // Those of the end are the ones that make objects appear.
        let stride = if matches!(kind, "link" | "unlink") { 2 } else { 1 + count as usize / 3 };
        for at in (1..=count).rev().step_by(stride) {
            faults += 1;
            failed += u32::from(!run(Some((kind, at))).1);
        }
    }
    assert!(faults > 15 && failed > 8, "{failed} of {faults}");
}

#[test]
fn tables_that_a_policy_leaves_out_have_no_object() {
    let case = Case::new();
    Connection::open(&case.database).unwrap().execute_batch("DROP TABLE docs").unwrap();
    let policy = "unlisted = \"keep\"\nleave_out = [\"keys\"]\n";
    fs::write(case.folder.path().join("policy.toml"), policy).unwrap();
    let output = case.export("--each-table --redact policy.toml --format csv --name safe").run();
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}");
    assert!(
        printed.contains("1 table is left out: the component does not export them"),
        "{printed}"
    );
    assert!(!printed.contains("keys"), "{printed}");
    assert_eq!(stored(&case.store()).len(), NAMES.len() - 1);
}

#[test]
fn a_bucket_gets_all_objects_too() {
    let Some(server) = garage() else { return };
    let case = Case::new();
    let prefix = server.prefix("each-table");
    let export = Program::export(&case.database, &prefix, case.folder.path());
    let exported = server.with(export.with(["--each-table", "--format", "csv"])).succeed();
    let location = exported["location"].as_str().unwrap();
    let verified = server.with(Program::verify(location)).run();
    let printed = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success(), "{printed}");
    assert!(printed.contains("lists 5 objects, and all are what it says"), "{printed}");
}

#[test]
fn the_service_sends_and_deletes_each_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = tiny(folder.path());
    let writer = Connection::open(&file).unwrap();
    writer.execute_batch("CREATE TABLE \"b & c\" (a); INSERT INTO \"b & c\" VALUES ('x')").unwrap();
    let server = Server::with_store(folder.path(), [file.to_str().unwrap()]);
    let body = r#"{"eachTable": true, "format": "csv", "name": "all"}"#;
    let id = server.post("/export/dump", body).accepted();
    let status = server.until(&id, |status| status["finishedAt"].is_string());
    assert_eq!((&status["status"], &status["name"]), (&"done".into(), &"all.manifest.json".into()));
    let store = folder.path().join("store");
    let objects = status["objects"].as_array().unwrap();
    assert_eq!(objects.len(), 2, "{status}");
    for object in objects {
        let sent = server.get(object["downloadUrl"].as_str().unwrap());
        assert_eq!(sent.status, 200);
        assert_eq!(sent.header("content-type"), "text/csv; charset=utf-8");
        assert!(sent.body == fs::read(store.join(object["name"].as_str().unwrap())).unwrap());
        assert_eq!(object["bytes"], sent.body.len());
    }
    let download = format!("/export/download/{id}");
    let sent = server.get(&download);
    assert_eq!(sent.header("content-type"), "application/json");
    assert!(sent.body == fs::read(store.join("all.manifest.json")).unwrap());
    server.get(&format!("{download}?table=nothing")).error(404);
    let signed = server.get(&format!("{download}/ticket?table=b+%26+c")).result(200);
    let sent = server.get(signed["url"].as_str().unwrap());
    assert_eq!(String::from_utf8(sent.body).unwrap(), "\"a\"\r\n\"x\"\r\n");
    server.get(&format!("{download}/ticket?redirect=1")).error(400);
    for (body, error) in [
        (r#"{"eachTable": true, "format": "sqlite"}"#, "can't be used with format sqlite"),
        (r#"{"eachTable": true, "tables": ["nothing"]}"#, "no such table"),
        (r#"{"eachTable": true, "format": "csv", "target": "d1"}"#, "target can't be used"),
    ] {
        let told = server.post("/export/dump", body).error(400);
        assert!(told.contains(error), "{told}");
    }
    // The name of its manifest may be another's by now: the objects are its own.
    fs::remove_file(store.join("all.manifest.json")).unwrap();
    let again = server.post("/export/dump", body).accepted();
    let status = server.until(&again, |status| status["finishedAt"].is_string());
    assert_eq!(status["name"], "all.manifest.json");
    assert_eq!(server.get(objects[0]["downloadUrl"].as_str().unwrap()).status, 200);
    server.get(&download).error(410);
    assert_eq!(server.ask("DELETE", &format!("/export/{again}"), &[], "").status, 200);
    // One that is somebody else's by now stays.
    let changed = objects[1]["name"].as_str().unwrap();
    fs::write(store.join(changed), "changed").unwrap();
    server.get(objects[1]["downloadUrl"].as_str().unwrap()).error(410);
    let deleted = server.ask("DELETE", &format!("/export/{id}"), &[], "");
    assert_eq!(deleted.status, 200);
    assert_eq!(stored(&store), [changed]);
    assert_eq!(fs::read_dir(&store).unwrap().count(), 1);
}
