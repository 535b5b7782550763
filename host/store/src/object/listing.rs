//! A bucket's incomplete uploads, page by page; requests are repeated if that may help.

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

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::ops::Range;
    use std::sync::Mutex;
    use std::time::SystemTime;

    use async_trait::async_trait;
    use bytes::Bytes;

    use super::*;
    use crate::bucket::{ObjectInfo, RequestErrorKind, RequestedBytes, UploadMarker};
    use crate::store::PartId;

    /// Answers requests for pages as it was told, and keeps where they began and what was waited.
    #[derive(Debug, Default)]
    struct Scripted {
        answers: Mutex<VecDeque<Result<UploadPage, RequestErrorKind>>>,
        asked_after: Mutex<Vec<Option<UploadMarker>>>,
        paused: Mutex<Duration>,
    }

    #[async_trait]
    impl Bucket for Scripted {
        async fn list_multipart_uploads(
            &self,
            query: &UploadQuery,
        ) -> Result<UploadPage, RequestError> {
            self.asked_after.lock().unwrap().push(query.after.clone());
            let answer = self.answers.lock().unwrap().pop_front().unwrap();
            answer.map_err(|kind| RequestError::new(kind, "scripted"))
        }

        async fn pause(&self, time: Duration) {
            *self.paused.lock().unwrap() += time;
        }

        async fn head_object(&self, _: &str) -> Result<ObjectInfo, RequestError> {
            unimplemented!()
        }

        async fn get_object(
            &self,
            _: &str,
            _: Option<Range<u64>>,
        ) -> Result<RequestedBytes, RequestError> {
            unimplemented!()
        }

        async fn delete_object(&self, _: &str) -> Result<(), RequestError> {
            unimplemented!()
        }

        async fn create_multipart_upload(&self, _: &str) -> Result<String, RequestError> {
            unimplemented!()
        }

        async fn upload_part(
            &self,
            _: &str,
            _: &str,
            _: u32,
            _: Bytes,
        ) -> Result<PartId, RequestError> {
            unimplemented!()
        }

        async fn complete_multipart_upload(
            &self,
            _: &str,
            _: &str,
            _: &[PartId],
        ) -> Result<Option<String>, RequestError> {
            unimplemented!()
        }

        async fn abort_multipart_upload(&self, _: &str, _: &str) -> Result<(), RequestError> {
            unimplemented!()
        }
    }

    fn marker(key: &str) -> Option<UploadMarker> {
        Some(UploadMarker { key: key.to_owned(), upload_id: "1".to_owned() })
    }

    fn page(key: &str, next: Option<UploadMarker>) -> Result<UploadPage, RequestErrorKind> {
        let (key, upload_id) = (key.to_owned(), "1".to_owned());
        let uploads = vec![ListedUpload { key, upload_id, initiated: SystemTime::UNIX_EPOCH }];
        Ok(UploadPage { uploads, next })
    }

    /// The outcome of listing where the server answers so; the keys, or the error's kind.
    async fn list(
        bucket: &Scripted,
        answers: impl IntoIterator<Item = Result<UploadPage, RequestErrorKind>>,
    ) -> Result<Vec<String>, RequestErrorKind> {
        bucket.answers.lock().unwrap().extend(answers);
        let listed = list_uploads(bucket, UploadQuery::default()).await;
        let keys = |uploads: Vec<ListedUpload>| uploads.into_iter().map(|upload| upload.key);
        listed.map(|uploads| keys(uploads).collect()).map_err(|error| error.kind)
    }

    #[tokio::test]
    async fn pages_are_asked_for_to_the_end_and_no_page_twice() {
        let bucket = Scripted::default();
        let answers = [page("a", marker("a")), page("b", marker("b")), page("c", None)];
        assert_eq!(list(&bucket, answers).await.unwrap(), ["a", "b", "c"]);
        assert_eq!(*bucket.asked_after.lock().unwrap(), [None, marker("a"), marker("b")]);
        let bucket = Scripted::default();
        let answers = [page("a", marker("a")), page("b", marker("a"))];
        assert_eq!(list(&bucket, answers).await.unwrap(), ["a", "b"]);
    }

    #[tokio::test]
    async fn a_page_is_asked_for_again_while_that_may_help() {
        let bucket = Scripted::default();
        let failed = || Err(RequestErrorKind::Unavailable);
        let answers = [page("a", marker("a")), failed(), failed(), page("b", None)];
        assert_eq!(list(&bucket, answers).await.unwrap(), ["a", "b"]);
        assert_eq!(*bucket.paused.lock().unwrap(), Duration::from_millis(400));
        let bucket = Scripted::default();
        let outcome = list(&bucket, (0..MAX_ATTEMPTS).map(|_| failed())).await;
        assert_eq!(outcome, Err(RequestErrorKind::Unavailable));
        for kind in [RequestErrorKind::Denied, RequestErrorKind::Other] {
            assert_eq!(list(&Scripted::default(), [Err(kind)]).await, Err(kind));
        }
    }
}
