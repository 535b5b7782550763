//! Manifests: what they list is in the object, and `verify` names what is not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use partway_testbed::write_sample;
use serde_json::Value;

use crate::support::{
    Program, assert_sentences, garage, killed_often, python_tools, sha256, summary,
};

/// Compares a manifest with the object, its contents and the database. Written with Python's own reader of SQLite and
/// another library of XXH64.
const JUDGE: &str = r#"
import hashlib, json, sqlite3, sys, xxhash
manifest, object, contents, database = sys.argv[1:]
manifest = json.load(open(manifest))
object, contents = open(object, "rb").read(), open(contents, "rb").read()
assert manifest["manifest"] == 1
assert manifest["object"]["bytes"] == len(object)
assert manifest["object"]["sha256"] == hashlib.sha256(object).hexdigest()
assert manifest["contents"]["bytes"] == len(contents), manifest["contents"]
offset = 0
for part in manifest["parts"]:
    bytes = object[offset:offset + part["bytes"]]
    assert xxhash.xxh64_hexdigest(bytes) == part["xxh64"], part
    offset += part["bytes"]
assert offset == len(object)
assert len({part["bytes"] for part in manifest["parts"][:-1]}) <= 1
rows, end = 0, 0
connection = sqlite3.connect(database)
for table in manifest["tables"]:
    name, offset = table["name"], table["offset"]
    assert offset >= end, table
    end = offset + table["bytes"]
    bytes = contents[offset:end]
    assert xxhash.xxh64_hexdigest(bytes) == table["xxh64"], table
    counted, = connection.execute('SELECT count(*) FROM "%s"' % name.replace('"', '""')).fetchone()
    assert table["rows"] == counted, (table, counted)
    if manifest["contents"]["format"] == "sql" and counted:
        assert bytes.startswith(b"INSERT INTO ") and bytes.endswith(b";\n"), bytes[:40]
    if manifest["contents"]["format"] == "ndjson":
        assert bytes.count(b"\n") == counted, table
    rows += counted
assert rows == manifest["contents"]["rows"] and len(manifest["tables"]) == manifest["contents"]["tables"]
assert not contents[end:].startswith(b"INSERT")
"#;

struct Case {
    folder: tempfile::TempDir,
    database: PathBuf,
}

