//! Cleaning up: finished jobs, uploads that no job owns, copies that no job reads.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use crate::job_store::JobStore;
use crate::kept_components::is_kept_component;
use crate::owner::is_alive;
use crate::record::{JobId, JobRecord, JobState};
use crate::resources::Resources;
use crate::state_error::StateError;
use partway_store::{AddressError, StoreAddress, StoreError};

/// What to prune.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prune {
    /// Stores to look for uploads in, besides those that jobs have exported to.
    pub stores: Vec<StoreAddress>,
    /// Forget jobs that have been finished for this long.
    pub finished_for: Duration,
    /// Delete uploads that began this long ago or, in a folder, were last written to. They may
    /// belong to another machine: give them time.
    pub uploads_older_than: Duration,
    /// Only find out what would be done.
    pub dry_run: bool,
}

/// What was pruned.
#[derive(Debug, Default)]
pub struct Pruned {
    /// The jobs that were forgotten.
    pub jobs: Vec<JobId>,
    /// The uploads that were deleted, by the locations of their objects.
    pub uploads: Vec<String>,
    /// Failed and cancelled jobs that were kept, although they are finished: their stores may still
    /// contain their data.
    pub kept: Vec<JobId>,
    /// Stores that could not be searched, and uploads that could not be deleted.
    pub failures: Vec<PruneFailure>,
}

/// What could not be pruned.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {source}")]
pub struct PruneFailure {
    /// The store, or the upload's object.
    pub what: String,
    /// Why not.
    pub source: PruneError,
}

