//! Where objects go: a folder, S3 or R2, behind one small trait.

mod address;
mod error;
mod folder;
mod object;
mod part_size;
mod upload;

use std::ops::Range;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use serde::{Deserialize, Serialize};
use url::Url;

pub use address::{AddressError, ObjectAddress, StoreAddress};
pub use error::StoreError;
pub use folder::FolderStore;
pub use object::ObjectStore;
pub use part_size::{PartSizeError, part_size};
pub use upload::{HashState, PendingUpload, Upload, UploadedParts};

/// The bounds a store sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreLimits {
    /// The smallest part, in bytes; an object's last may be smaller.
    pub smallest_part: u64,
    /// The largest part, in bytes.
    pub largest_part: u64,
    /// The most parts of one object.
    pub most_parts: u32,
    /// How many parts may be on their way at a time.
    pub in_flight: usize,
}

/// An upload that has begun: all a store needs to go on with it, in this process or another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadId {
    /// The object's name, under the store's folder or prefix.
    pub name: String,
    /// The store's own word for it.
    pub id: String,
}

/// An upload that has begun and neither been completed nor thrown away, as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncompleteUpload {
    /// The upload: to go on with, or to throw away.
    pub upload: UploadId,
    /// When it began, or was last written to: what the store tells.
    pub changed: SystemTime,
}

/// The slowest way to a store that is waited for, in bytes a second: some 256 kbit/s for each part on its way.
pub const SLOWEST: u64 = 32 * 1024;

/// What a store gives for a part, to complete the object with.
pub type PartId = String;

/// An object's bytes as they come; the first error is the end.
pub type ObjectBytes = BoxStream<'static, Result<Bytes, StoreError>>;

/// A place for objects, written part by part.
///
/// An object appears under its name when it is completed, whole, and not before. A part that is written
/// again takes the place of the one before.
#[async_trait]
pub trait Store: Send + Sync + std::fmt::Debug {
    /// What the caller has to keep to: parts of one size within these bounds, the last one perhaps
    /// smaller.
    fn limits(&self) -> StoreLimits;

    /// Where an object of this name is to be found, for people.
    fn location(&self, name: &str) -> String;

    /// Whether there is an object of this name. Fails where the store is not there, as far as that can be told.
    async fn is_taken(&self, name: &str) -> Result<bool, StoreError>;

    /// The first of `name`, `name-2` … that is not taken.
    async fn free_name(&self, name: &str) -> Result<String, StoreError> {
        let mut number = 1;
        loop {
            let free = numbered(name, number);
            if !self.is_taken(&free).await? {
                return Ok(free);
            }
            number += 1;
        }
    }

    /// Begins an object.
    async fn begin(&self, name: &str) -> Result<UploadId, StoreError>;

    /// Writes part `number`, counted from 1, which begins at `offset` in the object. It may be safe only
    /// after [`Store::sync`].
    async fn write(
        &self,
        upload: &UploadId,
        number: u32,
        offset: u64,
        bytes: Bytes,
    ) -> Result<PartId, StoreError>;

    /// Makes every part written so far safe against a crash.
    async fn sync(&self, upload: &UploadId) -> Result<(), StoreError>;

    /// Makes the object appear, from the part_ids of all its parts in order, and gives the name under
    /// which it did: a folder takes another than was begun where that has been taken meanwhile, an object
    /// store refuses then ([`StoreError::Taken`]). It may be called again, whether it succeeded, failed or
    /// was never heard of: an object that has appeared already is found, and nothing is written twice.
    async fn complete(
        &self,
        upload: &UploadId,
        part_ids: &[PartId],
        length: u64,
    ) -> Result<String, StoreError>;

    /// The name under which the object has appeared, if it has: a completion may have succeeded and not been heard of.
    async fn find_completed(
        &self,
        upload: &UploadId,
        part_ids: &[PartId],
        length: u64,
    ) -> Result<Option<String>, StoreError>;

    /// Throws away what was written. An upload that is gone already is no error.
    async fn abort(&self, upload: &UploadId) -> Result<(), StoreError>;

    /// The uploads to this folder or prefix, not to those below it, that have begun and neither been
    /// completed nor thrown away: this program's in a folder, anybody's in a bucket. Oldest first.
    async fn incomplete_uploads(&self) -> Result<Vec<IncompleteUpload>, StoreError>;

    /// Reads an object from its beginning. Of a large one only little is held at a time.
    async fn read(&self, name: &str) -> Result<ObjectBytes, StoreError>;

    /// The length of an object, in bytes.
    async fn length(&self, name: &str) -> Result<u64, StoreError>;

    /// Reads some of an object's bytes, as [`Store::read`] does; fewer where it ends before.
    async fn read_range(&self, name: &str, range: Range<u64>) -> Result<ObjectBytes, StoreError>;

    /// Deletes an object. One that is gone already is no error, as long as the store is there.
    async fn delete(&self, name: &str) -> Result<(), StoreError>;

    /// A URL under which anybody may GET an object for this time, as a file with this `Content-Disposition`; none where
    /// the store has no URLs. Whether there is such an object is not looked at.
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

/// `name`, `name-2`, `name-3` …, with the number before the ending.
pub fn numbered(name: &str, number: u32) -> String {
    match (number, name.rsplit_once('.')) {
        (1, _) => name.to_owned(),
        (_, Some((stem, ending))) if !stem.is_empty() => format!("{stem}-{number}.{ending}"),
        _ => format!("{name}-{number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::numbered;

    #[test]
    fn a_number_goes_before_the_ending() {
        assert_eq!(numbered("dump.sql", 1), "dump.sql");
        assert_eq!(numbered("dump.sql", 2), "dump-2.sql");
        assert_eq!(numbered("a.b.sql", 3), "a.b-3.sql");
        assert_eq!(numbered("dump", 2), "dump-2");
        assert_eq!(numbered(".sql", 2), ".sql-2");
    }
}
