//! Saved exports: one small file each, which only one process at a time may use.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::hex::hex;
use crate::job::Job;

/// Goes up with every change that an older program could not read.
const VERSION: u32 = 1;

/// Why a saved export can't be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The folder or a file in it can't be used.
    #[error("the state in {} can't be used; give another folder by --state", path.display())]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Another process is at it.
    #[error("this database is being exported to this store by another process: wait for it to end")]
    InUse,
    /// The file is no saved export.
    #[error("{} is no saved export ({reason}): delete it, and the export starts over", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file was written by another version.
    #[error(
        "{} was saved by another version of partway (format {found}, this one reads {VERSION}): go on with that \
         one, or delete the file, and the export starts over",
        path.display()
    )]
    OtherVersion {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
}

/// One saved export, locked for this process until it is dropped, or the process dies.
#[derive(Debug)]
pub struct SavedJob {
    path: PathBuf,
    // Held for its lock.
    _lock: File,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    version: u32,
    job: Job,
}

impl SavedJob {
    /// The place in `folder` for exports that are the same by `key`: a list of words such as database,
    /// store and name.
    ///
    /// # Errors
    ///
    /// [`StateError::Io`] and [`StateError::InUse`].
    pub fn lock(folder: &Path, key: &[&str]) -> Result<Self, StateError> {
        let mut hash = Sha256::new();
        for word in key {
            hash.update((word.len() as u64).to_le_bytes());
            hash.update(word);
        }
        let digest = hex(&hash.finalize()[..8]);
        let path = folder.join(format!("export-{digest}.json"));
        let io = |source| StateError::Io { path: folder.to_owned(), source };
        create_private(folder).map_err(io)?;
        let lock = path.with_extension("lock");
        let lock =
            OpenOptions::new().create(true).truncate(false).write(true).open(lock).map_err(io)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(StateError::InUse),
            Err(TryLockError::Error(source)) => Err(io(source)),
        }
    }

    /// What was saved; none where nothing was.
    ///
    /// # Errors
    ///
    /// [`StateError::Io`], [`StateError::Damaged`] and [`StateError::OtherVersion`].
    pub fn load(&self) -> Result<Option<Job>, StateError> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StateError::Io { path: self.path.clone(), source }),
        };
        let damaged = |error: serde_json::Error| StateError::Damaged {
            path: self.path.clone(),
            reason: error.to_string(),
        };
        let Version { version } = serde_json::from_str(&text).map_err(damaged)?;
        if version != VERSION {
            return Err(StateError::OtherVersion { path: self.path.clone(), found: version });
        }
        let saved: Saved = serde_json::from_str(&text).map_err(damaged)?;
        Ok(Some(saved.job))
    }

    /// Saves a job in place of what was saved before: after a crash there is the one or the other.
    ///
    /// # Errors
    ///
    /// [`StateError::Io`].
    pub fn save(&self, job: &Job) -> Result<(), StateError> {
        let io = |source| StateError::Io { path: self.path.clone(), source };
        let text = serde_json::to_vec(&Saved { version: VERSION, job: job.clone() })
            .map_err(|error| io(error.into()))?;
        let folder = self.path.parent().unwrap_or(Path::new("."));
        // Checkpoints hold data of the database: such a file is readable by its owner alone.
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(io)?;
        file.write_all(&text).and_then(|()| file.as_file().sync_all()).map_err(io)?;
        file.persist(&self.path).map_err(|error| io(error.error))?;
        if cfg!(unix) {
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)
        } else {
            Ok(())
        }
    }

    /// Where a copy of the database that the export reads may be kept.
    pub fn copy_path(&self) -> PathBuf {
        self.path.with_extension("db")
    }

    /// Forgets what was saved, and deletes the copy of the database.
    ///
    /// # Errors
    ///
    /// [`StateError::Io`].
    pub fn forget(&self) -> Result<(), StateError> {
        // In this order: a copy without its export is thrown away when the next one begins.
        for path in [self.path.clone(), self.copy_path()] {
            match fs::remove_file(&path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(StateError::Io { path, source });
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Makes the folder, with its parents, for its owner alone.
fn create_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