impl Case {
    fn sample(megabytes: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("original.db");
        write_sample(&database, megabytes).unwrap();
        fs::create_dir(folder.path().join("store")).unwrap();
        Self { folder, database }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn export(&self, options: &str) -> Program {
        let mut export = Program::export(&self.database, "store", self.folder.path());
        export.command.args(options.split_whitespace()).current_dir(self.folder.path());
        export
    }

    /// The object of an export.
    fn object(&self, options: &str) -> PathBuf {
        PathBuf::from(self.export(options).succeed()["location"].as_str().unwrap())
    }

    fn verify(&self, object: &Path, options: &[&str]) -> Output {
        let mut verify = Program::verify(object.to_str().unwrap()).with(options.iter().copied());
        verify.command.current_dir(self.folder.path());
        verify.run()
    }

    /// What `verify` says of an object that is not what its manifest says.
    fn problems(&self, object: &Path, options: &[&str]) -> String {
        let output = self.verify(object, options);
        let printed = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{printed}");
        assert_sentences(&printed);
        printed
    }
}

fn manifest_of(object: &Path) -> PathBuf {
    PathBuf::from(format!("{}.manifest.json", object.display()))
}

fn manifest(object: &Path) -> Value {
    serde_json::from_slice(&fs::read(manifest_of(object)).unwrap()).unwrap()
}

/// The tables and parts alone: what does not depend on the time.
fn lists(object: &Path) -> [Value; 2] {
    let manifest = manifest(object);
    ["tables", "parts"].map(|list| manifest[list].clone())
}

#[test]
fn what_a_manifest_lists_is_in_the_object_and_in_the_database() {
    let Some(tools) = python_tools() else { return };
    let case = Case::sample(6);
    let more = rusqlite::Connection::open(&case.database).unwrap();
    more.execute_batch(
        r#"CREATE TABLE "none of ""it" (a); CREATE TABLE ü (k PRIMARY KEY, v) WITHOUT ROWID;
           INSERT INTO ü VALUES ('a', 1), ('b', zeroblob(3000000)); CREATE TABLE last (a); INSERT INTO last VALUES (1);"#,
    )
    .unwrap();
    drop(more);
    for (options, decode) in [
        ("--part-size 100KB", None),
        ("--part-size 100KB --slice-parts 1", None),
        ("--format ndjson --part-size 100KB --slice-parts 3", None),
        ("--format json", None),
        ("--format csv --table ü", None),
        ("--schema-only", None),
        ("--compress zstd --part-size 100KB --slice-parts 2", Some("zstd")),
        ("--compress gzip", Some("gzip")),
    ] {
        let object = case.object(options);
        let contents = match decode {
            Some(_) if std::env::var_os("PARTWAY_TEST_CODECS").is_none() => continue,
            Some(program) => {
                let decoded = Command::new(program).args(["-dc"]).arg(&object).output().unwrap();
                let contents = case.path("contents");
                fs::write(&contents, decoded.stdout).unwrap();
                contents
            }
            None => object.clone(),
        };
        if options != "--schema-only" {
            let mut judge = Command::new(tools.join("python"));
            judge.args(["-c", JUDGE]).args([manifest_of(&object), object.clone(), contents]);
            let judged = judge.arg(&case.database).output().unwrap();
            let printed = String::from_utf8_lossy(&judged.stderr);
            assert!(judged.status.success(), "{options}: {printed}");
        }
        let verified = case.verify(&object, &[]);
        let printed = String::from_utf8_lossy(&verified.stderr);
        assert!(verified.status.success(), "{options}: {printed}");
        assert!(printed.contains("it is what its manifest says: "), "{options}: {printed}");
    }
}

#[test]
fn a_manifest_is_the_same_however_the_export_is_sliced_and_whenever_it_is_killed() {
    let case = Case::sample(12);
    let whole = lists(&case.object("--part-size 64KiB"));
    assert!(whole.iter().all(|list| list.as_array().unwrap().len() > 3), "{whole:?}");
    assert_eq!(lists(&case.object("--part-size 64KiB --slice-parts 1")), whole);
    // Parts are others then, and tables are not.
    assert_eq!(lists(&case.object("--part-size 5MiB --slice-parts 1"))[0], whole[0]);

    let export = || case.export("--part-size 64KiB --slice-parts 1 --name killed.sql");
    summary(&killed_often(case.folder.path(), export));
    assert_eq!(lists(&case.path("store/killed.sql")), whole);
}

#[test]
fn verify_names_the_part_and_the_table_that_were_altered() {
    let case = Case::sample(3);
    let object = case.object("--part-size 64KiB --name a.sql");
    let bytes = fs::read(&object).unwrap();
    let manifest = manifest(&object);
    let write = |bytes: &[u8]| fs::write(&object, bytes).unwrap();
    for table in manifest["tables"].as_array().unwrap() {
        let length = table["bytes"].as_u64().unwrap() as usize;
        if length == 0 {
            continue;
        }
        // A letter of the table's name: it stays a dump.
        let at = table["offset"].as_u64().unwrap() as usize + length / 2;
        let mut altered = bytes.clone();
        altered[at] ^= 1;
        write(&altered);
        let printed = case.problems(&object, &[]);
        let part = format!("part {} of {}, ", at / 65_536 + 1, bytes.len().div_ceil(65_536));
        assert!(printed.contains(&part), "{printed}");
        let named = format!("in the rows of table {}\n", table["name"].as_str().unwrap());
        assert!(printed.contains(&named), "{printed}");
        assert_eq!(printed.matches("in the rows of table").count(), 1, "{printed}");
        assert_eq!(printed.matches("in part ").count(), 1, "{printed}");
    }
    write(&bytes[..70_000]);
    let printed = case.problems(&object, &[]);
    assert!(printed.contains("has 70000 bytes, and its manifest says"), "{printed}");
    assert!(printed.contains("in part 2 of "), "{printed}");
    // A letter in a value: nothing but the hash tells.
    let at = bytes.windows(5).rposition(|word| word == b"INTO ").unwrap() + 40;
    let mut altered = bytes.clone();
    altered[at] ^= 1;
    write(&altered);
    let restored = case.path("new.db");
    let restore = || Program::restore(object.to_str().unwrap(), &restored);
    let refused = restore().run();
    let printed = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && !restored.exists(), "{printed}");
    write(&bytes);
    assert!(restore().run().status.success());
    assert!(case.verify(&object, &[]).status.success());

    // A format that verify can't read is checked by its manifest.
    let rows = case.object("--format ndjson --part-size 64KiB --name a.ndjson");
    let mut altered = fs::read(&rows).unwrap();
    altered[100_000] ^= 1;
    fs::write(&rows, &altered).unwrap();
    assert!(case.problems(&rows, &[]).contains("in part 2 of "));
    altered[100_000] ^= 1;
    fs::write(&rows, &altered).unwrap();
    assert!(case.verify(&rows, &[]).status.success());

