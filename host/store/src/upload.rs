//! The parts of one slice on their way: hashed in order, written beside the export, few at a time.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::digest::common::hazmat::SerializableState;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle, JoinSet, spawn_blocking};
use tracing::Instrument;

use crate::{PartId, Store, StoreError, UploadId};
use partway_wasmtime::async_trait;
use partway_wasmtime::parts::{self, Parts};

/// The SHA-256 of an object up to the end of a part, in a form that can be kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HashState(String);

impl HashState {
    /// The hash so far, to go on with; none where the text is damaged.
    fn hasher(&self) -> Option<Sha256> {
        if self.0.is_empty() {
            return Some(Sha256::new());
        }
        let bytes: Option<Vec<u8>> = (0..self.0.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(self.0.get(at..at + 2)?, 16).ok())
            .collect();
        Sha256::deserialize(bytes?.as_slice().try_into().ok()?).ok()
    }

    fn of(hasher: &Sha256) -> Self {
        Self(base16ct::lower::encode_string(&hasher.serialize()))
    }

    /// The hash of all that has gone in, in hexadecimal digits; none where the state is damaged.
    pub fn finish(&self) -> Option<String> {
        Some(base16ct::lower::encode_string(&self.hasher()?.finalize()))
    }
}

/// What a slice's parts have become, when all of them are safe.
#[derive(Debug)]
pub struct UploadedParts {
    /// The part_ids of the slice's parts, in order.
    pub part_ids: Vec<PartId>,
    /// Their bytes.
    pub bytes: u64,
    /// The hash of the object up to the last of them.
    pub hash: HashState,
}

/// Takes a slice's parts from a component and brings them to a store, beside the export.
///
/// There are as many buffers for parts as the store's limits say, used over and over; a part is hashed and
/// written out of one at the same time. A component that is faster has to wait in `parts.write`.
pub struct Upload {
    free: mpsc::UnboundedReceiver<Vec<u8>>,
    sender: mpsc::UnboundedSender<(u32, Vec<u8>)>,
    next: u32,
    part_size: u32,
    most_parts: u32,
    ended: bool,
}

/// A part's bytes, shared by those that work on it; its buffer goes back when the last of them is done.
struct Part {
    bytes: Vec<u8>,
    free: mpsc::UnboundedSender<Vec<u8>>,
}

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // With the slice over, nobody waits for it.
        self.free.send(std::mem::take(&mut self.bytes)).ok();
    }
}

impl std::fmt::Debug for Upload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upload").field("next", &self.next).finish_non_exhaustive()
    }
}

/// The other end of an [`Upload`]: what becomes of its parts. Dropped, it ends the upload of the slice, and parts on
/// their way may arrive or not.
#[derive(Debug)]
pub struct PendingUpload(JoinHandle<Result<UploadedParts, StoreError>>);

impl Upload {
    /// Goes on with an upload behind `written` parts of `part_size` bytes. Must be called within a tokio
    /// runtime; the component then runs on a thread that may block.
    pub fn new(
        store: Arc<dyn Store>,
        upload: UploadId,
        part_size: u32,
        written: u32,
        hash: &HashState,
    ) -> (Self, PendingUpload) {
        let limits = store.limits();
        let (sender, receiver) = mpsc::unbounded_channel();
        let (freed, free) = mpsc::unbounded_channel();
        for _ in 0..limits.in_flight.max(1) {
            freed.send(Vec::new()).ok();
        }
        let hasher = hash.hasher();
        let work = async move {
            let Some(hasher) = hasher else {
                return Err(StoreError::Failed {
                    location: store.location(&upload.name),
                    reason: "the saved hash is damaged: start the export over".to_owned(),
                });
            };
            bring(store, upload, part_size, hasher, receiver, freed).await
        };
        let task = tokio::spawn(work.in_current_span());
        let upload = Self {
            free,
            sender,
            next: written + 1,
            part_size,
            most_parts: limits.most_parts,
            ended: false,
        };
        (upload, PendingUpload(task))
    }
}

impl PendingUpload {
    /// Waits until all parts are safe. The [`Upload`] must have been dropped, or this never ends.
    ///
    /// # Errors
    ///
    /// The first error of the store; the parts of the slice must then be written again.
    pub async fn finish(mut self) -> Result<UploadedParts, StoreError> {
        match (&mut self.0).await {
            Ok(settled) => settled,
            Err(error) => Err(StoreError::Failed {
                location: "the upload".to_owned(),
                reason: error.to_string(),
            }),
        }
    }
}

