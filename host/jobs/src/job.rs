//! An export from its beginning to the finished object, slice by slice, in a form that can be kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::blocking::spawn_blocking;
use partway_sqlite::{Fingerprint, Snapshot};
use partway_store::{HashState, PartId, Store, StoreError, Upload, UploadId};
use partway_wasmtime::CallError;
use partway_wasmtime::Limits;
use partway_wasmtime::exporter::Exporter;
use partway_wasmtime::exporter::{Budget, ExportError as Error, Options, Outcome};
use partway_wasmtime::pacing::Pacing;
use partway_wasmtime::{Counters, PipeCtx};

/// What to export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobOptions {
    /// The format's name, for example `sql`.
    pub format: String,
    /// Only these tables; empty: everything.
    pub tables: Vec<String>,
    /// The size of every part but the last, in bytes.
    pub part_size: u32,
    /// Settings of the format's own.
    pub settings: Vec<(String, String)>,
}

/// How far an export has come, or what it came to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// Tables exported.
    pub tables: u32,
    /// Rows exported.
    pub rows: u64,
    /// Bytes in the object.
    pub bytes: u64,
    /// Its parts.
    pub parts: u32,
    /// Slices that ended well.
    pub slices: u32,
    /// Seconds spent in them, in all processes.
    pub seconds: f64,
    /// What could not be kept; known at the end.
    pub warnings: Vec<String>,
    /// Tables that could not be read to their end: the object is not whole. Known at the end.
    #[serde(default)]
    pub damaged: Vec<String>,
}

/// An export: all that is needed to go on with it in another process. Store it after every slice, and
/// no slice is lost; the object is the same either way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    /// What is exported.
    pub options: JobOptions,
    /// The state of the database that the export reads. None: it can't be told apart from others, so
    /// the export can be gone on with in the same snapshot only.
    pub fingerprint: Option<Fingerprint>,
    /// The component that wrote the checkpoint (see [`Exporter::digest`]).
    pub component: String,
    /// How far it is.
    pub totals: Totals,
    pub(crate) upload: UploadId,
    pub(crate) checkpoint: String,
    /// Of all parts, in order.
    pub(crate) part_ids: Vec<PartId>,
    pub(crate) hash: HashState,
    pub(crate) ended: bool,
}

/// A finished export.
#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    /// The object's name.
    pub name: String,
    /// Where it is.
    pub location: String,
    /// The SHA-256 of its bytes, in hexadecimal digits.
    pub sha256: String,
    /// What it came to.
    pub totals: Totals,
}

/// Why a slice of an export failed.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The component could not do it, or the database not be read.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The component ended a slice without having written a part: it would go on so for ever.
    #[error("the component ended a slice without writing a part, against the contract")]
    NoProgress,
    /// The component says that it is done, but its object is shorter than whole parts allow.
    #[error("the component wrote a short part and did not end, against the contract")]
    ShortPart,
    /// The saved hash can't be read.
    #[error("the saved state is damaged: start the export over")]
    Damaged,
}

impl JobError {
    /// Whether going on from the saved state may help: the store failed, or somebody wanted an end. A
    /// database that is damaged, or options that make no sense, stay so.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Store(error) => error.is_transient(),
            Self::Call(CallError::TooMany) => true,
            Self::Call(CallError::Exporter(error)) => {
                matches!(error, Error::ReadFailed(_) | Error::WriteFailed(_) | Error::Interrupted)
            }
            _ => false,
        }
    }

    /// Whether the database is damaged where the export has to read.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Call(CallError::Exporter(Error::Corrupt(_))))
    }

    /// Whether the export was only asked to stop.
    pub fn is_interrupted(&self) -> bool {
        matches!(self, Self::Call(CallError::Exporter(Error::Interrupted)))
    }
}

impl Job {
    /// Begins an export of a snapshot to an object of this name, or the next that is free.
    ///
    /// # Errors
    ///
    /// All of [`JobError`]. Nothing is left in the store then.
    pub async fn begin(
        exporter: &Exporter,
        snapshot: &Snapshot,
        store: &Arc<dyn Store>,
        name: &str,
        options: JobOptions,
    ) -> Result<Self, JobError> {
        let name = store.free_name(name).await?;
        Self::begin_named(exporter, snapshot, store, &name, options).await
    }

    /// As [`Job::begin`], with a name that the caller knows to be free.
    pub(crate) async fn begin_named(
        exporter: &Exporter,
        snapshot: &Snapshot,
        store: &Arc<dyn Store>,
        name: &str,
        options: JobOptions,
    ) -> Result<Self, JobError> {
        let checkpoint = {
            let exporter = exporter.clone();
            let rows = snapshot.clone();
            let options = Options {
                format: options.format.clone(),
                tables: options.tables.clone(),
                part_size: options.part_size,
                settings: options.settings.clone(),
            };
            blocking(move || exporter.start(rows, &options)).await?
        };
        let upload = store.begin(name).await?;
        Ok(Self {
            options,
            fingerprint: snapshot.fingerprint().cloned(),
            component: exporter.digest().to_owned(),
            totals: Totals::default(),
            upload,
            checkpoint,
            part_ids: Vec::new(),
            hash: HashState::default(),
            ended: false,
        })
    }

    /// The name that the object is to have.
    pub fn name(&self) -> &str {
        &self.upload.name
    }

