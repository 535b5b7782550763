//! What happens to a job after a step: the result is saved and reported to the observer, and the
//! job waits or has ended.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use partway_sqlite::Expected;
use partway_store::StoreError;

use crate::active_job::{ActiveJob, StepResult};
use crate::backoff::wait;
use crate::clock::Clock;
use crate::job::Job;
use crate::job_store::JobStore;
use crate::observer::{JobEvent, Observer};
use crate::progress::NextStep;
use crate::record::{JobRecord, JobState};
use crate::snapshots::remove_copies;
use crate::state_error::StateError;
use crate::step_error::StepError;
use crate::transitions::{AfterFailure, after_failure, remedy, retries_clean_up};

/// The result of a step.
#[derive(Debug)]
pub enum StepOutcome {
    /// The step is done; the next one is due then.
    Again(Timestamp),
    /// It was stopped; the job is saved, and any process may resume it.
    Stopped(Box<JobRecord>),
    /// The job is finished; with the error, if it failed in this process.
    Finished(Box<JobRecord>, Option<StepError>),
    /// This process can't resume it because of its environment; the job is unchanged, and any
    /// process may resume it.
    Refused(StepError),
    /// Another process is working on it.
    Held,
    /// Another process has taken it over while this one was at work on it.
    Lost,
    /// It was not due, or now belongs to another process.
    NotDue,
}

/// What becomes of a job after a step.
pub(crate) enum Settled {
    /// It rests in this process until its next step.
    Rests(Box<ActiveJob>, Timestamp),
    /// This process has nothing more to do with it.
    Over(StepOutcome),
}

/// Where the outcome of a step is saved, and the observer that is notified.
pub(crate) struct Settlement<'a> {
    pub(crate) jobs: &'a JobStore,
    pub(crate) clock: &'a Arc<dyn Clock>,
    pub(crate) observer: &'a dyn Observer,
}

