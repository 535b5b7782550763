//! Stores over a network that fails: whatever happens to a request, an object is whole or is not there.

use std::sync::Arc;
use std::time::Duration;

use partway_jobs::Job;
use partway_sqlite::Snapshot;
use partway_store::{PartId, Store, StoreError, UploadId, part_size};
use partway_testbed::write_sample;
use partway_wasmtime::Counters;
use partway_wasmtime::exporter::Budget;
use partway_wasmtime::exporter::Exporter;

use crate::support::{
    Fault, Never, Request, S3Server, contents, database, export, job_options, runtime, sha256,
    summary,
};

const MIB: usize = 1024 * 1024;

/// The object: a part, and a shorter one.
fn parts() -> [Vec<u8>; 2] {
    let bytes = |length: usize| (0..length).map(|index| (index % 251) as u8).collect();
    [bytes(5 * MIB), bytes(1000)]
}

/// Does it as somebody who tries again as long as that may help, and gives how often that was.
async fn persist<T>(
    mut work: impl AsyncFnMut() -> Result<T, StoreError>,
) -> (u32, Result<T, StoreError>) {
    for failed in 0..3 {
        match work().await {
            Err(error) if error.is_transient() => eprintln!("again: {error}"),
            outcome => return (failed, outcome),
        }
    }
    panic!("failed three times with one fault");
}

/// What is done with an upload from its beginning to reading the object, with one fault among it.
async fn scenario(store: &Arc<dyn Store>) -> Result<Vec<u8>, StoreError> {
    let [first, second] = parts();
    let length = (first.len() + second.len()) as u64;
    let name = persist(async || store.free_name("a.sql").await).await.1?;
    let upload = persist(async || store.begin(&name).await).await.1?;
    let mut part_ids: Vec<PartId> = Vec::new();
    for (number, offset, bytes) in [(1, 0, first), (2, 5 * MIB as u64, second)] {
        let write = async || store.write(&upload, number, offset, bytes.clone().into()).await;
        part_ids.push(persist(write).await.1?);
    }
    let completed = persist(async || store.complete(&upload, &part_ids, length).await).await.1?;
    assert_eq!(completed.name, name);
    let completed = persist(async || store.complete(&upload, &part_ids, length).await).await.1?;
    assert_eq!(completed.name, name);
    persist(async || contents(store, &name).await).await.1
}

/// Throws away what is left, as whoever looks after a store.
async fn clean(store: &Arc<dyn Store>) {
    let left = persist(async || store.incomplete_uploads().await).await.1.unwrap();
    for unfinished in left {
        persist(async || store.abort(&unfinished.upload).await).await.1.unwrap();
    }
    assert_eq!(store.incomplete_uploads().await.unwrap(), []);
}

/// Whether a fault is the end: what is said to be gone or missing does not come back.
fn is_final(request: Request, fault: Fault) -> bool {
    // That an object is not there is an answer, and so is that an upload to be aborted is not.
    fault == Fault::NoSuchUpload && !matches!(request, Request::Look | Request::Abort)
}

#[test]
fn one_fault_at_any_request_leaves_a_whole_object_or_a_clear_error() {
    let whole = parts().concat();
    for request in [Request::Begin, Request::Part, Request::Complete, Request::Look, Request::Read]
    {
        for fault in Fault::ALL {
            // Of two parts the second is the smaller: only that is waited for as short as a question.
            let nth = if request == Request::Part { 2 } else { 1 };
            let server = S3Server::start();
            let store: Arc<dyn Store> = Arc::new(server.store("nightly"));
            server.fail(request, nth, fault);
            let outcome = runtime().block_on(scenario(&store));
            assert_eq!(server.hit(request, fault), 1, "{request:?} {fault:?}");
            match outcome {
                Ok(bytes) => {
                    assert!(bytes == whole, "{request:?} {fault:?}");
                    assert!(std::fs::read(server.object("a.sql")).unwrap() == whole);
                    assert!(!is_final(request, fault), "{request:?} {fault:?}");
                    // A part is sent again where it was the one that failed, and never else.
                    let again = u32::from(request == Request::Part);
                    assert_eq!(server.came(Request::Part), 2 + again, "{request:?} {fault:?}");
                    assert!(!server.object("a-2.sql").exists());
                }
                Err(error) => {
                    assert!(is_final(request, fault), "{request:?} {fault:?}: {error}");
                    let is_clear = match request {
                        Request::Begin => matches!(error, StoreError::NotFound { .. }),
                        Request::Read => matches!(error, StoreError::NoObject { .. }),
                        _ => matches!(error, StoreError::UploadGone { .. }),
                    };
                    assert!(is_clear, "{request:?} {fault:?}: {error}");
                }
            }
            runtime().block_on(clean(&store));
            assert_eq!(server.parts().len(), 0, "{request:?} {fault:?}");
        }
    }
}

