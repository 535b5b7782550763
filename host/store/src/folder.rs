//! The folder store: parts at their offset in a hidden file, which gets its name when it is whole.

mod names;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};

use self::names::{ENDING, RANDOM, find, identity, object_name, publish, sync_folder};
use crate::{IncompleteUpload, ObjectBytes, PartId, Store, StoreError, StoreLimits, UploadId};
use tokio::task::spawn_blocking;

/// How much of an object is read at a time.
const READ: u64 = 2 * 1024 * 1024;

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

    fn hidden(&self, upload: &UploadId) -> PathBuf {
        self.folder.join(&upload.id)
    }

    /// Does file work on a thread for that, and says what it was done to where it fails.
    async fn blocking<T: Send + 'static>(
        &self,
        location: PathBuf,
        work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let shown = location.display().to_string();
        match spawn_blocking(move || work(&location)).await {
            Ok(result) => result.map_err(|error| StoreError::from_io(&shown, &error)),
            Err(error) => Err(StoreError::Failed { location: shown, reason: error.to_string() }),
        }
    }
}

/// The steps of completing.
impl FolderStore {
    /// Makes the hidden file as long as the object, and safe: a slice that was repeated may have left more behind the
    /// end than it wrote anew.
    async fn trim(&self, upload: &UploadId, length: u64) -> Result<(), StoreError> {
        self.blocking(self.hidden(upload), move |hidden| {
            let file = OpenOptions::new().write(true).open(hidden)?;
            file.set_len(length)?;
            file.sync_all()
        })
        .await
        .map_err(|error| gone(self, upload, error))
    }

    /// Gives the hidden file its name beside its own, or the next that is free: never that of another object.
    async fn take_name(&self, upload: &UploadId) -> Result<String, StoreError> {
        let folder = self.folder.clone();
        let name = upload.name.clone();
        self.blocking(self.hidden(upload), move |hidden| {
            // A crash may have come behind this step; the name that was the next free one need not be so now.
            let meta = fs::metadata(hidden)?;
            if let Some(name) = identity(&meta)
                .map(|identity| find(&folder, &identity, hidden.file_name()))
                .transpose()?
                .flatten()
            {
                return Ok(name);
            }
            publish(hidden, &folder, &name)
        })
        .await
        .map_err(|error| gone(self, upload, error))
    }

    /// The name that a file has got, whether or not its hidden one was taken away.
    async fn named_before(
        &self,
        upload: &UploadId,
        receipt: Option<&PartId>,
        length: u64,
    ) -> Result<Option<String>, StoreError> {
        let name = upload.name.clone();
        let receipt = receipt.filter(|receipt| !receipt.is_empty()).cloned();
        let hidden = upload.id.clone();
        self.blocking(self.folder.clone(), move |folder| {
            let is_whole = |name: &String| {
                fs::metadata(folder.join(name)).is_ok_and(|meta| meta.len() == length)
            };
            let found = match receipt {
                Some(identity) => find(folder, &identity, Some(hidden.as_ref()))?,
                // A system that does not tell files apart.
                None => Some(name),
            };
            Ok(found.filter(is_whole))
        })
        .await
    }

    /// Takes the hidden name away; that it is gone is as well, as long as the folder is there.
    async fn unhide(&self, upload: &UploadId) -> Result<(), StoreError> {
        let folder = self.folder.clone();
        self.blocking(self.hidden(upload), move |path| match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && folder.is_dir() => Ok(()),
            other => other,
        })
        .await
    }

    /// An object is not to be found in a folder that is not there either.
    fn away(&self, error: StoreError) -> StoreError {
        match error {
            StoreError::NoObject { .. } if !self.folder.is_dir() => {
                StoreError::NotFound { location: self.folder.display().to_string() }
            }
            other => other,
        }
    }

    /// Makes new and changed names safe.
    async fn sync(&self) -> Result<(), StoreError> {
        self.blocking(self.folder.clone(), sync_folder).await
    }
}

#[async_trait]
impl Store for FolderStore {
    fn limits(&self) -> StoreLimits {
        StoreLimits {
            smallest_part: 4096,
            largest_part: u64::from(u32::MAX),
            most_parts: u32::MAX,
            // One is copied to the system while the next comes; the way to the disk is gone beside that.
            in_flight: 2,
        }
    }

    fn location(&self, name: &str) -> String {
        let folder = self.folder.canonicalize();
        folder.as_deref().unwrap_or(&self.folder).join(name).display().to_string()
    }

