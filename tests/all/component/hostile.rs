//! Whatever a component does, the host goes on: it names what went wrong, no object appears, and little memory and
//! log is spent.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use partway_jobs::{Job, JobError, MOST_IDLE_SLICES};
use partway_sqlite::Snapshot;
use partway_store::{FolderStore, PartSequence, Store};
use partway_wasmtime::exporter::{Exporter, Options};
use partway_wasmtime::{Counters, Limits, PipeCtx, exporter, parts};
use tempfile::TempDir;

use crate::support::{
    Never, Program, assert_sentences, database, export_with, hostile, job_options, memory, runtime,
    stored,
};

/// What is said of each way.
const NAMED: &[(&str, &str)] = &[
    ("recurse", "call stack exhausted"),
    ("grow", "needs more than its 64 MiB of memory"),
    ("panic", "the component failed"),
    ("unknown-table", "unknown-table: there is no table \"nothing\""),
    ("schema-table", "unknown-table"),
    ("unknown-column", "unknown-column"),
    ("many-columns", "asked for 1000000 columns, but may ask for 1 to 32767"),
    ("no-columns", "asked for 0 columns"),
    ("invalid-position", "invalid-position"),
    ("huge-position", "invalid-position"),
    ("foreign-position", "invalid-position"),
    ("invalid-cell", "invalid-cell"),
    ("position-beyond", "invalid-cell"),
    ("cursors", "64 cursors open and tried to open another"),
    ("greedy-cursors", "it got all of it"),
    ("huge-batch", "asked for 4294967295 bytes at once, but gets 1048576 at most"),
    ("huge-read", "asked for 4294967295 bytes at once, but gets 67108864 at most"),
    ("describe-flood", "asked for the schema more than 1000 times"),
    ("short-part", "a short part"),
    ("wrong-number", "part 7 of 4096 bytes was written where part 1"),
    ("part-too-large", "part 1 of 4097 bytes"),
    ("enormous-part", "part 1 of 31457280 bytes"),
    ("empty-part", "part 1 of 0 bytes"),
    ("part-after-the-last", "part 2 of 100 bytes"),
    ("too-many-parts", "wrote more parts than the 2 of its budget"),
    ("false-done", "reported 100000 bytes in 25 parts but wrote 100 in 1"),
    ("nothing", "without writing a part"),
    ("no-progress", "without writing a part"),
    ("huge-checkpoint", "its checkpoint has 20971520 bytes, but may have 16777216"),
    ("many-warnings", "bytes of warnings and names, but may return 1048576"),
    ("huge-warning", "bytes of warnings and names, but may return 1048576"),
    ("many-damaged", "bytes of warnings and names, but may return 1048576"),
    ("escapes-in-error", r"\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}2J\u{202e}\r\nforged line"),
    ("huge-error", "…"),
    ("start-recurse", "call stack exhausted"),
    ("start-grow", "needs more than its 64 MiB of memory"),
    ("start-panic", "the component failed"),
    ("start-describe-flood", "asked for the schema more than 1000 times"),
    ("start-wrong-number", "no parts may be written when an export starts"),
    ("start-huge-error", "…"),
];

/// Those that would not end for long by the default limits: what they may do without writing a part, and what is said
/// of each.
const ENDLESS: &[(&str, u64, &str)] = &[
    ("spin", u64::MAX, "did not end the slice: stopped after running for"),
    ("ignore-yield", u64::MAX, "did not end the slice: stopped after running for"),
    ("ignore-yield", 1_000, "called the host 1000 times without writing a part"),
    ("tiny-batches", 1_000, "called the host 1000 times without writing a part"),
    ("too-many-parts", u64::MAX, "wrote more than 67108864 bytes after it had been asked to end"),
    ("refused-flood", 1_000, "called the host 1000 times without writing a part"),
];

/// The one that returns other checkpoints for ever, and no part.
const GETS_NOWHERE: &str = "endless-progress";

/// Those that are odd and no more: they make an object.
const ODD: &[&str] = &["odd-checkpoint", "escapes-in-warning"];

/// What the program may take beside such a component, in MiB: its own memory, that of the component, and what the
/// host holds for it.
const MOST_MEMORY: u64 = 500;

/// What the program may print of it.
const MOST_OUTPUT: usize = 16 << 10;

/// A database, and a folder to export it to.
struct Case {
    folder: TempDir,
    file: PathBuf,
}

impl Case {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("small.db");
        drop(database(
            &file,
            "CREATE TABLE t (a); INSERT INTO t VALUES (1), (2), (3); CREATE TABLE secrets (s);
             CREATE TABLE keyed (k PRIMARY KEY) WITHOUT ROWID; INSERT INTO keyed VALUES ('a');
             CREATE TABLE large (a);
             WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 40)
             INSERT INTO large SELECT hex(zeroblob(90000)) FROM n;",
        ));
        Self { folder, file }
    }

    fn object(&self) -> PathBuf {
        self.folder.path().join("dump.sql")
    }

    /// Exports with the hostile component in one of its ways, in slices of two parts.
    fn export(&self, way: &str) -> Result<(), String> {
        let exporter = Exporter::new(hostile()).unwrap();
        let mut options = job_options(4096);
        options.format = way.into();
        let exported = export_with(&exporter, &self.file, self.folder.path(), options, || 2);
        exported.map(drop).map_err(|error| error.to_string())
    }
}