    /// Whether the last slice has been done, and only [`Job::complete`] is left.
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// Does one slice. When it returns well, all of its parts are safe in the store, and the job is
    /// to be saved; when it fails, the job is as it was before.
    ///
    /// Dropped before it returns, it is cut off: the component is interrupted within 50 ms, its reads and writes end,
    /// and the job is as it was before.
    ///
    /// # Errors
    ///
    /// All of [`JobError`].
    pub async fn slice(
        &mut self,
        exporter: &Exporter,
        snapshot: &Snapshot,
        store: &Arc<dyn Store>,
        pacing: impl Pacing + 'static,
        budget: Budget,
        counters: &Arc<Counters>,
    ) -> Result<(), JobError> {
        let began = Instant::now();
        let part_size = self.options.part_size;
        counters.set(self.totals.rows, self.totals.bytes, u64::from(self.totals.parts));
        let (upload, settling) = Upload::new(
            store.clone(),
            self.upload.clone(),
            part_size,
            self.totals.parts,
            &self.hash,
        );
        let exporter = exporter.clone();
        let cut_off = CutOff::new(snapshot);
        let ctx = PipeCtx::builder()
            .pacing(UntilCutOff { pacing, is_cut_off: cut_off.is_cut_off.clone() })
            .counters(counters.clone())
            .limits(Limits::for_part_size(part_size))
            .build(snapshot.clone(), upload);
        let checkpoint = self.checkpoint.clone();
        let outcome = blocking(move || exporter.resume(ctx, &checkpoint, budget)).await;
        let settled = settling.finish().await;
        cut_off.disarm();
        // A part that was not taken is the store's failure, and the store knows why.
        let (outcome, settled) = match (outcome, settled) {
            (Ok(outcome), settled) => (outcome, settled?),
            (Err(CallError::Exporter(Error::WriteFailed(_))), Err(error)) => {
                return Err(error.into());
            }
            (Err(error), _) => return Err(error.into()),
        };

        let whole = settled.bytes.is_multiple_of(u64::from(part_size));
        match outcome {
            Outcome::More(_) if settled.part_ids.is_empty() => return Err(JobError::NoProgress),
            Outcome::More(_) if !whole => return Err(JobError::ShortPart),
            Outcome::More(more) => {
                self.checkpoint = more.checkpoint;
                self.totals.tables = more.progress.tables;
                self.totals.rows = more.progress.rows;
            }
            Outcome::Done(summary) => {
                self.ended = true;
                self.totals.tables = summary.tables;
                self.totals.rows = summary.rows;
                self.totals.warnings = summary.warnings;
                self.totals.damaged = summary.damaged;
            }
        }
        self.totals.bytes += settled.bytes;
        self.totals.parts += settled.part_ids.len() as u32;
        self.totals.slices += 1;
        self.totals.seconds += began.elapsed().as_secs_f64();
        self.part_ids.extend(settled.part_ids);
        self.hash = settled.hash;
        counters.set(self.totals.rows, self.totals.bytes, u64::from(self.totals.parts));
        tracing::info!(
            slice = self.totals.slices,
            parts = self.totals.parts,
            rows = self.totals.rows,
            seconds = began.elapsed().as_secs_f64(),
            "slice done"
        );
        Ok(())
    }

    /// Makes the object appear, when all slices are done. May be called again.
    ///
    /// # Errors
    ///
    /// [`JobError::Store`], and [`JobError::Damaged`].
    pub async fn complete(&self, store: &Arc<dyn Store>) -> Result<Finished, JobError> {
        let sha256 = self.hash.finish().ok_or(JobError::Damaged)?;
        let name = store.complete(&self.upload, &self.part_ids, self.totals.bytes).await?;
        Ok(self.finished(store, name, sha256))
    }

    /// The finished export, if its object has appeared: a completion may have succeeded and not been heard of.
    pub(crate) async fn find_completed(
        &self,
        store: &Arc<dyn Store>,
    ) -> Result<Option<Finished>, StoreError> {
        let Some(sha256) = self.hash.finish().filter(|_| self.ended) else { return Ok(None) };
        let found = store.find_completed(&self.upload, &self.part_ids, self.totals.bytes).await?;
        Ok(found.map(|name| self.finished(store, name, sha256)))
    }

    fn finished(&self, store: &Arc<dyn Store>, name: String, sha256: String) -> Finished {
        let location = store.location(&name);
        Finished { name, location, sha256, totals: self.totals.clone() }
    }

    /// Throws away what is in the store.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn abort(&self, store: &Arc<dyn Store>) -> Result<(), StoreError> {
        store.abort(&self.upload).await
    }
}

/// Cuts a slice off when it is dropped before its end.
struct CutOff {
    is_cut_off: Arc<AtomicBool>,
    snapshot: Option<Snapshot>,
}

impl CutOff {
    fn new(snapshot: &Snapshot) -> Self {
        Self { is_cut_off: Arc::default(), snapshot: Some(snapshot.clone()) }
    }

    fn disarm(mut self) {
        self.snapshot = None;
    }
}

impl Drop for CutOff {
    fn drop(&mut self) {
        if let Some(snapshot) = &self.snapshot {
            self.is_cut_off.store(true, Ordering::Relaxed);
            snapshot.interrupt();
        }
    }
}

/// The pacing that a slice was given, until it is cut off.
struct UntilCutOff<P> {
    pacing: P,
    is_cut_off: Arc<AtomicBool>,
}

impl<P: Pacing> Pacing for UntilCutOff<P> {
    fn should_yield(&self) -> bool {
        self.pacing.should_yield()
    }

    fn is_stopped(&self) -> bool {
        self.pacing.is_stopped()
    }

    fn is_cut_off(&self) -> bool {
        self.is_cut_off.load(Ordering::Relaxed) || self.pacing.is_cut_off()
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CallError> + Send + 'static,
) -> Result<T, CallError> {
    match spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(CallError::Trap(error.to_string())),
    }
}