#[test]
fn what_is_left_is_found_and_thrown_away_through_faults() {
    for request in [Request::List, Request::Abort] {
        for fault in Fault::ALL.into_iter().filter(|fault| !is_final(request, *fault)) {
            let server = S3Server::start();
            let store: Arc<dyn Store> = Arc::new(server.store("nightly"));
            runtime().block_on(async {
                for name in ["a.sql", "b.sql", "c.sql"] {
                    let upload = store.begin(name).await.unwrap();
                    store.write(&upload, 1, 0, vec![1; 1000].into()).await.unwrap();
                }
                // The list has two pages.
                server.fail(request, 2, fault);
                let (_, left) = persist(async || store.incomplete_uploads().await).await;
                let left = left.unwrap();
                assert_eq!(left.len(), 3, "{request:?} {fault:?}");
                for unfinished in &left {
                    let aborted = persist(async || store.abort(&unfinished.upload).await).await;
                    aborted.1.unwrap();
                }
                assert_eq!(server.hit(request, fault), 1, "{request:?} {fault:?}");
                // One that is said to be gone stays where it is not.
                clean(&store).await;
            });
            assert_eq!(server.parts().len(), 0, "{request:?} {fault:?}");
        }
    }
}

/// The answer is lost, and so is the upload's name: what completed it finds the object.
#[test]
fn a_lost_answer_to_completing_uploads_nothing_twice() {
    let [first, second] = parts();
    let length = (first.len() + second.len()) as u64;
    for fault in [Fault::ResetAfter, Fault::HalfAnswer] {
        let server = S3Server::start();
        let store: Arc<dyn Store> = Arc::new(server.store("nightly"));
        runtime().block_on(async {
            let upload = store.begin("a.sql").await.unwrap();
            let part_ids = [
                store.write(&upload, 1, 0, first.clone().into()).await.unwrap(),
                store.write(&upload, 2, first.len() as u64, second.clone().into()).await.unwrap(),
            ];
            server.fail(Request::Complete, 1, fault);
            let (failed, completed) =
                persist(async || store.complete(&upload, &part_ids, length).await).await;
            assert_eq!((failed, completed.unwrap().name), (0, "a.sql".to_owned()), "{fault:?}");
            // Another process, which knows only what was saved before.
            let other: Arc<dyn Store> = Arc::new(server.store("nightly"));
            let completes = server.came(Request::Complete);
            assert_eq!(other.complete(&upload, &part_ids, length).await.unwrap().name, "a.sql");
            assert_eq!(server.came(Request::Complete), completes);
            assert_eq!(server.came(Request::Part), 2);
            // Not ours by its length, or by the number of its parts.
            for (part_ids, length) in [(&part_ids[..], length - 1), (&part_ids[..1], length)] {
                let error = other.complete(&upload, part_ids, length).await.unwrap_err();
                assert!(matches!(error, StoreError::Taken { .. }), "{error}");
            }
        });
    }
}

