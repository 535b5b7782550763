//! `partway jobs cancel`.

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use partway_jobs::{
    Clock, JobId, JobRecord, JobState, JobStore, PrebuiltResources, StepOutcome, SystemClock,
    Worker,
};
use tokio_util::sync::CancellationToken;

use super::select::find;
use crate::advice::advice;
use crate::console::Console;
use crate::failure::Failure;
use crate::output::message;
use crate::run_job::left_in_store;
use crate::signals::listen;

/// How long a process that is working on a job may take to notice that it is to be cancelled.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// Cancels jobs, one after the other.
pub async fn cancel(jobs: JobStore, ids: &[String]) -> Result<(), Failure> {
    let records = ids.iter().map(|id| find(&jobs, id)).collect::<Result<Vec<_>, _>>()?;
    let worker = Worker::new(jobs, Arc::new(PrebuiltResources::default()), Console::default())?;
    let stop = listen();
    let mut failed = None;
    for record in records {
        if record.state.is_finished() {
            message!("job {} is already {}", record.id, record.state);
            continue;
        }
        worker.jobs().request_cancel(&record.id, SystemClock.now())?;
        let record = cancelled(&worker, &record.id, &stop).await?;
        match record.state {
            JobState::Cancelled if record.last_error.is_some() => {
                let left = left_in_store(&record);
                failed = Some(anyhow!("job {} is cancelled, but {left}", record.id));
            }
            JobState::Cancelled => message!("job {} is cancelled", record.id),
            JobState::Done => message!(
                "job {} was already done: {}",
                record.id,
                record.location.unwrap_or_default()
            ),
            state => message!("job {} is {state}", record.id),
        }
    }
    failed.map_or(Ok(()), |error| Err(error.into()))
}

/// The job when it is finished: cancelled here, or by the process that is working on it.
async fn cancelled(
    worker: &Worker,
    id: &JobId,
    stop: &CancellationToken,
) -> Result<JobRecord, Failure> {
    let deadline = SystemClock.now() + MAX_WAIT;
    loop {
        match worker.run(id, stop).await? {
            StepOutcome::Finished(record, _) => return Ok(*record),
            StepOutcome::Stopped(_) => {
                return Err(Failure::Interrupted(format!(
                    "interrupted: job {id} will be cancelled when it is next resumed"
                )));
            }
            StepOutcome::Refused(error) => {
                let advice = advice(&error);
                return Err(anyhow!("{error}{advice}; job {id} was not changed").into());
            }
            _ if stop.is_cancelled() => {
                return Err(Failure::Interrupted(format!(
                    "interrupted: job {id} will be cancelled by the process that is working on it"
                )));
            }
            // The process that is working on it looks once a second.
            _ if SystemClock.now() < deadline => {
                SystemClock.sleep(Duration::from_millis(200)).await;
            }
            _ => {
                return Err(anyhow!(
                    "the process that is working on job {id} does not respond; it will cancel the job when it does"
                )
                .into());
            }
        }
    }
}
