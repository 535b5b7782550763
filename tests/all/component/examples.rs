//! The hosts of `examples/`, which have nothing of ours but the contract and the component, write the same objects.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use partway_prebuilt::EXPORTER;
use partway_testbed::{TextEncoding, hard_cases, write_hard_cases, write_sample};
use rusqlite::Connection;

use crate::support::{TOO_WIDE, built, database, node, program, python_tools, rows_check, sha256};

/// A host: what starts it, for an export and for a check of its rows.
pub(super) struct Host {
    pub(super) name: &'static str,
    pub(super) export: Vec<PathBuf>,
    check: Vec<PathBuf>,
}

/// Those that can run here.
pub(super) fn hosts() -> Vec<Host> {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut hosts = vec![Host {
        name: "host-rust",
        export: vec![built("partway-example-host")],
        check: vec![built("check_rows")],
    }];
    if let Some(tools) = python_tools() {
        let folder = examples.join("host-python");
        let python = |script: &str| vec![tools.join("python"), folder.join(script)];
        let (export, check) = (python("export.py"), python("check.py"));
        hosts.push(Host { name: "host-python", export, check });
    }
    if let Some(node) = node() {
        let folder = examples.join("host-node");
        let node = |script: &str| vec![node.clone(), folder.join(script)];
        let (export, check) = (node("export.mjs"), node("check.mjs"));
        hosts.push(Host { name: "host-node", export, check });
    }
    hosts
}

/// Runs a host to a good end; what it prints.
pub(super) fn run(command: &[PathBuf], arguments: &[&Path], more: &[&str]) -> String {
    let mut started = Command::new(&command[0]);
    started.args(&command[1..]).args(arguments).args(more);
    // Nothing is written beside the examples.
    started.env("PYTHONDONTWRITEBYTECODE", "1").env("NODE_NO_WARNINGS", "1");
    let output = started.output().expect("the host starts");
    let printed = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{started:?}: {}\n{printed}{errors}", output.status);
    printed.into_owned()
}

/// What the program makes of a database.
pub(super) fn exported(database: &Path) -> PathBuf {
    let dump = database.with_extension("sql");
    let file = File::create(&dump).unwrap();
    let status = Command::new(program()).arg("export").arg(database).stdout(file).status();
    assert!(status.unwrap().success());
    dump
}

/// The exporter, in a file.
pub(super) fn component(folder: &Path) -> PathBuf {
    let component = folder.join("exporter.wasm");
    fs::write(&component, EXPORTER).unwrap();
    component
}

#[test]
fn hosts_from_the_contract_alone_write_what_the_program_writes() {
    let folder = tempfile::tempdir().unwrap();
    let component = component(folder.path());
    let hosts = hosts();
    // One case of long values is enough: the others take a slow host long.
    let cases = hard_cases();
    let long = cases.iter().map(|case| case.name).filter(|name| name.starts_with("long "));
    let without: Vec<&str> = TOO_WIDE.into_iter().chain(long).collect();
    // In UTF-8 they are compared in `same_object`.
    let path = folder.path().join("utf-16.db");
    write_hard_cases(&path, TextEncoding::Utf16be, &without).unwrap();
    let expected = sha256(&exported(&path));
    for Host { name, export, .. } in &hosts {
        let output = folder.path().join(format!("{name}.sql"));
        run(export, &[&path, &component, &output], &[]);
        assert_eq!(sha256(&output), expected, "{name}");
    }
}

#[test]
fn hosts_go_on_in_another_process_whatever_has_become_of_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let component = component(folder.path());
    let original = folder.path().join("original.db");
    write_sample(&original, 3).unwrap();
    let keys =
        "CREATE TABLE keys (k TEXT COLLATE NOCASE, n, v, PRIMARY KEY (k DESC, n)) WITHOUT ROWID;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
           INSERT INTO keys SELECT 'Key ' || (i % 97), i, printf('%.60d', i) FROM n;";
    Connection::open(&original).unwrap().execute_batch(keys).unwrap();
    let expected = sha256(&exported(&original));
    for Host { name, export, .. } in hosts() {
        let path = folder.path().join(format!("{name}.db"));
        fs::copy(&original, &path).unwrap();
        let connection = Connection::open(&path).unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        let output = folder.path().join(format!("{name}.sql"));
        run(&export, &[&path, &component, &output], &["1"]);
        assert!(!output.exists(), "{name}: the first slice is the last");
        connection.execute("DELETE FROM keys WHERE n % 3 = 1", []).unwrap();
        run(&export, &[&path, &component, &output], &[]);
        assert_eq!(sha256(&output), expected, "{name}");
        assert!(
            !output.with_added_extension("partial").exists(),
            "{name} leaves its folder behind"
        );
    }
}

#[test]
fn the_rows_of_all_hosts_are_what_the_contract_says() {
    let folder = tempfile::tempdir().unwrap();
    let check = folder.path().join("rows-check.wasm");
    fs::write(&check, rows_check()).unwrap();
    let sample = folder.path().join("sample.db");
    drop(database(&sample, include_str!("../../../component/rows-check/sample.sql")));
    for host in hosts() {
        let printed = run(&host.check, &[&sample, &check], &["--sample"]);
        assert!(printed.starts_with("0 failures in "), "{}: {printed}", host.name);
    }
}
