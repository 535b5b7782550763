//! S3 and R2, by multipart uploads.

mod client;
mod listing;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use object_store::aws::{AmazonS3, AmazonS3ConfigKey};
use object_store::client::HttpConnector;
use object_store::multipart::{self, MultipartStore};
use object_store::path::Path;
use object_store::signer::{Method, SignedUrlOptions, Signer};
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore as _, ObjectStoreExt};
use url::Url;

use self::client::{Connector, Settings};
use self::listing::{Listing, Unlisted};
use crate::address::AddressError;
use crate::error::words;
use crate::{IncompleteUpload, ObjectBytes, PartId, Store, StoreError, StoreLimits, UploadId};

const MIB: u64 = 1024 * 1024;

/// A bucket of S3, of R2, or of a server that speaks as S3 does.
#[derive(Debug, Clone)]
pub struct ObjectStore {
    client: Arc<AmazonS3>,
    listing: Listing,
    /// The bucket and prefix as a URL, without a slash at its end.
    address: String,
    prefix: Path,
    /// The bucket alone, as a URL.
    bucket: String,
}

impl ObjectStore {
    /// A bucket by the environment's `AWS_*` variables.
    ///
    /// # Errors
    ///
    /// [`AddressError::Client`] where they do not make a client.
    pub fn s3(bucket: &str, prefix: &str) -> Result<Self, AddressError> {
        Self::new(Settings::from_environment(), format!("s3://{bucket}"), bucket, prefix)
    }

    /// A bucket by settings as the environment's `AWS_*` variables, name and value, for a host that keeps them
    /// elsewhere; the environment counts for nothing.
    ///
    /// # Errors
    ///
    /// [`AddressError::Client`] where they do not make a client.
    pub fn with_settings<'a>(
        bucket: &str,
        prefix: &str,
        settings: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, AddressError> {
        Self::new(Settings::new(settings), format!("s3://{bucket}"), bucket, prefix)
    }

    /// A bucket of Cloudflare R2, by the environment's access key.
    ///
    /// # Errors
    ///
    /// [`AddressError::Client`] where they do not make a client.
    pub fn r2(account: &str, bucket: &str, prefix: &str) -> Result<Self, AddressError> {
        let mut settings = Settings::from_environment();
        // Without a key the client would ask Amazon's machines for one.
        if settings.builder.get_config_value(&AmazonS3ConfigKey::AccessKeyId).is_none() {
            return Err(AddressError::Client {
                address: format!("r2://{account}/{bucket}"),
                reason: "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".to_owned(),
            });
        }
        // Of the two settings for it this one wins, whatever the environment has for another store.
        let endpoint = format!("https://{account}.r2.cloudflarestorage.com");
        settings.builder = settings
            .builder
            .with_config(AmazonS3ConfigKey::S3Endpoint, endpoint)
            .with_region("auto");
        Self::new(settings, format!("r2://{account}/{bucket}"), bucket, prefix)
    }

    fn new(
        settings: Settings,
        bucket_address: String,
        bucket: &str,
        prefix: &str,
    ) -> Result<Self, AddressError> {
        let address = match prefix {
            "" => bucket_address.clone(),
            prefix => format!("{bucket_address}/{prefix}"),
        };
        let failed = |error: object_store::Error| AddressError::Client {
            address: address.clone(),
            reason: error.to_string(),
        };
        let settings = settings.ready();
        let http = Connector.connect(&settings.options).map_err(failed)?;
        let client = settings
            .builder
            .with_bucket_name(bucket)
            // One by one: not every server knows how to delete many at once.
            .with_disable_bulk_delete(true)
            .build()
            .map_err(failed)?;
        Ok(Self {
            client: Arc::new(client),
            listing: Listing { http, region: settings.region },
            prefix: key(prefix),
            address,
            bucket: bucket_address,
        })
    }

    fn path(&self, name: &str) -> Path {
        Path::from_iter(self.prefix.parts().chain(key(name).parts()))
    }

    /// What there is of an object; none where there is no such.
    async fn look(&self, name: &str) -> Result<Option<ObjectMeta>, StoreError> {
        match self.client.head(&self.path(name)).await {
            Ok(meta) => Ok(Some(meta)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.error(name, &error)),
        }
    }

