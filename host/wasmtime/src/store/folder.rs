//! The folder store: parts at their offset in a hidden file, which gets its name when it is whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::task::spawn_blocking;

use super::{ObjectBytes, Receipt, Store, StoreError, StoreLimits, Unfinished, UploadId, numbered};

/// How much of an object is read at a time.
const READ: u64 = 2 * 1024 * 1024;

/// A hidden file is `.NAME.xxxxxx` with this ending.
const ENDING: &str = ".partway";

/// The random letters and digits before it.
const RANDOM: usize = 6;

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
                sync_folder(folder)?;
                Ok(path.file_name().unwrap_or_default().to_string_lossy().into_owned())
            })
            .await?;
        Ok(UploadId { name: name.to_owned(), id })
    }

    async fn write(
        &self,
        upload: &UploadId,
        _number: u32,
        offset: u64,
        bytes: Bytes,
    ) -> Result<Receipt, StoreError> {
        self.blocking(self.hidden(upload), move |path| {
            let mut file = OpenOptions::new().write(true).open(path)?;
            file.seek(SeekFrom::Start(offset))?;
            file.write_all(&bytes)
        })
        .await
        .map_err(|error| gone(self, upload, error))?;
        // The offset says where a part is: there is nothing to remember.
        Ok(Receipt::new())
    }

    async fn settle(&self, upload: &UploadId) -> Result<(), StoreError> {
        self.blocking(self.hidden(upload), |path| File::open(path)?.sync_data())
            .await
            .map_err(|error| gone(self, upload, error))
    }

    async fn complete(
        &self,
        upload: &UploadId,
        _receipts: &[Receipt],
        length: u64,
    ) -> Result<String, StoreError> {
        let name = upload.name.clone();
        let folder = self.folder.clone();
        self.blocking(self.hidden(upload), move |hidden| {
            let done = folder.join(&name);
            match OpenOptions::new().write(true).open(hidden) {
                Ok(file) => {
                    // A slice that was repeated may have left more behind the end than it wrote anew.
                    file.set_len(length)?;
                    file.sync_all()?;
                }
                // It has got its name already, before a crash.
                Err(_) if fs::metadata(&done).is_ok_and(|meta| meta.len() == length) => {
                    return Ok(name);
                }
                Err(error) => return Err(error),
            }
            let name = publish(hidden, &folder, &name)?;
            sync_folder(&folder)?;
            Ok(name)
        })
        .await
        .map_err(|error| gone(self, upload, error))
    }

    async fn find_completed(
        &self,
        upload: &UploadId,
        _receipts: &[Receipt],
        length: u64,
    ) -> Result<Option<String>, StoreError> {
        let (name, folder) = (upload.name.clone(), self.folder.clone());
        self.blocking(self.hidden(upload), move |hidden| {
            // A file that is still hidden has not got its name.
            if fs::symlink_metadata(hidden).is_ok() {
                return Ok(None);
            }
            let is_ours = |name: &String| {
                fs::metadata(folder.join(name)).is_ok_and(|meta| meta.len() == length)
            };
            Ok(Some(name).filter(is_ours))
        })
        .await
    }

    async fn abort(&self, upload: &UploadId) -> Result<(), StoreError> {
        self.blocking(self.hidden(upload), |path| match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        })
        .await
    }

    async fn unfinished(&self) -> Result<Vec<Unfinished>, StoreError> {
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
                unfinished.push(Unfinished { upload, changed: meta.modified()? });
            }
            unfinished.sort_by_key(|unfinished| unfinished.changed);
            Ok(unfinished)
        })
        .await
    }

    async fn read(&self, name: &str) -> Result<ObjectBytes, StoreError> {
        let path = self.folder.join(name);
        let location = self.location(name);
        let file = reading(&location, move || File::open(path)).await?;
        let pieces = stream::unfold(Some((file, location)), |place| async move {
            let (mut file, location) = place?;
            let piece = reading(&location, move || {
                let mut piece = Vec::with_capacity(READ as usize);
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
        other => other,
    }
}

/// The object's name in that of a hidden file; none where it is another file's.
fn object_name(hidden: &str) -> Option<&str> {
    let (name, random) = hidden.strip_prefix('.')?.strip_suffix(ENDING)?.rsplit_once('.')?;
    let is_ours = random.len() == RANDOM && random.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (is_ours && !name.is_empty()).then_some(name)
}

/// Gives the hidden file its name, or the next that is free: never that of another object.
fn publish(hidden: &Path, folder: &Path, name: &str) -> io::Result<String> {
    let mut number = 1;
    loop {
        let free = numbered(name, number);
        let path = folder.join(&free);
        match fs::hard_link(hidden, &path) {
            Ok(()) => {
                fs::remove_file(hidden)?;
                return Ok(free);
            }
            // A crash came between the link and the removal below.
            Err(_) if is_same_file(hidden, &path) => {
                fs::remove_file(hidden)?;
                return Ok(free);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            // A file system without links: between look and rename another may take the name.
            Err(_) if !path.exists() => {
                fs::rename(hidden, &path)?;
                return Ok(free);
            }
            Err(_) => number += 1,
        }
    }
}

/// Whether two names are links to one file; never, where the system does not tell.
fn is_same_file(one: &Path, other: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let identity = |path| fs::metadata(path).map(|meta| (meta.dev(), meta.ino())).ok();
        identity(one).is_some_and(|one| identity(other) == Some(one))
    }
    #[cfg(not(unix))]
    {
        let _ = (one, other);
        false
    }
}

/// Makes a new or changed name in a folder safe; only Unix lets a folder be opened for that.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn completing_again_after_a_crash_at_any_point_makes_no_second_object() {
        let folder = tempfile::tempdir().unwrap();
        let store = FolderStore::new(folder.path());
        let upload = store.begin("a.sql").await.unwrap();
        store.write(&upload, 1, 0, Bytes::from_static(b"whole")).await.unwrap();
        // The crash came when the file had both names.
        fs::hard_link(store.hidden(&upload), folder.path().join("a.sql")).unwrap();
        assert_eq!(store.complete(&upload, &[], 5).await.unwrap(), "a.sql");
        // And when it had its own alone.
        assert_eq!(store.complete(&upload, &[], 5).await.unwrap(), "a.sql");
        assert_eq!(fs::read(folder.path().join("a.sql")).unwrap(), b"whole");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
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