    async fn is_taken(&self, name: &str) -> Result<bool, StoreError> {
        let name = name.to_owned();
        self.blocking(self.folder.clone(), move |folder| {
            if !fs::metadata(folder)?.is_dir() {
                return Err(io::ErrorKind::NotADirectory.into());
            }
            Ok(fs::symlink_metadata(folder.join(&name)).is_ok())
        })
        .await
    }

    async fn begin(&self, name: &str) -> Result<UploadId, StoreError> {
        let prefix = format!(".{name}.");
        let id = self
            .blocking(self.folder.clone(), move |folder| {
                let mut builder = tempfile::Builder::new();
                builder.prefix(&prefix).rand_bytes(RANDOM).suffix(ENDING);
                // As any file that this user makes: a temporary one would be for its owner alone.
                #[cfg(unix)]
                builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
                let file = builder
                    .tempfile_in(folder)
                    // Its path names the folder twice over; the cause is enough.
                    .map_err(|error| io::Error::from(error.kind()))?;
                let (_, path) = file.keep().map_err(|error| error.error)?;
                Ok(path.file_name().unwrap_or_default().to_string_lossy().into_owned())
            })
            .await?;
        self.sync().await?;
        Ok(UploadId { name: name.to_owned(), id })
    }

    async fn write(
        &self,
        upload: &UploadId,
        _number: u32,
        offset: u64,
        bytes: Bytes,
    ) -> Result<PartId, StoreError> {
        self.blocking(self.hidden(upload), move |path| {
            let mut file = OpenOptions::new().write(true).open(path)?;
            file.seek(SeekFrom::Start(offset))?;
            file.write_all(&bytes)?;
            // The offset says where the part is. What is left to remember is which file it went to.
            Ok(identity(&file.metadata()?).unwrap_or_default())
        })
        .await
        .map_err(|error| gone(self, upload, error))
    }

    async fn sync(&self, upload: &UploadId) -> Result<(), StoreError> {
        self.blocking(self.hidden(upload), |path| File::open(path)?.sync_data())
            .await
            .map_err(|error| gone(self, upload, error))
    }

    /// Each step is awaited by itself: where a caller lets go of this between two of them, it is as if the process had
    /// ended there, and calling it again goes on.
    async fn complete(
        &self,
        upload: &UploadId,
        part_ids: &[PartId],
        length: u64,
    ) -> Result<String, StoreError> {
        let name = match self.trim(upload, length).await {
            Ok(()) => self.take_name(upload).await?,
            // It has got its name already, before a crash.
            Err(error @ StoreError::UploadGone { .. }) => {
                self.named_before(upload, part_ids.first(), length).await?.ok_or(error)?
            }
            Err(error) => return Err(error),
        };
        self.unhide(upload).await?;
        self.sync().await?;
        Ok(name)
    }

    async fn find_completed(
        &self,
        upload: &UploadId,
        part_ids: &[PartId],
        length: u64,
    ) -> Result<Option<String>, StoreError> {
        let hidden = self.hidden(upload);
        let is_hidden = fs::symlink_metadata(&hidden).is_ok();
        let receipt = part_ids.first().filter(|receipt| !receipt.is_empty());
        if is_hidden && receipt.is_none() {
            return Ok(None);
        }
        // It may have both names still.
        let found = self.named_before(upload, receipt, length).await?;
        if found.is_some() && is_hidden {
            self.unhide(upload).await?;
            self.sync().await?;
        }
        Ok(found)
    }

    async fn abort(&self, upload: &UploadId) -> Result<(), StoreError> {
        self.unhide(upload).await
    }

    async fn incomplete_uploads(&self) -> Result<Vec<IncompleteUpload>, StoreError> {
        self.blocking(self.folder.clone(), |folder| {
            let mut unfinished = Vec::new();
            for entry in fs::read_dir(folder)? {
                let entry = entry?;
                let id = entry.file_name();
                let Some((name, id)) = id.to_str().and_then(|id| Some((object_name(id)?, id)))
                else {
                    continue;
                };
                let meta = match entry.metadata() {
                    Ok(meta) if meta.is_file() => meta,
                    Ok(_) => continue,
                    // It has ended meanwhile.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    Err(error) => return Err(error),
                };
                let upload = UploadId { name: name.to_owned(), id: id.to_owned() };
                unfinished.push(IncompleteUpload { upload, changed: meta.modified()? });
            }
            unfinished.sort_by_key(|unfinished| unfinished.changed);
            Ok(unfinished)
        })
        .await
    }

