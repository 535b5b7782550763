//! The library's store for S3 over the bucket in memory: each request passes its own gates.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use partway_store::bucket::{
    Bucket, ListedUpload, ObjectInfo, RequestError, RequestErrorKind, RequestedBytes, UploadMarker,
    UploadPage, UploadQuery,
};
use partway_store::{
    CompletedObject, IncompleteUpload, ObjectBytes, ObjectStat, ObjectStore, PartId, Store,
    StoreError, StoreLimits, UploadId,
};

use super::bucket::Object;
use super::clock::sleep;
use super::gate::{Effect, View};
use super::tally::Met;
use super::world::{Kind, Stand};

/// How many uploads a page of their list has: few, so that lists have more than one.
const PAGE: usize = 2;

/// The store for one life of a host. What it decides, the library decides; here is noted what the checker asks for.
#[derive(Debug)]
pub struct BucketStore {
    requests: Arc<Requests>,
    store: ObjectStore,
}

impl BucketStore {
    pub fn new(view: View) -> Self {
        let requests = Arc::new(Requests {
            view,
            looked: AtomicU64::default(),
            has_completed: AtomicBool::default(),
        });
        let store = ObjectStore::new(requests.clone(), "bucket", "");
        Self { requests, store }
    }
}

#[async_trait]
impl Store for BucketStore {
    fn limits(&self) -> StoreLimits {
        StoreLimits { smallest_part: 4096, in_flight: 1, ..self.store.limits() }
    }

    fn location(&self, name: &str) -> String {
        self.store.location(name)
    }

    async fn is_taken(&self, name: &str) -> Result<bool, StoreError> {
        self.store.is_taken(name).await
    }

    async fn begin(&self, name: &str) -> Result<UploadId, StoreError> {
        self.store.begin(name).await
    }

    async fn write(
        &self,
        upload: &UploadId,
        number: u32,
        offset: u64,
        bytes: Bytes,
    ) -> Result<PartId, StoreError> {
        self.store.write(upload, number, offset, bytes).await
    }

    async fn check_upload(&self, upload: &UploadId, bytes: u64) -> Result<(), StoreError> {
        self.store.check_upload(upload, bytes).await
    }

    async fn sync(&self, upload: &UploadId) -> Result<(), StoreError> {
        self.store.sync(upload).await?;
        let View { ground, actor, .. } = &self.requests.view;
        ground.settled(*actor, &upload.id);
        Ok(())
    }

    async fn complete(
        &self,
        upload: &UploadId,
        part_ids: &[PartId],
        length: u64,
    ) -> Result<CompletedObject, StoreError> {
        self.requests.has_completed.store(false, Ordering::Relaxed);
        let object = self.store.complete(upload, part_ids, length).await?;
        if !self.requests.has_completed.load(Ordering::Relaxed) {
            self.requests.view.world.met(Met::CompletedTwice);
        }
        Ok(object)
    }

    async fn find_completed(
        &self,
        upload: &UploadId,
        part_ids: &[PartId],
        length: u64,
    ) -> Result<Option<CompletedObject>, StoreError> {
        self.store.find_completed(upload, part_ids, length).await
    }

    async fn abort(&self, upload: &UploadId) -> Result<bool, StoreError> {
        self.store.abort(upload).await
    }

    async fn incomplete_uploads(&self) -> Result<Vec<IncompleteUpload>, StoreError> {
        self.store.incomplete_uploads().await
    }

    async fn read(&self, name: &str) -> Result<ObjectBytes, StoreError> {
        self.store.read(name).await
    }

    async fn stat(&self, name: &str) -> Result<ObjectStat, StoreError> {
        self.store.stat(name).await
    }

    async fn read_range(&self, name: &str, range: Range<u64>) -> Result<ObjectBytes, StoreError> {
        self.store.read_range(name, range).await
    }

    async fn delete(&self, name: &str) -> Result<(), StoreError> {
        self.store.delete(name).await
    }
}

/// The client: each request is an effect on the bucket.
#[derive(Debug)]
struct Requests {
    view: View,
    /// When an object was last looked for.
    looked: AtomicU64,
    /// Whether an upload was completed, and that was heard.
    has_completed: AtomicBool,
}

impl Requests {
    async fn object(&self, key: &str) -> Result<Object, RequestError> {
        let look = async {
            let object = self.view.ground.bucket().objects.get(key).cloned();
            Ok::<_, RequestError>(object)
        };
        let found = self.view.effect(Effect::new(Kind::Look, None, key), look).await?;
        found.ok_or_else(|| RequestError::new(RequestErrorKind::NotFound, "NoSuchKey"))
    }

    fn page(&self, query: &UploadQuery) -> UploadPage {
        let bucket = self.view.ground.bucket();
        let mut uploads: Vec<ListedUpload> = bucket
            .uploads
            .iter()
            .filter(|(_, begun)| begun.name.starts_with(&query.prefix))
            .map(|(id, begun)| ListedUpload {
                key: begun.name.clone(),
                upload_id: id.clone(),
                initiated: UNIX_EPOCH + Duration::from_millis(begun.at as u64),
            })
            .collect();
        uploads.sort_by(|one, other| place(one).cmp(&place(other)));
        if let Some(UploadMarker { key, upload_id }) = &query.after {
            uploads.retain(|upload| place(upload) > (key, upload_id));
        }
        let has_more = uploads.len() > PAGE;
        uploads.truncate(PAGE);
        let last = uploads.last().filter(|_| has_more);
        let next = last
            .map(|last| UploadMarker { key: last.key.clone(), upload_id: last.upload_id.clone() });
        UploadPage { uploads, next }
    }
}

