//! Exports to the store: asked for, waited for, looked for.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use partway_jobs::{
    Callback, Clock, ExportRequest, JobId, JobRecord, JobStore, OnChange, Pace, Queued,
    SnapshotMode, StateError, SystemClock, Worker,
};
use partway_store::{Store, StoreAddress, StoreError};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::Span;

use crate::answer::{Refusal, unknown};
use crate::callbacks::Callbacks;
use crate::databases::Databases;
use crate::live::Live;
use crate::service::Plan;

/// How often it is looked whether an export has grown too large to be waited for.
const LOOK: Duration = Duration::from_millis(250);

/// How often it is looked at all whether an export has finished: another process may have done it.
const LOOK_AT_JOB: Duration = Duration::from_secs(1);

/// The exports to one store.
pub struct Exports {
    pub worker: Worker,
    pub live: Live,
    pub callbacks: Callbacks,
    pub address: StoreAddress,
    /// The store's name, however its address is spelled.
    pub identity: String,
    pub store: Arc<dyn Store>,
    pub snapshot: SnapshotMode,
    pub part_size: Option<u64>,
    pub pace: Pace,
    pub most_unfinished: u64,
    pub inline_within: Duration,
    pub inline_size: u64,
    /// One for each object that is being sent to a client.
    pub downloads: Arc<Semaphore>,
    pub most_downloads: usize,
}

/// What is said in the log from here on about the request is about this export as well.
pub fn about(id: &JobId) {
    Span::current().record("export", id.as_str());
}

