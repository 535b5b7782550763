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
mod resources;
mod run;
mod schedules;
mod schema;
mod store;

mod observer;
mod timer;
mod worker;

pub use admission::Admission;
pub use callbacks::{Callback, DueCallback};
pub use clock::{Clock, SystemClock};
pub use error::StateError;
pub use failure::StepError;
pub use job::{Finished, Job, JobError, JobOptions, Totals};
pub use observer::{JobEvent, Observer};
pub use progress::skip_damaged;
pub use prune::{Prune, PruneFailure, Pruned, prune};
pub use queue::Queued;
pub use record::{Holder, JobId, JobRecord, JobState};
pub use request::{
    ExportRequest, Incomplete, OnChange, Pace, SnapshotMode, Target, UntilStopped, incomplete,
    object_name, settings,
};
pub use resources::PrebuiltResources;
pub use resources::Resources;
pub use schedules::ScheduleEntry;
#[doc(hidden)]
pub use store::CommitMoment;
pub use store::{DueJob, JobStore};
pub use worker::{StepOutcome, Worker};
