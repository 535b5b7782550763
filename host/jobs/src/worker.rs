//! The worker: runs a job's next step under its lease, and saves the result.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::active_job::{ActiveJob, StepFailure, StepResult};
use crate::admission::Admission;
use crate::clock::{Clock, SystemClock};
use crate::job_store::JobStore;
use crate::lease::{Claim, LEASE, Lease, LeaseStatus};
use crate::local_jobs::{Entry, LocalJobs};
use crate::observer::{JobEvent, Observer};
use crate::outcome::{Settled, Settlement, StepOutcome, lost};
use crate::owner::Owner;
use crate::record::JobId;
use crate::request::ExportRequest;
use crate::resources::Resources;
use crate::state_error::StateError;
use crate::step_error::StepError;

/// How often the job store is asked whether a job is cancelled, and still belongs to this process.
const LEASE_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Runs jobs step by step: begins them, runs slices, completes or cleans up. Clones are the same
/// worker.
#[derive(Clone)]
pub struct Worker(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) jobs: JobStore,
    owner: Owner,
    resources: Arc<dyn Resources>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) observer: Box<dyn Observer>,
    pub(crate) local_jobs: LocalJobs,
    /// Wakes the timer.
    pub(crate) wake: Notify,
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("owner", &self.0.owner.id).finish_non_exhaustive()
    }
}

impl Worker {
    /// A worker that uses the system's clocks.
    ///
    /// # Errors
    ///
    /// If the state folder can't be written to.
    pub fn new(
        jobs: JobStore,
        resources: Arc<dyn Resources>,
        observer: impl Observer + 'static,
    ) -> Result<Self, StateError> {
        Self::with_clock(jobs, resources, observer, Arc::new(SystemClock))
    }

    /// A worker that uses another clock.
    ///
    /// # Errors
    ///
    /// Like [`Worker::new`].
    pub fn with_clock(
        jobs: JobStore,
        resources: Arc<dyn Resources>,
        observer: impl Observer + 'static,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StateError> {
        let folder =
            |source: io::Error| StateError::Folder { path: jobs.folder().to_owned(), source };
        let owner = Owner::new(jobs.folder(), jobs.random_word()?).map_err(folder)?;
        let (local_jobs, wake, observer) =
            (LocalJobs::default(), Notify::new(), Box::new(observer));
        let inner = Inner { jobs, owner, resources, clock, observer, local_jobs, wake };
        Ok(Self(Arc::new(inner)))
    }

    /// The jobs.
    pub fn jobs(&self) -> &JobStore {
        &self.0.jobs
    }

    /// The clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    /// Creates a job from a request, or finds the unfinished job that it resumes. This worker then
    /// owns the job.
    ///
    /// # Errors
    ///
    /// Like [`JobStore::admit`].
    pub fn admit(
        &self,
        request: &ExportRequest,
        concurrent: bool,
    ) -> Result<Admission, StateError> {
        let owner = Some(self.0.owner.id.as_str());
        self.0.jobs.admit_for(request, concurrent, owner, self.0.clock.now())
    }

    /// Runs a job step by step, due or not, until it is finished, `stop` is cancelled, or it turns
    /// out to belong to another process.
    ///
    /// # Errors
    ///
    /// Those of the job store.
    pub async fn run(
        &self,
        id: &JobId,
        stop: &CancellationToken,
    ) -> Result<StepOutcome, StateError> {
        loop {
            let outcome = self.step(id, false, stop).await?;
            let StepOutcome::Again(at) = outcome else {
                self.0.observer.event(id, &JobEvent::Finished);
                return Ok(outcome);
            };
            self.rest_until(id, at, stop).await?;
            if stop.is_cancelled() {
                self.release(id)?;
                self.0.observer.event(id, &JobEvent::Finished);
                return Ok(StepOutcome::Stopped(Box::new(self.0.jobs.get(id)?)));
            }
        }
    }

    /// Waits for a job's next step, using the clock that does not jump; meanwhile the job may be
    /// cancelled.
    async fn rest_until(
        &self,
        id: &JobId,
        at: Timestamp,
        stop: &CancellationToken,
    ) -> Result<(), StateError> {
        let Inner { jobs, clock, .. } = &*self.0;
        let rest = Duration::try_from(at.duration_since(clock.now()));
        let mut rest = rest.unwrap_or_default();
        while !rest.is_zero() && !stop.is_cancelled() && !jobs.get(id)?.cancel_requested {
            let time = rest.min(LEASE_CHECK_INTERVAL);
            tokio::select! {
                () = clock.sleep(time) => {}
                () = stop.cancelled() => {}
            }
            rest -= time;
        }
        Ok(())
    }

    /// Runs a job's next step, if no other process is working on it.
    ///
    /// # Errors
    ///
    /// Those of the job store. The job's own errors are saved with it.
    pub async fn step(
        &self,
        id: &JobId,
        only_if_due: bool,
        stop: &CancellationToken,
    ) -> Result<StepOutcome, StateError> {
        // At the level of the gravest event within, so that the span is there whatever is shown.
        let span = tracing::error_span!("job", export = %id);
        self.claim_and_step(id, only_if_due, stop).instrument(span).await
    }

