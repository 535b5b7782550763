//! What becomes of a job after a step: what was done is saved, and what has failed is tried again, begun anew or ended.

use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::backoff::wait;
use crate::error::StateError;
use crate::failure::{Remedy, StepError};
use crate::observer::JobEvent;
use crate::progress::Next;
use crate::record::{JobRecord, JobState};
use crate::request::OnChange;
use crate::run::{Run, Step, remove_copy};
use crate::worker::{Inner, StepOutcome, Worker, lost};
use partway_store::StoreError;

/// How often a job is begun, all in all: where its upload vanishes again and again, it comes to nothing.
const MOST_STARTS: u32 = 5;

impl Worker {
    /// Saves what a step has done.
    pub(crate) async fn save(
        &self,
        mut run: Run,
        step: Step,
        stop: &CancellationToken,
    ) -> Result<StepOutcome, StateError> {
        let Inner { jobs, clock, observer, .. } = &*self.0;
        let now = clock.now();
        let pause = run.record.request.pace.pause;
        match step {
            Step::Begun(job, expected) => {
                let next = Next { wake_at: now, keeps_lease: !stop.is_cancelled() };
                if let Err(error) = jobs.save_begun(&run.lease, &job, expected, next, now) {
                    run.job = Some(*job);
                    self.abort(&run).await;
                    return Err(error);
                }
                run.record.state = JobState::Running;
                run.record.object = Some(job.upload.name.clone());
                run.record.expected = expected;
                run.record.starts += 1;
                run.job = Some(*job);
                self.announce(&run);
                self.go_on(run, next)
            }
            Step::Sliced { parts_before } => {
                let Some(job) = &run.job else { return Ok(lost()) };
                let pause = if job.ended { Duration::ZERO } else { pause };
                let wake_at = now.checked_add(pause).unwrap_or(Timestamp::MAX);
                // Held while it rests, so that the database's state stays at hand.
                let next = Next { wake_at, keeps_lease: !stop.is_cancelled() };
                jobs.save_slice(&run.lease, job, parts_before, next, now)?;
                run.record.attempts = 0;
                run.record.totals = job.totals.clone();
                run.record.state = if job.ended { JobState::Completing } else { JobState::Running };
                observer.event(&run.lease.id, &JobEvent::Slice(&job.totals));
                self.go_on(run, next)
            }
            Step::Completed(finished) => {
                let record = jobs.save_done(&run.lease, &finished, now)?;
                Ok(self.finished(run, record))
            }
            Step::Ended(result) => self.end(run, result, now),
        }
    }

    /// Keeps the job at hand, or leaves it to anybody, as was saved.
    fn go_on(&self, run: Run, next: Next) -> Result<StepOutcome, StateError> {
        if !next.keeps_lease {
            return Ok(StepOutcome::Stopped(Box::new(self.0.jobs.get(&run.lease.id)?)));
        }
        self.rest(run);
        Ok(StepOutcome::Again(next.wake_at))
    }

    /// Saves that a step has failed, and what is to be done about it.
    pub(crate) fn fail(&self, mut run: Run, error: StepError) -> Result<StepOutcome, StateError> {
        let Inner { jobs, clock, .. } = &*self.0;
        let id = run.lease.id.clone();
        let remedy = error.remedy();
        tracing::warn!(%error, ?remedy, "a step failed");
        let ends = matches!(run.record.state, JobState::Failing | JobState::Cancelling);
        match remedy {
            Remedy::LeaveAsItIs if run.record.object.is_some() || ends => {
                jobs.release(&run.lease)?;
                Ok(StepOutcome::Refused(error))
            }
            _ if ends && remedy != Remedy::LetGo => {
                // What can't even be opened can't be thrown away.
                let state = ended(run.record.state);
                let reason = run.reason();
                let reason =
                    format!("{reason}{error}; what it left in the store is for partway jobs prune");
                remove_copy(jobs, &run.record);
                let record = jobs.save_ended(&run.lease, state, Some(&reason), clock.now())?;
                Ok(self.finished(run, record))
            }
            Remedy::Stop if run.unwanted.is_cancelled() => {
                let now = clock.now();
                self.rest(run);
                Ok(StepOutcome::Again(now))
            }
            Remedy::Stop => {
                jobs.release(&run.lease)?;
                Ok(StepOutcome::Stopped(Box::new(jobs.get(&id)?)))
            }
            Remedy::LetGo => Ok(lost()),
            Remedy::TryAgainIfBegun if run.record.state == JobState::Waiting => {
                self.give_up(run, error)
            }
            Remedy::TryAgain | Remedy::TryAgainIfBegun => {
                if !run.may_try_again() {
                    return self.give_up(run, error);
                }
                if let StepError::CutOff(_) = error {
                    run.close_source();
                }
                self.try_again(run, &error, &error.to_string(), clock.now())
            }
            Remedy::SkipDamaged
                if !run.record.skips_damaged && run.record.request.component.is_none() =>
            {
                run.record.skips_damaged = true;
                let reason = format!("{error}. What can be read is exported");
                self.start_over(run, &reason)
            }
            Remedy::StartOver => {
                let changed = matches!(error, StepError::Changed);
                // What was damaged then may be whole now.
                run.record.skips_damaged &= !changed;
                if changed && run.record.request.on_change == OnChange::Fail {
                    return self.give_up(run, StepError::MayNotStartOver);
                }
                // A database may change as often as it likes.
                if !changed && run.record.starts >= MOST_STARTS {
                    let (starts, reason) = (run.record.starts, error.to_string());
                    let error = StepError::TooManyStarts { starts, reason };
                    return self.give_up(run, error);
                }
                self.start_over(run, &error.to_string())
            }
            Remedy::SkipDamaged | Remedy::LeaveAsItIs | Remedy::GiveUp => self.give_up(run, error),
        }
    }

