//! Whatever a component does, the host goes on: it names what went wrong, and no object appears.

use std::fs;
use std::path::Path;
use std::time::Duration;

use partway_sqlite::Snapshot;
use partway_wasmtime::exporter::Exporter;
use partway_wasmtime::{Limits, PipeCtx, exporter};

use crate::support::{database, export_with, hostile, job_options};

/// Runs the hostile component by one of its ways, and gives what the host says.
fn printed(way: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("small.db");
    drop(database(
        &file,
        "CREATE TABLE t (a); INSERT INTO t VALUES (1); CREATE TABLE secrets (s);",
    ));
    let exporter = Exporter::new(hostile()).unwrap();
    let mut options = job_options(4096);
    options.format = way.into();
    let error = export_with(&exporter, &file, folder.path(), options, || 1).unwrap_err();
    assert!(!folder.path().join("dump.sql").exists(), "{way}: an object has appeared");
    error.to_string()
}

#[test]
fn what_breaks_the_contract_is_named() {
    for (way, expected) in [
        ("grow", "needs more than its 64 MiB of memory"),
        ("panic", "the component failed"),
        ("no-progress", "without writing a part"),
        ("short-part", "a short part"),
        ("wrong-number", "part 7 of 4096 bytes was written where part 1"),
        ("part-too-large", "part 1 of 4097 bytes"),
        ("empty-part", "part 1 of 0 bytes"),
        ("part-after-the-last", "part 2 of 100 bytes"),
        ("cursors", "the component failed"),
        ("unknown-table", "unknown-table: there is no table \"nothing\""),
        ("schema-table", "unknown-table"),
        ("unknown-column", "unknown-column"),
        ("invalid-position", "invalid-position"),
        ("invalid-cell", "invalid-cell"),
    ] {
        let printed = printed(way);
        assert!(printed.contains(expected), "{way}: {printed}");
    }
}

#[test]
fn a_component_that_does_not_end_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("small.db");
    drop(database(&file, "CREATE TABLE t (a);"));
    let limits = Limits { overrun: Duration::from_millis(300), ..Limits::default() };
    let exporter = Exporter::new(hostile()).unwrap();
    for way in ["spin", "ignore-yield"] {
        let ctx = PipeCtx::builder()
            .pacing(Now)
            .limits(limits)
            .build(Snapshot::hold(&file).unwrap(), Nowhere);
        let budget = exporter::Budget { parts: 1 };
        let error = exporter.resume(ctx, way, budget).unwrap_err();
        assert!(error.to_string().contains("did not end the slice"), "{way}: {error}");
    }
}

#[test]
fn no_file_is_left_by_a_component_that_fails_in_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("small.db");
    drop(database(&file, "CREATE TABLE t (a);"));
    let component = folder.path().join("hostile.wasm");
    fs::write(&component, hostile()).unwrap();
    let store = folder.path().join("store");
    fs::create_dir(&store).unwrap();
    let run = crate::support::Program::export(&file, store.to_str().unwrap(), folder.path())
        .with(["--format", "panic", "--component", component.to_str().unwrap()])
        .run();
    assert_eq!(run.status.code(), Some(1));
    assert_eq!(names(&store), Vec::<String>::new());
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

/// Wants every slice to end at once.
struct Now;

impl partway_wasmtime::pacing::Pacing for Now {
    fn should_yield(&self) -> bool {
        true
    }
}

struct Nowhere;

#[partway_wasmtime::async_trait]
impl partway_wasmtime::parts::Parts for Nowhere {
    async fn write(&mut self, _: u32, _: &[u8]) -> Result<(), partway_wasmtime::parts::Error> {
        Ok(())
    }
}
