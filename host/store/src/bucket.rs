//! The requests that an [`ObjectStore`](crate::ObjectStore) sends to a bucket, one method each.

use std::ops::Range;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use url::Url;

use crate::store::PartId;

/// The client of one bucket of S3 or of an S3-compatible server: each method is one request of S3's
/// API.
///
/// An implementation sends requests and classifies errors. [`ObjectStore`](crate::ObjectStore)
/// decides what a response means: whether a name is taken, whether an upload was completed although
/// the response was lost, whether an upload is gone.
///
/// Keys are complete, in UTF-8 and not percent-encoded. Upload ids are the server's.
#[async_trait]
pub trait Bucket: Send + Sync + std::fmt::Debug {
    /// `HeadObject`. A missing object is [`RequestErrorKind::NotFound`]; so is a missing bucket,
    /// because the response to this request has no body that could distinguish them.
    async fn head_object(&self, key: &str) -> Result<ObjectInfo, RequestError>;

    /// `GetObject`, for the whole object or a range that is not empty; fewer bytes if the object
    /// ends within the range.
    async fn get_object(
        &self,
        key: &str,
        range: Option<Range<u64>>,
    ) -> Result<RequestedBytes, RequestError>;

    /// `DeleteObject`. Servers differ on whether deleting a missing object is an error: both
    /// results are accepted.
    async fn delete_object(&self, key: &str) -> Result<(), RequestError>;

    /// `CreateMultipartUpload`; returns the upload's id.
    async fn create_multipart_upload(&self, key: &str) -> Result<String, RequestError>;

    /// `UploadPart`, which replaces a part of the same number; returns the part's ETag. Parts are
    /// numbered from 1. The bytes must be read and dropped before it returns: their buffer is
    /// reused.
    async fn upload_part(
        &self,
        key: &str,
        upload_id: &str,
        number: u32,
        bytes: Bytes,
    ) -> Result<PartId, RequestError>;

    /// `CompleteMultipartUpload`, from the ETags of all parts in order; an upload without parts becomes an empty object.
    /// Returns the object's ETag, if the response has it. Send `If-None-Match: *` if the server supports it, and
    /// return [`RequestErrorKind::Exists`] if an object has this key; otherwise that object is overwritten.
    async fn complete_multipart_upload(
        &self,
        key: &str,
        upload_id: &str,
        part_ids: &[PartId],
    ) -> Result<Option<String>, RequestError>;

    /// `AbortMultipartUpload`.
    async fn abort_multipart_upload(&self, key: &str, upload_id: &str) -> Result<(), RequestError>;

    /// `ListMultipartUploads`, one page. The caller repeats it after
    /// [`RequestErrorKind::Unavailable`]; an implementation need not do so itself.
    async fn list_multipart_uploads(&self, query: &UploadQuery)
    -> Result<UploadPage, RequestError>;

    /// A URL from which anyone can GET an object for this time, as a file with this
    /// `Content-Disposition`; none if the server has no such URLs.
    async fn presign_get_object(
        &self,
        key: &str,
        valid_for: Duration,
        disposition: &str,
    ) -> Result<Option<Url>, RequestError> {
        let _ = (key, valid_for, disposition);
        Ok(None)
    }

    /// Waits before a request is repeated. An implementation with its own clock waits by that
    /// clock.
    async fn pause(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

/// An object's bytes as they arrive; the first error is the end.
pub type RequestedBytes = BoxStream<'static, Result<Bytes, RequestError>>;

/// What `HeadObject` returns about an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Its length in bytes.
    pub length: u64,
    /// Its ETag, if the server returns one. That of an object made by a multipart upload ends in
    /// `-` and the number of its parts on Amazon S3, R2 and Garage.
    pub e_tag: Option<String>,
}

/// Which uploads to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UploadQuery {
    /// What their keys begin with.
    pub prefix: String,
    /// Leaves out keys that have this after the prefix. A server may ignore it.
    pub delimiter: Option<String>,
    /// Begins after this upload.
    pub after: Option<UploadMarker>,
}

/// A place in the list of uploads, which is ordered by key and, within a key, in the server's own
/// order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadMarker {
    /// The upload's key.
    pub key: String,
    /// Its id.
    pub upload_id: String,
}

/// A page of the list of uploads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UploadPage {
    /// The uploads.
    pub uploads: Vec<ListedUpload>,
    /// Where the next page begins; none: this is the last.
    pub next: Option<UploadMarker>,
}

/// An upload that has begun and neither been completed nor aborted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedUpload {
    /// The whole key.
    pub key: String,
    /// The upload's id.
    pub upload_id: String,
    /// When it was begun.
    pub initiated: SystemTime,
}

/// Why a bucket did not carry out a request, or may not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct RequestError {
    /// What it means for the caller.
    pub kind: RequestErrorKind,
    /// The server's or the client's message.
    pub reason: String,
}

/// What the failure of a request means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestErrorKind {
    /// There is no such bucket (`NoSuchBucket`).
    NoSuchBucket,
    /// There is no such object or upload (`NoSuchKey`, `NoSuchUpload`, or status 404 without a reason).
    NotFound,
    /// A part to complete the object from is not there, or has another ETag (`InvalidPart`).
    InvalidPart,
    /// An object has the key, and is not to be overwritten (`PreconditionFailed`, status 412).
    Exists,
    /// The credentials are wrong or insufficient (status 401 or 403).
    Denied,
    /// The server does not support such requests (status 405 or 501).
    NotImplemented,
    /// The server is busy, failed or did not respond (status 429 or 5xx, or none): the request may
    /// have been carried out.
    Unavailable,
    /// Any other failure: repeating the request at once does not help.
    Other,
}

impl RequestErrorKind {
    /// Whether repeating the request at once may help.
    pub fn is_transient(self) -> bool {
        self == Self::Unavailable
    }
}

impl RequestError {
    /// An error of this kind.
    pub fn new(kind: RequestErrorKind, reason: impl std::fmt::Display) -> Self {
        Self { kind, reason: reason.to_string() }
    }
}
