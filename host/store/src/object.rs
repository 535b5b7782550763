//! S3 and R2: a store built from the requests of a bucket.

mod e_tag;
mod listing;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use url::Url;

use self::e_tag::{may_be_of, version};
use self::listing::list_uploads;
use crate::bucket::{Bucket, ObjectInfo, RequestError, RequestErrorKind, UploadQuery};
use crate::error::StoreError;
use crate::store::{
    CompletedObject, IncompleteUpload, ObjectBytes, ObjectStat, PartId, Store, StoreLimits,
    UploadId,
};

const MIB: u64 = 1024 * 1024;

/// A bucket of S3, R2 or an S3-compatible server; each export is a multipart upload.
///
/// All decisions are made here, above the primitive requests of a [`Bucket`].
#[derive(Debug, Clone)]
pub struct ObjectStore {
    bucket: Arc<dyn Bucket>,
    /// The bucket as a URL.
    bucket_address: String,
    /// The bucket and prefix as a URL, without a slash at its end.
    address: String,
    /// What keys begin with, without slashes at its ends.
    key_prefix: String,
}

impl ObjectStore {
    /// A store in a bucket, under a prefix without slashes at its ends (empty for none). `address` names the bucket for
    /// people, as a URL: `s3://bucket`.
    pub fn new(bucket: Arc<dyn Bucket>, address: &str, prefix: &str) -> Self {
        Self {
            bucket,
            bucket_address: address.to_owned(),
            address: match prefix {
                "" => address.to_owned(),
                prefix => format!("{address}/{prefix}"),
            },
            key_prefix: prefix.to_owned(),
        }
    }

    /// The same store with keys that begin differently from its address: encoded, for example.
    #[cfg(feature = "s3")]
    pub(crate) fn with_key_prefix(self, key_prefix: &str) -> Self {
        Self { key_prefix: key_prefix.to_owned(), ..self }
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.listing_prefix())
    }

    /// What all keys of this store begin with, up to the name.
    fn listing_prefix(&self) -> String {
        match self.key_prefix.as_str() {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        }
    }

    /// What is known about an object; none if it does not exist.
    async fn info(&self, name: &str) -> Result<Option<ObjectInfo>, StoreError> {
        match self.bucket.head_object(&self.key(name)).await {
            Ok(info) => Ok(Some(info)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(self.write_error(name, error)),
        }
    }

    /// Whether an object that has appeared was made by this upload.
    async fn is_made_by(
        &self,
        upload: &UploadId,
        found: &ObjectInfo,
        part_ids: &[PartId],
        length: u64,
    ) -> Result<bool, StoreError> {
        if !may_be_of(found, part_ids, length) {
            return Ok(false);
        }
        // Another object may have the same length, or the same bytes. But an upload that has become an object is listed no longer.
        let query = UploadQuery { prefix: self.key(&upload.name), ..UploadQuery::default() };
        match list_uploads(self.bucket.as_ref(), query).await {
            Ok(uploads) => Ok(!uploads.iter().any(|other| other.upload_id == upload.id)),
            // Where this user or server can't list uploads, ETag and length decide.
            Err(RequestError {
                kind: RequestErrorKind::Denied | RequestErrorKind::NotImplemented,
                ..
            }) => Ok(true),
            Err(RequestError { reason, .. }) => {
                Err(StoreError::Failed { location: self.location(&upload.name), reason })
            }
        }
    }

    /// The object that an upload has become, as the server answered when it was completed.
    async fn completed(
        &self,
        upload: &UploadId,
        part_ids: &[PartId],
        length: u64,
        answered: Option<String>,
    ) -> Result<CompletedObject, StoreError> {
        let name = upload.name.clone();
        // Servers differ in what they answer, and what this one says of the object later is what counts. It also shows
        // whether another upload to the name was completed at the same time.
        let Some(found) = self.info(&name).await? else {
            return Ok(CompletedObject { name, version: answered.as_deref().map(version) });
        };
        let found_version = found.e_tag.as_deref().map(version);
        let is_answered = answered.is_some() && answered.as_deref().map(version) == found_version;
        if is_answered || may_be_of(&found, part_ids, length) {
            Ok(CompletedObject { name, version: found_version })
        } else {
            Err(StoreError::Taken { location: self.location(&name) })
        }
    }

    async fn get(&self, name: &str, range: Option<Range<u64>>) -> Result<ObjectBytes, StoreError> {
        let object = self.bucket.get_object(&self.key(name), range).await;
        let bytes = object.map_err(|error| self.read_error(name, error))?;
        let (store, name) = (self.clone(), name.to_owned());
        Ok(bytes.map(move |piece| piece.map_err(|error| store.read_error(&name, error))).boxed())
    }

    /// What an error means for writing an object.
    fn write_error(&self, name: &str, error: RequestError) -> StoreError {
        let (location, reason) = (self.location(name), error.reason);
        match error.kind {
            RequestErrorKind::Denied => StoreError::Refused { location, reason },
            RequestErrorKind::NoSuchBucket => self.no_bucket(),
            _ => StoreError::Failed { location, reason },
        }
    }

    /// What an error means for an upload that has begun.
    fn upload_error(&self, name: &str, error: RequestError) -> StoreError {
        match error.kind {
            RequestErrorKind::NotFound | RequestErrorKind::InvalidPart => {
                let location = self.location(name);
                tracing::warn!(location, reason = error.reason, "the upload is gone");
                StoreError::UploadGone { location }
            }
            _ => self.write_error(name, error),
        }
    }

    /// What an error means for reading an object.
    fn read_error(&self, name: &str, error: RequestError) -> StoreError {
        match error.kind {
            RequestErrorKind::NoSuchBucket => {
                StoreError::NoObject { location: format!("bucket {}", self.bucket_address) }
            }
            RequestErrorKind::NotFound => StoreError::NoObject { location: self.location(name) },
            _ => StoreError::Unreadable { location: self.location(name), reason: error.reason },
        }
    }

    fn no_bucket(&self) -> StoreError {
        StoreError::NotFound { location: format!("the bucket of {}", self.address) }
    }
}

