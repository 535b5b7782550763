//! What all requests and background tasks share. Nothing in here knows HTTP routes.

pub mod database_metrics;
pub mod databases;
pub mod error;
pub mod export_state;
pub mod exports;
pub mod metrics;
pub mod readiness;
pub mod running;
pub mod signed_urls;

use std::path::PathBuf;
use std::sync::Arc;

use partway_codec::Encoding;
use partway_jobs::{
    ExportRequest, JobRecord, PrebuiltResources, Resources, SnapshotMode, check_each_table,
    reads_pages,
};
use partway_sqlite::Snapshot;
use partway_wasmtime::exporter::Options;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::databases::Databases;
use self::error::ExportError;
use self::exports::{StoreExports, record_in_span};
use self::metrics::Metrics;
use self::readiness::Readiness;
use self::signed_urls::SignedUrls;

/// How many requests are validated at a time: for each, the component reads the database's schema.
pub const CONCURRENT_CHECKS: usize = 8;

/// The size of parts that an export is validated with. Any will do: none is written.
pub const CHECK_PART_SIZE: u32 = 5 * 1024 * 1024;

/// What all requests and background tasks share.
pub struct ServiceState {
    pub databases: Databases,
    /// The components.
    pub resources: Arc<PrebuiltResources>,
    pub snapshot: SnapshotMode,
    /// The largest row that is loaded whole; none: the default.
    pub max_loaded_row: Option<u64>,
    /// How dumps are encoded.
    pub encoding: Encoding,
    /// With a store: the exports to it. Without, dumps are streamed.
    pub exports: Option<StoreExports>,
    /// One permit for each dump that is being streamed.
    pub streams: Arc<Semaphore>,
    pub max_streams: usize,
    pub metrics: Arc<Metrics>,
    /// One permit for each request that is being validated.
    pub checks: Semaphore,
    /// What has to end before the service does.
    pub tasks: TaskTracker,
    pub signed_urls: SignedUrls,
    pub readiness: Readiness,
    /// Cancelled when the service is to stop: requests that wait for something answer at once.
    pub stop: CancellationToken,
    /// Cancelled when the time for open responses is over.
    pub cut_off: CancellationToken,
}

impl ServiceState {
    /// Has the component check whether an export can be made, of rows that meet these conditions.
    ///
    /// # Errors
    ///
    /// If the database can't be opened, or the options name a format or a table that does not
    /// exist.
    pub async fn check(
        &self,
        database: PathBuf,
        options: Options,
        filters: Vec<(String, String)>,
    ) -> Result<(), ExportError> {
        let (resources, mode) = (self.resources.clone(), self.snapshot);
        let _permit = self.checks.acquire().await;
        let check = move || {
            let snapshot = Snapshot::hold(&database)?.with_pages(reads_pages(&options.format));
            let snapshot = snapshot.with_filters(&filters)?;
            // They can be read of the copy that the export will make.
            if snapshot.lacks_pages() && mode.copies(&snapshot, false) {
                return Ok(());
            }
            resources.exporter(&options.format, None)?.start(snapshot, &options)?;
            Ok(())
        };
        spawn_blocking(check).await?
    }

    /// Has the component check whether an export of one object for each table can be made.
    ///
    /// # Errors
    ///
    /// Like [`ServiceState::check`].
    pub async fn check_each_table(
        &self,
        request: ExportRequest,
        part_size: u32,
    ) -> Result<(), ExportError> {
        let resources = self.resources.clone();
        let _permit = self.checks.acquire().await;
        let check = move || {
            let snapshot = Snapshot::hold(&request.database)?.with_filters(&request.filters)?;
            let exporter = resources.exporter(&request.format, None)?;
            Ok(check_each_table(&exporter, &snapshot, &request, part_size)?)
        };
        spawn_blocking(check).await?
    }

    /// The exports to the store.
    ///
    /// # Errors
    ///
    /// If there is no store.
    pub fn exports(&self) -> Result<&StoreExports, ExportError> {
        self.exports.as_ref().ok_or(ExportError::NoStore)
    }

    /// An export of one of the databases, with the database's name.
    ///
    /// # Errors
    ///
    /// If there is none with this id. Those of databases that are not served count as none.
    pub async fn export(&self, id: &str) -> Result<(&StoreExports, JobRecord, &str), ExportError> {
        let exports = self.exports()?;
        let record = exports.find(id).await?;
        record_in_span(&record.id);
        match self.databases.name(&record.request.database) {
            Some(name) => Ok((exports, record, name)),
            None => Err(ExportError::UnknownExport(id.to_owned())),
        }
    }
}
