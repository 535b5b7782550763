//! Exports through the library, with every part looked at.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::StreamExt;
use partway_jobs::{Finished, Job, JobError, reads_pages};
use partway_sqlite::Snapshot;
use partway_store::{FolderStore, Store, StoreError};
use partway_wasmtime::Counters;
use partway_wasmtime::exporter::{Budget, Exporter, Options};
use partway_wasmtime::pacing::Pacing;
use tokio::runtime::Runtime;

/// A finished export, and the file it made.
#[derive(Debug)]
pub struct Sliced {
    /// What it came to.
    pub finished: Finished,
    /// The object.
    pub file: PathBuf,
}

/// Options of an ordinary SQL dump.
pub fn job_options(part_size: u32) -> Options {
    Options::new("sql", part_size)
}

/// A runtime such as an export needs.
pub fn runtime() -> Runtime {
    Runtime::new().expect("a runtime")
}

/// Exports a database to a folder; `budget` gives the number of parts of each slice.
pub fn export(
    database: &Path,
    folder: &Path,
    part_size: u32,
    budget: impl FnMut() -> u32,
) -> Sliced {
    let exporter = Exporter::prebuilt().expect("the component loads");
    export_with(&exporter, database, folder, job_options(part_size), budget).expect("an export")
}

/// Exports with a component and options of one's own. Between slices the job goes through JSON and a
/// new snapshot, as between processes.
pub fn export_with(
    exporter: &Exporter,
    database: &Path,
    folder: &Path,
    options: Options,
    mut budget: impl FnMut() -> u32,
) -> Result<Sliced, JobError> {
    let store: Arc<dyn Store> = Arc::new(FolderStore::new(folder));
    let pages = reads_pages(&options.format);
    let hold = || Snapshot::hold(database).expect("a snapshot").with_pages(pages);
    runtime().block_on(async {
        let snapshot = hold();
        let mut job = Job::begin(exporter, &snapshot, &store, "dump.sql", options).await?;
        let counters = Arc::new(Counters::default());
        while !job.is_ended() {
            let snapshot = hold();
            let budget = Budget { parts: budget() };
            job.slice(exporter, &snapshot, &store, Never, budget, &counters).await?;
            let saved = serde_json::to_string(&job).expect("a job as JSON");
            job = serde_json::from_str(&saved).expect("the same job again");
        }
        let finished = job.complete(&store).await?;
        let file = folder.join(&finished.name);
        Ok(Sliced { finished, file })
    })
}

/// An object's bytes.
///
/// # Errors
///
/// The store's.
pub async fn contents(store: &Arc<dyn Store>, name: &str) -> Result<Vec<u8>, StoreError> {
    let mut pieces = store.read(name).await?;
    let mut whole = Vec::new();
    while let Some(piece) = pieces.next().await {
        whole.extend_from_slice(&piece?);
    }
    Ok(whole)
}

/// Never ends a slice.
pub struct Never;

impl Pacing for Never {
    fn should_yield(&self) -> bool {
        false
    }
}
