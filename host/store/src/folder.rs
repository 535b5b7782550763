//! The folder store: parts are written at their offset in a hidden file, which gets its name when
//! it is complete.

mod blocking;
mod hidden;
mod names;
mod reading;
#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;

use self::blocking::write_blocking;
use self::hidden::HiddenFile;
use self::names::{new_hidden, object_name};
use crate::error::StoreError;
use crate::store::{
    CompletedObject, IncompleteUpload, ObjectBytes, ObjectStat, PartId, Store, StoreLimits,
    UploadId,
};

/// A folder of the file system.
#[derive(Debug, Clone)]
pub struct FolderStore {
    folder: PathBuf,
}

impl FolderStore {
    /// A store in this folder, which must exist when it is first used.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    fn hidden<'a>(&'a self, upload: &'a UploadId) -> HiddenFile<'a> {
        HiddenFile { folder: &self.folder, upload }
    }

    /// What an error of reading means: an object is not in a folder that does not exist, and that is what to say.
    fn read_error(&self, error: StoreError) -> StoreError {
        match error {
            StoreError::NoObject { .. } if !self.folder.is_dir() => {
                StoreError::NotFound { location: self.folder.display().to_string() }
            }
            other => other,
        }
    }
}

/// Makes new and changed names in a folder safe.
async fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    write_blocking(folder.to_owned(), names::sync_folder).await
}

#[async_trait]
impl Store for FolderStore {
    fn limits(&self) -> StoreLimits {
        StoreLimits {
            smallest_part: 4096,
            largest_part: u64::from(u32::MAX),
            most_parts: u32::MAX,
            // One is copied to the system while the next is made; syncing to the disk goes beside that.
            in_flight: 2,
        }
    }

    fn location(&self, name: &str) -> String {
        hidden::location(&self.folder, name)
    }

    async fn is_taken(&self, name: &str) -> Result<bool, StoreError> {
        let name = name.to_owned();
        write_blocking(self.folder.clone(), move |folder| {
            if !fs::metadata(folder)?.is_dir() {
                return Err(io::ErrorKind::NotADirectory.into());
            }
            Ok(fs::symlink_metadata(folder.join(&name)).is_ok())
        })
        .await
    }

    async fn begin(&self, name: &str) -> Result<UploadId, StoreError> {
        let object = name.to_owned();
        let id = write_blocking(self.folder.clone(), move |folder| new_hidden(folder, &object));
        let id = id.await?;
        sync_folder(&self.folder).await?;
        Ok(UploadId { name: name.to_owned(), id })
    }

    async fn write(
        &self,
        upload: &UploadId,
        _number: u32,
        offset: u64,
        bytes: Bytes,
    ) -> Result<PartId, StoreError> {
        self.hidden(upload).write(offset, bytes).await
    }

    async fn check_upload(&self, upload: &UploadId, bytes: u64) -> Result<(), StoreError> {
        self.hidden(upload).check(bytes).await
    }

    async fn sync(&self, upload: &UploadId) -> Result<(), StoreError> {
        self.hidden(upload).sync().await
    }

    /// Each step is awaited by itself: dropped between two of them, it is as if the process had ended there, and another
    /// call resumes.
    async fn complete(
        &self,
        upload: &UploadId,
        part_ids: &[PartId],
        length: u64,
    ) -> Result<CompletedObject, StoreError> {
        let hidden = self.hidden(upload);
        let object = match hidden.trim(length).await {
            // A new name does not change the version.
            Ok(version) => {
                CompletedObject { name: hidden.publish().await?, version: Some(version) }
            }
            // It may have become the object already, before a crash.
            Err(error @ StoreError::UploadGone { .. }) => {
                hidden.find_published(part_ids.first(), length).await?.ok_or(error)?
            }
            Err(error) => return Err(error),
        };
        hidden.remove().await?;
        sync_folder(&self.folder).await?;
        Ok(object)
    }

    async fn find_completed(
        &self,
        upload: &UploadId,
        part_ids: &[PartId],
        length: u64,
    ) -> Result<Option<CompletedObject>, StoreError> {
        let hidden = self.hidden(upload);
        let is_hidden = hidden.exists();
        let identity = part_ids.first().filter(|id| !id.is_empty());
        if is_hidden && identity.is_none() {
            return Ok(None);
        }
        let found = hidden.find_published(identity, length).await?;
        // A crash may have left it both names.
        if found.is_some() && is_hidden {
            hidden.remove().await?;
            sync_folder(&self.folder).await?;
        }
        Ok(found)
    }

    async fn abort(&self, upload: &UploadId) -> Result<bool, StoreError> {
        self.hidden(upload).remove().await
    }

    async fn incomplete_uploads(&self) -> Result<Vec<IncompleteUpload>, StoreError> {
        write_blocking(self.folder.clone(), |folder| {
            let mut incomplete = Vec::new();
            for entry in fs::read_dir(folder)? {
                incomplete.extend(incomplete_upload(&entry?)?);
            }
            incomplete.sort_by_key(|upload| upload.changed);
            Ok(incomplete)
        })
        .await
    }

    async fn read(&self, name: &str) -> Result<ObjectBytes, StoreError> {
        self.read_range(name, 0..u64::MAX).await
    }

    async fn stat(&self, name: &str) -> Result<ObjectStat, StoreError> {
        let stat = reading::stat(self.folder.join(name), &self.location(name)).await;
        stat.map_err(|error| self.read_error(error))
    }

    fn is_local(&self) -> bool {
        true
    }

    async fn read_range(&self, name: &str, range: Range<u64>) -> Result<ObjectBytes, StoreError> {
        let path = self.folder.join(name);
        let bytes = reading::read_range(path, self.location(name), range).await;
        bytes.map_err(|error| self.read_error(error))
    }

    async fn delete(&self, name: &str) -> Result<(), StoreError> {
        let name = name.to_owned();
        write_blocking(self.folder.clone(), move |folder| {
            match fs::remove_file(folder.join(name)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound && folder.is_dir() => {}
                other => other?,
            }
            names::sync_folder(folder)
        })
        .await
    }
}

/// The upload that a file in the folder belongs to; none where it is another file.
fn incomplete_upload(entry: &fs::DirEntry) -> io::Result<Option<IncompleteUpload>> {
    let id = entry.file_name();
    let Some(id) = id.to_str() else { return Ok(None) };
    let Some(name) = object_name(id) else { return Ok(None) };
    let meta = match entry.metadata() {
        Ok(meta) => meta,
        // It has ended meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if !meta.is_file() {
        return Ok(None);
    }
    let upload = UploadId { name: name.to_owned(), id: id.to_owned() };
    Ok(Some(IncompleteUpload { upload, changed: meta.modified()? }))
}