    /// Whether an object that has appeared is the upload's.
    async fn is_ours(
        &self,
        found: &ObjectMeta,
        upload: &UploadId,
        parts: usize,
        length: u64,
    ) -> Result<bool, StoreError> {
        // An object that came by parts tells their number behind its tag: so do Amazon, R2 and Garage.
        let tag = found.e_tag.as_deref().unwrap_or_default().trim_matches('"');
        let count = tag.rsplit_once('-').and_then(|(_, count)| count.parse::<usize>().ok());
        // Of no parts at all the client makes one that is empty.
        if found.size != length || count.is_some_and(|count| count != parts.max(1)) {
            return Ok(false);
        }
        // Another may be of the same size. But an upload that has become an object is no upload any more.
        let path = self.path(&upload.name);
        match self.listing.uploads(&self.client, path.as_ref(), None).await {
            Ok(uploads) => Ok(!uploads.iter().any(|begun| begun.id == upload.id)),
            // Where this user or server can't list uploads, what is known speaks for it.
            Err(Unlisted { status: Some(401 | 403 | 405 | 501), .. }) => Ok(true),
            Err(unlisted) => Err(StoreError::Failed {
                location: self.location(&upload.name),
                reason: unlisted.reason,
            }),
        }
    }

    async fn get(&self, name: &str, options: GetOptions) -> Result<ObjectBytes, StoreError> {
        let location = self.location(name);
        let bucket = self.bucket.clone();
        let failed = move |error| StoreError::from_reading_object(&location, &bucket, &error);
        // The client goes on by itself where a connection breaks.
        let object = self.client.get_opts(&self.path(name), options).await.map_err(&failed)?;
        Ok(object.into_stream().map(move |bytes| bytes.map_err(&failed)).boxed())
    }

    fn error(&self, name: &str, error: &object_store::Error) -> StoreError {
        StoreError::from_object_store(&self.location(name), error)
    }

    /// What an error means for an upload that has begun.
    fn upload_error(&self, name: &str, error: &object_store::Error) -> StoreError {
        let reason = words(error);
        let is_missing = matches!(error, object_store::Error::NotFound { .. });
        if is_missing && reason.contains("NoSuchBucket") {
            return self.no_bucket();
        }
        if is_missing || reason.contains("<Code>InvalidPart</Code>") {
            let location = self.location(name);
            tracing::warn!(location, reason, "the upload is gone");
            return StoreError::UploadGone { location };
        }
        self.error(name, error)
    }

    fn no_bucket(&self) -> StoreError {
        StoreError::NotFound { location: format!("the bucket of {}", self.address) }
    }
}

/// A key as it is; what can't be one as it is gets encoded.
fn key(text: &str) -> Path {
    Path::parse(text).unwrap_or_else(|_| Path::from(text))
}

