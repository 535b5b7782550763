//! An export to a store.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use partway_jobs::{Finished, Job, JobError, ManifestDetails, default_name};
use partway_sqlite::Snapshot;
use partway_store::{Store, StoreAddress, part_size};
use partway_wasmtime::exporter::{Budget, Exporter};
use partway_wasmtime::pacing::Pacing;
use serde::Serialize;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::lease::Lease;
use crate::options::Options;

/// How many threads upload and hash, beside the one that runs the component.
const UPLOAD_THREADS: usize = 2;

/// How long an interrupted export waits for a store's answer, and then for it to delete what was uploaded.
const GRACE: Duration = Duration::from_secs(5);

/// Exports to the store at an address, and returns a summary, JSON.
pub(crate) fn export(lease: &Lease, address: &str, options: &Options) -> Result<String, Error> {
    let address: StoreAddress = address.parse()?;
    let finished = lease.read(|snapshot, stop| {
        // A runtime for each export: none of its threads is left when it ends, and a process may fork between two.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(UPLOAD_THREADS)
            .thread_name("partway-upload")
            .enable_all()
            .build()?;
        runtime.block_on(run(snapshot, &address, options, &stop))
    })?;
    serde_json::to_string(&Summary::of(&finished))
        .map_err(|error| Error::Options(error.to_string()))
}

async fn run(
    snapshot: Snapshot,
    address: &StoreAddress,
    options: &Options,
    stop: &CancellationToken,
) -> Result<Finished, Error> {
    let began = Timestamp::now();
    let store = address.open()?;
    let part_size = part_size(options.part_size, snapshot.bytes(), store.limits())?;
    let exporter = Exporter::prebuilt_for(&options.format)?;
    let encoding = &options.encoding;
    let unnamed = || default_name(Timestamp::now(), &options.format, encoding);
    let name = options.name.clone().unwrap_or_else(unnamed);
    let for_component = options.for_component(part_size);
    let begin = Job::begin_encoded(&exporter, &snapshot, &store, &name, for_component, encoding);
    let mut job = awaited(begin, stop).await?;
    let written = write(&mut job, &exporter, snapshot, &store, options, stop).await;
    match written {
        Ok(()) => complete(&job, &store, began, options, stop).await,
        Err(error) => Err(abort(&job, &store, error).await),
    }
}

/// Runs the slices.
async fn write(
    job: &mut Job,
    exporter: &Exporter,
    snapshot: Snapshot,
    store: &Arc<dyn Store>,
    options: &Options,
    stop: &CancellationToken,
) -> Result<(), Error> {
    let counters = Arc::default();
    let budget = Budget { parts: options.slice_parts.unwrap_or(u32::MAX) };
    while !job.is_ended() {
        let slice = job.slice(exporter, &snapshot, store, NoPause, budget, &counters);
        tokio::select! {
            biased;
            // The slice is cut off when it is dropped.
            () = stop.cancelled() => return Err(Error::Interrupted),
            result = slice => result?,
        }
    }
    if stop.is_cancelled() { Err(Error::Interrupted) } else { Ok(()) }
}

/// Makes the object appear, and then its manifest; not, if the caller does not want it any more.
async fn complete(
    job: &Job,
    store: &Arc<dyn Store>,
    began: Timestamp,
    options: &Options,
    stop: &CancellationToken,
) -> Result<Finished, Error> {
    let ended = Timestamp::now();
    let mut finished = match awaited(job.complete(store), stop).await {
        Ok(finished) => finished,
        Err(error) => return Err(abort(job, store, error).await),
    };
    let listed = async {
        let details = ManifestDetails { began, ended, filters: Vec::new() };
        Ok::<_, JobError>(match options.manifest {
            true => job.write_manifest(store, &finished, &details).await,
            false => job.delete_manifest(store, &finished).await,
        })
    };
    let listed = awaited(listed, stop).await;
    if stop.is_cancelled() {
        let delete = async {
            job.delete_manifest(store, &finished).await.map_err(|error| error.to_string())?;
            store.delete(&finished.name).await.map_err(|error| error.to_string())
        };
        return Err(cleaned_up(job, store, Error::Interrupted, delete).await);
    }
    if let Err(error) = listed? {
        let warning = format!("there is no manifest beside the object: {error}");
        finished.totals.warnings.push(warning);
    }
    Ok(finished)
}

/// Deletes what was uploaded; what failed, with what that has left.
async fn abort(job: &Job, store: &Arc<dyn Store>, error: Error) -> Error {
    cleaned_up(job, store, error, job.abort(store)).await
}

async fn cleaned_up<T, E: std::fmt::Display>(
    job: &Job,
    store: &Arc<dyn Store>,
    error: Error,
    clean_up: impl Future<Output = Result<T, E>>,
) -> Error {
    let left = match timeout(GRACE, clean_up).await {
        Ok(Ok(_)) => return error,
        Ok(Err(left)) => left.to_string(),
        Err(_) => format!("the store did not answer for {} s", GRACE.as_secs()),
    };
    Error::Left { reason: Box::new(error), location: store.location(job.name()), left }
}

/// What a request to the store results in. It is not dropped at once: the store may do what was asked and nobody know it.
async fn awaited<T>(
    request: impl Future<Output = Result<T, JobError>>,
    stop: &CancellationToken,
) -> Result<T, Error> {
    let mut request = pin!(request);
    tokio::select! {
        biased;
        result = &mut request => Ok(result?),
        () = stop.cancelled() => match timeout(GRACE, request).await {
            Ok(result) => Ok(result?),
            Err(_) => Err(Error::Interrupted),
        },
    }
}

/// The budget alone ends a slice.
struct NoPause;

impl Pacing for NoPause {
    fn should_yield(&self) -> bool {
        false
    }
}

/// What the program's `--json` prints, and the warnings that it prints beside that.
#[derive(Serialize)]
struct Summary<'a> {
    location: &'a str,
    bytes: u64,
    sha256: &'a str,
    parts: u32,
    slices: u32,
    tables: u32,
    rows: u64,
    seconds: f64,
    warnings: &'a [String],
}

impl<'a> Summary<'a> {
    fn of(finished: &'a Finished) -> Self {
        let totals = &finished.totals;
        Self {
            location: &finished.location,
            bytes: totals.bytes,
            sha256: &finished.sha256,
            parts: totals.parts,
            slices: totals.slices,
            tables: totals.tables,
            rows: totals.rows,
            seconds: (totals.seconds * 1000.0).round() / 1000.0,
            warnings: &totals.warnings,
        }
    }
}
