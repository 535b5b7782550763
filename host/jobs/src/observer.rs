//! What becomes of jobs, for those who look on.

use std::sync::Arc;
use std::time::Duration;

use crate::failure::StepError;
use crate::job::Totals;
use crate::record::{JobId, JobRecord};
use partway_sqlite::Expected;
use partway_store::StoreError;
use partway_wasmtime::Counters;

/// Something that has happened to a job.
#[derive(Debug)]
#[non_exhaustive]
pub enum JobEvent<'a> {
    /// Its slices begin, or go on in this process.
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
    /// It begins anew.
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
    /// What was in the store could not be thrown away.
    UploadLeft(&'a StoreError),
    /// It has ended for good: that is saved.
    Ended(&'a JobRecord),
    /// It is finished, well or not, or somebody wanted an end for now.
    Finished,
}

/// Who looks on. Called from the thread that does the work: be quick.
pub trait Observer: Send + Sync {
    /// Something has happened to a job.
    fn event(&self, id: &JobId, event: &JobEvent<'_>);
}

/// Nobody.
impl Observer for () {
    fn event(&self, _: &JobId, _: &JobEvent<'_>) {}
}
