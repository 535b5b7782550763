//! S3 and R2, by multipart uploads.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{ObjectStoreExt, RetryConfig};

use super::address::AddressError;
use super::{ObjectBytes, Receipt, Store, StoreError, StoreLimits, UploadId, numbered};

const MIB: u64 = 1024 * 1024;

/// A bucket of S3, of R2, or of a server that speaks as S3 does.
#[derive(Debug, Clone)]
pub struct ObjectStore {
    client: Arc<AmazonS3>,
    /// The bucket and prefix as a URL, without a slash at its end.
    address: String,
    prefix: String,
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
        let mut builder = AmazonS3Builder::from_env();
        let endpoint = std::env::var("AWS_ENDPOINT_URL_S3")
            .or_else(|_| std::env::var("AWS_ENDPOINT_URL"))
            .unwrap_or_default();
        if !endpoint.is_empty() {
            // Who names a plain endpoint means it.
            builder =
                builder.with_allow_http(endpoint.starts_with("http://")).with_endpoint(endpoint);
        }
        Self::new(builder, format!("s3://{bucket}"), bucket, prefix)
    }

    /// A bucket of Cloudflare R2, by the environment's access key.
    ///
    /// # Errors
    ///
    /// [`AddressError::Client`] where they do not make a client.
    pub fn r2(account: &str, bucket: &str, prefix: &str) -> Result<Self, AddressError> {
        let builder = AmazonS3Builder::from_env()
            .with_endpoint(format!("https://{account}.r2.cloudflarestorage.com"))
            .with_region("auto");
        Self::new(builder, format!("r2://{account}/{bucket}"), bucket, prefix)
    }

    fn new(
        builder: AmazonS3Builder,
        mut address: String,
        bucket: &str,
        prefix: &str,
    ) -> Result<Self, AddressError> {
        let bucket_address = address.clone();
        if !prefix.is_empty() {
            address = format!("{address}/{prefix}");
        }
        // A request that fails is repeated by the client; a slice that fails, by whoever runs slices.
        let retry = RetryConfig {
            max_retries: 5,
            retry_timeout: Duration::from_secs(60),
            ..RetryConfig::default()
        };
        let client =
            builder.with_bucket_name(bucket).with_retry(retry).build().map_err(|error| {
                AddressError::Client { address: address.clone(), reason: error.to_string() }
            })?;
        Ok(Self {
            client: Arc::new(client),
            address,
            prefix: prefix.to_owned(),
            bucket: bucket_address,
        })
    }

    fn path(&self, name: &str) -> Path {
        let key = match self.prefix.as_str() {
            "" => name.to_owned(),
            prefix => format!("{prefix}/{name}"),
        };
        // As it is; what can't be a key as it is gets encoded.
        Path::parse(&key).unwrap_or_else(|_| Path::from(key))
    }

    /// The length of an object; none where there is no such.
    async fn length(&self, name: &str) -> Result<Option<u64>, StoreError> {
        match self.client.head(&self.path(name)).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.error(name, &error)),
        }
    }

    fn error(&self, name: &str, error: &object_store::Error) -> StoreError {
        StoreError::from_object_store(&self.location(name), error)
    }
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

    async fn free_name(&self, name: &str) -> Result<String, StoreError> {
        let mut number = 1;
        loop {
            let free = numbered(name, number);
            if self.length(&free).await?.is_none() {
                return Ok(free);
            }
            number += 1;
        }
    }

    async fn begin(&self, name: &str) -> Result<UploadId, StoreError> {
        match self.client.create_multipart(&self.path(name)).await {
            Ok(id) => Ok(UploadId { name: name.to_owned(), id }),
            // There is no object to be found here: it is the bucket that is not.
            Err(object_store::Error::NotFound { .. }) => {
                Err(StoreError::NotFound { location: format!("the bucket of {}", self.address) })
            }
            Err(error) => Err(self.error(name, &error)),
        }
    }

    async fn write(
        &self,
        upload: &UploadId,
        number: u32,
        _offset: u64,
        bytes: Bytes,
    ) -> Result<Receipt, StoreError> {
        let index = number as usize - 1;
        match self.client.put_part(&self.path(&upload.name), &upload.id, index, bytes.into()).await
        {
            Ok(part) => Ok(part.content_id),
            Err(object_store::Error::NotFound { .. }) => {
                Err(StoreError::UploadGone { location: self.location(&upload.name) })
            }
            Err(error) => Err(self.error(&upload.name, &error)),
        }
    }

    async fn settle(&self, _upload: &UploadId) -> Result<(), StoreError> {
        // A part that has a receipt is safe.
        Ok(())
    }

    async fn complete(
        &self,
        upload: &UploadId,
        receipts: &[Receipt],
        length: u64,
    ) -> Result<String, StoreError> {
        let parts = receipts.iter().map(|id| PartId { content_id: id.clone() }).collect();
        let path = self.path(&upload.name);
        match self.client.complete_multipart(&path, &upload.id, parts).await {
            Ok(_) => Ok(upload.name.clone()),
            // It may have been completed though the answer was lost: then the upload is gone, and the
            // object there.
            Err(error) => match self.length(&upload.name).await {
                Ok(Some(found)) if found == length => Ok(upload.name.clone()),
                _ if matches!(error, object_store::Error::NotFound { .. }) => {
                    Err(StoreError::UploadGone { location: self.location(&upload.name) })
                }
                _ => Err(self.error(&upload.name, &error)),
            },
        }
    }

    async fn abort(&self, upload: &UploadId) -> Result<(), StoreError> {
        match self.client.abort_multipart(&self.path(&upload.name), &upload.id).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.error(&upload.name, &error)),
        }
    }
    async fn read(&self, name: &str) -> Result<ObjectBytes, StoreError> {
        let location = self.location(name);
        let bucket = self.bucket.clone();
        let failed = move |error| StoreError::from_reading_object(&location, &bucket, &error);
        // The client goes on by itself where a connection breaks.
        let object = self.client.get(&self.path(name)).await.map_err(&failed)?;
        Ok(object.into_stream().map(move |bytes| bytes.map_err(&failed)).boxed())
    }
}