impl Exports {
    /// Does something with the jobs, on a thread that may wait for the disk.
    async fn with_jobs<T: Send + 'static>(
        &self,
        work: impl FnOnce(&JobStore) -> Result<T, StateError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let jobs = self.worker.jobs().clone();
        Ok(spawn_blocking(move || work(&jobs)).await??)
    }

    /// Makes a job of a plan, or finds the one that was made under the same key.
    ///
    /// # Errors
    ///
    /// 422 where the key was used for another plan, 429 where too many exports are unfinished.
    pub async fn queue(&self, plan: Plan, key: Option<String>) -> Result<JobId, Refusal> {
        let (request, most) = (self.request_of(&plan), self.most_unfinished);
        let queue = move |jobs: &JobStore| {
            let callback = plan.callback.as_deref();
            jobs.queue(&request, key.as_deref(), callback, most, SystemClock.now())
        };
        let queued = self.with_jobs(queue).await?;
        if let Queued::New(id) | Queued::Known(id) = &queued {
            about(id);
        }
        match queued {
            Queued::New(id) => {
                self.worker.wake_timer();
                Ok(id)
            }
            Queued::Known(id) => Ok(id),
            Queued::KeyTaken(id) => Err(key_taken(&id)),
            Queued::Full(unfinished) => Err(Refusal::new(
                StatusCode::TOO_MANY_REQUESTS,
                format!(
                    "{unfinished} exports are unfinished already: wait for some, or cancel them"
                ),
            )
            .again_in(30)),
        }
    }

    /// The export that was made before under a key, if there is one.
    ///
    /// # Errors
    ///
    /// 422 where it was made of another plan.
    pub async fn asked_before(&self, plan: &Plan, key: &str) -> Result<Option<JobId>, Refusal> {
        let request = self.request_of(plan);
        let (key, callback) = (key.to_owned(), plan.callback.clone());
        let known = move |jobs: &JobStore| jobs.asked_before(&request, &key, callback.as_deref());
        match self.with_jobs(known).await? {
            Some(Queued::Known(id)) => {
                about(&id);
                Ok(Some(id))
            }
            Some(Queued::KeyTaken(id)) => Err(key_taken(&id)),
            _ => Ok(None),
        }
    }

    fn request_of(&self, plan: &Plan) -> ExportRequest {
        ExportRequest {
            name: plan.name.clone(),
            format: plan.format.clone(),
            tables: plan.tables.clone(),
            settings: plan.settings.clone(),
            ..self.request(plan.database.clone())
        }
    }

    /// All of a database, as SQL, under a name of the time.
    pub fn request(&self, database: PathBuf) -> ExportRequest {
        ExportRequest {
            database,
            store: self.address.clone(),
            name: None,
            format: "sql".to_owned(),
            tables: Vec::new(),
            settings: Vec::new(),
            component: None,
            part_size: self.part_size,
            snapshot: self.snapshot,
            on_change: OnChange::Restart,
            pace: self.pace.clone(),
        }
    }

    /// Waits for an export as long as it may still be answered with inline, and gives it as it is then.
    ///
    /// # Errors
    ///
    /// Those of the job store.
    pub async fn wait(&self, id: &JobId, stop: &CancellationToken) -> Result<JobRecord, Refusal> {
        let until = Instant::now() + self.inline_within;
        let mut finished = self.live.finished();
        loop {
            let record = self.get(id).await?;
            if record.state.is_finished() || record.totals.bytes > self.inline_size {
                return Ok(record);
            }
            let look_again = async {
                let look_at_job = Instant::now() + LOOK_AT_JOB;
                while Instant::now() < look_at_job {
                    if self.live.pulse(id).is_some_and(|pulse| pulse.bytes > self.inline_size) {
                        return true;
                    }
                    tokio::select! {
                        _ = finished.changed() => return false,
                        () = sleep(LOOK) => {}
                    }
                }
                false
            };
            tokio::select! {
                is_too_large = timeout_at(until, look_again) => match is_too_large {
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
    /// 404 where there is no such.
    pub async fn find(&self, id: &str) -> Result<JobRecord, Refusal> {
        let Some(wanted) = JobId::from_digits(id) else { return Err(unknown(id)) };
        let record = self.get(&wanted).await?;
        if record.store == self.identity { Ok(record) } else { Err(unknown(record.id.as_str())) }
    }

    /// The exports of these databases to this store, the newest first, so many at most.
    ///
    /// # Errors
    ///
    /// Those of the job store.
    pub async fn list(
        &self,
        databases: &Databases,
        most: usize,
    ) -> Result<Vec<JobRecord>, Refusal> {
        let store = self.identity.clone();
        let paths: Vec<PathBuf> = databases.iter().map(|(_, path)| path.to_owned()).collect();
        let newest = move |jobs: &JobStore| {
            let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
            jobs.newest(&store, &paths, most)
        };
        self.with_jobs(newest).await
    }

    /// The exports that a schedule has made and whose objects are kept, the newest first.
    ///
    /// # Errors
    ///
    /// Those of the job store.
    pub async fn made_by_schedule(&self) -> Result<Vec<JobRecord>, Refusal> {
        let store = self.identity.clone();
        self.with_jobs(move |jobs| jobs.made_by_schedule(&store)).await
    }

    /// Wishes an unfinished export to be cancelled.
    ///
    /// # Errors
    ///
    /// Those of the job store.
    pub async fn cancel(&self, id: &JobId) -> Result<(), Refusal> {
        let id = id.clone();
        self.with_jobs(move |jobs| jobs.request_cancel(&id, SystemClock.now())).await?;
        self.worker.wake_timer();
        Ok(())
    }

    /// Deletes the object of an export that is done, if it is there and still its own, and remembers that. Whether it was
    /// deleted now.
    ///
    /// # Errors
    ///
    /// The store's, and those of the job store.
    pub async fn prune(&self, record: &JobRecord) -> Result<bool, Refusal> {
        let name = record.object.as_deref().unwrap_or_default();
        let is_own = match self.store.length(name).await {
            Ok(length) => length == record.totals.bytes && !self.is_superseded(record).await?,
            // Which tells whether the store is there at all.
            Err(StoreError::NoObject { .. }) => true,
            Err(error) => return Err(error.into()),
        };
        if is_own {
            self.store.delete(name).await?;
        }
        let id = record.id.clone();
        self.with_jobs(move |jobs| jobs.save_pruned(&id, SystemClock.now())).await?;
        Ok(is_own)
    }

    /// Whether a later export has taken the name of this one's object.
    ///
    /// # Errors
    ///
    /// Those of the job store.
    pub async fn is_superseded(&self, record: &JobRecord) -> Result<bool, Refusal> {
        let record = record.clone();
        self.with_jobs(move |jobs| jobs.is_superseded(&record)).await
    }

    /// The callback of an export, if somebody wants one.
    ///
    /// # Errors
    ///
    /// Those of the job store.
    pub async fn callback(&self, id: &JobId) -> Result<Option<Callback>, Refusal> {
        let id = id.clone();
        self.with_jobs(move |jobs| jobs.callback(&id)).await
    }

    /// The callbacks of these exports, as far as somebody wants them.
    ///
    /// # Errors
    ///
    /// Those of the job store.
    pub async fn callbacks_of(
        &self,
        records: &[JobRecord],
    ) -> Result<HashMap<JobId, Callback>, Refusal> {
        let ids: Vec<JobId> = records.iter().map(|record| record.id.clone()).collect();
        let found = move |jobs: &JobStore| {
            let found = ids.into_iter().map(|id| Ok(jobs.callback(&id)?.map(|it| (id, it))));
            found.filter_map(Result::transpose).collect::<Result<_, StateError>>()
        };
        self.with_jobs(found).await
    }

    /// Forgets a finished export; its object stays. False where it is not finished after all.
    ///
    /// # Errors
    ///
    /// Those of the job store.
    pub async fn forget(&self, id: &JobId) -> Result<bool, Refusal> {
        let id = id.clone();
        self.with_jobs(move |jobs| jobs.remove(&id)).await
    }

    async fn get(&self, id: &JobId) -> Result<JobRecord, Refusal> {
        let id = id.clone();
        self.with_jobs(move |jobs| jobs.get(&id)).await
    }
}

fn key_taken(id: &JobId) -> Refusal {
    Refusal::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        format!("the Idempotency-Key was used for another request, export {id}: take a new one"),
    )
}
