//! The client of the bucket in memory: each request passes its own gates. It asks as the library's own client for S3
//! does (`store/object.rs`), which the tests with real servers try.

use std::ops::Range;
use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use partway_store::{
    IncompleteUpload, ObjectBytes, PartId, Store, StoreError, StoreLimits, UploadId,
};

use super::bucket::{Object, Refusal};
use super::gate::{Effect, View};
use super::world::Kind;

/// A store over the bucket, for one life of a host.
#[derive(Debug)]
pub struct BucketStore(pub View);

impl BucketStore {
    async fn look(&self, name: &str) -> Result<Option<Object>, StoreError> {
        let look = async { Ok(self.0.ground.bucket().objects.get(name).cloned()) };
        self.0.effect(Effect::new(Kind::Look, None, name), look).await
    }

    async fn list(&self) -> Result<Vec<(String, i64, String)>, StoreError> {
        let list = async {
            let bucket = self.0.ground.bucket();
            let all = bucket.uploads.iter();
            Ok(all.map(|(id, begun)| (id.clone(), begun.at, begun.name.clone())).collect())
        };
        self.0.effect(Effect::new(Kind::List, None, ""), list).await
    }

    async fn is_ours(
        &self,
        found: &Object,
        upload: &UploadId,
        parts: usize,
        length: u64,
    ) -> Result<bool, StoreError> {
        if found.bytes.len() as u64 != length || found.parts.is_some_and(|count| count != parts) {
            return Ok(false);
        }
        Ok(!self.list().await?.iter().any(|(id, ..)| *id == upload.id))
    }
}

fn gone(refusal: Refusal, upload: &UploadId) -> StoreError {
    StoreError::UploadGone { location: format!("{} ({refusal:?})", upload.name) }
}

#[async_trait]
impl Store for BucketStore {
    fn limits(&self) -> StoreLimits {
        StoreLimits { smallest_part: 4096, largest_part: 1 << 30, most_parts: 10_000, in_flight: 1 }
    }

    fn location(&self, name: &str) -> String {
        format!("bucket/{name}")
    }

    async fn is_taken(&self, name: &str) -> Result<bool, StoreError> {
        Ok(self.look(name).await?.is_some())
    }

    async fn begin(&self, name: &str) -> Result<UploadId, StoreError> {
        let begin = async {
            let now = self.0.world.lock().wall;
            let id = self.0.ground.bucket().begin(name, now);
            Ok(UploadId { name: name.to_owned(), id })
        };
        self.0.effect(Effect::new(Kind::Begin, None, name), begin).await
    }

    async fn write(
        &self,
        upload: &UploadId,
        number: u32,
        _offset: u64,
        bytes: Bytes,
    ) -> Result<PartId, StoreError> {
        // Held until it is over: only then is the component to have its buffer back.
        let part = bytes.clone();
        let write = async {
            let tag = self.0.ground.bucket().put(&upload.id, number, bytes);
            let tag = tag.map_err(|refusal| gone(refusal, upload))?;
            self.0.ground.written(self.0.actor, &upload.id, number, &tag);
            Ok(tag)
        };
        let result = self.0.effect(Effect::new(Kind::Write, Some(&upload.id), number), write).await;
        drop(part);
        result
    }

    async fn sync(&self, upload: &UploadId) -> Result<(), StoreError> {
        self.0.ground.settled(self.0.actor, &upload.id);
        Ok(())
    }

    async fn complete(
        &self,
        upload: &UploadId,
        part_ids: &[PartId],
        length: u64,
    ) -> Result<String, StoreError> {
        let name = &upload.name;
        let looked = self.0.ground.moment();
        let mut found = self.look(name).await?;
        if found.is_none() {
            let complete = async {
                let done = self.0.ground.bucket().complete(&upload.id, part_ids);
                done.map_err(|refusal| gone(refusal, upload))?;
                self.0.ground.completed(&self.0.world, name, looked);
                Ok(())
            };
            let effect = Effect::new(Kind::Complete, Some(&upload.id), name);
            let Err(error) = self.0.effect(effect, complete).await else { return Ok(name.clone()) };
            match self.look(name).await {
                Ok(Some(object)) => found = Some(object),
                Ok(None) => return Err(error),
                Err(unknown) => return Err(unknown),
            }
        }
        match found {
            Some(found) if self.is_ours(&found, upload, part_ids.len(), length).await? => {
                self.0.world.met(super::tally::Met::CompletedTwice);
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
        self.0.ground.abort_asked(&upload.id);
        let abort = async {
            self.0.ground.bucket().uploads.remove(&upload.id);
            Ok(())
        };
        self.0.effect(Effect::new(Kind::Abort, Some(&upload.id), ""), abort).await
    }

    async fn incomplete_uploads(&self) -> Result<Vec<IncompleteUpload>, StoreError> {
        let mut all: Vec<IncompleteUpload> = self
            .list()
            .await?
            .into_iter()
            .map(|(id, at, name)| IncompleteUpload {
                upload: UploadId { name, id },
                changed: UNIX_EPOCH + Duration::from_millis(at as u64),
            })
            .collect();
        all.sort_by_key(|unfinished| unfinished.changed);
        Ok(all)
    }

    async fn read(&self, name: &str) -> Result<ObjectBytes, StoreError> {
        match self.look(name).await? {
            Some(object) => Ok(stream::iter([Ok(Bytes::from(object.bytes))]).boxed()),
            None => Err(StoreError::NoObject { location: self.location(name) }),
        }
    }

    async fn length(&self, name: &str) -> Result<u64, StoreError> {
        match self.look(name).await? {
            Some(object) => Ok(object.bytes.len() as u64),
            None => Err(StoreError::NoObject { location: self.location(name) }),
        }
    }

    async fn read_range(&self, name: &str, range: Range<u64>) -> Result<ObjectBytes, StoreError> {
        match self.look(name).await? {
            Some(object) => {
                let end = range.end.min(object.bytes.len() as u64);
                let bytes = object.bytes[range.start.min(end) as usize..end as usize].to_vec();
                Ok(stream::iter([Ok(Bytes::from(bytes))]).boxed())
            }
            None => Err(StoreError::NoObject { location: self.location(name) }),
        }
    }

    async fn delete(&self, name: &str) -> Result<(), StoreError> {
        self.0.ground.bucket().objects.remove(name);
        Ok(())
    }
}
