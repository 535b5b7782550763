//! Exports to the store, as jobs: queued, waited for, listed, cancelled, pruned.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use partway_codec::Encoding;
use partway_jobs::{
    Callback, Clock, ExportRequest, JobId, JobObject, JobRecord, JobStore, ObjectCheck, OnChange,
    Pace, Queued, ScheduleKey, SnapshotMode, StateError, SystemClock, Worker, manifest_name,
};
use partway_store::{Store, StoreAddress};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::Span;

use super::database_metrics::SavedNumbers;
use super::databases::Databases;
use super::error::ExportError;
use super::running::RunningExports;
use crate::callbacks::client::CallbackClient;
use crate::config::InlineConfig;

/// How often an export that runs in this process is checked for having grown too large to be waited for.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);

/// How often a job that is waited for is read: another process may have finished it.
const JOB_INTERVAL: Duration = Duration::from_secs(1);

/// The exports to one store.
pub struct StoreExports {
    pub worker: Worker,
    pub running: RunningExports,
    pub callbacks: CallbackClient,
    pub address: StoreAddress,
    /// The store's canonical name, however its address is spelled.
    pub identity: String,
    pub store: Arc<dyn Store>,
    pub snapshot: SnapshotMode,
    pub max_loaded_row: Option<u64>,
    pub part_size: Option<u64>,
    pub manifests: bool,
    pub encoding: Encoding,
    pub pace: Pace,
    pub max_unfinished: u64,
    pub inline: InlineConfig,
    /// One permit for each object that is being sent to a client.
    pub downloads: Arc<Semaphore>,
    pub max_downloads: usize,
    /// The databases that are exported by schedule, each with the options of one.
    pub scheduled: Vec<(PathBuf, String)>,
}

/// Gives the log lines of the current request this export's id.
pub fn record_in_span(id: &JobId) {
    Span::current().record("export", id.as_str());
}

