//! For tests that simulate crashes: a [`JobStore`] whose commits can be made to fail (feature `simulation`).

use std::path::Path;

use crate::job_store::JobStore;
use crate::state_error::StateError;

pub use crate::commit_hook::CommitMoment;

/// Opens a job store that calls `hook` before and after each commit. If it returns false, the call
/// fails with [`StateError::Failed`] and a reason that begins with `simulated failure`; what was
/// committed is kept.
///
/// # Errors
///
/// Like [`JobStore::open`].
pub fn open_job_store(
    folder: &Path,
    hook: impl Fn(CommitMoment) -> bool + Send + Sync + 'static,
) -> Result<JobStore, StateError> {
    JobStore::open_with_hook(folder, Box::new(hook))
}
