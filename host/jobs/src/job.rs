//! An export from its beginning to the finished object, slice by slice, in a form that can be saved.

use std::sync::Arc;
use std::time::Instant;

use partway_codec::Encoding;
use partway_sqlite::Fingerprint;
use partway_store::{CompletedObject, HashState, PartId, Store, StoreError, UploadId};
use partway_wasmtime::exporter::{Budget, ExportError, Exporter, Options, Outcome, SliceResult};
use partway_wasmtime::pacing::Pacing;
use partway_wasmtime::{CallError, Counters, Limits, PipeCtx};
use serde::{Deserialize, Serialize};

use crate::blocking::spawn_blocking;
use crate::idle_slices::IdleSlices;
use crate::job_error::JobError;
use crate::manifest::{Listing, free_name};
use crate::object_set::Place;
use crate::options::SavedOptions;
use crate::pacing::CutOffGuard;
use crate::slice_output::{EncodedObject, SliceOutput, SliceWritten};
use crate::source::Source;
use crate::totals::{Finished, Totals};

/// An export: everything needed to resume it in another process.
///
/// Save all of it (it is [`Serialize`]) after [`Job::begin`], and again after every successful
/// [`Job::slice`]: by then the slice's parts are safe in the store, and the next slice begins after
/// them. Its saved form grows by one part id and a line of the manifest per part and table; apart from that, it contains
/// at most a row's text. Resuming from an older save repeats slices, and the object is the same. Resuming needs a
/// [`Source`] in the same state (compare [`Job::fingerprint`]) and the same component (compare
/// [`Job::component`]). When [`Job::is_ended`], only [`Job::complete`] is left, which may be
/// repeated too. [`Worker`](crate::Worker) does all of this.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    /// What is exported.
    #[serde(with = "SavedOptions")]
    pub options: Options,
    /// The state of the database that the export reads. None: it can't be distinguished from
    /// others, so the export can be resumed only with the same source.
    pub fingerprint: Option<Fingerprint>,
    /// The component that wrote the checkpoint (see [`Exporter::digest`]).
    pub component: String,
    /// Its progress.
    pub totals: Totals,
    pub(crate) upload: UploadId,
    pub(crate) checkpoint: String,
    /// The ids of all parts, in order. Saved jobs keep their original field name.
    #[serde(rename = "receipts")]
    pub(crate) part_ids: Vec<PartId>,
    pub(crate) hash: HashState,
    pub(crate) ended: bool,
    /// How the object is encoded. None: it is what the component writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) encoded: Option<EncodedObject>,
    /// Its place among the objects of its job.
    #[serde(skip)]
    pub(crate) place: Place,
    /// What its manifest will list.
    #[serde(default, skip_serializing_if = "Listing::is_empty")]
    pub(crate) listing: Listing,
}

impl Job {
    /// Begins an export of a source to an object of this name, or the next free name.
    ///
    /// # Errors
    ///
    /// All of [`JobError`]. Nothing is left in the store then.
    pub async fn begin(
        exporter: &Exporter,
        source: &dyn Source,
        store: &Arc<dyn Store>,
        name: &str,
        options: Options,
    ) -> Result<Self, JobError> {
        Self::begin_encoded(exporter, source, store, name, options, &Encoding::default()).await
    }

    /// Like [`Job::begin`], for an object that is compressed or encrypted. The options' part size is that of the object.
    ///
    /// # Errors
    ///
    /// Like [`Job::begin`].
    pub async fn begin_encoded(
        exporter: &Exporter,
        source: &dyn Source,
        store: &Arc<dyn Store>,
        name: &str,
        options: Options,
        encoding: &Encoding,
    ) -> Result<Self, JobError> {
        let name = free_name(store, name).await?;
        Self::begin_named(exporter, source, store, &name, options, encoding).await
    }