/// Whether there is no such object, upload or bucket.
fn is_missing(error: &RequestError) -> bool {
    matches!(error.kind, RequestErrorKind::NotFound | RequestErrorKind::NoSuchBucket)
}

#[async_trait]
impl Store for ObjectStore {
    /// R2's bounds, which are S3's and one more: all parts but the last must be equal (Cloudflare's documentation of
    /// multipart uploads).
    fn limits(&self) -> StoreLimits {
        StoreLimits {
            smallest_part: 5 * MIB,
            largest_part: 5 * 1024 * MIB,
            most_parts: 10_000,
            in_flight: 3,
        }
    }

    fn location(&self, name: &str) -> String {
        format!("{}/{name}", self.address)
    }

    async fn is_taken(&self, name: &str) -> Result<bool, StoreError> {
        Ok(self.info(name).await?.is_some())
    }

    async fn begin(&self, name: &str) -> Result<UploadId, StoreError> {
        match self.bucket.create_multipart_upload(&self.key(name)).await {
            Ok(id) => Ok(UploadId { name: name.to_owned(), id }),
            // No object is asked for here: it is the bucket that is missing.
            Err(error) if is_missing(&error) => Err(self.no_bucket()),
            Err(error) => Err(self.write_error(name, error)),
        }
    }

    async fn write(
        &self,
        upload: &UploadId,
        number: u32,
        _offset: u64,
        bytes: Bytes,
    ) -> Result<PartId, StoreError> {
        let key = self.key(&upload.name);
        let part = self.bucket.upload_part(&key, &upload.id, number, bytes).await;
        part.map_err(|error| self.upload_error(&upload.name, error))
    }

    /// Nothing is left to do: a part that has an id is safe.
    async fn sync(&self, _upload: &UploadId) -> Result<(), StoreError> {
        Ok(())
    }

