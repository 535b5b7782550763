//! Jobs that nobody waits for, gone on with by timers.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use partway_jobs::Clock;
use partway_jobs::{
    Admission, ExportRequest, JobState, JobStore, OnChange, Pace, PrebuiltResources, SnapshotMode,
    SystemClock, Worker,
};
use partway_store::StoreAddress;
use partway_testbed::write_sample;
use tokio_util::sync::CancellationToken;

use crate::support::{export, sha256};

/// An export to a folder, in slices of so many parts.
fn request(
    database: &Path,
    store: &Path,
    name: Option<String>,
    part_size: u64,
    slice_parts: u32,
) -> ExportRequest {
    ExportRequest {
        database: database.canonicalize().unwrap(),
        store: StoreAddress::Folder(store.to_owned()),
        name,
        format: "sql".into(),
        tables: vec![],
        settings: vec![],
        manifest: false,
        each_table: false,
        filters: vec![],
        component: None,
        part_size: Some(part_size),
        snapshot: SnapshotMode::Auto,
        max_loaded_row: None,
        encoding: partway_codec::Encoding::default(),
        on_change: OnChange::Restart,
        pace: Pace { slice_parts: Some(slice_parts), ..Pace::default() },
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_timers_on_one_folder_share_the_jobs_and_do_no_slice_twice() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sample.db");
    write_sample(&file, 2).unwrap();
    let database = file.clone();
    let reference = {
        let folder = folder.path().to_owned();
        tokio::task::spawn_blocking(move || export(&file, &folder, 1 << 20, || u32::MAX))
    };
    let reference = reference.await.unwrap().finished;
    let store = folder.path().join("store");
    std::fs::create_dir(&store).unwrap();
    let state = folder.path().join("state");

    let stop = CancellationToken::new();
    let timers: Vec<_> = (0..2)
        .map(|_| {
            let jobs = JobStore::open(&state).unwrap();
            let worker = Worker::new(jobs, Arc::new(PrebuiltResources::default()), ()).unwrap();
            let stop = stop.clone();
            tokio::spawn(async move { worker.run_due(2, &stop).await })
        })
        .collect();
    let jobs = JobStore::open(&state).unwrap();
    let mut ids = Vec::new();
    for number in 0..8 {
        let name = Some(format!("{number}.sql"));
        let request = request(&database, &store, name, 32 * 1024, 4);
        match jobs.admit(&request, true, SystemClock.now()).unwrap() {
            Admission::New(id) => ids.push(id),
            other => panic!("{other:?}"),
        }
    }
    let began = Instant::now();
    while jobs.list().unwrap().iter().any(|record| !record.state.is_finished()) {
        assert!(began.elapsed() < Duration::from_secs(60), "{:?}", jobs.list().unwrap());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stop.cancel();
    for timer in timers {
        timer.await.unwrap().unwrap();
    }
    let slices = reference.totals.bytes.div_ceil(32 * 1024).div_ceil(4);
    for (number, id) in ids.iter().enumerate() {
        let record = jobs.get(id).unwrap();
        assert_eq!(record.state, JobState::Done, "{record:?}");
        assert_eq!(u64::from(record.totals.slices), slices);
        assert_eq!(record.sha256.as_deref(), Some(reference.sha256.as_str()));
        assert_eq!(sha256(&store.join(format!("{number}.sql"))), reference.sha256);
    }
    assert_eq!(std::fs::read_dir(&store).unwrap().count(), 8);
    // Their marks went with them.
    assert_eq!(
        std::fs::read_dir(&state)
            .unwrap()
            .filter(|entry| {
                entry.as_ref().unwrap().file_name().to_string_lossy().ends_with(".lock")
            })
            .count(),
        0
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_begun_comes_to_its_end_before_more_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sample.db");
    write_sample(&file, 1).unwrap();
    let store = folder.path().join("store");
    std::fs::create_dir(&store).unwrap();
    let jobs = JobStore::open(&folder.path().join("state")).unwrap();
    for number in 0..5 {
        let request = request(&file, &store, Some(format!("{number}.sql")), 32 * 1024, 1);
        jobs.admit(&request, true, SystemClock.now()).unwrap();
    }
    let worker = Worker::new(jobs.clone(), Arc::new(PrebuiltResources::default()), ()).unwrap();
    let stop = CancellationToken::new();
    let run = tokio::spawn({
        let stop = stop.clone();
        async move { worker.run_due(2, &stop).await }
    });
    let began = Instant::now();
    let mut most = 0;
    loop {
        let states: Vec<JobState> = jobs.list().unwrap().iter().map(|job| job.state).collect();
        let begun = [JobState::Running, JobState::Completing];
        most = most.max(states.iter().filter(|state| begun.contains(state)).count());
        if states.iter().all(|state| *state == JobState::Done) {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(120), "{states:?}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    // Both at a time are not seen where the machine is busy.
    assert!((1..=2).contains(&most), "{most} were begun at a time");
    stop.cancel();
    run.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_timer_that_is_stopped_gives_its_jobs_back() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sample.db");
    write_sample(&file, 8).unwrap();
    let store = folder.path().join("store");
    std::fs::create_dir(&store).unwrap();
    let jobs = JobStore::open(&folder.path().join("state")).unwrap();
    let request = request(&file, &store, None, 16 * 1024, 1);
    let Admission::New(id) = jobs.admit(&request, false, SystemClock.now()).unwrap() else {
        panic!("there is a job already");
    };
    let stop = CancellationToken::new();
    let worker = Worker::new(jobs.clone(), Arc::new(PrebuiltResources::default()), ()).unwrap();
    let timer = {
        let (worker, stop) = (worker.clone(), stop.clone());
        tokio::spawn(async move { worker.run_due(2, &stop).await })
    };
    while jobs.get(&id).unwrap().totals.parts < 3 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert!(jobs.get(&id).unwrap().is_held(SystemClock.now()));
    stop.cancel();
    timer.await.unwrap().unwrap();
    let record = jobs.get(&id).unwrap();
    assert_eq!((record.state, record.holder), (JobState::Running, None));
}
