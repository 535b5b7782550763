//! The folder of a copy that a streamed export reads: gone with the export, or swept after the death of its process.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Once;

use tempfile::TempDir;

use crate::private_file::create_private;

/// What the names of such folders begin with.
const PREFIX: &str = "partway-copy-";

/// The file in it that its process keeps locked.
const LOCK: &str = "lock";

/// A folder in the system's temporary one, for this user alone.
#[derive(Debug)]
pub(crate) struct CopyFolder {
    folder: TempDir,
    // Open for its lock.
    _lock: File,
}

impl CopyFolder {
    /// A new folder. The first in a process deletes those that dead processes have left.
    pub(crate) fn new() -> io::Result<Self> {
        static SWEPT: Once = Once::new();
        let made = Self::new_in(&std::env::temp_dir())?;
        SWEPT.call_once(|| sweep(&made));
        Ok(made)
    }

    fn new_in(parent: &Path) -> io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(PREFIX);
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        let folder = builder.tempdir_in(parent)?;
        // Under its name it is locked from the first moment: one that is not would be taken for a dead process'.
        let unlocked = folder.path().join("unlocked");
        let lock = create_private(&unlocked)?;
        lock.lock()?;
        fs::rename(unlocked, folder.path().join(LOCK))?;
        Ok(Self { folder, _lock: lock })
    }

    /// Where the copy goes.
    pub(crate) fn copy(&self) -> PathBuf {
        self.folder.path().join("copy.db")
    }
}

/// Deletes the folders beside this one whose processes are dead. What can't be told or deleted is left.
fn sweep(own: &CopyFolder) {
    let own = own.folder.path();
    let Some(entries) = own.parent().and_then(|parent| fs::read_dir(parent).ok()) else { return };
    let has_prefix = |entry: &fs::DirEntry| {
        entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX))
    };
    for entry in entries.flatten().filter(has_prefix) {
        let folder = entry.path();
        if folder == own || !has_same_owner(&folder, own) {
            continue;
        }
        let Ok(lock) = OpenOptions::new().write(true).open(folder.join(LOCK)) else { continue };
        if lock.try_lock().is_ok() && fs::remove_dir_all(&folder).is_ok() {
            tracing::info!(folder = %folder.display(), "a copy of a dead process was deleted");
        }
    }
}

/// Whether it is a folder of this user: another's may lead anywhere.
fn has_same_owner(folder: &Path, own: &Path) -> bool {
    let (Ok(folder), Ok(own)) = (fs::symlink_metadata(folder), fs::symlink_metadata(own)) else {
        return false;
    };
    #[cfg(unix)]
    let is_same = {
        use std::os::unix::fs::MetadataExt;
        folder.uid() == own.uid()
    };
    #[cfg(not(unix))]
    let is_same = {
        let _ = own;
        true
    };
    folder.is_dir() && is_same
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_the_dead_are_swept_and_those_of_the_living_are_not() {
        let parent = tempfile::tempdir().unwrap();
        let [own, living] = [(), ()].map(|()| CopyFolder::new_in(parent.path()).unwrap());
        // As a killed process leaves one, and as another program has one.
        let make = |name: &str, file: &str| {
            let folder = parent.path().join(name);
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join(file), "").unwrap();
            folder
        };
        let dead = make("partway-copy-dead", LOCK);
        let others = [make("partway-copy-other", "file"), make("other", LOCK)];
        fs::write(dead.join("copy.db"), "").unwrap();
        sweep(&own);
        assert!(!dead.exists());
        assert!(others.iter().all(|folder| folder.exists()));
        assert!(living.folder.path().exists() && own.folder.path().exists());
        drop((own, living));
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 2);
    }
}
