//! The timer: runs a step of every job that is due, with a limit on jobs at a time.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::{self, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::job_store::DueJob;
use crate::observer::JobEvent;
use crate::outcome::StepOutcome;
use crate::record::JobId;
use crate::state_error::StateError;
use crate::worker::Worker;

/// How often to look for jobs that other processes have created or left, and how long to leave jobs
/// alone that turned out to belong to others.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How long to leave a job to other processes that this one can't resume: that does not change soon, and each attempt
/// takes the lease and gives it back.
const REFUSED_PAUSE: Duration = Duration::from_secs(30);

/// How long to leave alone a job that can't be saved.
const UNSAVED_PAUSE: Duration = Duration::from_secs(10);

impl Worker {
    /// Makes this worker's timer look for due jobs at once, because one has been created.
    pub fn wake_timer(&self) {
        self.0.wake.notify_one();
    }

    /// Runs a step of every job when it is due, until `stop` is cancelled: then each is saved at
    /// its next part, and released. At most `max_jobs` run at a time; others wait for one of them
    /// to end.
    ///
    /// # Errors
    ///
    /// Those of the job store on releasing jobs. A job's own errors are saved with it.
    pub async fn run_due(
        &self,
        max_jobs: usize,
        stop: &CancellationToken,
    ) -> Result<(), StateError> {
        let mut timer = Timer {
            worker: self,
            max_jobs: max_jobs.max(1),
            stop,
            steps: JoinSet::new(),
            busy: HashMap::new(),
            not_before: HashMap::new(),
        };
        while !stop.is_cancelled() {
            let wait = timer.start_due();
            let rest = self.clock().sleep(wait);
            tokio::select! {
                Some(done) = timer.steps.join_next_with_id(), if !timer.steps.is_empty() => {
                    match done {
                        Ok((task, outcome)) => timer.step_ended(task, outcome),
                        Err(panicked) => timer.step_panicked(panicked.id()),
                    }
                }
                () = self.0.wake.notified() => {}
                () = rest => {}
                () = stop.cancelled() => {}
            }
        }
        while timer.steps.join_next().await.is_some() {}
        self.release_all()
    }
}

struct Timer<'a> {
    worker: &'a Worker,
    max_jobs: usize,
    stop: &'a CancellationToken,
    steps: JoinSet<Result<StepOutcome, StateError>>,
    /// The jobs of these steps.
    busy: HashMap<task::Id, JobId>,
    /// Jobs to leave alone for a while.
    not_before: HashMap<JobId, Timestamp>,
}

impl Timer<'_> {
    /// Begins a step of each job that is due, as far as there is room, and tells how long to wait for others.
    fn start_due(&mut self) -> Duration {
        let now = self.worker.clock().now();
        self.not_before.retain(|_, until| *until > now);
        let (due, next) = match self.worker.jobs().due(now) {
            Ok(found) => found,
            Err(error) => {
                tracing::error!(%error, "the due jobs can't be read");
                (Vec::new(), None)
            }
        };
        for job in due {
            if self.steps.len() >= self.max_jobs {
                break;
            }
            self.start(job);
        }
        let wait = next.and_then(|next| Duration::try_from(next.duration_since(now)).ok());
        wait.unwrap_or(POLL_INTERVAL).min(POLL_INTERVAL)
    }

    fn start(&mut self, DueJob { id, is_new }: DueJob) {
        let busy: Vec<&JobId> = self.busy.values().collect();
        if self.not_before.contains_key(&id) || busy.contains(&&id) {
            return;
        }
        // What has begun is ended first: each keeps a state of its database, or a copy. A step whose
        // task has not been polled yet counts as well.
        let local_jobs = &self.worker.0.local_jobs;
        let begun = || busy.len() + local_jobs.count_begun_besides(&busy);
        if is_new && !local_jobs.contains(&id) && begun() >= self.max_jobs {
            return;
        }
        let (worker, stop, job) = (self.worker.clone(), self.stop.clone(), id.clone());
        let step = self.steps.spawn(async move { worker.step(&job, true, &stop).await });
        self.busy.insert(step.id(), id);
    }

    /// Leaves a job alone whose step has panicked: it would do so again.
    fn step_panicked(&mut self, task: task::Id) {
        self.not_before.extend(self.busy.remove(&task).map(|id| (id, Timestamp::MAX)));
    }

    fn step_ended(&mut self, task: task::Id, outcome: Result<StepOutcome, StateError>) {
        let Some(id) = self.busy.remove(&task) else { return };
        let finished = |id: &JobId| self.worker.0.observer.event(id, &JobEvent::Finished);
        let pause = match outcome {
            Ok(StepOutcome::Again(_)) => return,
            Ok(StepOutcome::Finished(..) | StepOutcome::Stopped(_)) => {
                finished(&id);
                return;
            }
            Ok(StepOutcome::Held | StepOutcome::Lost) => {
                // It is not this process' any more.
                finished(&id);
                POLL_INTERVAL
            }
            Ok(StepOutcome::Refused(_)) => {
                finished(&id);
                REFUSED_PAUSE
            }
            Ok(StepOutcome::NotDue) => POLL_INTERVAL,
            Err(error) => {
                let _span = tracing::error_span!("job", export = %id).entered();
                tracing::error!(%error, "the job can't be saved");
                finished(&id);
                UNSAVED_PAUSE
            }
        };
        let until = self.worker.clock().now().saturating_add(pause);
        self.not_before.extend(until.ok().map(|until| (id, until)));
    }
}
