//! The state of an export, as clients see it.

use partway_jobs::{JobRecord, JobState};
use serde::Serialize;
use utoipa::ToSchema;

/// The state of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ExportState {
    /// It has not begun.
    Waiting,
    /// It runs slice by slice.
    Running,
    /// All slices are done, and the object is about to appear.
    Completing,
    /// It has failed, and its data in the store is to be deleted.
    Failing,
    /// Its cancellation was requested, and its data in the store is to be deleted.
    Cancelling,
    /// The object has appeared, and is complete.
    Done,
    /// The object has appeared, but the database is damaged, and rows are missing.
    Incomplete,
    /// There is no object, and the export says why.
    Failed,
    /// There is no object, as requested.
    Cancelled,
}

impl ExportState {
    /// The state of a job.
    pub fn of(record: &JobRecord) -> Self {
        match record.state {
            JobState::Waiting => Self::Waiting,
            JobState::Running => Self::Running,
            JobState::Completing => Self::Completing,
            JobState::Failing => Self::Failing,
            JobState::Cancelling => Self::Cancelling,
            JobState::Done if record.incomplete().is_some() => Self::Incomplete,
            JobState::Done => Self::Done,
            JobState::Failed => Self::Failed,
            JobState::Cancelled => Self::Cancelled,
        }
    }
}