    async fn claim_and_step(
        &self,
        id: &JobId,
        only_if_due: bool,
        stop: &CancellationToken,
    ) -> Result<StepOutcome, StateError> {
        let Inner { jobs, owner, clock, local_jobs, .. } = &*self.0;
        // However this ends, the step is over then.
        let (_in_step, active) = match local_jobs.begin_step(id) {
            Entry::Busy => return Ok(StepOutcome::Held),
            Entry::Resting(in_step, active) => (in_step, *active),
            Entry::Absent(in_step) => match jobs.claim(id, &owner.id, clock.now(), only_if_due)? {
                Claim::Claimed(lease, record) => (in_step, ActiveJob::new(lease, *record)),
                Claim::Held => return Ok(StepOutcome::Held),
                Claim::Finished(record) => return Ok(StepOutcome::Finished(record, None)),
                Claim::NotDue => return Ok(StepOutcome::NotDue),
            },
        };
        let settled = match self.step_and_settle(active, stop).await {
            // It was lost since it was last looked at: the machine may have slept.
            Err(StateError::LeaseLost(_)) => lost(),
            settled => settled?,
        };
        match settled {
            Settled::Rests(active, wake_at) => {
                local_jobs.rest(active);
                Ok(StepOutcome::Again(wake_at))
            }
            Settled::Over(outcome) => Ok(outcome),
        }
    }

    /// The next step of a job, and what becomes of the job then.
    async fn step_and_settle(
        &self,
        mut active: ActiveJob,
        stop: &CancellationToken,
    ) -> Result<Settled, StateError> {
        let Inner { jobs, clock, observer, .. } = &*self.0;
        let settlement = Settlement { jobs, clock, observer: observer.as_ref() };
        match jobs.lease_status(&active.lease)? {
            LeaseStatus::Held => {}
            LeaseStatus::CancelRequested => active.cancel.cancel(),
            LeaseStatus::Lost => return Ok(lost()),
        }
        if active.cancel.is_cancelled() {
            settlement.begin_cancel(&mut active)?;
        }
        let result = self.step_under_lease(&mut active, stop).await;
        if let Some(error) = active.upload_left.take() {
            observer.event(&active.lease.id, &JobEvent::UploadLeft(&error));
        }
        match result {
            Ok(result) => settlement.save(active, result, !stop.is_cancelled()).await,
            Err(StepFailure::State(error)) => Err(error),
            Err(StepFailure::Step(error)) => settlement.fail(active, error),
        }
    }

    /// Does the next step, as long as the lease holds, and within the step's time.
    async fn step_under_lease(
        &self,
        active: &mut ActiveJob,
        stop: &CancellationToken,
    ) -> Result<StepResult, StepFailure> {
        let Inner { jobs, resources, clock, observer, .. } = &*self.0;
        let lease_lost = self.keep_lease(active.lease.clone(), active.cancel.clone());
        let step = async {
            if active.prepare(jobs, resources).await? {
                active.report_running(observer.as_ref());
            }
            let limit = active.time_limit();
            let out_of_time = async {
                match limit {
                    Some(limit) => clock.sleep(limit).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                result = active.step(jobs, resources, stop, clock.now()) => result,
                () = out_of_time => Err(StepError::CutOff(limit.unwrap_or_default()).into()),
            }
        };
        tokio::select! {
            biased;
            // First, so that a step whose lease is due for renewal continues with a renewed one.
            () = lease_lost => Err(StepError::LeaseLost.into()),
            result = step => result,
        }
    }

    /// Renews a lease until it is lost, and cancels the job when that is requested.
    async fn keep_lease(&self, lease: Lease, cancel: CancellationToken) {
        let Inner { jobs, clock, .. } = &*self.0;
        let mut renewed = clock.now();
        loop {
            clock.sleep(LEASE_CHECK_INTERVAL).await;
            match jobs.lease_status(&lease) {
                Ok(LeaseStatus::Held) => {}
                Ok(LeaseStatus::CancelRequested) => cancel.cancel(),
                Ok(LeaseStatus::Lost) => return,
                // The step's own end will show whether the jobs can be written again.
                Err(error) => tracing::warn!(%error, "the lease could not be checked"),
            }
            let now = clock.now();
            if now.duration_since(renewed).unsigned_abs() > LEASE / 3 {
                match jobs.renew(&lease, now) {
                    Ok(()) => renewed = now,
                    Err(StateError::LeaseLost(_)) => return,
                    Err(error) => tracing::warn!(%error, "the lease could not be renewed"),
                }
            }
        }
    }

    /// Releases the lease on a job, between its steps.
    ///
    /// # Errors
    ///
    /// Those of the job store.
    pub fn release(&self, id: &JobId) -> Result<(), StateError> {
        let Some(active) = self.0.local_jobs.take_resting(id) else { return Ok(()) };
        match self.0.jobs.release(&active.lease) {
            // It is another's already.
            Ok(_) | Err(StateError::LeaseLost(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Releases the leases on all waiting jobs.
    pub(crate) fn release_all(&self) -> Result<(), StateError> {
        self.0.local_jobs.ids().iter().try_for_each(|id| self.release(id))
    }
}
