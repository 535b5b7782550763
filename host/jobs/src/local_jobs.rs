//! The jobs that this process has the lease on: each is running a step, or waits for its next one.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::active_job::ActiveJob;
use crate::record::{JobId, JobState};

/// The jobs that this process has the lease on.
#[derive(Default)]
pub(crate) struct LocalJobs(Mutex<HashMap<JobId, LocalJob>>);

enum LocalJob {
    /// A step of it is being done.
    InStep,
    /// It rests between two steps, with its lease.
    Resting(Box<ActiveJob>),
}

/// What was found when a step was to begin.
pub(crate) enum Entry<'a> {
    /// Another step of the same job is being done.
    Busy,
    /// The job rested here.
    Resting(InStep<'a>, Box<ActiveJob>),
    /// The job is not this process' yet.
    Absent(InStep<'a>),
}

impl LocalJobs {
    /// Begins a step, unless one is being done.
    pub(crate) fn begin_step(&self, id: &JobId) -> Entry<'_> {
        let found = self.lock().insert(id.clone(), LocalJob::InStep);
        // Made only for a step that begins: dropped, it ends one.
        let in_step = || InStep { jobs: self, id: id.clone() };
        match found {
            Some(LocalJob::InStep) => Entry::Busy,
            Some(LocalJob::Resting(active)) => Entry::Resting(in_step(), active),
            None => Entry::Absent(in_step()),
        }
    }

    /// Keeps a job until its next step.
    pub(crate) fn rest(&self, active: Box<ActiveJob>) {
        self.lock().insert(active.lease.id.clone(), LocalJob::Resting(active));
    }

    /// Takes out a job that rests.
    pub(crate) fn take_resting(&self, id: &JobId) -> Option<Box<ActiveJob>> {
        let mut jobs = self.lock();
        match jobs.remove(id)? {
            LocalJob::Resting(active) => Some(active),
            in_step @ LocalJob::InStep => {
                jobs.insert(id.clone(), in_step);
                None
            }
        }
    }

    /// All of them.
    pub(crate) fn ids(&self) -> Vec<JobId> {
        self.lock().keys().cloned().collect()
    }

    pub(crate) fn contains(&self, id: &JobId) -> bool {
        self.lock().contains_key(id)
    }

    /// How many have begun, or are beginning, besides these.
    pub(crate) fn count_begun_besides(&self, these: &[&JobId]) -> usize {
        let has_begun = |job: &LocalJob| match job {
            LocalJob::InStep => true,
            LocalJob::Resting(active) => active.record.state != JobState::Waiting,
        };
        self.lock().iter().filter(|(id, job)| !these.contains(id) && has_begun(job)).count()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<JobId, LocalJob>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A step of a job. Dropped, it lets other tasks at the job, unless it rests by then.
pub(crate) struct InStep<'a> {
    jobs: &'a LocalJobs,
    id: JobId,
}

impl Drop for InStep<'_> {
    fn drop(&mut self) {
        let mut jobs = self.jobs.lock();
        if let Some(LocalJob::InStep) = jobs.get(&self.id) {
            jobs.remove(&self.id);
        }
    }
}
