//! Finding the jobs that a command line names.

use std::path::Path;

use anyhow::anyhow;
use partway_jobs::{JobRecord, JobStore, StateError};

use crate::arguments::StateArguments;
use crate::failure::Failure;
use crate::output::message;
use crate::state_folder::state_folder;

/// Opens the jobs of a folder that has some: to look for jobs must not make a folder for them. None, which is said, where
/// there are none.
pub fn open(state: &StateArguments) -> Result<Option<JobStore>, Failure> {
    let folder = state_folder(state.folder.as_deref())?;
    if JobStore::is_in(&folder) {
        return Ok(Some(JobStore::open(&folder)?));
    }
    message!("{}", none_in(&folder));
    Ok(None)
}

/// Like [`open`], for what needs one of the jobs.
pub fn open_for_id(state: &StateArguments) -> Result<JobStore, Failure> {
    let folder = state_folder(state.folder.as_deref())?;
    if !JobStore::is_in(&folder) {
        return Err(Failure::usage(anyhow!(none_in(&folder))));
    }
    Ok(JobStore::open(&folder)?)
}

/// That there are no jobs in a folder.
pub fn none_in(folder: &Path) -> String {
    let missing = if folder.exists() { "" } else { ", which does not exist" };
    format!("there are no jobs in {}{missing}", folder.display())
}

/// The job whose id begins like that. If there is none, or more than one, that is wrong usage.
pub fn find(jobs: &JobStore, id_prefix: &str) -> Result<JobRecord, Failure> {
    jobs.find(id_prefix).map_err(|error| match error {
        StateError::UnknownJob(_) | StateError::AmbiguousJob(_) => Failure::usage(error),
        error => error.into(),
    })
}
