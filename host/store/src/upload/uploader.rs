//! The task that hashes a slice's parts in order and writes them to the store, several at a time.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet, spawn_blocking};
use tracing::Instrument;
use twox_hash::XxHash64;

use crate::error::StoreError;
use crate::hash::HashState;
use crate::part_buffers::BufferReturn;
use crate::store::{PartId, Store, UploadId};

/// A slice's parts, when all of them are safe.
#[derive(Debug)]
pub struct UploadedParts {
    /// The ids of the slice's parts, in order.
    pub part_ids: Vec<PartId>,
    /// The XXH64 of each of them.
    pub part_hashes: Vec<u64>,
    /// Their size in bytes.
    pub bytes: u64,
    /// The hash of the object up to the last of them.
    pub hash: HashState,
}

/// A part on its way from the component to the store.
pub(super) struct Part {
    /// Counted from 1 in the object.
    pub number: u32,
    pub buffer: Vec<u8>,
}

/// The upload of one slice's parts.
///
/// As many parts are written at a time as there are buffers, each while it is hashed. What is written is synced along
/// the way, so that little is left to wait for at the end.
pub(super) struct Uploader {
    destination: Destination,
    buffers: BufferReturn,
    hasher: Sha256,
    writes: JoinSet<Result<(u32, PartId), StoreError>>,
    /// One at a time.
    syncs: JoinSet<Result<(), StoreError>>,
    /// Whether a part was written after the last sync had begun.
    is_sync_due: bool,
    /// The numbers and ids of the parts that are written, in the order in which they were.
    part_ids: Vec<(u32, PartId)>,
    part_hashes: Vec<u64>,
    bytes: u64,
}

/// Where the parts go.
#[derive(Clone)]
pub(super) struct Destination {
    pub store: Arc<dyn Store>,
    pub upload: UploadId,
    /// The size of all parts but the last, in bytes.
    pub part_size: u32,
}

impl Destination {
    async fn write(&self, number: u32, bytes: bytes::Bytes) -> Result<(u32, PartId), StoreError> {
        let offset = u64::from(number - 1) * u64::from(self.part_size);
        let part_id = self.store.write(&self.upload, number, offset, bytes).await?;
        tracing::debug!(number, "part written");
        Ok((number, part_id))
    }

    async fn sync(&self) -> Result<(), StoreError> {
        self.store.sync(&self.upload).await
    }

    fn failed(&self, reason: String) -> StoreError {
        StoreError::Failed { location: self.store.location(&self.upload.name), reason }
    }

    /// What a task came to; a task that did not end is a failure of the store.
    fn joined<T>(
        &self,
        outcome: Result<Result<T, StoreError>, JoinError>,
    ) -> Result<T, StoreError> {
        outcome.unwrap_or_else(|error| Err(self.failed(error.to_string())))
    }
}

impl Uploader {
    pub(super) fn new(destination: Destination, buffers: BufferReturn, hasher: Sha256) -> Self {
        Self {
            destination,
            buffers,
            hasher,
            writes: JoinSet::new(),
            syncs: JoinSet::new(),
            is_sync_due: false,
            part_ids: Vec::new(),
            part_hashes: Vec::new(),
            bytes: 0,
        }
    }

    /// Uploads parts until there will be no more, and all of them are safe.
    pub(super) async fn run(
        mut self,
        mut parts: mpsc::UnboundedReceiver<Part>,
    ) -> Result<UploadedParts, StoreError> {
        loop {
            tokio::select! {
                part = parts.recv() => match part {
                    Some(part) => self.begin_part(part).await?,
                    None => return self.finish().await,
                },
                Some(written) = self.writes.join_next() => {
                    self.end_write(written)?;
                    self.begin_sync();
                }
                Some(synced) = self.syncs.join_next() => self.destination.joined(synced)?,
            }
        }
    }

    /// Begins to write a part, and hashes it meanwhile.
    async fn begin_part(&mut self, part: Part) -> Result<(), StoreError> {
        let Part { number, buffer } = part;
        let bytes = self.buffers.share(buffer);
        self.bytes += bytes.len() as u64;
        let (destination, written) = (self.destination.clone(), bytes.clone());
        let write = async move { destination.write(number, written).await };
        self.writes.spawn(write.in_current_span());
        let mut hasher = std::mem::take(&mut self.hasher);
        let hashing = spawn_blocking(move || {
            hasher.update(&bytes);
            (hasher, XxHash64::oneshot(0, &bytes))
        });
        let (hasher, part_hash) = self.destination.joined(hashing.await.map(Ok))?;
        self.hasher = hasher;
        self.part_hashes.push(part_hash);
        Ok(())
    }

    fn end_write(
        &mut self,
        outcome: Result<Result<(u32, PartId), StoreError>, JoinError>,
    ) -> Result<(), StoreError> {
        self.part_ids.push(self.destination.joined(outcome)?);
        self.is_sync_due = true;
        Ok(())
    }

    fn begin_sync(&mut self) {
        if self.syncs.is_empty() {
            self.is_sync_due = false;
            let destination = self.destination.clone();
            self.syncs.spawn(async move { destination.sync().await }.in_current_span());
        }
    }

    /// Waits for what is being written and makes it safe.
    async fn finish(mut self) -> Result<UploadedParts, StoreError> {
        while let Some(written) = self.writes.join_next().await {
            self.end_write(written)?;
        }
        while let Some(synced) = self.syncs.join_next().await {
            self.destination.joined(synced)?;
        }
        if self.is_sync_due {
            self.destination.sync().await?;
        }
        self.part_ids.sort_unstable_by_key(|(number, _)| *number);
        Ok(UploadedParts {
            part_ids: self.part_ids.into_iter().map(|(_, id)| id).collect(),
            part_hashes: self.part_hashes,
            bytes: self.bytes,
            hash: HashState::of(&self.hasher),
        })
    }
}
