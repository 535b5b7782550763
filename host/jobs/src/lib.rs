//! Exports as jobs: saved slice by slice, resumed after any crash, run by one process at a time.
//!
//! A [`Job`] is one export in a form that can be saved: it runs an export component slice by slice,
//! over a [`Source`] of rows (such as a [`Snapshot`](partway_sqlite::Snapshot) of a SQLite
//! database), and sends the parts to a [`Store`](partway_store::Store). A whole export, without a
//! job store:
//!
//! ```
//! use std::sync::Arc;
//! use std::time::{Duration, Instant};
//!
//! use partway_jobs::Job;
//! use partway_sqlite::Snapshot;
//! use partway_store::{FolderStore, Store, part_size};
//! use partway_wasmtime::Counters;
//! use partway_wasmtime::exporter::{Budget, Exporter, Options};
//! use partway_wasmtime::pacing::Pacing;
//!
//! /// Ends a slice when its time is over.
//! struct Until(Instant);
//!
//! impl Pacing for Until {
//!     fn should_yield(&self) -> bool {
//!         Instant::now() >= self.0
//!     }
//! }
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let database = folder.path().join("app.db");
//! # rusqlite::Connection::open(&database)?.execute_batch("CREATE TABLE t (a)")?;
//! let exporter = Exporter::prebuilt()?;
//! let snapshot = Snapshot::hold(&database)?;
//! let store: Arc<dyn Store> = Arc::new(FolderStore::new(folder.path()));
//! let options = Options {
//!     format: "sql".into(),
//!     tables: vec![],
//!     part_size: part_size(None, snapshot.bytes(), store.limits())?,
//!     settings: vec![],
//! };
//! let counters = Arc::new(Counters::default());
//!
//! let mut job = Job::begin(&exporter, &snapshot, &store, "app.sql", options).await?;
//! while !job.is_ended() {
//!     let pacing = Until(Instant::now() + Duration::from_secs(25));
//!     let budget = Budget { parts: 100 };
//!     job.slice(&exporter, &snapshot, &store, pacing, budget, &counters).await?;
//!     // All parts of the slice are safe. With `job` saved here (it is `Serialize`), another process
//!     // can resume from this point. `Worker` does all this, and saves it too.
//! }
//! let finished = job.complete(&store).await?;
//! println!("{}, SHA-256 {}", finished.location, finished.sha256);
//! # Ok(())
//! # }
//! ```
//!
//! # The layers
//!
//! - [`JobStore`] keeps jobs in a SQLite file in a state folder, for any number of processes at a
//!   time. [`JobStore::admit`] and [`JobStore::queue`] create a job from an [`ExportRequest`]; a
//!   [`JobRecord`] shows its progress.
//! - [`Worker`] runs jobs step by step under a lease, retries what fails, and saves every step.
//!   [`Worker::run`] runs one job to its end; [`Worker::run_due`] is a timer for all of them. An
//!   [`Observer`] is notified of what happens.
//! - [`Resources`] give a worker its stores, components and sources. [`PrebuiltResources`] use the
//!   component in `partway-prebuilt` and SQLite files; implement the trait for other kinds of
//!   databases.
//! - [`StreamedExport`] is for an export that is sent on as it is made, and is no job.
//! - [`prune`] cleans up what jobs and dead processes have left behind.
//!
//! # Features
//!
//! - `simulation`: the module `simulation`, with which tests simulate crashes around every commit.

mod active_job;
mod admission;
mod backoff;
mod blocking;
mod callbacks;
mod chosen_tables;
mod clock;
mod codec_component;
mod columns;
#[cfg(feature = "simulation")]
mod commit_hook;
mod encoded_parts;
mod format_settings;
mod history;
mod idle_slices;
mod incomplete;
mod job;
mod job_error;
mod job_store;
mod kept_components;
mod lease;
mod local_jobs;
mod manifest;
mod object_check;
mod object_name;
mod object_set;
mod observer;
mod options;
mod outcome;
mod owner;
mod pacing;
mod private_file;
mod progress;
mod prune;
mod queue;
mod record;
mod request;
mod resources;
mod saved_objects;
mod schedules;
mod schema;
mod set_names;
#[cfg(feature = "simulation")]
pub mod simulation;
mod slice_output;
mod snapshot_mode;
mod snapshots;
mod source;
mod state_error;
mod step_error;
mod stream_copy;
mod streamed_export;
mod subset;
mod timer;
mod totals;
mod transitions;
mod worker;

pub use admission::Admission;
pub use callbacks::{Callback, DueCallback};
pub use chosen_tables::{EachTableError, TableError, check_each_table};
pub use clock::{Clock, SystemClock};
pub use codec_component::{CodecComponentError, codec_component};
pub use format_settings::{
    Blobs, ColumnTypes, FormatOption, FormatOptions, PREBUILT_FORMATS, Target, media_type,
    reads_pages, skip_damaged,
};
pub use history::{ExportResult, LastGood};
pub use idle_slices::{IdleSlices, MOST_IDLE_SLICES};
pub use incomplete::Incomplete;
pub use job::Job;
pub use job_error::JobError;
pub use job_store::{DueJob, JobStore};
pub use manifest::{ManifestDetails, NoManifest};
pub use object_check::{ObjectCheck, ObjectError};
pub use object_name::{ObjectNameError, default_name, object_name, timed_name};
pub use object_set::JobObject;
pub use observer::{JobEvent, Observer};
pub use outcome::StepOutcome;
/// What a [`Source`] reports about itself.
pub use partway_codec::{Codec, CodecComponent, Compression, EncodeError, Encoding, Recipient};
pub use partway_manifest::manifest_name;
pub use partway_sqlite::{Expected, Fingerprint};
pub use prune::{Prune, PruneError, PruneFailure, Pruned, prune};
pub use queue::Queued;
pub use record::{Holder, JobId, JobRecord, JobState};
pub use request::{ExportRequest, OnChange, Pace};
pub use resources::{PrebuiltResources, Resources};
pub use schedules::{ScheduleEntry, ScheduleKey};
pub use set_names::{object_set_name, timed_set_name};
pub use snapshot_mode::SnapshotMode;
pub use source::Source;
pub use state_error::StateError;
pub use step_error::StepError;
pub use streamed_export::{StreamError, StreamedExport};
pub use subset::{Content, expected_under, filtered, row_filter, subset_settings};
pub use totals::{Finished, Totals};
pub use worker::Worker;
