//! Objects that are in memory: written in one go.

use std::sync::Arc;

use bytes::Bytes;

use crate::error::StoreError;
use crate::store::{CompletedObject, PartId, Store, UploadId};

/// The size of parts but the last, in bytes, unless the store wants larger ones.
const PART_SIZE: u64 = 8 * 1024 * 1024;

/// Writes an object that is in memory, and at least one byte long. If the name is taken, it goes as [`Store::complete`] says.
///
/// # Errors
///
/// Those of the store. What was written is deleted then, as far as that succeeds.
pub async fn write_object(
    store: &Arc<dyn Store>,
    name: &str,
    bytes: Bytes,
) -> Result<CompletedObject, StoreError> {
    let upload = store.begin(name).await?;
    let written = write_parts(store, &upload, &bytes).await;
    let completed = match written {
        Ok(part_ids) => store.complete(&upload, &part_ids, bytes.len() as u64).await,
        Err(error) => Err(error),
    };
    if completed.is_err() {
        // The first error says more. What stays is for pruning.
        store.abort(&upload).await.ok();
    }
    completed
}

async fn write_parts(
    store: &Arc<dyn Store>,
    upload: &UploadId,
    bytes: &Bytes,
) -> Result<Vec<PartId>, StoreError> {
    let part_size = store.limits().smallest_part.max(PART_SIZE) as usize;
    let mut part_ids = Vec::new();
    for (index, start) in (0..bytes.len()).step_by(part_size).enumerate() {
        let part = bytes.slice(start..bytes.len().min(start + part_size));
        part_ids.push(store.write(upload, index as u32 + 1, start as u64, part).await?);
    }
    store.sync(upload).await?;
    Ok(part_ids)
}
