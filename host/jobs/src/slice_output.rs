//! Where a slice's parts go: to the store as they are, or encoded first.

use std::sync::Arc;

use partway_codec::{EncodedStream, Encoding};
use partway_store::{DamagedHash, PendingUpload, Store, Upload, UploadedParts};
use partway_wasmtime::parts::Parts;
use serde::{Deserialize, Serialize};

use crate::encoded_parts::{PendingEncoding, Target, encode};
use crate::job::Job;
use crate::job_error::JobError;

/// How a job's object is encoded, and how far that is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct EncodedObject {
    pub(crate) encoding: Encoding,
    pub(crate) stream: EncodedStream,
    /// The size of the object's parts, in bytes.
    pub(crate) part_size: u32,
}

/// The pending result of a slice's parts.
pub(crate) struct SliceOutput {
    upload: PendingUpload,
    encoding: Option<PendingEncoding>,
}

/// What a slice has written, when all of it is safe.
pub(crate) struct SliceWritten {
    pub(crate) uploaded: UploadedParts,
    /// How far the encoding is, if there is one.
    pub(crate) stream: Option<EncodedStream>,
}

impl SliceOutput {
    /// Goes on with a job's object. Gives what the component writes to.
    pub(crate) fn begin(
        job: &Job,
        store: &Arc<dyn Store>,
    ) -> Result<(Box<dyn Parts>, Self), JobError> {
        let written = job.totals.parts;
        let (store, id) = (store.clone(), job.upload.clone());
        let (parts, upload) = Upload::new(store, id, job.part_size(), written, &job.hash)
            .map_err(|DamagedHash| JobError::Damaged)?;
        Ok(match &job.encoded {
            None => (Box::new(parts), Self { upload, encoding: None }),
            Some(encoded) => {
                let EncodedObject { encoding, stream, part_size } = encoded;
                let target = Target { parts: Box::new(parts), part_size: *part_size, written };
                let (parts, pending) = encode(encoding, stream.clone(), target);
                (Box::new(parts), Self { upload, encoding: Some(pending) })
            }
        })
    }

    /// Waits until all parts are safe. What the component wrote to must be dropped before or meanwhile.
    ///
    /// # Errors
    ///
    /// The store's first error, or else that of the encoding.
    pub(crate) async fn finish(self, is_last: bool) -> Result<SliceWritten, JobError> {
        let encoded = match self.encoding {
            Some(pending) => Some(pending.finish(is_last).await),
            None => None,
        };
        let uploaded = self.upload.finish().await?;
        let stream = encoded.transpose()?;
        Ok(SliceWritten { uploaded, stream })
    }
}
