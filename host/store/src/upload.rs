//! The parts of one slice: taken from a component and uploaded in parallel with the export.

mod uploader;

use std::sync::Arc;

use partway_wasmtime::async_trait;
use partway_wasmtime::parts::{self, Parts};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::Instrument;

pub use self::uploader::UploadedParts;
use self::uploader::{Destination, Part, Uploader};
use crate::error::StoreError;
use crate::hash::{DamagedHash, HashState};
use crate::part_buffers::{FreeBuffers, part_buffers};
use crate::part_sequence::PartSequence;
use crate::store::{Store, UploadId};

/// Takes a slice's parts from a component and uploads them to a store, in parallel with the export.
///
/// A part is copied into a buffer, then hashed and written from there. There are as many buffers as
/// the store accepts parts at a time ([`StoreLimits::in_flight`]). A component that is faster than
/// the store has to wait in `parts.write`.
///
/// Drop it at the end of the slice: [`PendingUpload::finish`] waits for that.
///
/// [`StoreLimits::in_flight`]: crate::StoreLimits::in_flight
pub struct Upload {
    free_buffers: FreeBuffers,
    sender: mpsc::UnboundedSender<Part>,
    sequence: PartSequence,
}

impl std::fmt::Debug for Upload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upload").field("sequence", &self.sequence).finish_non_exhaustive()
    }
}

/// The pending result of an [`Upload`]. Dropping it ends the upload of the slice: parts in flight
/// may or may not arrive.
#[derive(Debug)]
pub struct PendingUpload(JoinHandle<Result<UploadedParts, StoreError>>);

impl Upload {
    /// Resumes an upload after `written` parts of `part_size` bytes, whose hash is `hash`. Must be
    /// called within a tokio runtime, on which the parts are uploaded.
    ///
    /// # Errors
    ///
    /// [`DamagedHash`]: the export has to start over.
    pub fn new(
        store: Arc<dyn Store>,
        upload: UploadId,
        part_size: u32,
        written: u32,
        hash: &HashState,
    ) -> Result<(Self, PendingUpload), DamagedHash> {
        let hasher = hash.hasher().ok_or(DamagedHash)?;
        let limits = store.limits();
        let (sender, parts) = mpsc::unbounded_channel();
        let (free_buffers, buffer_return) = part_buffers(limits.in_flight.max(1));
        let destination = Destination { store, upload, part_size };
        let uploader = Uploader::new(destination, buffer_return, hasher);
        let task = tokio::spawn(uploader.run(parts).in_current_span());
        let upload = Self {
            free_buffers,
            sender,
            sequence: PartSequence::after(written, part_size, limits.most_parts),
        };
        Ok((upload, PendingUpload(task)))
    }
}

#[async_trait]
impl Parts for Upload {
    async fn write(&mut self, number: u32, bytes: &[u8]) -> Result<(), parts::Error> {
        self.sequence.accept(number, bytes.len())?;
        // `PendingUpload::finish` gives the store's own error.
        let failed = || parts::Error::Failed("an earlier part could not be written".to_owned());
        let buffer = self.free_buffers.copy(bytes).await.ok_or_else(failed)?;
        self.sender.send(Part { number, buffer }).map_err(|_| failed())
    }
}

impl PendingUpload {
    /// Waits until all parts are safe. The [`Upload`] must be dropped before or meanwhile: until
    /// then, more parts may come.
    ///
    /// # Errors
    ///
    /// The store's first error; the parts of the slice must then be written again.
    pub async fn finish(mut self) -> Result<UploadedParts, StoreError> {
        (&mut self.0).await.unwrap_or_else(|error| {
            Err(StoreError::Failed { location: "the upload".to_owned(), reason: error.to_string() })
        })
    }
}

impl Drop for PendingUpload {
    fn drop(&mut self) {
        self.0.abort();
    }
}
