//! A bucket's incomplete uploads, page by page; what may help is asked again.

use std::time::Duration;

use crate::bucket::{Bucket, ListedUpload, RequestError, UploadPage, UploadQuery};

/// How often a page is asked for at most.
const MAX_ATTEMPTS: u32 = 6;

/// How long to wait before the second attempt; three times as long before each that follows.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// All uploads that the query asks for.
pub(super) async fn list_uploads(
    bucket: &dyn Bucket,
    mut query: UploadQuery,
) -> Result<Vec<ListedUpload>, RequestError> {
    let mut uploads = Vec::new();
    loop {
        let page = request_page(bucket, &query).await?;
        uploads.extend(page.uploads);
        // A server that names the same place again would do so for ever.
        if page.next.is_none() || page.next == query.after {
            return Ok(uploads);
        }
        query.after = page.next;
    }
}

/// One page. A transient error makes it ask again, as the client does with its other requests.
async fn request_page(
    bucket: &dyn Bucket,
    query: &UploadQuery,
) -> Result<UploadPage, RequestError> {
    let mut pause = FIRST_PAUSE;
    let mut attempt = 1;
    loop {
        match bucket.list_multipart_uploads(query).await {
            Err(error) if error.kind.is_transient() && attempt < MAX_ATTEMPTS => {
                tracing::info!(attempt, reason = error.reason, "listing uploads failed");
            }
            outcome => return outcome,
        }
        bucket.pause(pause).await;
        pause *= 3;
        attempt += 1;
    }
}