#[test]
fn what_breaks_the_contract_is_named_and_leaves_no_object() {
    let case = Case::new();
    for (way, expected) in NAMED {
        let printed = case.export(way).expect_err(way);
        assert!(printed.contains(expected), "{way}: {printed}");
        assert!(printed.len() < MOST_OUTPUT, "{way}: {} bytes", printed.len());
        assert!(!case.object().exists(), "{way}: an object has appeared");
    }
}

#[test]
fn a_component_that_does_not_end_is_cut_off() {
    let case = Case::new();
    let exporter = Exporter::new(hostile()).unwrap();
    for &(way, idle_calls, expected) in ENDLESS {
        let overrun = Duration::from_millis(300);
        let limits = Limits { overrun, idle_calls, ..Limits::default() };
        let ctx = PipeCtx::builder().pacing(Now).limits(limits).build(
            Snapshot::hold(&case.file).unwrap(),
            Nowhere(PartSequence::after(0, 4096, u32::MAX)),
        );
        let budget = exporter::Budget { parts: 1_000_000 };
        let error = exporter.resume(ctx, way, budget).unwrap_err().to_string();
        assert!(error.contains(expected), "{way}: {error}");
    }
}

#[test]
fn a_component_that_gets_nowhere_is_given_up() {
    let case = Case::new();
    let exporter = Exporter::new(hostile()).unwrap();
    let store: Arc<dyn Store> = Arc::new(FolderStore::new(case.folder.path()));
    let snapshot = Snapshot::hold(&case.file).unwrap();
    let options = Options::new(GETS_NOWHERE, 4096);
    runtime().block_on(async {
        let mut job = Job::begin(&exporter, &snapshot, &store, "x", options).await.unwrap();
        // As after all slices but the last three that it may have.
        let mut saved = serde_json::to_value(&job).unwrap();
        saved["totals"]["idle_slices"] = (MOST_IDLE_SLICES - 3).into();
        job = serde_json::from_value(saved).unwrap();
        let counters = Arc::new(Counters::default());
        for left in (0..=3).rev() {
            let budget = exporter::Budget { parts: 1 };
            let slice = job.slice(&exporter, &snapshot, &store, Never, budget, &counters).await;
            assert_eq!(slice.is_ok(), left > 0, "{slice:?}");
            if let Err(error) = slice {
                assert!(matches!(error, JobError::TooIdle), "{error}");
            }
        }
    });
}

#[test]
fn odd_answers_do_no_harm() {
    for way in ODD {
        let case = Case::new();
        case.export(way).expect(way);
        assert!(case.object().exists(), "{way}");
    }
}

#[test]
fn every_hostile_way_is_tested() {
    let answer = Case::new().export("ways").unwrap_err();
    let ways: BTreeSet<&str> = answer.split(' ').collect();
    assert!(ways.len() > 30, "{answer}");
    let named = NAMED.iter().map(|(way, _)| *way).chain(ENDLESS.iter().map(|(way, ..)| *way));
    let named = named.chain(ODD.iter().copied()).chain([GETS_NOWHERE]);
    let tested: BTreeSet<&str> = named.filter(|way| !way.starts_with("start-")).collect();
    assert_eq!(ways, tested);
}

#[test]
fn the_program_spends_little_on_a_hostile_component_and_leaves_nothing() {
    let case = Case::new();
    let component = case.folder.path().join("hostile.wasm");
    fs::write(&component, hostile()).unwrap();
    let component = component.to_str().unwrap();
    for way in NAMED.iter().map(|(way, _)| *way).chain(ODD.iter().copied()) {
        let store = case.folder.path().join(way);
        fs::create_dir(&store).unwrap();
        let mut run = Program::export(&case.file, store.to_str().unwrap(), &store).with([
            "--format",
            way,
            "--component",
            component,
            "--part-size",
            "4096",
            "--slice-parts",
            "2",
            "--retries",
            "0",
        ]);
        let printed = case.folder.path().join("printed");
        run.command.env("XDG_CACHE_HOME", case.folder.path());
        run.command.stdout(Stdio::null()).stderr(File::create(&printed).unwrap());
        let (status, peak) = watch(run.command.spawn().unwrap());
        let printed = fs::read_to_string(&printed).unwrap();
        println!("{way}: {peak} MiB, {} bytes", printed.len());
        assert_eq!(status.code(), Some(i32::from(!ODD.contains(&way))), "{way}: {printed}");
        assert!(peak < MOST_MEMORY, "{way}: {peak} MiB");
        assert!(printed.len() < MOST_OUTPUT, "{way}: {} bytes", printed.len());
        assert_sentences(&printed);
        assert!(!printed.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{way}: {printed}");
        let left = stored(&store).iter().filter(|name| *name != "state").count();
        assert_eq!(left, usize::from(ODD.contains(&way)), "{way}: {:?}", stored(&store));
    }
}

/// How a process ends, and the most memory that it used, in MiB.
fn watch(mut child: Child) -> (ExitStatus, u64) {
    let mut peak = 0;
    loop {
        peak = memory(&child, "VmHWM:").map_or(peak, |memory| memory.max(peak));
        if let Some(status) = child.try_wait().unwrap() {
            return (status, peak);
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// Wants every slice to end at once.
struct Now;

impl partway_wasmtime::pacing::Pacing for Now {
    fn should_yield(&self) -> bool {
        true
    }
}

/// Keeps no part, and refuses those out of order.
struct Nowhere(PartSequence);

#[partway_wasmtime::async_trait]
impl parts::Parts for Nowhere {
    async fn write(&mut self, number: u32, bytes: &[u8]) -> Result<(), parts::Error> {
        self.0.accept(number, bytes.len())
    }
}
