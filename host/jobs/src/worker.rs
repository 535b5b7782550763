//! Alarms: each takes a job one step further, and saves what came of it.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::admission::Admission;
use crate::clock::{Clock, SystemClock};
use crate::error::StateError;
use crate::failure::StepError;
use crate::lease::{Beat, Claim, LEASE, Lease};
use crate::observer::{JobEvent, Observer};
use crate::owner::Owner;
use crate::record::{JobId, JobRecord, JobState};
use crate::request::ExportRequest;
use crate::resources::Resources;
use crate::run::{PrepareError, Run, Step};
use crate::store::JobStore;

/// How often it is looked whether a job at work is still wanted, and this process' own.
const BEAT: Duration = Duration::from_secs(1);

/// What an alarm has come to.
#[derive(Debug)]
pub enum StepOutcome {
    /// A step further; the next is due then.
    Again(Timestamp),
    /// Somebody wanted an end; the job is saved, and anybody may go on with it.
    Stopped(Box<JobRecord>),
    /// The job is finished.
    Finished(Box<JobRecord>, Option<StepError>),
    /// This process can't go on with it for reasons of its environment; the job is as it was, and anybody may.
    Refused(StepError),
    /// Another process is at work on it.
    Held,
    /// It was not due, or is another's by now.
    NotDue,
}

/// Goes on with jobs. Clones are the same worker.
#[derive(Clone)]
pub struct Worker(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) jobs: JobStore,
    owner: Owner,
    resources: Arc<dyn Resources>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) observer: Box<dyn Observer>,
    hands: Mutex<HashMap<JobId, Hand>>,
    /// Calls the timer.
    pub(crate) knock: Notify,
}

/// A job in this process' hands.
enum Hand {
    /// A step of it is being done.
    Busy,
    /// It rests between two steps, with its lease.
    Resting(Box<Run>),
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("owner", &self.0.owner.id).finish_non_exhaustive()
    }
}

impl Worker {
    /// A worker that goes by the system's clocks.
    ///
    /// # Errors
    ///
    /// Where the state folder can't be written to.
    pub fn new(
        jobs: JobStore,
        resources: Arc<dyn Resources>,
        observer: impl Observer + 'static,
    ) -> Result<Self, StateError> {
        Self::with_clock(jobs, resources, observer, Arc::new(SystemClock))
    }

    /// A worker that goes by another clock.
    ///
    /// # Errors
    ///
    /// As [`Worker::new`].
    pub fn with_clock(
        jobs: JobStore,
        resources: Arc<dyn Resources>,
        observer: impl Observer + 'static,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StateError> {
        let folder =
            |source: io::Error| StateError::Folder { path: jobs.folder().to_owned(), source };
        let owner = Owner::new(jobs.folder(), jobs.random_word()?).map_err(folder)?;
        let (hands, knock, observer) = (Mutex::default(), Notify::new(), Box::new(observer));
        Ok(Self(Arc::new(Inner { jobs, owner, resources, clock, observer, hands, knock })))
    }

    /// The jobs.
    pub fn jobs(&self) -> &JobStore {
        &self.0.jobs
    }

