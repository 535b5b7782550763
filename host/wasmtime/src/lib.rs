//! Streaming exports of SQLite databases of any size, by a WebAssembly component in bounded slices.
//!
//! This crate is the host: it runs an export component, gives it rows of a SQLite database and
//! takes its parts to a folder, S3 or R2. A whole export, slice by slice:
//!
//! ```
//! use std::sync::Arc;
//! use std::time::{Duration, Instant};
//!
//! use partway::exporter::Budget;
//! use partway::{Counters, Exporter, FolderStore, Job, JobOptions, Pacing, Snapshot, Store};
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
//! let exporter = Exporter::bundled()?;
//! let snapshot = Snapshot::hold(&database)?;
//! let store: Arc<dyn Store> = Arc::new(FolderStore::new(folder.path()));
//! let options = JobOptions {
//!     format: "sql".into(),
//!     tables: vec![],
//!     part_size: partway::part_size(None, snapshot.bytes(), store.limits())?,
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
//!     // can go on from this point. `Worker` does all this, and saves it too.
//! }
//! let finished = job.complete(&store).await?;
//! println!("{}, SHA-256 {}", finished.location, finished.sha256);
//! # Ok(())
//! # }
//! ```
//!
//! # The layers
//!
//! - [`Worker`] goes on with exports as jobs, which a [`JobStore`] keeps in a file: claimed by one process at a time, tried
//!   again when they fail, gone on with after any crash. [`Worker::run_due`] is the timer.
//! - [`Job`] is an export as a whole: slices, receipts, the hash, the finished object.
//! - [`Exporter`] is a component, compiled: it runs one slice, in a fresh instance, within [`Limits`].
//! - [`PipeCtx`] is what a slice sees of its host: rows, parts and pacing, behind the traits [`Rows`],
//!   [`Parts`] and [`Pacing`]. [`add_to_linker`] puts them into a linker of your own.
//! - [`Snapshot`] is [`Rows`] over SQLite, [`Store`] the place for objects, [`Upload`] [`Parts`] on
//!   the way to one.
//!
//! The types of [`rows`], [`parts`] and [`exporter`] are those of the WIT package `partway:pipe`.
//!
//! # Features
//!
//! - `bundled` (default): the export component inside the crate, compiled when the crate is. Its build needs a toolchain for
//!   `wasm32-unknown-unknown`; `cargo xtask setup` in the project installs one. Without it the crate
//!   takes any component's bytes. Built for processors of another kind than the building machine's, or run on an x86-64 one
//!   without AVX2, it compiles the component at its start.
//! - `cache`: what a component was compiled to at a start is kept in the user's cache folder (wasmtime's own cache), and
//!   the next start takes 4 ms instead of 150: for components from files, and for the bundled one where it does not fit.
//! - `program` (default): the command-line program, with `cache`.

mod bindings;
mod blocking;
mod component;
mod context;
mod contract;
mod engine;
mod hex;
mod job;
mod jobs;
mod limits;
mod part_size;
mod sqlite;
mod store;

#[cfg(feature = "bundled")]
pub use component::bundled_component;
pub use component::{CallError, Exporter, LoadError};
pub use context::{Counters, PipeCtx, PipeCtxBuilder, add_to_linker};
pub use contract::{Cursor, Pacing, Parts, Rows, exporter, parts, rows};
pub use job::{Finished, Job, JobError, JobOptions, Totals};
#[cfg(feature = "bundled")]
pub use jobs::BundledSupply;
#[doc(hidden)]
pub use jobs::CommitMoment;
pub use jobs::{
    Admission, Alarm, Appointment, Callback, Clock, DueCallback, DueJob, ExportRequest, Holder,
    JobEvent, JobId, JobRecord, JobState, JobStore, OnChange, Pace, Prune, PruneFailure, Pruned,
    Queued, SnapshotMode, StateError, StepError, Supply, SystemClock, Watch, Worker, prune,
    skip_damaged,
};
pub use limits::Limits;
pub use part_size::{PartSizeError, part_size};
pub use sqlite::{Expected, Fingerprint, OpenError, Snapshot};
pub use store::{
    AddressError, FolderStore, HashState, ObjectAddress, ObjectBytes, ObjectStore, Receipt,
    Settled, Settling, Store, StoreAddress, StoreError, StoreLimits, Unfinished, Upload, UploadId,
};
