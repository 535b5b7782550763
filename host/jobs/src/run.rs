//! A job in the hands of this process: what it works with, and each of its steps.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::blocking::spawn_blocking;
use crate::error::StateError;
use crate::failure::StepError;
use crate::job::{Finished, Job, JobError};
use crate::lease::Lease;
use crate::progress::options;
use crate::record::{JobRecord, JobState};
use crate::resources::Resources;
use crate::store::JobStore;
use partway_sqlite::{Expected, OpenError, Snapshot};
use partway_store::part_size;
use partway_store::{
    SLOWEST_UPLOAD_BYTES_PER_SECOND, Store, StoreAddress, StoreError, numbered_name,
};
use partway_wasmtime::CallError;
use partway_wasmtime::Counters;
use partway_wasmtime::exporter::Exporter;
use partway_wasmtime::exporter::{Budget, ExportError as Error};
use partway_wasmtime::pacing::Pacing;

/// What a slice may take beyond its time, but for its parts.
const GRACE: Duration = Duration::from_secs(60);

/// A job that this process has a lease on.
pub(crate) struct Run {
    pub(crate) lease: Lease,
    pub(crate) record: JobRecord,
    pub(crate) job: Option<Job>,
    pub(crate) counters: Arc<Counters>,
    /// Cancelled with the job.
    pub(crate) unwanted: CancellationToken,
    /// Why it comes to nothing, if it does so in this process.
    pub(crate) failure: Option<StepError>,
    /// Why what an earlier start had in the store could not be thrown away, if it could not.
    pub(crate) left: Option<StoreError>,
    store: Option<Arc<dyn Store>>,
    source: Option<(Exporter, Snapshot)>,
}

/// What a step has come to; it takes effect when it is saved.
pub(crate) enum Step {
    /// The upload has begun.
    Begun(Box<Job>, Expected),
    /// A slice is done, behind so many parts.
    Sliced { parts_before: usize },
    /// The object is there.
    Completed(Finished),
    /// What was in the store is thrown away, or can't be.
    Ended(Result<(), StoreError>),
}

impl Run {
    pub(crate) fn new(lease: Lease, record: JobRecord) -> Self {
        let unwanted = CancellationToken::new();
        if record.cancel_requested {
            unwanted.cancel();
        }
        Self {
            lease,
            record,
            job: None,
            counters: Arc::default(),
            unwanted,
            failure: None,
            left: None,
            store: None,
            source: None,
        }
    }

    /// Forgets what a start that came to nothing has left, but for its upload.
    pub(crate) fn begin_anew(&mut self) {
        self.record.state = JobState::Waiting;
        self.record.object = None;
        if let Some(job) = &mut self.job {
            job.ended = false;
        }
        self.source = None;
        self.counters = Arc::default();
    }

    /// Closes the database: it is opened again for the next step.
    pub(crate) fn close_source(&mut self) {
        self.source = None;
    }

    /// How long the next step may take; none: as long as it takes.
    pub(crate) fn time_limit(&self) -> Option<Duration> {
        let (JobState::Running, Some(job), Some(store)) =
            (self.record.state, &self.job, &self.store)
        else {
            return None;
        };
        let on_their_way = u64::from(job.options.part_size) * (store.limits().in_flight as u64 + 1);
        let pace = &self.record.request.pace;
        let upload = Duration::from_secs(on_their_way / SLOWEST_UPLOAD_BYTES_PER_SECOND);
        Some(pace.slice_time.saturating_add(GRACE).saturating_add(upload))
    }

    /// Gets ready what the next step works with.
    pub(crate) async fn prepare(
        &mut self,
        jobs: &JobStore,
        resources: &Arc<dyn Resources>,
    ) -> Result<bool, PrepareError> {
        self.open_store(resources.as_ref())?;
        if self.job.is_none() {
            self.job = jobs.load(&self.record)?;
        }
        if self.record.state != JobState::Running || self.source.is_some() {
            return Ok(false);
        }
        self.open_source(jobs, resources).await?;
        Ok(true)
    }

    /// Does what the job's state asks for.
    pub(crate) async fn step(
        &mut self,
        jobs: &JobStore,
        resources: &Arc<dyn Resources>,
        stop: &CancellationToken,
        now: Timestamp,
    ) -> Result<Step, PrepareError> {
        match self.record.state {
            JobState::Waiting => self.begin(jobs, resources, stop, now).await,
            JobState::Running => Ok(self.slice(stop).await?),
            JobState::Completing => {
                let (store, job) = (self.opened_store()?, self.loaded_job()?);
                let finished = job.complete(store).await.map_err(StepError::from)?;
                remove_copy(jobs, &self.record);
                Ok(Step::Completed(finished))
            }
            _ => {
                remove_copy(jobs, &self.record);
                match self.find_completed().await {
                    Ok(Some(finished)) => return Ok(Step::Completed(finished)),
                    Ok(None) => {}
                    Err(error) => return Ok(Step::Ended(Err(error))),
                }
                // From here on nothing that is found can be this job's: its upload being gone would speak for it.
                if let Some(job) = self.job.as_mut().filter(|job| job.ended) {
                    jobs.save_uncompleted(&self.lease)?;
                    job.ended = false;
                }
                Ok(Step::Ended(self.abort().await))
            }
        }
    }

