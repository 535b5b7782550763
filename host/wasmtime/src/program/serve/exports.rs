//! Exports to the store: asked for, waited for, looked for.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use partway::{
    Callback, Clock, ExportRequest, JobId, JobRecord, JobState, OnChange, Pace, Queued,
    SnapshotMode, StateError, Store, StoreAddress, StoreError, SystemClock, Worker,
};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::Span;

use super::answer::{Refusal, unknown};
use super::callbacks::Callbacks;
use super::live::Live;
use super::service::Plan;

/// How often it is looked whether an export has grown too large to be waited for.
const LOOK: Duration = Duration::from_millis(250);

/// How often it is looked at all whether an export has finished: another process may have done it.
const LOOK_AT_JOB: Duration = Duration::from_secs(1);

/// The exports to one store.
pub struct Exports {
    pub worker: Worker,
    pub live: Live,
    pub callbacks: Arc<Callbacks>,
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
    /// Makes a job of a plan, or finds the one that was made under the same key.
    ///
    /// # Errors
    ///
    /// 422 where the key was used for another plan, 429 where too many exports are unfinished.
    pub async fn queue(&self, plan: Plan, key: Option<String>) -> Result<JobId, Refusal> {
        let request = ExportRequest {
            name: plan.name,
            format: plan.format,
            tables: plan.tables,
            settings: plan.settings,
            ..self.request(plan.database)
        };
        let (jobs, most) = (self.worker.jobs().clone(), self.most_unfinished);
        let queued = spawn_blocking(move || {
            let callback = plan.callback.as_deref();
            jobs.queue(&request, key.as_deref(), callback, most, SystemClock.now())
        });
        let queued = queued.await??;
        if let Queued::New(id) | Queued::Known(id) = &queued {
            about(id);
        }
        match queued {
            Queued::New(id) => {
                self.worker.look_now();
                Ok(id)
            }
            Queued::Known(id) => Ok(id),
            Queued::KeyTaken(id) => Err(Refusal::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                format!(
                    "the Idempotency-Key was used for another request, export {id}: take a new one"
                ),
            )),
            Queued::Full(unfinished) => Err(Refusal::new(
                StatusCode::TOO_MANY_REQUESTS,
                format!(
                    "{unfinished} exports are unfinished already: wait for some, or cancel them"
                ),
            )
            .again_in(30)),
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
        // The jobs could be found by how their ids begin, which is for people alone.
        if id.len() != 16 || !id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(unknown(id));
        }
        let (jobs, id) = (self.worker.jobs().clone(), id.to_owned());
        let record = spawn_blocking(move || match jobs.find(&id) {
            Ok(record) => Ok(record),
            Err(StateError::UnknownJob(id)) => Err(unknown(&id)),
            Err(error) => Err(error.into()),
        })
        .await??;
        if record.store == self.identity { Ok(record) } else { Err(unknown(record.id.as_str())) }
    }

    /// The exports of these databases to this store, the newest first.
    ///
    /// # Errors
    ///
    /// Those of the job store.
    pub async fn list(&self) -> Result<Vec<JobRecord>, Refusal> {
        let jobs = self.worker.jobs().clone();
        let mut records = spawn_blocking(move || jobs.list()).await??;
        records.retain(|record| record.store == self.identity);
        Ok(records)
    }

    /// Wishes an unfinished export to be cancelled.
    ///
    /// # Errors
    ///
    /// Those of the job store.
    pub async fn cancel(&self, id: &JobId) -> Result<(), Refusal> {
        let (jobs, id) = (self.worker.jobs().clone(), id.clone());
        spawn_blocking(move || jobs.request_cancel(&id, SystemClock.now())).await??;
        self.worker.look_now();
        Ok(())
    }

    /// Deletes the object of an export that is done, if it is there and still its own, and remembers that.
    ///
    /// # Errors
    ///
    /// The store's, and those of the job store.
    pub async fn prune(&self, record: &JobRecord) -> Result<(), Refusal> {
        let name = record.object.as_deref().unwrap_or_default();
        let others = self.list().await?;
        let is_anothers = others.iter().any(|other| {
            other.id != record.id
                && other.object.as_deref() == Some(name)
                && other.pruned_at.is_none()
                && (other.state == JobState::Done || !other.state.is_finished())
        });
        match self.store.length(name).await {
            Ok(length) if length == record.totals.bytes && !is_anothers => {
                self.store.delete(name).await?;
            }
            // Somebody has deleted it, or put another in its place.
            Ok(_) | Err(StoreError::NoObject { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let (jobs, id) = (self.worker.jobs().clone(), record.id.clone());
        Ok(spawn_blocking(move || jobs.save_pruned(&id, SystemClock.now())).await??)
    }

    /// The callback of an export, if somebody wants one.
    ///
    /// # Errors
    ///
    /// Those of the job store.
    pub async fn callback(&self, id: &JobId) -> Result<Option<Callback>, Refusal> {
        let (jobs, id) = (self.worker.jobs().clone(), id.clone());
        Ok(spawn_blocking(move || jobs.callback(&id)).await??)
    }

    /// The callbacks of all exports.
    ///
    /// # Errors
    ///
    /// Those of the job store.
    pub async fn all_callbacks(&self) -> Result<HashMap<JobId, Callback>, Refusal> {
        let jobs = self.worker.jobs().clone();
        Ok(spawn_blocking(move || jobs.callbacks()).await??)
    }

    /// Forgets a finished export; its object stays. False where it is not finished after all.
    ///
    /// # Errors
    ///
    /// Those of the job store.
    pub async fn forget(&self, id: &JobId) -> Result<bool, Refusal> {
        let (jobs, id) = (self.worker.jobs().clone(), id.clone());
        Ok(spawn_blocking(move || jobs.remove(&id)).await??)
    }

    async fn get(&self, id: &JobId) -> Result<JobRecord, Refusal> {
        let (jobs, id) = (self.worker.jobs().clone(), id.clone());
        Ok(spawn_blocking(move || jobs.get(&id)).await??)
    }
}