    /// Saves that a step is tried again, later with each failure.
    fn try_again(
        &self,
        mut run: Run,
        error: &StepError,
        reason: &str,
        now: Timestamp,
    ) -> Result<StepOutcome, StateError> {
        let Inner { jobs, observer, .. } = &*self.0;
        let attempt = run.record.attempts + 1;
        let retries = run.record.request.pace.retries;
        let wait = wait(attempt);
        let wake_at = now.checked_add(wait).unwrap_or(Timestamp::MAX);
        jobs.save_failure(&run.lease, reason, attempt, wake_at)?;
        observer.event(&run.lease.id, &JobEvent::Retrying { error, attempt, retries, wait });
        run.record.attempts = attempt;
        self.rest(run);
        Ok(StepOutcome::Again(wake_at))
    }

    fn start_over(&self, mut run: Run, reason: &str) -> Result<StepOutcome, StateError> {
        let Inner { jobs, clock, observer, .. } = &*self.0;
        let now = clock.now();
        let event = JobEvent::StartingOver { location: &run.location(), reason };
        observer.event(&run.lease.id, &event);
        // What is in the store is thrown away when that is saved, as the first thing of the new start: another process
        // may be at work on it by now.
        jobs.save_restart(&run.lease, reason, run.record.skips_damaged, now)?;
        run.begin_anew();
        self.rest(run);
        Ok(StepOutcome::Again(now))
    }

    /// Ends a job that nothing helps: first it is known, then what is in the store is thrown away.
    fn give_up(&self, mut run: Run, error: StepError) -> Result<StepOutcome, StateError> {
        let now = self.0.clock.now();
        let reason = error.to_string();
        self.0.jobs.save_end_begun(&run.lease, JobState::Failing, Some(&reason), now)?;
        run.record.state = JobState::Failing;
        run.record.attempts = 0;
        run.record.last_error = Some(reason);
        run.failure = Some(error);
        self.rest(run);
        Ok(StepOutcome::Again(now))
    }

    /// Ends a job for good, when what it had in the store is thrown away.
    fn end(
        &self,
        run: Run,
        result: Result<(), StoreError>,
        now: Timestamp,
    ) -> Result<StepOutcome, StateError> {
        let Inner { jobs, observer, .. } = &*self.0;
        let state = ended(run.record.state);
        let Err(error) = result else {
            let record = jobs.save_ended(&run.lease, state, None, now)?;
            return Ok(self.finished(run, record));
        };
        if error.is_transient() && run.may_try_again() {
            // Why it comes to nothing matters more than what hinders that.
            let reason = run.record.last_error.clone().unwrap_or_else(|| error.to_string());
            return self.try_again(run, &StepError::Job(error.into()), &reason, now);
        }
        observer.event(&run.lease.id, &JobEvent::UploadLeft(&error));
        let reason =
            format!("{}what it left in the store could not be removed: {error}", run.reason());
        let record = jobs.save_ended(&run.lease, state, Some(&reason), now)?;
        Ok(self.finished(run, record))
    }

    /// Throws away what is in the store, if that can be; if not, pruning does it later.
    async fn abort(&self, run: &Run) {
        if let Err(error) = run.abort().await {
            self.0.observer.event(&run.lease.id, &JobEvent::UploadLeft(&error));
        }
    }

    /// Tells of a job that has ended, when that is saved.
    fn finished(&self, run: Run, record: JobRecord) -> StepOutcome {
        match record.state {
            JobState::Failed => {
                tracing::error!(error = record.last_error, "the export has failed");
            }
            _ => tracing::info!(state = %record.state, "finished"),
        }
        self.0.observer.event(&record.id, &JobEvent::Ended(&record));
        StepOutcome::Finished(Box::new(record), run.failure)
    }
}

/// How a job ends that is being ended.
fn ended(state: JobState) -> JobState {
    if state == JobState::Cancelling { JobState::Cancelled } else { JobState::Failed }
}