/// An upload's place in the list.
fn place(upload: &ListedUpload) -> (&str, &str) {
    (&upload.key, &upload.upload_id)
}

#[async_trait]
impl Bucket for Requests {
    async fn head_object(&self, key: &str) -> Result<ObjectInfo, RequestError> {
        self.looked.store(self.view.ground.moment(), Ordering::Relaxed);
        let object = self.object(key).await?;
        let e_tag = Some(format!("\"{}\"", object.e_tag));
        Ok(ObjectInfo { length: object.bytes.len() as u64, e_tag })
    }

    async fn get_object(
        &self,
        key: &str,
        range: Option<Range<u64>>,
    ) -> Result<RequestedBytes, RequestError> {
        let mut bytes = Bytes::from(self.object(key).await?.bytes);
        if let Some(range) = range {
            let end = range.end.min(bytes.len() as u64);
            bytes = bytes.slice(range.start.min(end) as usize..end as usize);
        }
        Ok(stream::iter([Ok(bytes)]).boxed())
    }

    async fn delete_object(&self, key: &str) -> Result<(), RequestError> {
        self.view.ground.bucket().objects.remove(key);
        Ok(())
    }

    async fn create_multipart_upload(&self, key: &str) -> Result<String, RequestError> {
        let begin = async {
            let now = self.view.world.lock().wall;
            Ok(self.view.ground.bucket().begin(key, now))
        };
        self.view.effect(Effect::new(Kind::Begin, None, key), begin).await
    }

    async fn upload_part(
        &self,
        key: &str,
        upload_id: &str,
        number: u32,
        bytes: Bytes,
    ) -> Result<PartId, RequestError> {
        // Held until it is over: only then is the component to have its buffer back.
        let part = bytes.clone();
        let write = async {
            let tag = self.view.ground.bucket().put(upload_id, number, bytes)?;
            self.view.ground.written(self.view.actor, upload_id, number, &tag);
            Ok(tag)
        };
        let effect = Effect::new(Kind::of_write(key), Some(upload_id), number);
        let result = self.view.effect(effect, write).await;
        drop(part);
        result
    }

    async fn complete_multipart_upload(
        &self,
        key: &str,
        upload_id: &str,
        part_ids: &[PartId],
    ) -> Result<Option<String>, RequestError> {
        let looked = self.looked.load(Ordering::Relaxed);
        let only_if_free = self.view.world.plan.conditional;
        let complete = async {
            let e_tag = self.view.ground.bucket().complete(upload_id, part_ids, only_if_free)?;
            self.view.ground.completed(&self.view.world, key, looked);
            Ok::<_, RequestError>(e_tag)
        };
        let (name, id, tags) = (key.to_owned(), upload_id.to_owned(), part_ids.to_vec());
        let effect =
            Effect::new(Kind::Complete, Some(upload_id), key).late(move |world, ground| {
                let completed = ground.bucket().complete(&id, &tags, only_if_free);
                if completed.is_ok() {
                    ground.completed(world, &name, looked);
                    ground.completed_late(&name);
                    world.met(Met::CompletedLate);
                }
            });
        let e_tag = self.view.effect(effect, complete).await?;
        self.has_completed.store(true, Ordering::Relaxed);
        Ok(Some(format!("\"{e_tag}\"")))
    }

    async fn abort_multipart_upload(
        &self,
        _key: &str,
        upload_id: &str,
    ) -> Result<(), RequestError> {
        self.view.ground.abort_asked(upload_id);
        let abort = async { Ok(self.view.ground.bucket().abort(upload_id)?) };
        let id = upload_id.to_owned();
        let effect = Effect::new(Kind::Abort, Some(upload_id), "").late(move |_, ground| {
            ground.bucket().abort(&id).ok();
        });
        self.view.effect(effect, abort).await
    }

    /// A server that refuses this once lets its clients take an object of the right length for theirs, as one that
    /// never allows it: that is no fault of a moment. Here such a refusal is a failure that is not repeated.
    async fn list_multipart_uploads(
        &self,
        query: &UploadQuery,
    ) -> Result<UploadPage, RequestError> {
        let list = async { Ok(self.page(query)) };
        let listed = self.view.effect(Effect::new(Kind::List, None, &query.prefix), list).await;
        listed.map_err(|error: RequestError| match error.kind {
            RequestErrorKind::Denied => RequestError::new(RequestErrorKind::Other, error.reason),
            _ => error,
        })
    }

    async fn pause(&self, time: Duration) {
        let View { world, actor, .. } = &self.view;
        let set = |stand| world.lock().hosts[actor.host].stand = stand;
        set(Stand::Hung);
        sleep(world, actor.host, time).await;
        set(Stand::Going);
    }
}
