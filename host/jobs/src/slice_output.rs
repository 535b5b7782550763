//! Where a slice's parts go: to the store as they are, or encoded first.

use std::sync::Arc;

use partway_codec::{BlockEncoder, EncodeError, EncodedStream, Encoding};
use partway_store::{DamagedHash, PendingUpload, Store, Upload, UploadedParts};
use partway_wasmtime::parts::Parts;
use serde::{Deserialize, Serialize};

use crate::blocking::spawn_blocking;
use crate::codec_component::block_encoder;
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
    /// What encodes its blocks, once it is needed.
    #[serde(skip)]
    encoder: Option<BlockEncoder>,
}

impl EncodedObject {
    /// A new object. Its blocks have as many bytes as the component's parts, its own parts `part_size`.
    pub(crate) async fn begin(
        encoding: &Encoding,
        block_size: u32,
        part_size: u32,
    ) -> Result<Self, JobError> {
        let encoder = encoder(encoding, block_size).await?;
        let stream = EncodedStream::begin(&encoder, &encoding.recipients, block_size)?;
        Ok(Self { encoding: encoding.clone(), stream, part_size, encoder: Some(encoder) })
    }

    async fn encoder(&mut self) -> Result<BlockEncoder, JobError> {
        let encoder = match self.encoder.take() {
            Some(encoder) => encoder,
            None => encoder(&self.encoding, self.stream.block_size()).await?,
        };
        Ok(self.encoder.insert(encoder).clone())
    }
}

/// To load a component takes a moment.
async fn encoder(encoding: &Encoding, block_size: u32) -> Result<BlockEncoder, JobError> {
    let codec = encoding.compression.clone();
    match spawn_blocking(move || block_encoder(codec.as_ref(), block_size)).await {
        Ok(encoder) => Ok(encoder?),
        Err(error) => Err(EncodeError::Compress(error.to_string()).into()),
    }
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
    pub(crate) async fn begin(
        job: &mut Job,
        store: &Arc<dyn Store>,
    ) -> Result<(Box<dyn Parts>, Self), JobError> {
        let encoder = match &mut job.encoded {
            Some(encoded) => Some(encoded.encoder().await?),
            None => None,
        };
        let written = job.totals.parts;
        let (store, id) = (store.clone(), job.upload.clone());
        let (parts, upload) = Upload::new(store, id, job.part_size(), written, &job.hash)
            .map_err(|DamagedHash| JobError::Damaged)?;
        Ok(match job.encoded.as_ref().zip(encoder) {
            None => (Box::new(parts), Self { upload, encoding: None }),
            Some((EncodedObject { stream, part_size, .. }, encoder)) => {
                let target = Target { parts: Box::new(parts), part_size: *part_size, written };
                let (parts, pending) = encode(encoder, stream.clone(), target);
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
