//! Events of jobs, for progress bars, metrics and logs.

use std::sync::Arc;
use std::time::Duration;

use crate::record::{JobId, JobRecord};
use crate::step_error::StepError;
use crate::totals::Totals;
use partway_sqlite::Expected;
use partway_store::StoreError;
use partway_wasmtime::Counters;

/// Something that has happened to a job.
#[derive(Debug)]
#[non_exhaustive]
pub enum JobEvent<'a> {
    /// Its slices begin in this process, or resume in it.
    Running {
        /// Where the object is to be.
        location: &'a str,
        /// How far it is.
        totals: &'a Totals,
        /// How far it is to come.
        expected: Expected,
        /// Counts of what is being done, to watch.
        counters: &'a Arc<Counters>,
    },
    /// A slice is done and saved.
    Slice(&'a Totals),
    /// It starts over.
    StartingOver {
        /// Where the object was to be.
        location: &'a str,
        /// Why.
        reason: &'a str,
    },
    /// A step has failed, and is tried again.
    Retrying {
        /// Why it failed.
        error: &'a StepError,
        /// Which retry it will be.
        attempt: u32,
        /// How many there are to be.
        retries: u32,
        /// When, from now.
        wait: Duration,
    },
    /// What was in the store could not be thrown away: pruning does it later.
    UploadLeft(&'a StoreError),
    /// It is done, failed or cancelled, and that is saved.
    Ended(&'a JobRecord),
    /// This process has nothing more to do with it: it has ended, is stopped for now, or is another process'.
    Finished,
}

/// Is told of events. Called from the thread that does the work: be quick.
pub trait Observer: Send + Sync {
    /// Something has happened to a job.
    fn event(&self, id: &JobId, event: &JobEvent<'_>);
}

/// Ignores all.
impl Observer for () {
    fn event(&self, _: &JobId, _: &JobEvent<'_>) {}
}
