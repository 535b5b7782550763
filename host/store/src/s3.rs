//! The requests of a bucket, sent by the S3 client of the `object_store` crate.

mod conditional;
mod credentials;
mod http;
mod profile;
mod settings;
mod uploads;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use object_store::aws::{AmazonS3, AmazonS3ConfigKey};
use object_store::client::HttpConnector;
use object_store::multipart::{self, MultipartStore};
use object_store::path::{Path, PathPart};
use object_store::signer::{Method, SignedUrlOptions, Signer};
use object_store::{GetOptions, GetRange, ObjectStore as _, ObjectStoreExt};
use url::Url;

use self::credentials::no_credentials;
use self::http::Connector;
use self::settings::Settings;
pub(crate) use self::settings::profile_endpoint;
use self::uploads::UploadLister;
use crate::address::AddressError;
use crate::bucket::{
    Bucket, ObjectInfo, RequestError, RequestErrorKind, RequestedBytes, UploadPage, UploadQuery,
};
use crate::object::ObjectStore;
use crate::store::PartId;

impl ObjectStore {
    /// A bucket, configured by the environment's `AWS_*` variables, and for what they do not say by
    /// the profile that `AWS_PROFILE` names (or `default`) in AWS's own files.
    ///
    /// # Errors
    ///
    /// [`AddressError::Client`] if no client can be set up.
    pub fn s3(bucket: &str, prefix: &str) -> Result<Self, AddressError> {
        let address = format!("s3://{bucket}");
        let settings = Settings::from_environment();
        Self::connect(
            settings.map_err(|reason| client_error(&address, prefix, reason))?,
            &address,
            bucket,
            prefix,
        )
    }

    /// A bucket, configured by settings like the environment's `AWS_*` variables, as names and
    /// values, for a host that keeps them elsewhere; the environment is not read.
    ///
    /// # Errors
    ///
    /// [`AddressError::Client`] if no client can be set up.
    pub fn with_settings<'a>(
        bucket: &str,
        prefix: &str,
        settings: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, AddressError> {
        Self::connect(Settings::new(settings), &format!("s3://{bucket}"), bucket, prefix)
    }

    /// A bucket of Cloudflare R2, with the access key of the environment or its profile.
    ///
    /// # Errors
    ///
    /// [`AddressError::Client`] if no client can be set up.
    pub fn r2(account: &str, bucket: &str, prefix: &str) -> Result<Self, AddressError> {
        let address = format!("r2://{account}/{bucket}");
        // Amazon's machines have no keys for it.
        let with_key = |settings: Settings| settings.require_access_key().map(|()| settings);
        let settings = Settings::from_environment().and_then(with_key);
        let mut settings = settings.map_err(|reason| client_error(&address, prefix, reason))?;
        // Of the two settings for it this one wins, whatever the environment has for another store.
        let endpoint = format!("https://{account}.r2.cloudflarestorage.com");
        settings.builder = settings
            .builder
            .with_config(AmazonS3ConfigKey::S3Endpoint, endpoint)
            .with_region("auto");
        Self::connect(settings, &address, bucket, prefix)
    }

    fn connect(
        settings: Settings,
        bucket_address: &str,
        bucket: &str,
        prefix: &str,
    ) -> Result<Self, AddressError> {
        let failed = |reason| client_error(bucket_address, prefix, reason);
        let settings = settings.ready().map_err(failed)?;
        let client = S3Bucket::new(settings, bucket).map_err(|error| failed(error.to_string()))?;
        let key_prefix = Path::parse(prefix).unwrap_or_else(|_| Path::from(prefix));
        Ok(Self::new(Arc::new(client), bucket_address, prefix).with_key_prefix(key_prefix.as_ref()))
    }
}

/// Why there is no client for a bucket.
fn client_error(bucket_address: &str, prefix: &str, reason: String) -> AddressError {
    let address = match prefix {
        "" => bucket_address.to_owned(),
        prefix => format!("{bucket_address}/{prefix}"),
    };
    AddressError::Client { address, reason }
}

/// A bucket behind the S3 client of `object_store`, which repeats requests by itself while that may help.
#[derive(Debug)]
struct S3Bucket {
    client: AmazonS3,
    lister: UploadLister,
}

impl S3Bucket {
    fn new(settings: Settings, bucket: &str) -> object_store::Result<Self> {
        let http = Connector.connect(&settings.options)?;
        let client = settings
            .builder
            .with_bucket_name(bucket)
            // One by one: not every server knows how to delete many at once.
            .with_disable_bulk_delete(true)
            .build()?;
        Ok(Self { client, lister: UploadLister { http, region: settings.region } })
    }
}

#[async_trait]
impl Bucket for S3Bucket {
    async fn head_object(&self, key: &str) -> Result<ObjectInfo, RequestError> {
        let meta = self.client.head(&path(key)).await?;
        Ok(ObjectInfo { length: meta.size, e_tag: meta.e_tag })
    }

