//! Exports as jobs: kept in a file, gone on with by alarms, one process at a time.

mod admission;
mod backoff;
mod blocking;
mod callbacks;
mod clock;
mod error;
mod failure;
mod job;
mod lease;
mod outcome;
mod owner;
mod progress;
mod prune;
mod queue;
mod record;
mod request;
mod run;
mod schedules;
mod schema;
mod store;
mod supply;
mod timer;
mod watch;
mod worker;

pub use admission::Admission;
pub use callbacks::{Callback, DueCallback};
pub use clock::{Clock, SystemClock};
pub use error::StateError;
pub use failure::StepError;
pub use job::{Finished, Job, JobError, JobOptions, Totals};
pub use progress::skip_damaged;
pub use prune::{Prune, PruneFailure, Pruned, prune};
pub use queue::Queued;
pub use record::{Holder, JobId, JobRecord, JobState};
pub use request::{
    ExportRequest, Incomplete, OnChange, Pace, SnapshotMode, Target, UntilStopped, incomplete,
    object_name, settings,
};
pub use schedules::Appointment;
#[doc(hidden)]
pub use store::CommitMoment;
pub use store::{DueJob, JobStore};
pub use supply::PrebuiltSupply;
pub use supply::Supply;
pub use watch::{JobEvent, Watch};
pub use worker::{Alarm, Worker};