    async fn read(&self, name: &str) -> Result<ObjectBytes, StoreError> {
        self.read_range(name, 0..u64::MAX).await
    }

    async fn length(&self, name: &str) -> Result<u64, StoreError> {
        let path = self.folder.join(name);
        let read = reading(&self.location(name), move || Ok(fs::metadata(path)?.len())).await;
        read.map_err(|error| self.away(error))
    }

    async fn read_range(&self, name: &str, range: Range<u64>) -> Result<ObjectBytes, StoreError> {
        let path = self.folder.join(name);
        let location = self.location(name);
        let left = range.end.saturating_sub(range.start);
        let open = move || {
            let mut file = File::open(path)?;
            file.seek(SeekFrom::Start(range.start))?;
            Ok(file.take(left))
        };
        let file = reading(&location, open).await.map_err(|error| self.away(error))?;
        let pieces = stream::unfold(Some((file, location)), |place| async move {
            let (mut file, location) = place?;
            let piece = reading(&location, move || {
                let mut piece = Vec::with_capacity(READ.min(file.limit()) as usize);
                (&mut file).take(READ).read_to_end(&mut piece)?;
                Ok((file, piece))
            });
            match piece.await {
                Ok((_, piece)) if piece.is_empty() => None,
                Ok((file, piece)) => Some((Ok(piece.into()), Some((file, location)))),
                Err(error) => Some((Err(error), None)),
            }
        });
        Ok(pieces.boxed())
    }

    async fn delete(&self, name: &str) -> Result<(), StoreError> {
        let name = name.to_owned();
        self.blocking(self.folder.clone(), move |folder| {
            match fs::remove_file(folder.join(name)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound && folder.is_dir() => Ok(()),
                other => other,
            }?;
            sync_folder(folder)
        })
        .await
    }
}

/// Reads on a thread for that, and says what could not be read where it fails.
async fn reading<T: Send + 'static>(
    location: &str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    match spawn_blocking(work).await {
        Ok(result) => result.map_err(|error| StoreError::from_reading(location, &error)),
        Err(error) => {
            Err(StoreError::Unreadable { location: location.to_owned(), reason: error.to_string() })
        }
    }
}

