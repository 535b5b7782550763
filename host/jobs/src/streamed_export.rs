//! An export that is no job: sent on as it is made and saved nowhere.

use std::io;
use std::sync::Arc;

use partway_codec::{BlockEncoder, EncodedStream, Encoding};
use partway_sqlite::{OpenError, Snapshot};
use partway_store::PartSequence;
use partway_wasmtime::exporter::{Budget, ExportError, Exporter, Options, Outcome, Summary};
use partway_wasmtime::parts::{self, Parts};
use partway_wasmtime::{CallError, Counters, Limits, PipeCtx, WorkDone, async_trait};
use tokio::runtime::Handle;
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;

use crate::blocking::spawn_blocking;
use crate::codec_component::block_encoder;
use crate::encoded_parts::{PendingEncoding, Target, encode};
use crate::idle_slices::IdleSlices;
use crate::job_error::JobError;
use crate::pacing::UntilStopped;
use crate::snapshot_mode::SnapshotMode;
use crate::stream_copy::CopyFolder;

/// An export of which nothing is kept, to standard output or into a response. It can't be resumed.
pub struct StreamedExport {
    snapshot: Snapshot,
    // Deleted when this is dropped, where it has not been before.
    _copy: Option<CopyFolder>,
}

/// Why a [`StreamedExport`] has nothing to read.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// There is no folder for the copy.
    #[error("there is no temporary folder for a copy of the database")]
    TemporaryFolder(#[source] io::Error),
    /// The database can't be copied, or that was stopped.
    #[error(transparent)]
    Copy(#[from] OpenError),
    /// The thread that copies ended unexpectedly.
    #[error("copying the database ended unexpectedly: {0}")]
    Panicked(#[from] JoinError),
}

impl StreamedExport {
    /// The size of its parts, in bytes: small, so that the first arrive soon.
    pub const PART_SIZE: u32 = 256 * 1024;

    /// Exports the state that `held` holds: of a copy in the system's temporary folder, where `mode` says so. A copy is
    /// gone when this is, and after the death of the process at the latest when the next copy is made. Copying ends when `stop` is ready.
    ///
    /// # Errors
    ///
    /// [`StreamError`].
    pub async fn open(
        held: Snapshot,
        mode: SnapshotMode,
        is_local: bool,
        stop: impl Future<Output = ()>,
    ) -> Result<Self, StreamError> {
        if !mode.copies(&held, is_local) {
            return Ok(Self { snapshot: held, _copy: None });
        }
        let folder =
            spawn_blocking(CopyFolder::new).await?.map_err(StreamError::TemporaryFolder)?;
        let (path, source) = (folder.copy(), held.clone());
        let mut copying = spawn_blocking(move || source.copy(&path));
        let copied = tokio::select! {
            biased;
            copied = &mut copying => copied,
            () = stop => {
                held.interrupt();
                copying.await
            }
        };
        let snapshot = copied??;
        // It is open: where the system lets it, its name goes at once, and the rest with the process, however that ends.
        let folder = if cfg!(unix) { None } else { Some(folder) };
        Ok(Self { snapshot, _copy: folder })
    }

    /// What it reads.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Exports everything, and blocks until that is done, within a tokio runtime. A component may end slices as it likes:
    /// each writes to a clone of `parts`, which need not check what comes. If the object is encoded, the options' part size
    /// is that of what comes to `parts`, and the component's parts are blocks.
    ///
    /// # Errors
    ///
    /// All of [`JobError`] but those of stores; stopped before its end, [`ExportError::Interrupted`].
    pub fn run(
        &self,
        exporter: &Exporter,
        options: &Options,
        encoding: &Encoding,
        parts: impl Parts + Clone + 'static,
        counters: Arc<Counters>,
        stop: CancellationToken,
    ) -> Result<Summary, JobError> {
        let mut options = options.clone();
        let mut target = StreamTarget { part_size: options.part_size, parts, encoded: None };
        if !encoding.is_none() {
            options.part_size = encoding.block_size(self.snapshot.bytes());
            let encoder = block_encoder(encoding.compression.as_ref(), options.part_size)?;
            let stream = EncodedStream::begin(&encoder, &encoding.recipients, options.part_size)?;
            target.encoded = Some((encoder, stream));
        }
        let part_size = options.part_size;
        let mut checkpoint = exporter.start(self.snapshot.clone(), &options)?;
        let mut idle = IdleSlices::default();
        loop {
            let (bytes, written) = (counters.bytes(), counters.parts());
            if !bytes.is_multiple_of(u64::from(part_size)) {
                return Err(JobError::ShortPart);
            }
            let (parts, encoding) =
                target.begin(PartSequence::after(written as u32, part_size, u32::MAX));
            let ctx = PipeCtx::builder()
                .pacing(UntilStopped(stop.clone()))
                .counters(counters.clone())
                .limits(Limits::for_part_size(part_size))
                .build(self.snapshot.clone(), parts);
            let outcome = exporter.resume(ctx, &checkpoint, Budget { parts: u32::MAX })?;
            target.end(encoding, matches!(outcome, Outcome::Done(_)))?;
            match outcome {
                Outcome::Done(_) if counters.parts() == 0 => return Err(JobError::NoProgress),
                Outcome::Done(summary) => {
                    JobError::check(&summary, counters.bytes(), counters.parts())?;
                    return Ok(summary);
                }
                Outcome::More(_) if stop.is_cancelled() => {
                    return Err(CallError::Exporter(ExportError::Interrupted).into());
                }
                Outcome::More(more) => {
                    idle.note(counters.parts() > written, &checkpoint, &more.checkpoint)?;
                    if counters.parts() == 0 {
                        // What it has read is read once more.
                        let done = WorkDone { rows: 0, ..counters.work_done() };
                        counters.set(done, 0, 0);
                    }
                    checkpoint = more.checkpoint;
                }
            }
        }
    }
}

/// Where the parts of all slices go.
struct StreamTarget<P> {
    part_size: u32,
    parts: P,
    /// What encodes it, if it is encoded, and how far that is.
    encoded: Option<(BlockEncoder, EncodedStream)>,
}

/// An encoding that goes on while a slice runs.
type RunningEncoding = (BlockEncoder, PendingEncoding);

impl<P: Parts + Clone + 'static> StreamTarget<P> {
    /// What a slice writes to.
    fn begin(&mut self, sequence: PartSequence) -> (Box<dyn Parts>, Option<RunningEncoding>) {
        let parts = self.parts.clone();
        let Some((encoder, stream)) = self.encoded.take() else {
            return (Box::new(Sequenced { sequence, parts }), None);
        };
        let target = Target { parts: Box::new(parts), part_size: self.part_size, written: 0 };
        let (parts, pending) = encode(encoder.clone(), stream, target);
        (Box::new(parts), Some((encoder, pending)))
    }

    fn end(&mut self, encoding: Option<RunningEncoding>, is_last: bool) -> Result<(), JobError> {
        let Some((encoder, pending)) = encoding else { return Ok(()) };
        self.encoded = Some((encoder, Handle::current().block_on(pending.finish(is_last))?));
        Ok(())
    }
}

/// Passes parts on in their order, and no others.
struct Sequenced<P> {
    sequence: PartSequence,
    parts: P,
}

#[async_trait]
impl<P: Parts> Parts for Sequenced<P> {
    async fn write(&mut self, number: u32, bytes: &[u8]) -> Result<(), parts::Error> {
        self.sequence.accept(number, bytes.len())?;
        self.parts.write(number, bytes).await
    }
}
