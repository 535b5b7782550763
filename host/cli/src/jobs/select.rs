//! Finding the jobs that a command line names.

use partway_jobs::{JobRecord, JobStore, StateError};

use crate::arguments::StateArguments;
use crate::failure::Failure;
use crate::state_folder::state_folder;

/// Opens the job store.
pub fn open(state: &StateArguments) -> Result<JobStore, Failure> {
    Ok(JobStore::open(&state_folder(state.folder.as_deref())?)?)
}

/// The job whose id begins like that. If there is none, or more than one, that is wrong usage.
pub fn find(jobs: &JobStore, id_prefix: &str) -> Result<JobRecord, Failure> {
    jobs.find(id_prefix).map_err(|error| match error {
        StateError::UnknownJob(_) | StateError::AmbiguousJob(_) => Failure::usage(error),
        error => error.into(),
    })
}
