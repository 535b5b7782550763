//! Databases that people use: those of Debian's package `proj-data`.

use std::path::PathBuf;

use partway_wasmtime::exporter::Exporter;

use crate::support::round_trip;

const FOLDER: &str = "/usr/share/proj";

#[test]
fn the_databases_of_proj_come_back() {
    let databases: Vec<PathBuf> = std::fs::read_dir(FOLDER)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "db"))
        .collect();
    if databases.is_empty() {
        assert!(
            std::env::var_os("PARTWAY_REQUIRE_PROJ").is_none(),
            "PARTWAY_REQUIRE_PROJ is set, and there is no database in {FOLDER}: apt-get install proj-data"
        );
        eprintln!("skipped: there is no database in {FOLDER} (apt-get install proj-data)");
        return;
    }
    let exporter = Exporter::prebuilt().unwrap();
    for database in databases {
        let folder = tempfile::tempdir().unwrap();
        round_trip(&exporter, &database, folder.path(), 65_536, || 16)
            .unwrap_or_else(|error| panic!("{}: {error:#}", database.display()));
    }
}