    /// Like [`Job::begin_encoded`], with a name that the caller knows to be free.
    pub(crate) async fn begin_named(
        exporter: &Exporter,
        source: &dyn Source,
        store: &Arc<dyn Store>,
        name: &str,
        mut options: Options,
        encoding: &Encoding,
    ) -> Result<Self, JobError> {
        let mut encoded = None;
        if !encoding.is_none() {
            let part_size = options.part_size;
            // What the component takes for a part is a block then.
            options.part_size = encoding.block_size(source.bytes());
            encoded = Some(EncodedObject::begin(encoding, options.part_size, part_size).await?);
        }
        let checkpoint = {
            let (exporter, options, rows) = (exporter.clone(), options.clone(), source.rows());
            blocking(move || exporter.start(rows, &options)).await?
        };
        let upload = store.begin(name).await?;
        Ok(Self {
            options,
            fingerprint: source.fingerprint(),
            component: exporter.digest().to_owned(),
            totals: Totals::default(),
            upload,
            checkpoint,
            part_ids: Vec::new(),
            hash: HashState::default(),
            ended: false,
            encoded,
            place: Place::default(),
            listing: Listing::default(),
        })
    }

    /// The size of the object's parts but the last, in bytes.
    pub fn part_size(&self) -> u32 {
        self.encoded.as_ref().map_or(self.options.part_size, |encoded| encoded.part_size)
    }

    /// The bytes that the component has written, and its parts: before they are encoded.
    pub(crate) fn made(&self) -> (u64, u32) {
        match &self.encoded {
            Some(EncodedObject { stream, .. }) => (stream.decoded_bytes(), stream.blocks()),
            None => (self.totals.bytes, self.totals.parts),
        }
    }

    /// The object's intended name.
    pub fn name(&self) -> &str {
        &self.upload.name
    }

    /// Whether the last slice has been done, and only [`Job::complete`] is left.
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// Runs one slice. If it succeeds, all of its parts are safe in the store, and the job is to be
    /// saved; if it fails, the job is unchanged.
    ///
    /// Dropping the future cuts the slice off: the component is interrupted within 50 ms, its reads
    /// and writes end, and the job is unchanged.
    ///
    /// # Errors
    ///
    /// All of [`JobError`].
    pub async fn slice(
        &mut self,
        exporter: &Exporter,
        source: &dyn Source,
        store: &Arc<dyn Store>,
        pacing: impl Pacing + 'static,
        budget: Budget,
        counters: &Arc<Counters>,
    ) -> Result<(), JobError> {
        let began = Instant::now();
        let part_size = self.options.part_size;
        self.count(counters);
        let (parts, output) = SliceOutput::begin(self, store).await?;
        let cut_off = CutOffGuard::new(source);
        let ctx = PipeCtx::builder()
            .pacing(cut_off.pacing(pacing))
            .counters(counters.clone())
            .limits(Limits::for_part_size(part_size))
            .build(source.rows(), parts);
        let (exporter, checkpoint) = (exporter.clone(), self.checkpoint.clone());
        let slice = blocking(move || exporter.slice(ctx, &checkpoint, budget)).await;
        let is_last = matches!(&slice, Ok(slice) if matches!(slice.outcome, Outcome::Done(_)));
        let written = output.finish(is_last).await;
        cut_off.disarm();
        let (slice, written) = match (slice, written) {
            (Ok(slice), written) => (slice, written?),
            // A part that was not taken is the store's failure, and the store knows why.
            (Err(CallError::Exporter(ExportError::WriteFailed(_))), Err(error)) => {
                return Err(error);
            }
            (Err(error), _) => return Err(error.into()),
        };
        self.advance(slice, written, counters, began)?;
        self.count(counters);
        tracing::info!(
            slice = self.totals.slices,
            parts = self.totals.parts,
            rows = self.totals.rows,
            seconds = began.elapsed().as_secs_f64(),
            "slice done"
        );
        Ok(())
    }