    // Bytes that can't be decompressed.
    let compressed = case.object("--compress zstd --part-size 8KiB --name a.zst");
    let mut altered = fs::read(&compressed).unwrap();
    let at = altered.len() / 2;
    altered[at] ^= 0x55;
    fs::write(&compressed, &altered).unwrap();
    let printed = case.problems(&compressed, &[]);
    let part = format!("in part {} of {}, ", at / 8192 + 1, altered.len().div_ceil(8192));
    assert!(printed.contains(&part), "{printed}");
}

#[test]
fn a_manifest_that_is_damaged_or_of_another_object_is_not_believed() {
    let case = Case::sample(1);
    let object = case.object("--name a.sql");
    let other = case.object("--name other.sql --table products");
    let beside = manifest_of(&object);
    let other = manifest_of(&other);
    let printed = case.problems(&object, &["--manifest", other.to_str().unwrap()]);
    assert!(printed.contains("and its manifest says"), "{printed}");
    for text in ["", "{}", "{\"manifest\":7}"] {
        fs::write(&beside, text).unwrap();
        let printed = case.problems(&object, &[]);
        assert!(printed.contains("a.sql.manifest.json can't be used: it "), "{printed}");
        assert!(printed.trim_end().ends_with("; --no-manifest does without it"), "{printed}");
        assert!(printed.matches(" line 1 ").count() <= 1, "{printed}");
        assert!(case.verify(&object, &["--no-manifest"]).status.success());
    }
}

#[test]
fn a_manifest_never_replaces_a_file_and_there_is_none_if_it_is_not_wanted() {
    let case = Case::sample(1);
    fs::write(case.path("store/a.sql.manifest.json"), "mine").unwrap();
    let object = case.object("--name a.sql");
    assert!(object.ends_with("a-2.sql") || object.ends_with("a.sql-2"), "{}", object.display());
    assert_eq!(manifest(&object)["object"]["sha256"], *sha256(&object));
    assert_eq!(fs::read_to_string(case.path("store/a.sql.manifest.json")).unwrap(), "mine");
    // But the manifest of an object that is gone.
    fs::remove_file(&object).unwrap();
    let left = fs::read(manifest_of(&object)).unwrap();
    let name = object.file_name().unwrap().to_str().unwrap();
    assert_eq!(case.object(&format!("--name {name} --part-size 64KiB")), object);
    assert_ne!(fs::read(manifest_of(&object)).unwrap(), left);
    let object = case.object("--name b.sql --no-manifest");
    assert!(object.ends_with("b.sql") && !manifest_of(&object).exists());
}

#[test]
fn an_object_without_a_manifest_is_never_beside_one_of_an_earlier_object() {
    let case = Case::sample(1);
    let old = case.object("--name a.sql --table products");
    fs::remove_file(&old).unwrap();
    assert_eq!(case.object("--name a.sql --no-manifest"), old);
    assert!(!manifest_of(&old).exists());
    let restored = Program::restore(old.to_str().unwrap(), &case.path("restored.db")).run();
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    // A table's object of a set has none either: the set's lists it.
    let old = case.object("--name b.products.csv --format csv --table products");
    fs::remove_file(&old).unwrap();
    case.object("--name b --each-table --format csv");
    assert!(!old.exists() && manifest_of(&old).exists());
    assert!(case.verify(&case.path("store/b.manifest.json"), &[]).status.success());
}

#[test]
fn the_manifest_of_an_encrypted_object_tells_nothing_of_what_is_in_it() {
    let case = Case::sample(1);
    let recipient = "age1lvyvwawkr0mcnnnncaghunadrqkmuf9e6507x9y920xxpp866cnql7dp2z";
    let object = case.object(&format!(
        "--encrypt-to {recipient} --compress zstd --table products --where products=id>0"
    ));
    let text = fs::read_to_string(manifest_of(&object)).unwrap();
    assert!(!text.contains("products") && !text.contains("id>0"), "{text}");
    let manifest = manifest(&object);
    assert_eq!(manifest["object"]["encrypted"], true);
    assert_eq!(manifest["tables"], serde_json::json!([]));
    assert!(manifest["parts"].as_array().unwrap().len() == 1);
}

#[test]
fn manifests_are_in_buckets_too() {
    let Some(server) = garage() else { return };
    let case = Case::sample(12);
    let prefix = server.prefix("manifest");
    let export = Program::export(&case.database, &prefix, case.folder.path());
    let exported = server.with(export.with(["--slice-parts", "1"])).succeed();
    let location = exported["location"].as_str().unwrap();
    let verified = server.with(Program::verify(location)).run();
    let printed = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success(), "{printed}");
    let parts = exported["parts"].as_u64().unwrap();
    assert!(parts > 1, "{exported}");
    assert!(printed.contains(&format!("it is what its manifest says: {parts} parts")), "{printed}");
}
