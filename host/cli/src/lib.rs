//! Everything of Partway in one crate: streaming exports of SQLite databases to folders, S3 and R2, in
//! bounded slices.
//!
//! Each module is a crate that can be used alone, with fewer dependencies:
//!
//! | module | crate | what it does |
//! |---|---|---|
//! | [`wasmtime`] | `partway-wasmtime` | runs export components |
//! | [`sqlite`] | `partway-sqlite` | rows and snapshots of a SQLite database |
//! | [`store`] | `partway-store` | folders, S3 and R2: uploads in parts |
//! | [`codec`] | `partway-codec` | compression and encryption of objects, block by block |
//! | [`jobs`] | `partway-jobs` | exports that can be saved and resumed, retries, a timer |
//! | [`service`] | `partway-service` | exports over HTTP, callbacks, schedules |
//! | [`redact`] | `partway-redact` | policies, and components that leave personal data out |
//! | [`restore`] | `partway-restore` | makes a new database of a dump |
//! | [`verify`] | `partway-verify` | checks dumps, compares databases |
//!
//! A whole export to a folder, slice by slice:
//!
//! ```
//! use std::path::Path;
//! use std::sync::Arc;
//! use std::time::{Duration, Instant};
//!
//! use partway::jobs::Job;
//! use partway::sqlite::Snapshot;
//! use partway::store::{FolderStore, Store, part_size};
//! use partway::wasmtime::Counters;
//! use partway::wasmtime::exporter::{Budget, Exporter, Options};
//! use partway::wasmtime::pacing::Pacing;
//!
//! /// Ends a slice at a time.
//! struct Until(Instant);
//!
//! impl Pacing for Until {
//!     fn should_yield(&self) -> bool {
//!         Instant::now() >= self.0
//!     }
//! }
//!
//! async fn export(database: &Path, folder: &Path) -> Result<String, Box<dyn std::error::Error>> {
//!     let exporter = Exporter::prebuilt()?;
//!     let snapshot = Snapshot::hold(database)?;
//!     let store: Arc<dyn Store> = Arc::new(FolderStore::new(folder));
//!     let options = Options::new("sql", part_size(None, snapshot.bytes(), store.limits())?);
//!     let counters = Arc::new(Counters::default());
//!     let mut job = Job::begin(&exporter, &snapshot, &store, "app.sql", options).await?;
//!     while !job.is_ended() {
//!         let until = Until(Instant::now() + Duration::from_secs(25));
//!         let budget = Budget { parts: u32::MAX };
//!         job.slice(&exporter, &snapshot, &store, until, budget, &counters).await?;
//!         // The slice's parts are safe now. Save `job` (it implements `Serialize`) to resume from here, in this
//!         // process or another one. `jobs::Worker` does that, and retries what fails.
//!     }
//!     let finished = job.complete(&store).await?;
//!     Ok(finished.location)
//! }
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let database = folder.path().join("app.db");
//! # rusqlite::Connection::open(&database)?.execute_batch("CREATE TABLE t(a); INSERT INTO t VALUES(1);")?;
//! let location = export(&database, folder.path()).await?;
//! assert!(std::fs::read_to_string(&location)?.contains("INSERT INTO \"t\""));
//! # Ok(())
//! # }
//! ```

pub use partway_codec as codec;
pub use partway_jobs as jobs;
pub use partway_redact as redact;
pub use partway_restore as restore;
pub use partway_service as service;
pub use partway_sqlite as sqlite;
pub use partway_store as store;
pub use partway_verify as verify;
pub use partway_wasmtime as wasmtime;