/// Why a store, or an upload in it, could not be pruned.
#[derive(Debug, thiserror::Error)]
pub enum PruneError {
    /// The environment points to a store other than the one that jobs have exported to.
    #[error("the environment now points to another server")]
    OtherStore,
    /// The store can't be opened.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The jobs could not be asked whose an upload is.
    #[error(transparent)]
    Jobs(#[from] StateError),
}

/// Forgets finished jobs, deletes uploads that no job owns, and deletes files of jobs and processes
/// that no longer exist.
///
/// # Errors
///
/// Those of the job store. Failures of stores are listed in [`Pruned::failures`], and the rest is
/// done.
pub async fn prune(
    jobs: &JobStore,
    resources: &dyn Resources,
    now: Timestamp,
    what: &Prune,
) -> Result<Pruned, StateError> {
    let mut pruned = Pruned::default();
    let records = jobs.list()?;
    // By its jobs alone a store is known to the next pruning.
    let mut unclean = HashSet::new();
    for (identity, address) in stores(&records, &what.stores) {
        if address.identity() != identity {
            unclean.insert(identity.clone());
            let source = PruneError::OtherStore;
            pruned.failures.push(PruneFailure { what: identity, source });
            continue;
        }
        match uploads(jobs, resources, now, what, &address, &mut pruned).await {
            Ok(true) => {}
            Ok(false) => drop(unclean.insert(identity)),
            Err(source) => {
                let is_settled = holds_nothing(&source, &address, &identity, &records);
                if !is_settled {
                    unclean.insert(identity.clone());
                }
                if !is_settled || what.stores.contains(&address) {
                    pruned.failures.push(PruneFailure { what: identity, source });
                }
            }
        }
    }
    let callbacks = jobs.callbacks()?;
    for record in &records {
        if callbacks.get(&record.id).is_some_and(|callback| callback.next_at.is_some()) {
            // Its callback is still to be sent.
            continue;
        }
        let is_old = record.finished_at.is_some_and(|at| is_past(now, at, what.finished_for));
        let is_settled = record.state == JobState::Done || !unclean.contains(&record.store);
        if is_old && !is_settled {
            pruned.kept.push(record.id.clone());
        } else if is_old && (what.dry_run || jobs.remove(&record.id)?) {
            pruned.jobs.push(record.id.clone());
        }
    }
    if !what.dry_run {
        files(jobs)?;
    }
    Ok(pruned)
}

/// Whether a store that could not be searched holds no upload of these jobs: none was begun in it, as where its address is
/// a typing error, or it was a bucket, which goes with all that was in it. A folder may have been moved, or be on a disk
/// that is not mounted.
fn holds_nothing(
    error: &PruneError,
    address: &StoreAddress,
    identity: &str,
    records: &[JobRecord],
) -> bool {
    let is_unused = || {
        let mut jobs = records.iter().filter(|record| record.store == identity);
        jobs.all(|record| record.starts == 0)
    };
    let is_gone = !matches!(address, StoreAddress::Folder(_));
    match error {
        PruneError::Store(StoreError::NotFound { .. }) => is_gone || is_unused(),
        PruneError::Store(StoreError::Refused { .. }) => is_unused(),
        _ => false,
    }
}

/// Every store once, by its identity.
fn stores(records: &[JobRecord], given: &[StoreAddress]) -> Vec<(String, StoreAddress)> {
    let of_jobs = records.iter().map(|record| (record.store.clone(), record.request.store.clone()));
    let given = given.iter().map(|address| (address.identity(), address.clone()));
    let mut seen = HashSet::new();
    of_jobs.chain(given).filter(|(identity, _)| seen.insert(identity.clone())).collect()
}

/// Deletes the uploads of a store that no job owns; true if none of them is left.
async fn uploads(
    jobs: &JobStore,
    resources: &dyn Resources,
    now: Timestamp,
    what: &Prune,
    address: &StoreAddress,
    pruned: &mut Pruned,
) -> Result<bool, PruneError> {
    let store = resources.store(address)?;
    let unfinished = store.incomplete_uploads().await?;
    let mut is_clean = true;
    for upload in unfinished {
        let changed = Timestamp::try_from(upload.changed).unwrap_or(Timestamp::MAX);
        // Read anew for each: a job may have begun meanwhile.
        let owned = jobs.owned_uploads()?;
        if owned.contains(&upload.upload.id) {
            continue;
        }
        if !is_past(now, changed, what.uploads_older_than) {
            is_clean = false;
            continue;
        }
        let location = store.location(&upload.upload.name);
        if !what.dry_run
            && let Err(error) = store.abort(&upload.upload).await
        {
            is_clean = false;
            pruned.failures.push(PruneFailure { what: location, source: error.into() });
            continue;
        }
        pruned.uploads.push(location);
    }
    Ok(is_clean)
}

/// Whether something was so long ago, and not in the future by a clock that was put back.
fn is_past(now: Timestamp, at: Timestamp, time: Duration) -> bool {
    Duration::try_from(now.duration_since(at)).is_ok_and(|ago| ago >= time)
}

/// Whether a file was written within the last hour: what needs it may not be saved yet.
fn is_recent(path: &Path) -> bool {
    let written = fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    let age = written.and_then(|written| written.elapsed().ok());
    age.is_some_and(|age| age < Duration::from_secs(60 * 60))
}

/// Deletes copies of databases that no unfinished job reads, components that no job needs, and the marks of processes that are dead.
fn files(jobs: &JobStore) -> Result<(), StateError> {
    let folder = |source| StateError::Folder { path: jobs.folder().to_owned(), source };
    let mut found = Vec::new();
    for entry in fs::read_dir(jobs.folder()).map_err(folder)? {
        found.push(entry.map_err(folder)?.path());
    }
    let unfinished: HashSet<JobId> = jobs
        .list()?
        .into_iter()
        .filter(|record| !record.state.is_finished())
        .map(|record| record.id)
        .collect();
    for path in found {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if let Some(id) = name.strip_prefix("process-").and_then(|name| name.strip_suffix(".lock"))
        {
            // This deletes the file of a dead one.
            is_alive(jobs.folder(), id);
        } else if let Some(rest) = name.strip_prefix("copy-") {
            let id = rest.split('.').next().unwrap_or_default();
            if !unfinished.contains(&JobId(id.to_owned())) {
                fs::remove_file(&path).ok();
            }
        } else if is_kept_component(&path) && !is_recent(&path) {
            jobs.forget_component(&path)?;
        }
    }
    Ok(())
}