impl StoreExports {
    /// Reads or writes jobs, on a thread that may wait for the disk.
    async fn with_jobs<T: Send + 'static>(
        &self,
        work: impl FnOnce(&JobStore) -> Result<T, StateError> + Send + 'static,
    ) -> Result<T, ExportError> {
        let jobs = self.worker.jobs().clone();
        Ok(spawn_blocking(move || work(&jobs)).await??)
    }

    /// Makes a job of a request, or finds the one that was made under the same key.
    ///
    /// # Errors
    ///
    /// [`ExportError::KeyTaken`], [`ExportError::TooManyUnfinished`], and those of the job store.
    pub async fn queue(
        &self,
        request: ExportRequest,
        callback: Option<String>,
        key: Option<String>,
    ) -> Result<JobId, ExportError> {
        let max = self.max_unfinished;
        let queue = move |jobs: &JobStore| {
            jobs.queue(&request, key.as_deref(), callback.as_deref(), max, SystemClock.now())
        };
        let queued = self.with_jobs(queue).await?;
        if let Queued::New(id) | Queued::Known(id) = &queued {
            record_in_span(id);
        }
        match queued {
            Queued::New(id) => {
                self.worker.wake_timer();
                Ok(id)
            }
            Queued::Known(id) => Ok(id),
            Queued::KeyTaken(id) => Err(ExportError::KeyTaken(id)),
            Queued::Full(unfinished) => Err(ExportError::TooManyUnfinished(unfinished)),
        }
    }

    /// The export that was made before under a key, if there is one.
    ///
    /// # Errors
    ///
    /// [`ExportError::KeyTaken`], where it was made of another request, and those of the job store.
    pub async fn queued_before(
        &self,
        request: &ExportRequest,
        callback: Option<String>,
        key: &str,
    ) -> Result<Option<JobId>, ExportError> {
        let (request, key) = (request.clone(), key.to_owned());
        let known = move |jobs: &JobStore| jobs.asked_before(&request, &key, callback.as_deref());
        match self.with_jobs(known).await? {
            Some(Queued::Known(id)) => {
                record_in_span(&id);
                Ok(Some(id))
            }
            Some(Queued::KeyTaken(id)) => Err(ExportError::KeyTaken(id)),
            _ => Ok(None),
        }
    }

    /// A request with all defaults: the whole database as SQL, under a name made of the time.
    pub fn default_request(&self, database: PathBuf) -> ExportRequest {
        ExportRequest {
            database,
            store: self.address.clone(),
            name: None,
            format: "sql".to_owned(),
            tables: Vec::new(),
            settings: Vec::new(),
            encoding: self.encoding.clone(),
            manifest: self.manifests,
            each_table: false,
            filters: vec![],
            component: None,
            part_size: self.part_size,
            snapshot: self.snapshot,
            max_loaded_row: self.max_loaded_row,
            on_change: OnChange::Restart,
            pace: self.pace.clone(),
        }
    }

    /// Waits until an export has finished or can't be sent inline any more, and returns it as it is then.
    ///
    /// # Errors
    ///
    /// Those of the job store.
    pub async fn wait(
        &self,
        id: &JobId,
        stop: &CancellationToken,
    ) -> Result<JobRecord, ExportError> {
        let until = Instant::now() + self.inline.wait;
        let mut finished = self.running.finished();
        loop {
            let record = self.get(id).await?;
            if record.state.is_finished() || record.totals.bytes > self.inline.max_bytes {
                return Ok(record);
            }
            let check_again = async {
                let job_check = Instant::now() + JOB_INTERVAL;
                while Instant::now() < job_check {
                    if self
                        .running
                        .progress(id)
                        .is_some_and(|progress| progress.bytes > self.inline.max_bytes)
                    {
                        return true;
                    }
                    tokio::select! {
                        _ = finished.changed() => return false,
                        () = sleep(PROGRESS_INTERVAL) => {}
                    }
                }
                false
            };
            tokio::select! {
                is_too_large = timeout_at(until, check_again) => match is_too_large {
                    Ok(false) => {}
                    Ok(true) | Err(_) => return self.get(id).await,
                },
                () = stop.cancelled() => return self.get(id).await,
            }
        }
    }

    /// An export of this store.
    ///
    /// # Errors
    ///
    /// [`ExportError::UnknownExport`], and those of the job store.
    pub async fn find(&self, id: &str) -> Result<JobRecord, ExportError> {
        let unknown = || ExportError::UnknownExport(id.to_owned());
        let record = self.get(&JobId::from_digits(id).ok_or_else(unknown)?).await?;
        if record.store == self.identity { Ok(record) } else { Err(unknown()) }
    }

    /// The exports of these databases to this store, the newest first, at most `limit`.
    ///
    /// # Errors
    ///
    /// Those of the job store.
    pub async fn list(
        &self,
        databases: &Databases,
        limit: usize,
    ) -> Result<Vec<JobRecord>, ExportError> {
        let store = self.identity.clone();
        let paths: Vec<PathBuf> = databases.iter().map(|(_, path)| path.to_owned()).collect();
        let newest = move |jobs: &JobStore| {
            let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
            jobs.newest(&store, &paths, limit)
        };
        self.with_jobs(newest).await
    }

    /// The scheduled exports whose objects have not been deleted, the newest first.
    ///
    /// # Errors
    ///
    /// Those of the job store.
    pub async fn made_by_schedule(&self) -> Result<Vec<JobRecord>, ExportError> {
        let store = self.identity.clone();
        self.with_jobs(move |jobs| jobs.made_by_schedule(&store)).await
    }

    /// Requests that an unfinished export is cancelled.
    ///
    /// # Errors
    ///
    /// Those of the job store.
    pub async fn cancel(&self, id: &JobId) -> Result<(), ExportError> {
        let id = id.clone();
        self.with_jobs(move |jobs| jobs.request_cancel(&id, SystemClock.now())).await?;
        self.worker.wake_timer();
        Ok(())
    }

    /// Deletes the object of an export that is done, if it is there and still its own, and saves that. Returns whether it
    /// was deleted now.
    ///
    /// # Errors
    ///
    /// The store's, and those of the job store.
    pub async fn prune(&self, record: &JobRecord) -> Result<bool, ExportError> {
        let mut is_own = true;
        // A manifest before what it is of: what is left of a set, should this be interrupted, is none.
        for object in self.objects(record).await?.iter().rev() {
            // Deleting one that is missing tells whether the store is there at all.
            if self.check_one_object(record, object).await? == ObjectCheck::Replaced {
                is_own = false;
                continue;
            }
            self.store.delete(&object.name).await?;
            if record.request.manifest && !record.request.each_table {
                self.store.delete(&manifest_name(&object.name)).await?;
            }
        }
        let id = record.id.clone();
        self.with_jobs(move |jobs| jobs.save_pruned(&id, SystemClock.now())).await?;
        Ok(is_own)
    }

    /// The objects of an export that is done.
    ///
    /// # Errors
    ///
    /// Those of the job store.
    pub async fn objects(&self, record: &JobRecord) -> Result<Vec<JobObject>, ExportError> {
        let record = record.clone();
        self.with_jobs(move |jobs| jobs.objects(&record)).await
    }

    /// What became of the object of an export that is done.
    ///
    /// # Errors
    ///
    /// The store's, and those of the job store.
    pub async fn check_object(&self, record: &JobRecord) -> Result<ObjectCheck, ExportError> {
        Ok(self.worker.jobs().check_object(&self.store, record).await?)
    }

    /// What became of one of the objects of an export that is done.
    ///
    /// # Errors
    ///
    /// The store's, and those of the job store.
    pub async fn check_one_object(
        &self,
        record: &JobRecord,
        object: &JobObject,
    ) -> Result<ObjectCheck, ExportError> {
        Ok(self.worker.jobs().check_one_object(&self.store, record, object).await?)
    }

    /// The callback of an export, if it has one.
    ///
    /// # Errors
    ///
    /// Those of the job store.
    pub async fn callback(&self, id: &JobId) -> Result<Option<Callback>, ExportError> {
        let id = id.clone();
        self.with_jobs(move |jobs| jobs.callback(&id)).await
    }

    /// The callbacks of those of these exports that have one.
    ///
    /// # Errors
    ///
    /// Those of the job store.
    pub async fn callbacks_of(
        &self,
        records: &[JobRecord],
    ) -> Result<HashMap<JobId, Callback>, ExportError> {
        let ids: Vec<JobId> = records.iter().map(|record| record.id.clone()).collect();
        let found = move |jobs: &JobStore| {
            let found = ids.into_iter().map(|id| Ok(jobs.callback(&id)?.map(|it| (id, it))));
            found.filter_map(Result::transpose).collect::<Result<_, StateError>>()
        };
        self.with_jobs(found).await
    }

    /// What is saved of the exports of each of these databases, by its name.
    ///
    /// # Errors
    ///
    /// Those of the job store.
    pub async fn saved_numbers<'a>(
        &self,
        databases: &'a Databases,
    ) -> Result<Vec<(&'a str, SavedNumbers)>, ExportError> {
        let store = self.identity.clone();
        let read = move |jobs: &JobStore| {
            Ok((
                jobs.results(&store)?,
                jobs.last_good(&store)?,
                jobs.schedule_entries(&store)?,
                jobs.count_waiting_callbacks(&store)?,
            ))
        };
        let (results, last_good, schedules, waiting) = self.with_jobs(read).await?;
        // Entries may be left of schedules that are no more.
        let scheduled_of = |path: &Path| {
            let its = self.scheduled.iter().filter(|(database, _)| database == path);
            let entry = |(database, options): &(PathBuf, String)| {
                let (database, options) = (database.clone(), options.clone());
                let key = ScheduleKey { database, store: self.identity.clone(), options };
                let found = schedules.get(&key).cloned();
                (key.options, found)
            };
            its.map(entry).collect()
        };
        let of_one = |(name, path): (&'a str, &'a Path)| {
            let saved = SavedNumbers {
                results: results.iter().filter(|it| it.database == path).cloned().collect(),
                last_good: last_good.iter().find(|it| it.database == path).cloned(),
                schedules: scheduled_of(path),
                waiting_callbacks: waiting.get(path).copied().unwrap_or_default(),
            };
            (name, saved)
        };
        Ok(databases.iter().map(of_one).collect())
    }

    /// Forgets a finished export; its object stays. False where it is not finished after all, or its callback is still to
    /// be sent.
    ///
    /// # Errors
    ///
    /// Those of the job store.
    pub async fn forget(&self, id: &JobId) -> Result<bool, ExportError> {
        let id = id.clone();
        self.with_jobs(move |jobs| jobs.remove(&id)).await
    }

    /// Forgets some of the exports that ended before a time, and says how many; their objects stay. See
    /// [`JobStore::forget_finished`].
    ///
    /// # Errors
    ///
    /// Those of the job store.
    pub async fn forget_before(
        &self,
        before: Timestamp,
        keeps_scheduled: bool,
    ) -> Result<usize, ExportError> {
        let store = self.identity.clone();
        self.with_jobs(move |jobs| jobs.forget_finished(&store, before, keeps_scheduled)).await
    }

    async fn get(&self, id: &JobId) -> Result<JobRecord, ExportError> {
        let id = id.clone();
        self.with_jobs(move |jobs| jobs.get(&id)).await
    }
}
