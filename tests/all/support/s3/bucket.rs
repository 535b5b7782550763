//! The server's buckets: folders, by `s3s-fs`, with what it lacks: a list of uploads, a name for one that is gone, and
//! completing an upload only if no object has its key, as Amazon's server does.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use s3s::dto::*;
use s3s::{S3, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;

/// Uploads that have begun, by bucket, key and id, with the time.
pub(super) type Uploads = Arc<Mutex<BTreeMap<(String, String, String), SystemTime>>>;

/// How many uploads a page of the list has, so that there are pages.
const PAGE: usize = 2;

#[derive(Debug)]
pub(super) struct Buckets {
    pub files: FileSystem,
    /// The folder that the buckets are in.
    pub root: PathBuf,
    pub uploads: Uploads,
    /// Held while an upload is completed.
    pub completing: tokio::sync::Mutex<()>,
    /// How many completions were refused because an object had the key.
    pub refused: Arc<AtomicU32>,
}

impl Buckets {
    /// Fails if an object has the key that is to be free.
    fn check_free(&self, input: &CompleteMultipartUploadInput) -> S3Result<()> {
        let is_conditional = matches!(input.if_none_match, Some(ETagCondition::Any));
        if !is_conditional || !self.root.join(&input.bucket).join(&input.key).exists() {
            return Ok(());
        }
        self.refused.fetch_add(1, Ordering::Relaxed);
        Err(s3_error!(PreconditionFailed))
    }

    /// An upload that is not there has a name of its own; to `s3s-fs` it is one that is refused.
    fn check(&self, bucket: &str, key: &str, id: &str) -> S3Result<()> {
        let upload = (bucket.to_owned(), key.to_owned(), id.to_owned());
        match self.uploads.lock().unwrap().contains_key(&upload) {
            true => Ok(()),
            false => Err(s3_error!(NoSuchUpload, "The specified upload does not exist.")),
        }
    }

    fn end(&self, bucket: &str, key: &str, id: &str) {
        let upload = (bucket.to_owned(), key.to_owned(), id.to_owned());
        self.uploads.lock().unwrap().remove(&upload);
    }
}

/// As Amazon's server writes a key into a list.
fn encoded(key: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._*".contains(byte);
    key.bytes()
        .map(|byte| match byte {
            b' ' => "+".to_owned(),
            byte if plain(&byte) => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

#[async_trait::async_trait]
impl S3 for Buckets {
    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let (bucket, key) = (request.input.bucket.clone(), request.input.key.clone());
        let response = self.files.create_multipart_upload(request).await?;
        let id = response.output.upload_id.clone().unwrap_or_default();
        self.uploads.lock().unwrap().insert((bucket, key, id), SystemTime::now());
        Ok(response)
    }

    async fn upload_part(
        &self,
        request: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        let input = &request.input;
        self.check(&input.bucket, &input.key, &input.upload_id)?;
        self.files.upload_part(request).await
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = &request.input;
        let (bucket, key, id) = (input.bucket.clone(), input.key.clone(), input.upload_id.clone());
        let _completing = self.completing.lock().await;
        self.check(&bucket, &key, &id)?;
        self.check_free(input)?;
        let response = self.files.complete_multipart_upload(request).await?;
        self.end(&bucket, &key, &id);
        Ok(response)
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let input = &request.input;
        let (bucket, key, id) = (input.bucket.clone(), input.key.clone(), input.upload_id.clone());
        self.check(&bucket, &key, &id)?;
        let response = self.files.abort_multipart_upload(request).await?;
        self.end(&bucket, &key, &id);
        Ok(response)
    }

    async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let input = request.input;
        let prefix = input.prefix.clone().unwrap_or_default();
        let delimiter = input.delimiter.clone().unwrap_or_default();
        let after = input.key_marker.clone().zip(input.upload_id_marker.clone());
        let is_encoded = input.encoding_type.as_ref().is_some_and(|kind| kind.as_str() == "url");
        let shown = |key: &str| if is_encoded { encoded(key) } else { key.to_owned() };
        let mut uploads: Vec<_> = self
            .uploads
            .lock()
            .unwrap()
            .iter()
            .filter(|((bucket, key, id), _)| {
                let rest = key.strip_prefix(&prefix);
                *bucket == input.bucket
                    && rest.is_some_and(|rest| delimiter.is_empty() || !rest.contains(&delimiter))
                    && after.as_ref().is_none_or(|after| (&after.0, &after.1) < (key, id))
            })
            .map(|((_, key, id), begun)| (key.clone(), id.clone(), *begun))
            .collect();
        let is_truncated = uploads.len() > PAGE;
        uploads.truncate(PAGE);
        let last = uploads.last().filter(|_| is_truncated);
        Ok(S3Response::new(ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            is_truncated: Some(is_truncated),
            encoding_type: input.encoding_type,
            next_key_marker: last.map(|(key, ..)| shown(key)),
            next_upload_id_marker: last.map(|(_, id, _)| id.clone()),
            uploads: Some(
                uploads
                    .into_iter()
                    .map(|(key, id, begun)| MultipartUpload {
                        key: Some(shown(&key)),
                        upload_id: Some(id),
                        initiated: Some(begun.into()),
                        ..Default::default()
                    })
                    .collect(),
            ),
            ..Default::default()
        }))
    }

    async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        self.files.head_object(request).await
    }

    async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        match self.files.delete_object(request).await {
            // Amazon deletes what is not there as well.
            Err(error) if *error.code() == S3ErrorCode::NoSuchKey => {
                Ok(S3Response::new(DeleteObjectOutput::default()))
            }
            other => other,
        }
    }

    async fn get_object(
        &self,
        request: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        self.files.get_object(request).await
    }
}