    async fn get_object(
        &self,
        key: &str,
        range: Option<Range<u64>>,
    ) -> Result<RequestedBytes, RequestError> {
        let options = GetOptions { range: range.map(GetRange::Bounded), ..GetOptions::default() };
        // The client resumes by itself where a connection breaks.
        let object = self.client.get_opts(&path(key), options).await?;
        Ok(object.into_stream().map(|bytes| bytes.map_err(RequestError::from)).boxed())
    }

    async fn delete_object(&self, key: &str) -> Result<(), RequestError> {
        Ok(self.client.delete(&path(key)).await?)
    }

    async fn create_multipart_upload(&self, key: &str) -> Result<String, RequestError> {
        Ok(self.client.create_multipart(&path(key)).await?)
    }

    async fn upload_part(
        &self,
        key: &str,
        upload_id: &str,
        number: u32,
        bytes: Bytes,
    ) -> Result<PartId, RequestError> {
        let (upload_id, index) = (upload_id.to_owned(), (number as usize).saturating_sub(1));
        let part = self.client.put_part(&path(key), &upload_id, index, bytes.into()).await?;
        Ok(part.content_id)
    }

    async fn complete_multipart_upload(
        &self,
        key: &str,
        upload_id: &str,
        part_ids: &[PartId],
    ) -> Result<Option<String>, RequestError> {
        let parts =
            part_ids.iter().map(|id| multipart::PartId { content_id: id.clone() }).collect();
        Ok(self.client.complete_multipart(&path(key), &upload_id.to_owned(), parts).await?.e_tag)
    }

    async fn abort_multipart_upload(&self, key: &str, upload_id: &str) -> Result<(), RequestError> {
        Ok(self.client.abort_multipart(&path(key), &upload_id.to_owned()).await?)
    }

    async fn list_multipart_uploads(
        &self,
        query: &UploadQuery,
    ) -> Result<UploadPage, RequestError> {
        self.lister.page(&self.client, query).await
    }

    async fn presign_get_object(
        &self,
        key: &str,
        valid_for: Duration,
        disposition: &str,
    ) -> Result<Option<Url>, RequestError> {
        let options =
            SignedUrlOptions::new().with_query([("response-content-disposition", disposition)]);
        let url = self.client.signed_url_opts(Method::GET, &path(key), valid_for, &options).await?;
        Ok(Some(url))
    }
}

/// A key as it is; a segment of it that the client does not take, as `..`, is encoded.
fn path(key: &str) -> Path {
    Path::from_iter(
        key.split('/')
            .map(|segment| PathPart::parse(segment).unwrap_or_else(|_| PathPart::from(segment))),
    )
}

impl From<object_store::Error> for RequestError {
    fn from(error: object_store::Error) -> Self {
        use object_store::Error;
        let mut reason = words(&error);
        let kind = match error {
            // A missing bucket is an object not found, as the client sees it.
            Error::NotFound { .. } if reason.contains("NoSuchBucket") => {
                RequestErrorKind::NoSuchBucket
            }
            Error::NotFound { .. } => RequestErrorKind::NotFound,
            _ if reason.contains("<Code>InvalidPart</Code>") => RequestErrorKind::InvalidPart,
            Error::Precondition { .. } => RequestErrorKind::Exists,
            Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
                reason = denial(&error, reason);
                RequestErrorKind::Denied
            }
            // The client has repeated what can be.
            _ => RequestErrorKind::Other,
        };
        Self { kind, reason }
    }
}

/// The words of an error of the client.
fn words(error: &object_store::Error) -> String {
    // The innermost cause says what happened; those around it, that a request failed.
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    match error.to_string() {
        text if text.contains(&cause.to_string()) => text,
        text => format!("{text}: {cause}"),
    }
}

/// Why a request was denied, as a sentence: there is no key, or what the server says of it.
fn denial(error: &object_store::Error, words: String) -> String {
    if let Some(missing) = no_credentials(error) {
        return missing;
    }
    let between = |start: &str, end: &str| Some(words.split_once(start)?.1.split_once(end)?.0);
    let Some(status) = between("status code: ", ": ") else { return words };
    // An answer to HEAD has no more to it.
    let details = match (between("<Code>", "</Code>"), between("<Message>", "</Message>")) {
        (Some(code), Some(message)) => format!(", {code}: {message}"),
        (Some(code), None) => format!(", {code}"),
        _ => String::new(),
    };
    format!(
        "the server refused the access key ({status}{details}). Check the key, its secret, the region, and what the \
         key may do"
    )
}

#[cfg(test)]
mod tests {
    use super::path;

    #[test]
    fn keys_stay_as_they_are_where_the_client_takes_them() {
        for key in ["a.sql", "nightly/a b/ü+1/täg lich+%41&<1>.sql", "a^b/c~d"] {
            assert_eq!(path(key).as_ref(), key);
        }
        assert_eq!(path("a^b/../c\n").as_ref(), "a^b/%2E%2E/c%0A");
    }
}