    /// The clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    /// Goes on with a job, due or not, until it is finished, somebody wants an end, or it turns out to be
    /// another process'.
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
            let alarm = self.alarm(id, false, stop).await?;
            let StepOutcome::Again(at) = alarm else {
                self.0.observer.event(id, &JobEvent::Finished);
                return Ok(alarm);
            };
            // By the clock that does not jump; and whoever waits notices that the job is unwanted.
            let rest = Duration::try_from(at.duration_since(self.0.clock.now()));
            let mut rest = rest.unwrap_or_default();
            while !rest.is_zero() && !stop.is_cancelled() && !self.cancel_requested(id)? {
                let beat = rest.min(BEAT);
                tokio::select! {
                    () = self.0.clock.sleep(beat) => {}
                    () = stop.cancelled() => {}
                }
                rest -= beat;
            }
            if stop.is_cancelled() {
                self.let_go(id)?;
                self.0.observer.event(id, &JobEvent::Finished);
                return Ok(StepOutcome::Stopped(Box::new(self.0.jobs.get(id)?)));
            }
        }
    }

    /// Takes a job one step further, if nobody else is at work on it.
    ///
    /// # Errors
    ///
    /// Those of the job store. What the job itself fails from is saved with it.
    pub async fn alarm(
        &self,
        id: &JobId,
        only_if_due: bool,
        stop: &CancellationToken,
    ) -> Result<StepOutcome, StateError> {
        // As important as what is said within it: so it is there whatever is shown.
        let span = tracing::error_span!("job", export = %id);
        self.step(id, only_if_due, stop).instrument(span).await
    }

    async fn step(
        &self,
        id: &JobId,
        only_if_due: bool,
        stop: &CancellationToken,
    ) -> Result<StepOutcome, StateError> {
        let held = self.hands().insert(id.clone(), Hand::Busy);
        let claimed = match held {
            Some(Hand::Busy) => return Ok(StepOutcome::Held),
            Some(Hand::Resting(run)) => Ok(Ok(*run)),
            None => self.claim(id, only_if_due),
        };
        // However this ends, the step is over then.
        let _busy = Busy { worker: self, id };
        let run = match claimed? {
            Ok(run) => run,
            Err(alarm) => return Ok(alarm),
        };
        self.take_further(run, stop).await
    }

    /// The next step of a job in hand, and what comes of it.
    async fn take_further(
        &self,
        mut run: Run,
        stop: &CancellationToken,
    ) -> Result<StepOutcome, StateError> {
        match self.0.jobs.beat(&run.lease)? {
            Beat::Held => {}
            Beat::Unwanted => run.unwanted.cancel(),
            Beat::Lost => return Ok(lost()),
        }
        if run.unwanted.is_cancelled() && run.record.state != JobState::Cancelling {
            run.record.state = JobState::Cancelling;
            let now = self.0.clock.now();
            self.0.jobs.save_end_begun(&run.lease, JobState::Cancelling, None, now)?;
            run.record.last_error = None;
        }
        let result = self.watched(&mut run, stop).await;
        if let Some(error) = run.left.take() {
            self.0.observer.event(&run.lease.id, &JobEvent::UploadLeft(&error));
        }
        match result {
            Ok(step) => self.save(run, step, stop).await,
            Err(PrepareError::State(error)) => Err(error),
            Err(PrepareError::Step(error)) => self.fail(run, error),
        }
    }

    /// Makes a job of a request, or finds the unfinished one that it goes on with; either is this worker's from then on.
    ///
    /// # Errors
    ///
    /// As [`JobStore::admit`].
    pub fn admit(
        &self,
        request: &ExportRequest,
        concurrent: bool,
    ) -> Result<Admission, StateError> {
        let owner = Some(self.0.owner.id.as_str());
        self.0.jobs.admit_for(request, concurrent, owner, self.0.clock.now())
    }

    /// Gives back the lease on a job, between its steps.
    ///
    /// # Errors
    ///
    /// Those of the job store.
    pub fn let_go(&self, id: &JobId) -> Result<(), StateError> {
        let hand = {
            let mut hands = self.hands();
            match hands.get(id) {
                Some(Hand::Resting(_)) => hands.remove(id),
                _ => None,
            }
        };
        let Some(Hand::Resting(run)) = hand else { return Ok(()) };
        match self.0.jobs.release(&run.lease) {
            // It is another's already.
            Err(StateError::LeaseLost(_)) => Ok(()),
            other => other,
        }
    }

    /// Gives back the leases on all jobs that rest.
    pub(crate) fn let_all_go(&self) -> Result<(), StateError> {
        let ids: Vec<JobId> = self.hands().keys().cloned().collect();
        ids.iter().try_for_each(|id| self.let_go(id))
    }

    fn cancel_requested(&self, id: &JobId) -> Result<bool, StateError> {
        Ok(self.0.jobs.get(id)?.cancel_requested)
    }

    fn claim(&self, id: &JobId, only_if_due: bool) -> Result<Result<Run, StepOutcome>, StateError> {
        let now = self.0.clock.now();
        Ok(match self.0.jobs.claim(id, &self.0.owner.id, now, only_if_due)? {
            Claim::Claimed(lease, record) => Ok(Run::new(lease, *record)),
            Claim::Held => Err(StepOutcome::Held),
            Claim::Finished(record) => Err(StepOutcome::Finished(record, None)),
            Claim::NotDue => Err(StepOutcome::NotDue),
        })
    }

    /// Does the next step, as long as the job is wanted and this process' own, and within its time.
    async fn watched(&self, run: &mut Run, stop: &CancellationToken) -> Result<Step, PrepareError> {
        let Inner { jobs, resources, clock, .. } = &*self.0;
        let guard = self.guard(run.lease.clone(), run.unwanted.clone());
        let step = async {
            if run.prepare(jobs, resources).await? {
                self.announce(run);
            }
            let limit = run.time_limit();
            let out_of_time = async {
                match limit {
                    Some(limit) => clock.sleep(limit).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                result = run.step(jobs, resources, stop, clock.now()) => result,
                () = out_of_time => Err(StepError::CutOff(limit.unwrap_or_default()).into()),
            }
        };
        tokio::select! {
            biased;
            // First, so that a step whose lease is due for renewal goes on with a renewed one.
            () = guard => Err(StepError::LeaseLost.into()),
            result = step => result,
        }
    }

    /// Looks after a lease, until it is lost, and notices that the job is unwanted.
    async fn guard(&self, lease: Lease, unwanted: CancellationToken) {
        let Inner { jobs, clock, .. } = &*self.0;
        let mut renewed = clock.now();
        loop {
            clock.sleep(BEAT).await;
            match jobs.beat(&lease) {
                Ok(Beat::Held) => {}
                Ok(Beat::Unwanted) => unwanted.cancel(),
                Ok(Beat::Lost) => return,
                // The step's own end will show whether the jobs can be written again.
                Err(error) => tracing::warn!(%error, "the lease could not be looked after"),
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

    pub(crate) fn announce(&self, run: &Run) {
        if let Some(job) = &run.job {
            let event = JobEvent::Running {
                location: &run.location(),
                totals: &job.totals,
                expected: run.record.expected,
                counters: &run.counters,
            };
            self.0.observer.event(&run.lease.id, &event);
        }
    }

    /// Keeps a job in hand until its next step.
    pub(crate) fn rest(&self, run: Run) {
        self.hands().insert(run.lease.id.clone(), Hand::Resting(Box::new(run)));
    }

    /// Whether a job is in this process' hands.
    pub(crate) fn is_in_hand(&self, id: &JobId) -> bool {
        self.hands().contains_key(id)
    }

    /// How many jobs in this process' hands are begun, or being begun.
    pub(crate) fn begun(&self) -> usize {
        let is_begun = |hand: &&Hand| match hand {
            Hand::Busy => true,
            Hand::Resting(run) => run.record.state != JobState::Waiting,
        };
        self.hands().values().filter(is_begun).count()
    }

    fn hands(&self) -> MutexGuard<'_, HashMap<JobId, Hand>> {
        self.0.hands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets others at a job when its step is over, unless it rests in this process' hands.
struct Busy<'a> {
    worker: &'a Worker,
    id: &'a JobId,
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        let mut hands = self.worker.hands();
        if let Some(Hand::Busy) = hands.get(self.id) {
            hands.remove(self.id);
        }
    }
}

/// The job is another process' now.
pub(crate) fn lost() -> StepOutcome {
    tracing::warn!("another process has taken the job over");
    StepOutcome::Held
}
