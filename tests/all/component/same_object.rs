//! One database, every host: the objects are the same, byte for byte.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use partway_prebuilt::EXPORTER;
use partway_redact::{parse_policy, redacting};
use partway_testbed::{TextEncoding, hard_cases, write_hard_cases};

use super::all_wasi;
use super::examples::{Host, component, exported, hosts, run};
use crate::support::{Program, TOO_WIDE, extension, sha256, sqlite3};

/// Notes which host has made an object of which hash.
struct Objects(BTreeMap<String, String>);

impl Objects {
    fn add(&mut self, host: impl Into<String>, object: &Path) {
        self.0.insert(host.into(), sha256(object));
    }
}

#[test]
fn every_host_makes_the_same_object_of_the_same_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let database = path("original.db");
    // One case of long values is enough: the others take a slow host long.
    let cases = hard_cases();
    let long = cases.iter().map(|case| case.name).filter(|name| name.starts_with("long "));
    let without: Vec<&str> = TOO_WIDE.into_iter().chain(long).collect();
    write_hard_cases(&database, TextEncoding::Utf8, &without).unwrap();
    let mut objects = Objects(BTreeMap::new());
    objects.add("the program", &exported(&database));

    // The component alone, and with a redactor in front that keeps everything.
    let exporter = component(folder.path());
    let policy = parse_policy("unlisted = 'keep'").unwrap();
    let composed = path("composed.wasm");
    fs::write(&composed, redacting(EXPORTER, &policy).unwrap()).unwrap();
    for (component, what) in [(&exporter, "the exporter"), (&composed, "with an empty policy")] {
        for Host { name, export, .. } in hosts() {
            let object = path(&format!("{name}.{what}.sql"));
            run(&export, &[&database, component, &object], &[]);
            objects.add(format!("{name}, {what}"), &object);
        }
        fs::create_dir(path(what)).unwrap();
        let program = Program::export(&database, path(what).to_str().unwrap(), folder.path());
        let file = component.to_str().unwrap();
        program.with(["--component", file, "--name", "a.sql", "--concurrent"]).succeed();
        objects.add(format!("the program, {what}, from a file"), &path(what).join("a.sql"));
    }
    if let Some(extension) = extension() {
        let sql = format!(
            "SELECT partway_export('file://{}', json_object('name', 'extension.sql'))",
            folder.path().display()
        );
        sqlite3(extension.as_os_str(), database.as_os_str(), &sql).unwrap();
        objects.add("the SQLite extension", &path("extension.sql"));
    }
    if let Some(wasi) = all_wasi::Case::new() {
        fs::copy(&database, wasi.path("original.db")).unwrap();
        wasi.succeed("original.db", "object.sql", &[]);
        objects.add("components alone", &wasi.path("object.sql"));
    }
    let expected = &objects.0["the program"];
    println!("{} objects, {expected}", objects.0.len());
    assert!(objects.0.len() >= 5, "{:?}", objects.0);
    assert!(objects.0.values().all(|hash| hash == expected), "{:#?}", objects.0);
}