    /// What was thought to have failed may have come to its object after all.
    async fn find_completed(&self) -> Result<Option<Finished>, StoreError> {
        match (&self.store, &self.job) {
            (Some(store), Some(job)) => job.find_completed(store).await,
            _ => Ok(None),
        }
    }

    /// Throws away what is in the store.
    pub(crate) async fn abort(&self) -> Result<(), StoreError> {
        match (&self.store, &self.job) {
            (Some(store), Some(job)) => job.abort(store).await,
            _ => Ok(()),
        }
    }

    /// Whether a retry is left for the next step.
    pub(crate) fn may_try_again(&self) -> bool {
        self.record.attempts < self.record.request.pace.retries
    }

    /// Why it comes to nothing, to be followed by more.
    pub(crate) fn reason(&self) -> String {
        self.record.last_error.as_ref().map(|reason| format!("{reason}; ")).unwrap_or_default()
    }

    /// Where the object is, or is to be.
    pub(crate) fn location(&self) -> String {
        match (&self.store, &self.record.object) {
            (Some(store), Some(object)) => store.location(object),
            _ => self.record.store.clone(),
        }
    }

    fn open_store(&mut self, resources: &dyn Resources) -> Result<(), StepError> {
        if self.store.is_some() {
            return Ok(());
        }
        let address = &self.record.request.store;
        let found = address.identity();
        if found != self.record.store {
            return Err(StepError::OtherStore { begun: self.record.store.clone(), found });
        }
        self.store = Some(resources.store(address)?);
        Ok(())
    }

    /// Opens the database, and makes sure that it is in the state that the job has begun to export.
    async fn open_source(
        &mut self,
        jobs: &JobStore,
        resources: &Arc<dyn Resources>,
    ) -> Result<(), StepError> {
        let exporter = self.exporter(resources).await?;
        let job = self.loaded_job()?;
        if job.component != exporter.digest() {
            return Err(StepError::OtherComponent);
        }
        let copy = jobs.copy_path(&self.record.id);
        let path = if copy.exists() { copy } else { self.record.request.database.clone() };
        let snapshot = blocking(move || Snapshot::hold(&path)).await?;
        if job.fingerprint.is_none() || job.fingerprint.as_ref() != snapshot.fingerprint() {
            return Err(StepError::Changed);
        }
        self.source = Some((exporter, snapshot));
        Ok(())
    }

    async fn begin(
        &mut self,
        jobs: &JobStore,
        resources: &Arc<dyn Resources>,
        stop: &CancellationToken,
        now: Timestamp,
    ) -> Result<Step, PrepareError> {
        // What a start that came to nothing has left. Where this does not help either, pruning does.
        self.left = self.abort().await.err();
        let exporter = self.exporter(resources).await?;
        let wanted = match &self.record.request.name {
            Some(name) => name.clone(),
            None => {
                let format = &self.record.request.format;
                format!("{}.{format}", now.strftime("dump_%Y%m%d-%H%M%S"))
            }
        };
        // Nobody is to take one with gaps for a whole one.
        let wanted =
            if self.record.skips_damaged { format!("{wanted}.incomplete") } else { wanted };
        let store = self.opened_store()?.clone();
        let name = self.take_name(jobs, &store, &wanted).await?;
        // A copy may take minutes, and is of no use before it is whole.
        let snapshot = tokio::select! {
            biased;
            () = stop.cancelled() => return Err(interrupted().into()),
            () = self.unwanted.cancelled() => return Err(interrupted().into()),
            snapshot = self.snapshot(jobs) => snapshot?,
        };
        let request = &self.record.request;
        let part_size = part_size(request.part_size, snapshot.bytes(), store.limits())
            .map_err(StepError::from)?;
        let options = options(&self.record, part_size);
        let expected = {
            let (snapshot, tables) = (snapshot.clone(), request.tables.clone());
            spawn_blocking(move || snapshot.expected(&tables)).await.unwrap_or_default()
        };
        let job = Job::begin_named(&exporter, &snapshot, &store, &name, options)
            .await
            .map_err(StepError::from)?;
        self.source = Some((exporter, snapshot));
        Ok(Step::Begun(Box::new(job), expected))
    }