impl Settlement<'_> {
    /// Saves that a job is to be cancelled, before anything else is done with it.
    pub(crate) fn begin_cancel(&self, active: &mut ActiveJob) -> Result<(), StateError> {
        if active.record.state != JobState::Cancelling {
            let now = self.clock.now();
            active.record =
                self.jobs.save_ending(&active.lease, JobState::Cancelling, None, now)?;
        }
        Ok(())
    }

    /// Saves what a step has done. `keeps_lease`: this process means to do the next one as well.
    pub(crate) async fn save(
        &self,
        mut active: ActiveJob,
        step: StepResult,
        keeps_lease: bool,
    ) -> Result<Settled, StateError> {
        let now = self.clock.now();
        match step {
            StepResult::Begun(job, set, expected) => {
                let next = NextStep { wake_at: now, keeps_lease };
                active.set = set;
                self.save_begun(active, *job, expected, next, now).await
            }
            StepResult::BegunNext(job) => {
                let next = NextStep { wake_at: now, keeps_lease };
                self.save_next(active, *job, next, now).await
            }
            StepResult::Sliced { before } => {
                let Some(job) = &active.job else { return Ok(lost()) };
                let pause =
                    if job.ended { Duration::ZERO } else { active.record.request.pace.pause };
                let wake_at = now.checked_add(pause).unwrap_or(Timestamp::MAX);
                // The lease is kept during the pause, so that the database's state stays at hand.
                let next = NextStep { wake_at, keeps_lease };
                active.record = self.jobs.save_slice(&active.lease, job, before, next, now)?;
                self.observer.event(&active.lease.id, &JobEvent::Slice(&active.record.totals));
                Ok(rest_or_stop(active, next))
            }
            StepResult::Completed(completed) => {
                let record = self.jobs.save_done(&active.lease, &completed, now)?;
                if let Some(error) = &active.no_manifest {
                    tracing::warn!(%error, "no manifest");
                    self.observer.event(&active.lease.id, &JobEvent::NoManifest(error));
                }
                Ok(self.finished(active, record))
            }
            StepResult::CleanedUp(result) => self.save_clean_up(active, result, now),
        }
    }

    async fn save_begun(
        &self,
        mut active: ActiveJob,
        job: Job,
        expected: Expected,
        next: NextStep,
        now: Timestamp,
    ) -> Result<Settled, StateError> {
        let saved = {
            let set = active.set.as_ref();
            self.jobs.save_begun(&active.lease, &job, set, expected, next, now)
        };
        active.job = Some(job);
        match saved {
            Ok(record) => active.record = record,
            Err(error) => {
                // Nobody knows of this upload. What can't be thrown away now is for pruning.
                if let Err(error) = active.abort().await {
                    self.observer.event(&active.lease.id, &JobEvent::UploadLeft(&error));
                }
                return Err(error);
            }
        }
        active.report_running(self.observer);
        Ok(rest_or_stop(active, next))
    }

    /// Saves that the upload of the next object has begun.
    async fn save_next(
        &self,
        mut active: ActiveJob,
        job: Job,
        next: NextStep,
        now: Timestamp,
    ) -> Result<Settled, StateError> {
        match self.jobs.save_next(&active.lease, &job, next, now) {
            Ok(record) => active.record = record,
            Err(error) => {
                // As for the first.
                if let Some(error) = active.abort_object(&job).await {
                    self.observer.event(&active.lease.id, &JobEvent::UploadLeft(&error));
                }
                return Err(error);
            }
        }
        active.go_on_to(job);
        Ok(rest_or_stop(active, next))
    }

    /// Saves that a job's data in the store has been deleted, or can't be: it ends, or retries.
    fn save_clean_up(
        &self,
        active: ActiveJob,
        result: Result<(), StoreError>,
        now: Timestamp,
    ) -> Result<Settled, StateError> {
        let state = active.record.state;
        let Err(error) = result else {
            let record = self.jobs.save_ended(&active.lease, state, None, now)?;
            return Ok(self.finished(active, record));
        };
        if retries_clean_up(&active.record, &error) {
            // Why it fails matters more than what hinders that.
            let reason = active.failing_reason().map_or_else(|| error.to_string(), str::to_owned);
            return self.retry(active, &StepError::Job(error.into()), &reason, now);
        }
        self.observer.event(&active.lease.id, &JobEvent::UploadLeft(&error));
        let left = format!("its data in the store could not be deleted: {error}");
        let reason = also(active.failing_reason(), &left);
        let record = self.jobs.save_ended(&active.lease, state, Some(&reason), now)?;
        Ok(self.finished(active, record))
    }

    /// Saves that a step has failed, and what follows from that.
    pub(crate) fn fail(
        &self,
        mut active: ActiveJob,
        error: StepError,
    ) -> Result<Settled, StateError> {
        tracing::warn!(%error, remedy = ?remedy(&error), "a step failed");
        let now = self.clock.now();
        match after_failure(&active.record, error, active.cancel.is_cancelled()) {
            AfterFailure::LeaveToOthers(error) => {
                self.jobs.release(&active.lease)?;
                Ok(Settled::Over(StepOutcome::Refused(error)))
            }
            AfterFailure::Stop => {
                let record = self.jobs.release(&active.lease)?;
                Ok(Settled::Over(StepOutcome::Stopped(Box::new(record))))
            }
            AfterFailure::Cancel => Ok(Settled::Rests(Box::new(active), now)),
            AfterFailure::Drop => Ok(lost()),
            AfterFailure::Retry(error) => {
                if let StepError::CutOff(_) = error {
                    active.close_source();
                }
                self.retry(active, &error, &error.to_string(), now)
            }
            AfterFailure::StartOver { reason, skips_damaged } => {
                self.start_over(active, &reason, skips_damaged, now)
            }
            AfterFailure::Fail(error) => {
                let reason = error.to_string();
                let state = JobState::Failing;
                active.record = self.jobs.save_ending(&active.lease, state, Some(&reason), now)?;
                active.failure = Some(error);
                Ok(Settled::Rests(Box::new(active), now))
            }
            AfterFailure::End(error) => {
                let left = format!("{error}; its data in the store could not be deleted");
                let reason = also(active.failing_reason(), &left);
                remove_copies(self.jobs, &active.record.id);
                let state = active.record.state;
                let record = self.jobs.save_ended(&active.lease, state, Some(&reason), now)?;
                Ok(self.finished(active, record))
            }
        }
    }

    /// Saves that a step is retried, later with each failure.
    fn retry(
        &self,
        mut active: ActiveJob,
        error: &StepError,
        reason: &str,
        now: Timestamp,
    ) -> Result<Settled, StateError> {
        let attempt = active.record.attempts + 1;
        let retries = active.record.request.pace.retries;
        let wait = wait(attempt);
        let wake_at = now.checked_add(wait).unwrap_or(Timestamp::MAX);
        active.record = self.jobs.save_retry(&active.lease, reason, attempt, wake_at)?;
        let event = JobEvent::Retrying { error, attempt, retries, wait };
        self.observer.event(&active.lease.id, &event);
        Ok(Settled::Rests(Box::new(active), wake_at))
    }

    fn start_over(
        &self,
        mut active: ActiveJob,
        reason: &str,
        skips_damaged: bool,
        now: Timestamp,
    ) -> Result<Settled, StateError> {
        let event = JobEvent::StartingOver { location: &active.location(), reason };
        self.observer.event(&active.lease.id, &event);
        // What is in the store is thrown away when that is saved, as the first thing of the new start: another process
        // may be at work on it by now.
        let record = self.jobs.save_start_over(&active.lease, reason, skips_damaged, now)?;
        active.start_over(record);
        Ok(Settled::Rests(Box::new(active), now))
    }

    /// Tells of a job that has ended, when that is saved.
    fn finished(&self, active: ActiveJob, record: JobRecord) -> Settled {
        match record.state {
            JobState::Failed => {
                tracing::error!(error = record.last_error, "the export failed");
            }
            _ => tracing::info!(state = %record.state, "finished"),
        }
        self.observer.event(&record.id, &JobEvent::Ended(&record));
        Settled::Over(StepOutcome::Finished(Box::new(record), active.failure))
    }
}

/// Another process has the job.
pub(crate) fn lost() -> Settled {
    tracing::warn!("another process has taken over the job");
    Settled::Over(StepOutcome::Lost)
}

/// Keeps the job for its next step, or leaves it to any process, as was saved.
fn rest_or_stop(active: ActiveJob, next: NextStep) -> Settled {
    if next.keeps_lease {
        return Settled::Rests(Box::new(active), next.wake_at);
    }
    Settled::Over(StepOutcome::Stopped(Box::new(active.record)))
}

/// One reason after another.
fn also(first: Option<&str>, then: &str) -> String {
    match first {
        Some(first) => format!("{first}; {then}"),
        None => then.to_owned(),
    }
}
