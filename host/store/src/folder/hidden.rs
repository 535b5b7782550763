//! The hidden file that an upload writes to, and how it becomes the object.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::blocking::write_blocking;
use super::names::{find, identity, publish, version};
use crate::error::StoreError;
use crate::store::{CompletedObject, ObjectVersion, PartId, UploadId};

/// The hidden file of an upload, which may have become the object, or be gone.
#[derive(Debug, Clone, Copy)]
pub(super) struct HiddenFile<'a> {
    pub folder: &'a Path,
    pub upload: &'a UploadId,
}

impl HiddenFile<'_> {
    fn path(&self) -> PathBuf {
        self.folder.join(&self.upload.id)
    }

    pub(super) fn exists(&self) -> bool {
        fs::symlink_metadata(self.path()).is_ok()
    }

    /// Writes a part, and gives the file's identity as its id: the offset says where in the file it is.
    pub(super) async fn write(&self, offset: u64, bytes: Bytes) -> Result<PartId, StoreError> {
        self.work(move |path| {
            let mut file = OpenOptions::new().write(true).open(path)?;
            file.seek(SeekFrom::Start(offset))?;
            file.write_all(&bytes)?;
            Ok(identity(&file.metadata()?).unwrap_or_default())
        })
        .await
    }

    /// Makes what has been written safe against a crash.
    pub(super) async fn sync(&self) -> Result<(), StoreError> {
        self.work(|path| File::open(path)?.sync_data()).await
    }

    /// Makes the file as long as the object, and safe: a slice that was repeated may have left more after the end. Gives
    /// the version that it has from then on.
    pub(super) async fn trim(&self, length: u64) -> Result<ObjectVersion, StoreError> {
        self.work(move |path| {
            let file = OpenOptions::new().write(true).open(path)?;
            file.set_len(length)?;
            file.sync_all()?;
            Ok(version(&file.metadata()?))
        })
        .await
    }

    /// Gives the file the object's name beside its hidden one, or the next that is free: never that of another object.
    pub(super) async fn publish(&self) -> Result<String, StoreError> {
        let (folder, name) = (self.folder.to_owned(), self.upload.name.clone());
        self.work(move |path| {
            // A crash may have come after this step; the name that was the next free one need not be so now.
            let published = match identity(&fs::metadata(path)?) {
                Some(identity) => find(&folder, &identity, path.file_name())?,
                None => None,
            };
            match published {
                Some(name) => Ok(name),
                None => publish(path, &folder, &name),
            }
        })
        .await
    }

    /// The object of this length that the file has become, whether or not it still has its hidden name.
    pub(super) async fn find_published(
        &self,
        part_id: Option<&PartId>,
        length: u64,
    ) -> Result<Option<CompletedObject>, StoreError> {
        let UploadId { name, id } = self.upload.clone();
        let identity = part_id.filter(|id| !id.is_empty()).cloned();
        write_blocking(self.folder.to_owned(), move |folder| {
            let whole = |name: String| {
                let meta = fs::metadata(folder.join(&name)).ok()?;
                let version = Some(version(&meta));
                (meta.len() == length).then_some(CompletedObject { name, version })
            };
            let found = match identity {
                Some(identity) => find(folder, &identity, Some(id.as_ref()))?,
                // The system does not tell files apart.
                None => Some(name),
            };
            Ok(found.and_then(whole))
        })
        .await
    }

    /// Checks that it has at least so many bytes: where it was cut off, parts would be missing in the object.
    pub(super) async fn check(&self, bytes: u64) -> Result<(), StoreError> {
        let length = self.work(|path| Ok(fs::metadata(path)?.len())).await?;
        if length >= bytes {
            return Ok(());
        }
        Err(StoreError::UploadGone { location: location(self.folder, &self.upload.name) })
    }

    /// Removes the hidden name. One that is gone is no error, as long as the folder exists: false says so.
    pub(super) async fn remove(&self) -> Result<bool, StoreError> {
        let folder = self.folder.to_owned();
        write_blocking(self.path(), move |path| match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && folder.is_dir() => Ok(false),
            other => other.map(|()| true),
        })
        .await
    }

    /// Works on the file. That it is missing means that the upload is gone; a missing folder says so itself.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        write_blocking(self.path(), work).await.map_err(|error| match error {
            StoreError::NotFound { .. } if self.folder.is_dir() => {
                StoreError::UploadGone { location: location(self.folder, &self.upload.name) }
            }
            StoreError::NotFound { .. } => {
                StoreError::NotFound { location: self.folder.display().to_string() }
            }
            other => other,
        })
    }
}

/// Where an object of this name is, for people.
pub(super) fn location(folder: &Path, name: &str) -> String {
    let resolved = folder.canonicalize();
    resolved.as_deref().unwrap_or(folder).join(name).display().to_string()
}