    /// The first name that is free in the store, and that no other unfinished job has taken.
    async fn take_name(
        &self,
        jobs: &JobStore,
        store: &Arc<dyn Store>,
        wanted: &str,
    ) -> Result<String, PrepareError> {
        let taken = jobs.taken_names(&self.record.store, &self.record.id)?;
        let mut number = 1;
        loop {
            let name = numbered_name(wanted, number);
            number += 1;
            if taken.contains(&name) || store.is_taken(&name).await.map_err(JobError::from)? {
                continue;
            }
            if jobs.take_name(&self.lease, &name)? {
                return Ok(name);
            }
        }
    }

    async fn slice(&mut self, stop: &CancellationToken) -> Result<Step, StepError> {
        let (Some((exporter, snapshot)), Some(store), Some(job)) =
            (&self.source, &self.store, &mut self.job)
        else {
            return Err(StepError::Changed);
        };
        let pace = &self.record.request.pace;
        let pacing = SlicePacing {
            until: Instant::now().checked_add(pace.slice_time),
            stop: stop.clone(),
            unwanted: self.unwanted.clone(),
        };
        let budget = Budget { parts: pace.slice_parts.unwrap_or(u32::MAX) };
        let parts_before = job.part_ids.len();
        job.slice(exporter, snapshot, store, pacing, budget, &self.counters).await?;
        Ok(Step::Sliced { parts_before })
    }

    /// The database's present state, kept as the request says.
    async fn snapshot(&self, jobs: &JobStore) -> Result<Snapshot, StepError> {
        let request = &self.record.request;
        let (mode, database) = (request.snapshot, request.database.clone());
        let is_local = matches!(request.store, StoreAddress::Folder(_));
        let copy = jobs.copy_path(&self.record.id);
        remove_copy(jobs, &self.record);
        let held = blocking(move || Snapshot::hold(&database)).await?;
        if !mode.copies(&held, is_local) {
            return Ok(held);
        }
        // Dropped before the copy is whole, this ends the copying.
        let guard = CopyGuard(held.clone());
        let copied = blocking(move || held.copy(&copy)).await;
        drop(guard);
        copied
    }

    async fn exporter(&self, resources: &Arc<dyn Resources>) -> Result<Exporter, StepError> {
        let component = self.record.request.component.clone();
        let name = match &component {
            Some(path) => path.display().to_string(),
            None => "inside the program".to_owned(),
        };
        let resources = resources.clone();
        let loaded = spawn_blocking(move || resources.exporter(component.as_deref())).await;
        match loaded {
            Ok(Ok(exporter)) => Ok(exporter),
            Ok(Err(source)) => Err(StepError::Load { component: name, source }),
            Err(error) => Err(broken_off(&error)),
        }
    }

    fn opened_store(&self) -> Result<&Arc<dyn Store>, StepError> {
        self.store.as_ref().ok_or(StepError::LeaseLost)
    }

    fn loaded_job(&self) -> Result<&Job, StepError> {
        self.job.as_ref().ok_or(StepError::Job(JobError::Damaged))
    }
}

/// Why a step could not be done: for reasons of its own, or of the job store's.
pub(crate) enum PrepareError {
    Step(StepError),
    State(StateError),
}

impl<E: Into<StepError>> From<E> for PrepareError {
    fn from(error: E) -> Self {
        Self::Step(error.into())
    }
}

impl From<StateError> for PrepareError {
    fn from(error: StateError) -> Self {
        Self::State(error)
    }
}

/// Deletes the copy of the database that a job has read, and any that was not finished.
pub(crate) fn remove_copy(jobs: &JobStore, record: &JobRecord) {
    // Pruning finds what stays behind.
    let Ok(entries) = std::fs::read_dir(jobs.folder()) else { return };
    let ours = format!("copy-{}.", record.id);
    for entry in entries
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(|name| name.starts_with(&ours)))
    {
        std::fs::remove_file(entry.path()).ok();
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, OpenError> + Send + 'static,
) -> Result<T, StepError> {
    match spawn_blocking(work).await {
        Ok(result) => Ok(result?),
        Err(error) => Err(broken_off(&error)),
    }
}

fn broken_off(error: &tokio::task::JoinError) -> StepError {
    StepError::Job(JobError::Call(CallError::Trap(error.to_string())))
}

/// Ends the copying of a database when it is dropped.
struct CopyGuard(Snapshot);

impl Drop for CopyGuard {
    fn drop(&mut self) {
        self.0.interrupt();
    }
}

/// Somebody wants an end.
fn interrupted() -> StepError {
    StepError::Job(JobError::Call(CallError::Exporter(Error::Interrupted)))
}

/// Ends a slice when it has had its time, or when the job is to stop.
struct SlicePacing {
    /// None: no clock goes so far.
    until: Option<Instant>,
    stop: CancellationToken,
    unwanted: CancellationToken,
}

impl Pacing for SlicePacing {
    fn should_yield(&self) -> bool {
        self.is_stopped() || self.until.is_some_and(|until| Instant::now() >= until)
    }

    fn is_stopped(&self) -> bool {
        self.stop.is_cancelled() || self.unwanted.is_cancelled()
    }
}
