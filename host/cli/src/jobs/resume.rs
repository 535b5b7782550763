//! `partway jobs resume`.

use std::path::Path;
use std::sync::Arc;

use partway_jobs::{Clock, JobRecord, JobState, JobStore, PrebuiltResources, SystemClock, Worker};
use tokio_util::sync::CancellationToken;

use super::select::find;
use crate::console::Console;
use crate::failure::Failure;
use crate::output::message;
use crate::report::report;
use crate::run_job::{ResumeHint, run_to_end};
use crate::signals::listen;

/// Resumes jobs, one after the other. One that fails does not keep the others from being resumed.
pub async fn resume(
    jobs: JobStore,
    ids: &[String],
    json: bool,
    state: Option<&Path>,
) -> Result<(), Failure> {
    let records = if ids.is_empty() {
        interrupted(&jobs)?
    } else {
        ids.iter().map(|id| find(&jobs, id)).collect::<Result<_, _>>()?
    };
    if records.is_empty() {
        message!("there is nothing to resume");
    }
    let worker = Worker::new(jobs, Arc::new(PrebuiltResources::default()), Console::default())?;
    let stop = listen();
    let hint = ResumeHint { state, by_same_command: false };
    let mut failed = None;
    for record in records {
        match resume_one(&worker, &record, &stop, &hint, json).await {
            Ok(()) => {}
            Err(failure @ Failure::Interrupted(_)) => return Err(failure),
            Err(failure) => {
                if let Some(earlier) = failed.replace(failure) {
                    message!("{earlier}");
                }
            }
        }
    }
    failed.map_or(Ok(()), Err)
}

/// Unfinished jobs that no process is working on, oldest first.
fn interrupted(jobs: &JobStore) -> Result<Vec<JobRecord>, Failure> {
    let now = SystemClock.now();
    let is_idle = |record: &JobRecord| !record.state.is_finished() && !record.is_held(now);
    let mut records: Vec<_> = jobs.list()?.into_iter().filter(is_idle).collect();
    records.reverse();
    Ok(records)
}

async fn resume_one(
    worker: &Worker,
    record: &JobRecord,
    stop: &CancellationToken,
    hint: &ResumeHint<'_>,
    json: bool,
) -> Result<(), Failure> {
    if record.state != JobState::Done {
        worker.jobs().request_resume(&record.id, SystemClock.now())?;
    }
    match record.state {
        JobState::Failed => message!("job {} had failed: starting over", record.id),
        JobState::Cancelled => message!("job {} was cancelled: starting over", record.id),
        _ => {}
    }
    let finished = run_to_end(worker, &record.id, stop, hint).await?;
    Ok(report(&finished, json)?)
}