    /// Takes over the result of a slice; nothing if it breaks the contract.
    fn advance(
        &mut self,
        slice: SliceResult,
        written: SliceWritten,
        counters: &Counters,
        began: Instant,
    ) -> Result<(), JobError> {
        let SliceWritten { uploaded, stream } = written;
        let bytes = self.totals.bytes + uploaded.bytes;
        let parts = self.totals.parts + uploaded.part_ids.len() as u32;
        let (made, made_parts) = match &stream {
            Some(stream) => (stream.decoded_bytes(), stream.blocks()),
            None => (bytes, parts),
        };
        let is_whole = made.is_multiple_of(u64::from(self.options.part_size));
        let mut idle = self.totals.idle_slices;
        match slice.outcome {
            Outcome::Done(_) if made_parts == 0 => return Err(JobError::NoProgress),
            Outcome::More(_) if !is_whole => return Err(JobError::ShortPart),
            Outcome::More(more) => {
                idle.note(made_parts > self.made().1, &self.checkpoint, &more.checkpoint)?;
                self.checkpoint = more.checkpoint;
                self.totals.tables = more.progress.tables;
                self.totals.rows = more.progress.rows;
            }
            Outcome::Done(summary) => {
                JobError::check(&summary, made, made_parts.into())?;
                self.ended = true;
                idle = IdleSlices::default();
                self.totals.tables = summary.tables;
                self.totals.rows = summary.rows;
                self.totals.warnings = summary.warnings;
                self.totals.damaged = summary.damaged;
            }
        }
        self.totals.idle_slices = idle;
        self.totals.note_weight(counters, &self.place.before);
        self.totals.bytes = bytes;
        self.totals.parts = parts;
        self.totals.slices += 1;
        self.totals.seconds += began.elapsed().as_secs_f64();
        let part_size = self.part_size();
        self.listing.extend(&uploaded.part_hashes, part_size, uploaded.bytes, slice.tables);
        self.part_ids.extend(uploaded.part_ids);
        self.hash = uploaded.hash;
        if let (Some(encoded), Some(stream)) = (&mut self.encoded, stream) {
            encoded.stream = stream;
        }
        Ok(())
    }

    /// Its progress, and that of the objects of the same job before it.
    pub(crate) fn totals_so_far(&self) -> Totals {
        self.place.before.plus(&self.totals)
    }

    /// Whether all slices of its job are done.
    pub(crate) fn is_last_ended(&self) -> bool {
        self.ended && !self.place.has_next
    }

    /// Sets the counters to what is safe.
    fn count(&self, counters: &Counters) {
        let (bytes, parts) = self.made();
        let before = &self.place.before;
        let parts = u64::from(before.parts) + u64::from(parts);
        counters.set(self.totals_so_far().work_done(), before.bytes + bytes, parts);
    }

    /// Makes the object appear when all slices are done. May be called again.
    ///
    /// # Errors
    ///
    /// [`JobError::Store`], and [`JobError::Damaged`].
    pub async fn complete(&self, store: &Arc<dyn Store>) -> Result<Finished, JobError> {
        let sha256 = self.hash.finish().ok_or(JobError::Damaged)?;
        let object = store.complete(&self.upload, &self.part_ids, self.totals.bytes).await?;
        Ok(self.finished(store, object, sha256))
    }

    /// The finished export, if its object has appeared: a completion may have succeeded without a
    /// response.
    pub(crate) async fn find_completed(
        &self,
        store: &Arc<dyn Store>,
    ) -> Result<Option<Finished>, StoreError> {
        let Some(sha256) = self.hash.finish().filter(|_| self.ended) else { return Ok(None) };
        let found = store.find_completed(&self.upload, &self.part_ids, self.totals.bytes).await?;
        Ok(found.map(|object| self.finished(store, object, sha256)))
    }

    fn finished(
        &self,
        store: &Arc<dyn Store>,
        object: CompletedObject,
        sha256: String,
    ) -> Finished {
        let CompletedObject { name, version } = object;
        let location = store.location(&name);
        Finished { name, location, sha256, version, totals: self.totals.clone() }
    }

    /// Deletes the export's data in the store; false: there is no such upload any more.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn abort(&self, store: &Arc<dyn Store>) -> Result<bool, StoreError> {
        store.abort(&self.upload).await
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_job_is_read_whoever_saved_it() {
        // As every version has written it.
        let saved = r#"{"options":{"format":"sql","tables":["t"],"part_size":4096,"settings":[["target","d1"]]},
            "fingerprint":"4096@1","component":"ab","totals":{"tables":1,"rows":2,"bytes":4096,"parts":1,"slices":1,
            "seconds":0.5,"warnings":[],"damaged":[]},"upload":{"name":"a.sql","id":"u"},"checkpoint":"{}",
            "receipts":["p"],"hash":"","ended":false}"#;
        let job: Job = serde_json::from_str(saved).unwrap();
        assert_eq!(job.options.settings, [("target".to_owned(), "d1".to_owned())]);
        let mut again: serde_json::Value = serde_json::to_value(&job).unwrap();
        // Since then.
        for since in ["weight", "idle_weight", "idle_slices"] {
            assert_eq!(again["totals"].as_object_mut().unwrap().remove(since), Some(0.into()));
        }
        assert_eq!(again, serde_json::from_str::<serde_json::Value>(saved).unwrap());
    }
}