impl Drop for PendingUpload {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[async_trait]
impl Parts for Upload {
    async fn write(&mut self, number: u32, bytes: &[u8]) -> Result<(), parts::Error> {
        let size = self.part_size as usize;
        if self.ended || number != self.next || bytes.is_empty() || bytes.len() > size {
            return Err(parts::Error::Refused(format!(
                "part {number} of {} bytes came where part {} of at most {size} was due",
                bytes.len(),
                self.next
            )));
        }
        if number > self.most_parts {
            return Err(parts::Error::Full(format!(
                "the object needs more than the {} parts that the store takes: start over with a \
                 larger part size than {size} bytes",
                self.most_parts
            )));
        }
        // A shorter part is the last one.
        self.ended = bytes.len() < size;
        self.next += 1;
        // The store's own error comes out of `settled`.
        let failed = || parts::Error::Failed("the store did not take an earlier part".to_owned());
        let mut buffer = self.free.recv().await.ok_or_else(failed)?;
        buffer.clear();
        buffer.extend_from_slice(bytes);
        self.sender.send((number, buffer)).map_err(|_| failed())
    }
}

/// Hashes the parts in order and writes them, as many at a time as there are buffers. What is written is made
/// safe along the way, so that little is left to wait for at the end.
async fn bring(
    store: Arc<dyn Store>,
    upload: UploadId,
    part_size: u32,
    mut hasher: Sha256,
    mut parts: mpsc::UnboundedReceiver<(u32, Vec<u8>)>,
    freed: mpsc::UnboundedSender<Vec<u8>>,
) -> Result<UploadedParts, StoreError> {
    let mut writes = JoinSet::new();
    let mut settling = JoinSet::new();
    let mut part_ids = Vec::new();
    let mut length = 0;
    // Whether anything was written since it was last begun to make all safe.
    let mut is_unsettled = false;
    loop {
        let part = tokio::select! {
            part = parts.recv() => part,
            Some(written) = writes.join_next() => {
                part_ids.push(joined(&store, &upload, written)?);
                is_unsettled = true;
                if settling.is_empty() {
                    is_unsettled = false;
                    let (store, upload) = (store.clone(), upload.clone());
                    settling.spawn(async move { store.sync(&upload).await }.in_current_span());
                }
                continue;
            }
            Some(settled) = settling.join_next() => {
                joined(&store, &upload, settled)?;
                continue;
            }
        };
        let Some((number, bytes)) = part else { break };
        let part = Bytes::from_owner(Part { bytes, free: freed.clone() });
        length += part.len() as u64;
        writes.spawn({
            let (store, upload, bytes) = (store.clone(), upload.clone(), part.clone());
            let offset = u64::from(number - 1) * u64::from(part_size);
            async move {
                let receipt = store.write(&upload, number, offset, bytes).await?;
                tracing::debug!(number, "part written");
                Ok((number, receipt))
            }
            .in_current_span()
        });
        let hashing = spawn_blocking(move || {
            hasher.update(&part);
            hasher
        });
        hasher = joined(&store, &upload, hashing.await.map(Ok))?;
    }
    while let Some(written) = writes.join_next().await {
        part_ids.push(joined(&store, &upload, written)?);
        is_unsettled = true;
    }
    while let Some(settled) = settling.join_next().await {
        joined(&store, &upload, settled)?;
    }
    if is_unsettled {
        store.sync(&upload).await?;
    }
    part_ids.sort_unstable_by_key(|(number, _)| *number);
    let part_ids = part_ids.into_iter().map(|(_, receipt)| receipt).collect();
    Ok(UploadedParts { part_ids, bytes: length, hash: HashState::of(&hasher) })
}

/// What a task came to; a task that broke off is a failure of the store.
fn joined<T>(
    store: &Arc<dyn Store>,
    upload: &UploadId,
    task: Result<Result<T, StoreError>, JoinError>,
) -> Result<T, StoreError> {
    task.unwrap_or_else(|error| {
        Err(StoreError::Failed {
            location: store.location(&upload.name),
            reason: error.to_string(),
        })
    })
}