/// A hidden file that is missing is an upload that is gone; a missing folder says so itself.
fn gone(store: &FolderStore, upload: &UploadId, error: StoreError) -> StoreError {
    match error {
        StoreError::NotFound { .. } if store.folder.is_dir() => {
            StoreError::UploadGone { location: store.location(&upload.name) }
        }
        StoreError::NotFound { .. } => {
            StoreError::NotFound { location: store.folder.display().to_string() }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The steps of completing, as far as one of them.
    async fn complete_up_to(store: &FolderStore, upload: &UploadId, length: u64, steps: u32) {
        if steps >= 1 {
            store.trim(upload, length).await.unwrap();
        }
        if steps >= 2 {
            store.take_name(upload).await.unwrap();
        }
        if steps >= 3 {
            store.unhide(upload).await.unwrap();
        }
        if steps >= 4 {
            store.sync().await.unwrap();
        }
    }

    #[tokio::test]
    async fn completing_again_after_a_crash_at_any_point_makes_no_second_object() {
        for is_taken in [false, true] {
            for steps in 0..=4 {
                let folder = tempfile::tempdir().unwrap();
                let store = FolderStore::new(folder.path());
                let upload = store.begin("a.sql").await.unwrap();
                let bytes = Bytes::from_static(b"whole, and more");
                let part_ids = [store.write(&upload, 1, 0, bytes).await.unwrap()];
                if is_taken {
                    // As long as ours, which can't be told by its length then.
                    fs::write(folder.path().join("a.sql"), "other").unwrap();
                }
                complete_up_to(&store, &upload, 5, steps).await;
                if is_taken && steps >= 2 {
                    // The first name being free again, ours must not get it as a second.
                    fs::rename(folder.path().join("a.sql"), folder.path().join("b.sql")).unwrap();
                }
                let expected = if is_taken { "a-2.sql" } else { "a.sql" };
                for _ in 0..2 {
                    let name = store.complete(&upload, &part_ids, 5).await.unwrap();
                    assert_eq!(name, expected, "after {steps} steps");
                }
                assert_eq!(fs::read(folder.path().join(expected)).unwrap(), b"whole");
                let files = fs::read_dir(folder.path()).unwrap().count();
                assert_eq!(files, 1 + usize::from(is_taken), "after {steps} steps");
            }
        }
    }

    /// Polls it some times, waiting in between for what it waits for.
    async fn let_go_after<T>(polls: u32, work: impl Future<Output = T>) -> Option<T> {
        let mut work = std::pin::pin!(work);
        let mut left = polls;
        std::future::poll_fn(|context| {
            if left == 0 {
                return std::task::Poll::Ready(None);
            }
            left -= 1;
            work.as_mut().poll(context).map(Some)
        })
        .await
    }

    #[tokio::test]
    async fn completing_that_is_let_go_of_anywhere_is_gone_on_with() {
        let mut ended = 0;
        for polls in 0..12 {
            let folder = tempfile::tempdir().unwrap();
            let store = FolderStore::new(folder.path());
            let begun = let_go_after(polls, store.begin("a.sql")).await;
            ended += u32::from(begun.is_some());
            // The hidden file may be made on its thread after it is nobody's any more.
            let upload = match begun {
                Some(upload) => upload.unwrap(),
                None => store.begin("a.sql").await.unwrap(),
            };
            let bytes = Bytes::from_static(b"whole");
            let part_ids = [store.write(&upload, 1, 0, bytes).await.unwrap()];
            let completed = let_go_after(polls, store.complete(&upload, &part_ids, 5)).await;
            ended += u32::from(completed.is_some());
            assert_eq!(store.complete(&upload, &part_ids, 5).await.unwrap(), "a.sql");
            assert_eq!(fs::read(folder.path().join("a.sql")).unwrap(), b"whole");
            // What was begun and let go of is found, and can be thrown away.
            for left in store.incomplete_uploads().await.unwrap() {
                store.abort(&left.upload).await.unwrap();
            }
            assert!(!folder.path().join("a-2.sql").exists());
        }
        assert!(ended > 2, "{ended}");
    }

    #[tokio::test]
    async fn only_what_was_begun_here_counts_as_unfinished() {
        let folder = tempfile::tempdir().unwrap();
        let store = FolderStore::new(folder.path());
        for name in
            [".a.sql.abcdef.tmp", "a.sql", ".a.partway", ".abcdef.partway", ".a.abcde.partway"]
        {
            fs::write(folder.path().join(name), "").unwrap();
        }
        fs::create_dir(folder.path().join(".d.sql.abcdef.partway")).unwrap();
        assert_eq!(store.incomplete_uploads().await.unwrap(), []);
        let upload = store.begin("a.b.sql").await.unwrap();
        let unfinished = store.incomplete_uploads().await.unwrap();
        assert_eq!(unfinished.len(), 1);
        assert_eq!(unfinished[0].upload, upload);
        assert!(unfinished[0].changed.elapsed().unwrap_or_default().as_secs() < 60);
    }

    #[tokio::test]
    async fn an_object_is_read_in_pieces_and_whole() {
        let folder = tempfile::tempdir().unwrap();
        let store = FolderStore::new(folder.path());
        for length in [0, 1, READ, READ + 1, 2 * READ] {
            let whole: Vec<u8> = (0..length).map(|index| (index % 251) as u8).collect();
            fs::write(folder.path().join("a.sql"), &whole).unwrap();
            let pieces: Vec<_> = store.read("a.sql").await.unwrap().collect().await;
            let pieces: Vec<Bytes> = pieces.into_iter().map(Result::unwrap).collect();
            assert!(pieces.iter().all(|piece| piece.len() as u64 <= READ));
            assert_eq!(pieces.concat(), whole);
        }
        let missing = store.read("b.sql").await.err().unwrap();
        assert!(matches!(missing, StoreError::NoObject { .. }), "{missing}");
    }

    #[tokio::test]
    async fn another_object_of_the_name_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let store = FolderStore::new(folder.path());
        let upload = store.begin("a.sql").await.unwrap();
        store.write(&upload, 1, 0, Bytes::from_static(b"ours")).await.unwrap();
        fs::write(folder.path().join("a.sql"), "theirs").unwrap();
        assert_eq!(store.complete(&upload, &[], 4).await.unwrap(), "a-2.sql");
        assert_eq!(fs::read(folder.path().join("a.sql")).unwrap(), b"theirs");
    }
}
