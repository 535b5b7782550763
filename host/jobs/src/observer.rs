//! Events of jobs, for progress bars, metrics and logs.

use std::sync::Arc;
use std::time::Duration;

use crate::manifest::NoManifest;
use crate::record::{JobId, JobRecord};
use crate::step_error::StepError;
use crate::totals::Totals;
use partway_sqlite::Expected;
use partway_store::StoreError;
use partway_wasmtime::Counters;

/// An event of a job.
#[derive(Debug)]
#[non_exhaustive]
pub enum JobEvent<'a> {
    /// Its slices begin or resume in this process.
    Running {
        /// Where the object will be.
        location: &'a str,
        /// Its progress.
        totals: &'a Totals,
        /// The expected totals.
        expected: Expected,
        /// Live counts of the work.
        counters: &'a Arc<Counters>,
    },
    /// A slice is done and saved.
    Slice(&'a Totals),
    /// It starts over.
    StartingOver {
        /// Where the object would have been.
        location: &'a str,
        /// Why.
        reason: &'a str,
    },
    /// A step has failed and will be retried.
    Retrying {
        /// Why it failed.
        error: &'a StepError,
        /// Which retry it will be.
        attempt: u32,
        /// How many retries there will be.
        retries: u32,
        /// When, from now.
        wait: Duration,
    },
    /// The data in the store could not be deleted: pruning deletes it later.
    UploadLeft(&'a StoreError),
    /// Its object is there, but no manifest could be written beside it.
    NoManifest(&'a NoManifest),
    /// It is done, failed or cancelled, and that is saved.
    Ended(&'a JobRecord),
    /// This process no longer works on it: it has ended, is stopped for now, or belongs to another
    /// process.
    Finished,
}

/// Receives events. Called on the thread that does the work, so it must be quick.
pub trait Observer: Send + Sync {
    /// Called for each event of a job.
    fn event(&self, id: &JobId, event: &JobEvent<'_>);
}

/// Ignores all events.
impl Observer for () {
    fn event(&self, _: &JobId, _: &JobEvent<'_>) {}
}
