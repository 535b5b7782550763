//! The real store in a folder, with gates around each of its calls.

use std::ops::Range;
use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::Bytes;
use partway_store::{
    CompletedObject, FolderStore, IncompleteUpload, ObjectBytes, ObjectStat, PartId, Store,
    StoreError, StoreLimits, UploadId,
};

use super::gate::{Effect, View};
use super::tally::Met;
use super::world::Kind;

/// A store in the folder, for one life of a host.
#[derive(Debug)]
pub struct GatedFolder {
    pub view: View,
    pub folder: FolderStore,
}

#[async_trait]
impl Store for GatedFolder {
    fn limits(&self) -> StoreLimits {
        StoreLimits { in_flight: 1, ..self.folder.limits() }
    }

    fn location(&self, name: &str) -> String {
        self.folder.location(name)
    }

    async fn is_taken(&self, name: &str) -> Result<bool, StoreError> {
        let effect = Effect::new(Kind::Look, None, name);
        self.view.effect(effect, self.folder.is_taken(name)).await
    }

    async fn begin(&self, name: &str) -> Result<UploadId, StoreError> {
        self.view.effect(Effect::new(Kind::Begin, None, name), self.folder.begin(name)).await
    }

    async fn write(
        &self,
        upload: &UploadId,
        number: u32,
        offset: u64,
        bytes: Bytes,
    ) -> Result<PartId, StoreError> {
        // Held until it is over: only then is the component to have its buffer back.
        let part = bytes.clone();
        let write = async {
            let part_id = self.folder.write(upload, number, offset, bytes).await?;
            self.view.ground.written(self.view.actor, &upload.id, number, &part_id);
            self.view.ground.touched(&upload.id, self.view.world.lock().wall);
            Ok(part_id)
        };
        let effect = Effect::new(Kind::of_write(&upload.name), Some(&upload.id), number);
        let result = self.view.effect(effect, write).await;
        drop(part);
        result
    }

    async fn check_upload(&self, upload: &UploadId, bytes: u64) -> Result<(), StoreError> {
        self.folder.check_upload(upload, bytes).await
    }

    /// Only noted, and not done: whether a sync beside the next write comes before or after what
    /// another host does meanwhile is not for the schedule to say. What it is for, power cuts, is not simulated.
    async fn sync(&self, upload: &UploadId) -> Result<(), StoreError> {
        self.view.ground.settled(self.view.actor, &upload.id);
        Ok(())
    }

    async fn complete(
        &self,
        upload: &UploadId,
        part_ids: &[PartId],
        length: u64,
    ) -> Result<CompletedObject, StoreError> {
        let is_again = !self.view.ground.uploads().contains(&upload.id);
        let complete = self.folder.complete(upload, part_ids, length);
        let effect = Effect::new(Kind::Complete, Some(&upload.id), &upload.name);
        let object = self.view.effect(effect, complete).await?;
        if is_again {
            self.view.world.met(Met::CompletedTwice);
        }
        Ok(object)
    }

    async fn find_completed(
        &self,
        upload: &UploadId,
        part_ids: &[PartId],
        length: u64,
    ) -> Result<Option<CompletedObject>, StoreError> {
        let find = self.folder.find_completed(upload, part_ids, length);
        self.view.effect(Effect::new(Kind::Find, Some(&upload.id), &upload.name), find).await
    }

    async fn abort(&self, upload: &UploadId) -> Result<bool, StoreError> {
        self.view.ground.abort_asked(&upload.id);
        let abort = self.folder.abort(upload);
        self.view.effect(Effect::new(Kind::Abort, Some(&upload.id), ""), abort).await
    }

    async fn incomplete_uploads(&self) -> Result<Vec<IncompleteUpload>, StoreError> {
        let list = async {
            let mut all = self.folder.incomplete_uploads().await?;
            for incomplete in &mut all {
                // By the simulated clock.
                let at = self.view.ground.changed_at(&incomplete.upload.id);
                incomplete.changed = UNIX_EPOCH + Duration::from_millis(at as u64);
            }
            all.sort_by_key(|incomplete| self.view.ground.short(&incomplete.upload.id));
            Ok(all)
        };
        self.view.effect(Effect::new(Kind::List, None, ""), list).await
    }

    async fn read(&self, name: &str) -> Result<ObjectBytes, StoreError> {
        self.folder.read(name).await
    }

    async fn stat(&self, name: &str) -> Result<ObjectStat, StoreError> {
        self.folder.stat(name).await
    }

    async fn read_range(&self, name: &str, range: Range<u64>) -> Result<ObjectBytes, StoreError> {
        self.folder.read_range(name, range).await
    }

    async fn delete(&self, name: &str) -> Result<(), StoreError> {
        self.folder.delete(name).await
    }
}
