//! Hosts that run components asynchronously, in an engine of their own.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use partway_sqlite::Snapshot;
use partway_store::{FolderStore, HashState, Store, Upload};
use partway_testbed::write_sample;
use partway_wasmtime::exporter::{Budget, Exporter, Options, Outcome};
use partway_wasmtime::parts::{self, Parts};
use partway_wasmtime::{CallError, Limits, PipeCtx, Ticker, async_trait, config};
use tokio::runtime::Builder;
use wasmtime::Engine;

use crate::support::{built, database, export, hostile, sha256};

const PART_SIZE: u32 = 64 * 1024;

/// One thread: whatever blocks it blocks everything.
fn one_thread() -> tokio::runtime::Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn an_asynchronous_host_writes_the_same_object_to_a_store() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sample.db");
    write_sample(&file, 4).unwrap();
    let expected = export(&file, folder.path(), PART_SIZE, || 5);

    let engine = Engine::new(&config()).unwrap();
    let _ticker = Ticker::start(&engine).unwrap();
    let exporter = Exporter::prebuilt_with_engine(&engine).unwrap();
    let store: Arc<dyn Store> = Arc::new(FolderStore::new(folder.path()));
    let snapshot = Snapshot::hold(&file).unwrap();
    one_thread().block_on(async {
        let options = Options::new("sql", PART_SIZE);
        let upload = store.begin("async.sql").await.unwrap();
        let mut checkpoint = exporter.start_async(snapshot.clone(), &options).await.unwrap();
        let (mut part_ids, mut bytes, mut hash) = (Vec::new(), 0, HashState::default());
        loop {
            let written = part_ids.len() as u32;
            let (parts, pending) =
                Upload::new(store.clone(), upload.clone(), PART_SIZE, written, &hash).unwrap();
            let ctx = PipeCtx::builder().build(snapshot.clone(), parts);
            let outcome = exporter.resume_async(ctx, &checkpoint, Budget { parts: 3 }).await;
            let uploaded = pending.finish().await.unwrap();
            part_ids.extend(uploaded.part_ids);
            bytes += uploaded.bytes;
            hash = uploaded.hash;
            match outcome.unwrap() {
                Outcome::More(more) => checkpoint = more.checkpoint,
                Outcome::Done(_) => break,
            }
        }
        store.complete(&upload, &part_ids, bytes).await.unwrap();
    });
    assert_eq!(sha256(&folder.path().join("async.sql")), sha256(&expected.file));
}

/// The synchronous form blocks, and so wants a thread of its own; where it blocks a task all the same, it must not hang.
#[test]
fn a_slice_that_blocks_inside_a_task_writes_more_parts_than_a_task_may_await_at_a_stretch() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sample.db");
    write_sample(&file, 2).unwrap();
    let exporter = Exporter::prebuilt().unwrap();
    let store: Arc<dyn Store> = Arc::new(FolderStore::new(folder.path()));
    let snapshot = Snapshot::hold(&file).unwrap();
    let options = Options::new("sql", 4096);
    let checkpoint = exporter.start(snapshot.clone(), &options).unwrap();
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let parts = runtime.block_on(async {
        let upload = store.begin("blocking.sql").await.unwrap();
        let hash = HashState::default();
        let (parts, pending) = Upload::new(store, upload, 4096, 0, &hash).unwrap();
        let ctx = PipeCtx::builder().build(snapshot, parts);
        let outcome = exporter.resume(ctx, &checkpoint, Budget { parts: u32::MAX }).unwrap();
        assert!(matches!(outcome, Outcome::Done(_)));
        pending.finish().await.unwrap().part_ids.len()
    });
    // Tokio allows 128.
    assert!(parts > 300, "{parts} parts");
}

struct Nowhere;

#[async_trait]
impl Parts for Nowhere {
    async fn write(&mut self, _: u32, _: &[u8]) -> Result<(), parts::Error> {
        Ok(())
    }
}

/// How long a component may run by itself here.
const OVERRUN: Duration = Duration::from_millis(500);

/// A component that does not end, in an engine whose epochs pass.
struct Spinning {
    exporter: Exporter,
    ctx: PipeCtx,
    _ticker: Ticker,
    _folder: tempfile::TempDir,
}

impl Spinning {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("small.db");
        drop(database(&file, "CREATE TABLE t (a);"));
        let engine = Engine::new(&config()).unwrap();
        let ticker = Ticker::start(&engine).unwrap();
        let exporter = Exporter::with_engine(&engine, hostile()).unwrap();
        let limits = Limits { overrun: OVERRUN, ..Limits::default() };
        let ctx = PipeCtx::builder().limits(limits).build(Snapshot::hold(&file).unwrap(), Nowhere);
        Self { exporter, ctx, _ticker: ticker, _folder: folder }
    }
}

#[test]
fn a_component_that_does_not_end_holds_up_no_other_task_and_is_cut_off() {
    let spinning = Spinning::new();
    let turns = Arc::new(AtomicU32::new(0));
    let error = one_thread().block_on(async {
        let counted = turns.clone();
        tokio::spawn(async move {
            loop {
                counted.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
        });
        spinning.exporter.resume_async(spinning.ctx, "spin", Budget { parts: 1 }).await.unwrap_err()
    });
    assert!(matches!(error, CallError::Overrun(_)), "{error}");
    assert!(turns.load(Ordering::Relaxed) > 2, "the other task ran {turns:?} times");
}

#[test]
fn time_in_which_nobody_polls_a_slice_is_not_the_components() {
    let spinning = Spinning::new();
    let (mut polled, mut has_waited) = (Duration::ZERO, false);
    let error = one_thread().block_on(async {
        let mut slice =
            pin!(spinning.exporter.resume_async(spinning.ctx, "spin", Budget { parts: 1 }));
        poll_fn(|context| {
            let since = Instant::now();
            let poll = slice.as_mut().poll(context);
            polled += since.elapsed();
            if !std::mem::replace(&mut has_waited, true) {
                std::thread::sleep(OVERRUN * 2);
            }
            poll
        })
        .await
    });
    assert!(matches!(error, Err(CallError::Overrun(_))), "{error:?}");
    assert!(polled > OVERRUN - Duration::from_millis(50), "cut off after {polled:?}");
}

/// The program of `tests/embedder`, which is a whole host in less than 60 lines.
#[test]
fn a_host_with_rows_of_its_own_exports_them() {
    let lines = include_str!("../../embedder/src/main.rs").lines().count();
    assert!(lines < 60, "{lines} lines");
    let folder = tempfile::tempdir().unwrap();
    let mut embedder =
        Command::new(built("partway-embedder")).stdout(Stdio::piped()).spawn().unwrap();
    let restored = Command::new("sqlite3")
        .arg(folder.path().join("restored.db"))
        .stdin(embedder.stdout.take().unwrap())
        .status();
    assert!(restored.unwrap().success() && embedder.wait().unwrap().success());
    let restored = rusqlite::Connection::open(folder.path().join("restored.db")).unwrap();
    let squares = "SELECT count(*), sum(a) FROM squares";
    let (rows, sum): (i64, i64) =
        restored.query_row(squares, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!((rows, sum), (100, 338_350));
}