    async fn complete(
        &self,
        upload: &UploadId,
        part_ids: &[PartId],
        length: u64,
    ) -> Result<CompletedObject, StoreError> {
        let name = &upload.name;
        // Not every server refuses to complete an upload over an object that has the name: there must be none. Between
        // this request and the next one another may still take it.
        let found = match self.info(name).await? {
            Some(found) => found,
            None => {
                let key = self.key(name);
                let completed = self.bucket.complete_multipart_upload(&key, &upload.id, part_ids);
                let error = match completed.await {
                    Ok(answered) => {
                        return self.completed(upload, part_ids, length, answered).await;
                    }
                    Err(error) => self.upload_error(name, error),
                };
                // The upload may have been completed and the answer lost: then the object is there. Where that can't be
                // found out, it is not known whether the upload is gone, and the error is to say that.
                let Some(found) = self.info(name).await? else { return Err(error) };
                tracing::info!(name, %error, "completing failed, but the object exists");
                found
            }
        };
        if self.is_made_by(upload, &found, part_ids, length).await? {
            let version = found.e_tag.as_deref().map(version);
            Ok(CompletedObject { name: name.clone(), version })
        } else {
            Err(StoreError::Taken { location: self.location(name) })
        }
    }

    async fn find_completed(
        &self,
        upload: &UploadId,
        part_ids: &[PartId],
        length: u64,
    ) -> Result<Option<CompletedObject>, StoreError> {
        let Some(found) = self.info(&upload.name).await? else { return Ok(None) };
        let is_ours = self.is_made_by(upload, &found, part_ids, length).await?;
        let version = found.e_tag.as_deref().map(version);
        Ok(is_ours.then(|| CompletedObject { name: upload.name.clone(), version }))
    }

    async fn abort(&self, upload: &UploadId) -> Result<bool, StoreError> {
        match self.bucket.abort_multipart_upload(&self.key(&upload.name), &upload.id).await {
            Ok(()) => Ok(true),
            Err(error) if is_missing(&error) => Ok(false),
            Err(error) => Err(self.write_error(&upload.name, error)),
        }
    }

    async fn incomplete_uploads(&self) -> Result<Vec<IncompleteUpload>, StoreError> {
        let prefix = self.listing_prefix();
        let delimiter = Some("/".to_owned());
        let query = UploadQuery { prefix: prefix.clone(), delimiter, after: None };
        let uploads = list_uploads(self.bucket.as_ref(), query).await.map_err(|error| {
            let location = format!("the list of uploads to {}", self.address);
            match error.kind {
                _ if is_missing(&error) => self.no_bucket(),
                RequestErrorKind::Denied => StoreError::Refused { location, reason: error.reason },
                _ => StoreError::Unreadable { location, reason: error.reason },
            }
        })?;
        let mut incomplete: Vec<IncompleteUpload> = uploads
            .into_iter()
            .filter_map(|entry| {
                let name = entry.key.strip_prefix(&prefix)?;
                // A server may not know of delimiters.
                (!name.is_empty() && !name.contains('/')).then(|| IncompleteUpload {
                    upload: UploadId { name: name.to_owned(), id: entry.upload_id },
                    changed: entry.initiated,
                })
            })
            .collect();
        incomplete.sort_by_key(|upload| upload.changed);
        Ok(incomplete)
    }

    async fn read(&self, name: &str) -> Result<ObjectBytes, StoreError> {
        self.get(name, None).await
    }

    async fn stat(&self, name: &str) -> Result<ObjectStat, StoreError> {
        let info = self.bucket.head_object(&self.key(name)).await;
        let info = info.map_err(|error| self.read_error(name, error))?;
        let version = info.e_tag.as_deref().map(version);
        Ok(ObjectStat { length: info.length, version })
    }

    async fn read_range(&self, name: &str, range: Range<u64>) -> Result<ObjectBytes, StoreError> {
        if range.is_empty() {
            // No request can ask for that.
            return Ok(stream::empty().boxed());
        }
        self.get(name, Some(range)).await
    }

    async fn delete(&self, name: &str) -> Result<(), StoreError> {
        match self.bucket.delete_object(&self.key(name)).await {
            Err(error) if error.kind != RequestErrorKind::NotFound => {
                Err(self.write_error(name, error))
            }
            _ => Ok(()),
        }
    }

    async fn presigned(
        &self,
        name: &str,
        valid_for: Duration,
        disposition: &str,
    ) -> Result<Option<Url>, StoreError> {
        let signed = self.bucket.presign_get_object(&self.key(name), valid_for, disposition).await;
        signed.map_err(|error| self.read_error(name, error))
    }
}
