//! An export that is no job: one slice, sent on as it is made and saved nowhere.

use std::io;
use std::sync::Arc;

use partway_sqlite::{OpenError, Snapshot};
use partway_wasmtime::exporter::{Budget, ExportError, Exporter, Options, Outcome, Summary};
use partway_wasmtime::parts::Parts;
use partway_wasmtime::{CallError, Counters, PipeCtx};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::pacing::UntilStopped;
use crate::snapshot_mode::SnapshotMode;

/// An export of which nothing is kept, to standard output or into a response. It can't be resumed.
pub struct StreamedExport {
    snapshot: Snapshot,
    // Deleted when this is dropped.
    _copy: Option<TempDir>,
}

/// Why a state of the database could not be kept for a [`StreamedExport`].
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// There is no folder for the copy.
    #[error("there is no temporary folder for a copy of the database")]
    TemporaryFolder(#[from] io::Error),
    /// The database can't be copied.
    #[error(transparent)]
    Copy(#[from] OpenError),
}

impl StreamedExport {
    /// The size of its parts, in bytes: small, so that the first arrive soon.
    pub const PART_SIZE: u32 = 256 * 1024;

    /// Exports the state that `held` holds: of a copy in the system's temporary folder, where `mode` says so. A copy is
    /// gone when this is. It blocks while the database is copied; [`Snapshot::interrupt`] ends that.
    ///
    /// # Errors
    ///
    /// [`KeepError`].
    pub fn new(held: Snapshot, mode: SnapshotMode, is_local: bool) -> Result<Self, KeepError> {
        if !mode.copies(&held, is_local) {
            return Ok(Self { snapshot: held, _copy: None });
        }
        let folder = tempfile::tempdir()?;
        let snapshot = held.copy(&folder.path().join("copy.db"))?;
        Ok(Self { snapshot, _copy: Some(folder) })
    }

    /// What it reads.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Exports everything, and blocks until that is done.
    ///
    /// # Errors
    ///
    /// All of [`CallError`]; stopped before its end, [`ExportError::Interrupted`].
    pub fn run(
        &self,
        exporter: &Exporter,
        options: &Options,
        parts: impl Parts + 'static,
        counters: Arc<Counters>,
        stop: CancellationToken,
    ) -> Result<Summary, CallError> {
        let checkpoint = exporter.start(self.snapshot.clone(), options)?;
        let ctx = PipeCtx::builder()
            .pacing(UntilStopped(stop))
            .counters(counters)
            .build(self.snapshot.clone(), parts);
        match exporter.resume(ctx, &checkpoint, Budget { parts: u32::MAX })? {
            Outcome::Done(summary) => Ok(summary),
            Outcome::More(_) => Err(CallError::Exporter(ExportError::Interrupted)),
        }
    }
}
