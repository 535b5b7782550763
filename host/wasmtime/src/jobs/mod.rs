//! Exports as jobs: kept in a file, gone on with by alarms, one process at a time.

mod admission;
mod backoff;
mod callbacks;
mod clock;
mod error;
mod failure;
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
pub use progress::skip_damaged;
pub use prune::{Prune, PruneFailure, Pruned, prune};
pub use queue::Queued;
pub use record::{Holder, JobId, JobRecord, JobState};
pub use request::{ExportRequest, OnChange, Pace, SnapshotMode};
pub use schedules::Appointment;
#[doc(hidden)]
pub use store::CommitMoment;
pub use store::{DueJob, JobStore};
#[cfg(feature = "bundled")]
pub use supply::BundledSupply;
pub use supply::Supply;
pub use watch::{JobEvent, Watch};
pub use worker::{Alarm, Worker};
