//! What every store does, and the types it uses.

use std::ops::Range;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::error::StoreError;
use crate::names::numbered_name;

/// The limits of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreLimits {
    /// The smallest part, in bytes; an object's last part may be smaller.
    pub smallest_part: u64,
    /// The largest part, in bytes.
    pub largest_part: u64,
    /// The most parts of one object.
    pub most_parts: u32,
    /// How many parts of one upload may be written at the same time.
    pub in_flight: usize,
}

/// An upload that has begun: everything a store needs to resume it, in this process or another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadId {
    /// The object's name, under the store's folder or prefix.
    pub name: String,
    /// The store's own id for the upload.
    pub id: String,
}

/// An upload that has begun and neither been completed nor aborted, as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncompleteUpload {
    /// The upload, to resume or to abort.
    pub upload: UploadId,
    /// When it was begun (object stores) or last written to (folders).
    pub changed: SystemTime,
}

/// The slowest upload that is tolerated, in bytes per second: some 256 kbit/s for each part in
/// flight.
///
/// A part may take its size divided by this, plus a minute; then its request fails. A caller that
/// limits the time of a slice must allow for that much.
pub const SLOWEST_UPLOAD_BYTES_PER_SECOND: u64 = 32 * 1024;

/// What a store returns for a part, for completing the object: in an object store the part's ETag,
/// in a folder the identity of the file that the part is in.
pub type PartId = String;

/// What tells an object from every other that has, had or will have its name; opaque. In an object
/// store it is the ETag, in a folder the identity of the file, its length and its modification time.
pub type ObjectVersion = String;

/// An object that has appeared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompletedObject {
    /// Its name.
    pub name: String,
    /// Its version; none if the store does not tell objects apart.
    pub version: Option<ObjectVersion>,
}

/// What a store knows about an object without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectStat {
    /// The length, in bytes.
    pub length: u64,
    /// The version; none if the store does not tell objects apart.
    pub version: Option<ObjectVersion>,
}

/// An object's bytes as they are read; the first error is the end.
pub type ObjectBytes = BoxStream<'static, Result<Bytes, StoreError>>;

/// A place for objects, which are written part by part.
///
/// An object appears under its name only when it is completed. A part that is written again
/// replaces the earlier one.
#[async_trait]
pub trait Store: Send + Sync + std::fmt::Debug {
    /// The limits that the caller must observe: parts of one size within them, the last one perhaps
    /// smaller.
    fn limits(&self) -> StoreLimits;

    /// Where an object of this name is, for people.
    fn location(&self, name: &str) -> String;

    /// Whether there is an object of this name. Fails if the store does not exist, as far as that
    /// can be determined.
    async fn is_taken(&self, name: &str) -> Result<bool, StoreError>;

    /// The first of `name`, `name-2` … that is not taken.
    async fn free_name(&self, name: &str) -> Result<String, StoreError> {
        let mut number = 1;
        loop {
            let free = numbered_name(name, number);
            if !self.is_taken(&free).await? {
                return Ok(free);
            }
            number += 1;
        }
    }

    /// Begins an upload.
    async fn begin(&self, name: &str) -> Result<UploadId, StoreError>;

    /// Writes part `number`, counted from 1, which begins at byte `offset` of the object. It may be safe against a crash
    /// only after [`Store::sync`].
    async fn write(
        &self,
        upload: &UploadId,
        number: u32,
        offset: u64,
        bytes: Bytes,
    ) -> Result<PartId, StoreError>;

    /// Checks that an upload still has its first `bytes` bytes, before it is resumed by another process. A store that
    /// checks every part when it completes the upload need not.
    ///
    /// # Errors
    ///
    /// [`StoreError::UploadGone`] if it does not.
    async fn check_upload(&self, upload: &UploadId, bytes: u64) -> Result<(), StoreError> {
        let _ = (upload, bytes);
        Ok(())
    }

    /// Makes every part written so far safe against a crash.
    async fn sync(&self, upload: &UploadId) -> Result<(), StoreError>;

    /// Makes the object appear, from the ids of all its parts in order and its length in bytes, and
    /// returns what it is. If the name has been taken since the upload began, a folder uses the next
    /// free name, and an object store fails with [`StoreError::Taken`].
    ///
    /// It may be called again, whether it succeeded, failed or was interrupted: an object that has appeared already is
    /// found, and nothing is written twice.
    async fn complete(
        &self,
        upload: &UploadId,
        part_ids: &[PartId],
        length: u64,
    ) -> Result<CompletedObject, StoreError>;

    /// The object, if it has appeared: [`Store::complete`] may have
    /// succeeded although its result was lost.
    async fn find_completed(
        &self,
        upload: &UploadId,
        part_ids: &[PartId],
        length: u64,
    ) -> Result<Option<CompletedObject>, StoreError>;

    /// Aborts an upload: what it has written is deleted. It is not an error if the upload no longer
    /// exists: false says so. It has then been aborted or completed before.
    async fn abort(&self, upload: &UploadId) -> Result<bool, StoreError>;

    /// The uploads to this folder or prefix, but not to those below it, that have been neither
    /// completed nor aborted: in a folder only this library's, in a bucket anyone's. Oldest first.
    async fn incomplete_uploads(&self) -> Result<Vec<IncompleteUpload>, StoreError>;

    /// Reads an object from its beginning. Little of it is in memory at a time.
    async fn read(&self, name: &str) -> Result<ObjectBytes, StoreError>;

    /// The length of an object, and its version.
    async fn stat(&self, name: &str) -> Result<ObjectStat, StoreError>;

    /// Whether an object's bytes are cheap to read, so that their hash may be asked for where the version does not tell.
    fn is_local(&self) -> bool {
        false
    }

    /// Reads a range of an object's bytes, like [`Store::read`]; fewer if the object ends within
    /// it.
    async fn read_range(&self, name: &str, range: Range<u64>) -> Result<ObjectBytes, StoreError>;

    /// Deletes an object. It is not an error if the object no longer exists, as long as the store
    /// does.
    async fn delete(&self, name: &str) -> Result<(), StoreError>;

    /// A URL from which anyone can GET an object for this time, as a file with this
    /// `Content-Disposition`; none if the store has no URLs. Whether there is such an object is not
    /// checked.
    async fn presigned(
        &self,
        name: &str,
        valid_for: Duration,
        disposition: &str,
    ) -> Result<Option<Url>, StoreError> {
        let _ = (name, valid_for, disposition);
        Ok(None)
    }
}