#[async_trait]
impl Store for ObjectStore {
    /// R2's bounds, which are S3's and one more: all parts but the last must be equal (Cloudflare's
    /// documentation of multipart uploads).
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
        Ok(self.look(name).await?.is_some())
    }

    async fn begin(&self, name: &str) -> Result<UploadId, StoreError> {
        match self.client.create_multipart(&self.path(name)).await {
            Ok(id) => Ok(UploadId { name: name.to_owned(), id }),
            // There is no object to be found here: it is the bucket that is not.
            Err(object_store::Error::NotFound { .. }) => Err(self.no_bucket()),
            Err(error) => Err(self.error(name, &error)),
        }
    }

    async fn write(
        &self,
        upload: &UploadId,
        number: u32,
        _offset: u64,
        bytes: Bytes,
    ) -> Result<PartId, StoreError> {
        let index = number as usize - 1;
        match self.client.put_part(&self.path(&upload.name), &upload.id, index, bytes.into()).await
        {
            Ok(part) => Ok(part.content_id),
            Err(error) => Err(self.upload_error(&upload.name, &error)),
        }
    }

    async fn sync(&self, _upload: &UploadId) -> Result<(), StoreError> {
        // A part that has a receipt is safe.
        Ok(())
    }

    async fn complete(
        &self,
        upload: &UploadId,
        part_ids: &[PartId],
        length: u64,
    ) -> Result<String, StoreError> {
        let name = &upload.name;
        // Completing writes over whatever has the name: that must be nothing. Between this look and the store's
        // own doing a moment is left to others.
        let mut found = self.look(name).await?;
        if found.is_none() {
            let parts =
                part_ids.iter().map(|id| multipart::PartId { content_id: id.clone() }).collect();
            let path = self.path(name);
            let Err(error) = self.client.complete_multipart(&path, &upload.id, parts).await else {
                return Ok(name.clone());
            };
            // It may have been completed though the answer was lost: then the object is there.
            let error = self.upload_error(name, &error);
            match self.look(name).await {
                Ok(Some(meta)) => found = Some(meta),
                Ok(None) => return Err(error),
                // Whether the upload is gone or has become the object is not known: that is to be asked again.
                Err(unknown) => return Err(unknown),
            }
            tracing::info!(name, %error, "completing failed, and the object is there");
        }
        match found {
            Some(found) if self.is_ours(&found, upload, part_ids.len(), length).await? => {
                Ok(name.clone())
            }
            _ => Err(StoreError::Taken { location: self.location(name) }),
        }
    }

    async fn find_completed(
        &self,
        upload: &UploadId,
        part_ids: &[PartId],
        length: u64,
    ) -> Result<Option<String>, StoreError> {
        let Some(found) = self.look(&upload.name).await? else { return Ok(None) };
        let is_ours = self.is_ours(&found, upload, part_ids.len(), length).await?;
        Ok(is_ours.then(|| upload.name.clone()))
    }

    async fn abort(&self, upload: &UploadId) -> Result<(), StoreError> {
        match self.client.abort_multipart(&self.path(&upload.name), &upload.id).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.error(&upload.name, &error)),
        }
    }

    async fn incomplete_uploads(&self) -> Result<Vec<IncompleteUpload>, StoreError> {
        let prefix = match self.prefix.as_ref() {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        let listed = self.listing.uploads(&self.client, &prefix, Some("/")).await;
        let begun = listed.map_err(|unlisted| {
            let location = format!("the list of uploads to {}", self.address);
            match unlisted.status {
                Some(404) => self.no_bucket(),
                Some(401 | 403) => StoreError::Refused { location, reason: unlisted.reason },
                _ => StoreError::Unreadable { location, reason: unlisted.reason },
            }
        })?;
        let mut unfinished: Vec<IncompleteUpload> = begun
            .into_iter()
            .filter_map(|begun| {
                let name = begun.key.strip_prefix(&prefix)?;
                // A server may not know of delimiters.
                (!name.is_empty() && !name.contains('/')).then(|| IncompleteUpload {
                    upload: UploadId { name: name.to_owned(), id: begun.id },
                    changed: begun.initiated,
                })
            })
            .collect();
        unfinished.sort_by_key(|unfinished| unfinished.changed);
        Ok(unfinished)
    }

    async fn read(&self, name: &str) -> Result<ObjectBytes, StoreError> {
        self.get(name, GetOptions::default()).await
    }

    async fn length(&self, name: &str) -> Result<u64, StoreError> {
        let meta = self.client.head(&self.path(name)).await;
        meta.map(|meta| meta.size).map_err(|error| {
            StoreError::from_reading_object(&self.location(name), &self.bucket, &error)
        })
    }

    async fn read_range(&self, name: &str, range: Range<u64>) -> Result<ObjectBytes, StoreError> {
        if range.is_empty() {
            // No request can ask for that.
            return Ok(stream::empty().boxed());
        }
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        self.get(name, options).await
    }

    async fn delete(&self, name: &str) -> Result<(), StoreError> {
        match self.client.delete(&self.path(name)).await {
            Err(error @ object_store::Error::NotFound { .. }) => {
                if words(&error).contains("NoSuchBucket") { Err(self.no_bucket()) } else { Ok(()) }
            }
            other => other.map_err(|error| self.error(name, &error)),
        }
    }

    async fn presigned(
        &self,
        name: &str,
        valid_for: Duration,
        disposition: &str,
    ) -> Result<Option<Url>, StoreError> {
        let options =
            SignedUrlOptions::new().with_query([("response-content-disposition", disposition)]);
        let path = self.path(name);
        let signed = self.client.signed_url_opts(Method::GET, &path, valid_for, &options).await;
        signed.map(Some).map_err(|error| {
            StoreError::from_reading_object(&self.location(name), &self.bucket, &error)
        })
    }
}