#[test]
fn an_upload_that_expired_is_named_and_its_parts_are_not_believed() {
    let server = S3Server::start();
    let store: Arc<dyn Store> = Arc::new(server.store("nightly"));
    runtime().block_on(async {
        let upload = store.begin("a.sql").await.unwrap();
        let part_id = store.write(&upload, 1, 0, vec![1; 1000].into()).await.unwrap();
        server.forget_uploads();
        let completed = store.complete(&upload, &[part_id], 1000).await.map(drop);
        let written = store.write(&upload, 2, 1000, vec![1; 1000].into()).await.map(drop);
        for outcome in [completed, written] {
            let error = outcome.unwrap_err();
            assert!(matches!(error, StoreError::UploadGone { .. }), "{error}");
        }
        store.abort(&upload).await.unwrap();
        let unknown = UploadId { name: "b.sql".into(), id: upload.id };
        store.abort(&unknown).await.unwrap();
    });
    assert!(!server.object("a.sql").exists());
}

/// A whole export, where every kind of request fails in the same way at some time.
#[test]
fn an_export_through_faults_is_the_same_object() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sample.db");
    write_sample(&file, 14).unwrap();
    let reference = export(&file, folder.path(), MIB as u32, || u32::MAX).finished.sha256;
    let exporter = Exporter::prebuilt().unwrap();
    for fault in [
        Fault::InternalError,
        Fault::SlowDown,
        Fault::ResetBefore,
        Fault::ResetAfter,
        Fault::HalfAnswer,
    ] {
        let server = S3Server::start();
        let store: Arc<dyn Store> = Arc::new(server.store("nightly"));
        for (request, nth) in [
            (Request::Look, 1),
            (Request::Begin, 1),
            (Request::Part, 1),
            (Request::Part, 3),
            (Request::Complete, 1),
        ] {
            server.fail(request, nth, fault);
        }
        let finished = runtime().block_on(async {
            let snapshot = Snapshot::hold(&file).unwrap();
            let size = part_size(None, snapshot.bytes(), store.limits()).unwrap();
            let mut job = loop {
                let options = job_options(size);
                match Job::begin(&exporter, &snapshot, &store, "a.sql", options).await {
                    Ok(job) => break job,
                    Err(error) => assert!(error.is_transient(), "{fault:?}: {error}"),
                }
            };
            let counters = Arc::new(Counters::default());
            for _ in 0..20 {
                if job.is_ended() {
                    break;
                }
                let budget = Budget { parts: 2 };
                let slice = job.slice(&exporter, &snapshot, &store, Never, budget, &counters);
                if let Err(error) = slice.await {
                    assert!(error.is_transient(), "{fault:?}: {error}");
                }
            }
            loop {
                match job.complete(&store).await {
                    Ok(finished) => break finished,
                    Err(error) => assert!(error.is_transient(), "{fault:?}: {error}"),
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        assert_eq!(finished.sha256, reference, "{fault:?}");
        assert_eq!(sha256(&server.object("a.sql")), reference, "{fault:?}");
        assert!(finished.totals.parts >= 3);
        // No slice was done again: what was asked again are the two requests that failed.
        assert_eq!(server.came(Request::Part), finished.totals.parts + 2, "{fault:?}");
        for (request, times) in
            [(Request::Look, 1), (Request::Begin, 1), (Request::Part, 2), (Request::Complete, 1)]
        {
            assert_eq!(server.hit(request, fault), times, "{request:?} {fault:?}");
        }
        runtime().block_on(clean(&store));
        assert_eq!(server.parts().len(), 0, "{fault:?}");
    }
}

#[test]
fn the_program_goes_through_faults_and_tells_them_to_who_asks() {
    let server = S3Server::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("small.db");
    drop(database(&file, "CREATE TABLE t (a); INSERT INTO t VALUES (1);"));
    server.fail(Request::Part, 1, Fault::SlowDown);
    server.fail(Request::Part, 2, Fault::ResetAfter);
    server.fail(Request::Complete, 1, Fault::HalfAnswer);
    let mut run = server.export(&file, "exports", folder.path()).with(["--name", "a.sql"]);
    run.command.env("PARTWAY_LOG", "object_store=info,partway=info");
    let output = run.run();
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(summary(&output)["sha256"], sha256(&server.object("a.sql")).as_str());
    assert!(printed.contains("503"), "{printed}");
    assert!(printed.contains("retry 2 of 8"), "{printed}");
    assert!(printed.contains("completing failed, but the object exists"), "{printed}");
}
