//! The owner of leases: a process, identified by a file that it keeps locked as long as it lives.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::private_file::create_private;

/// A holder of leases in this process. When it is dropped, or its process dies, its leases are void.
#[derive(Debug)]
pub(crate) struct Owner {
    /// A random word.
    pub(crate) id: String,
    path: PathBuf,
    // Open for its lock.
    _lock: File,
}

impl Owner {
    /// A new holder, which is alive from now on.
    pub(crate) fn new(folder: &Path, id: String) -> io::Result<Self> {
        // Under its name it is locked from the first moment: one that is not would be taken for a dead one's.
        let unlocked = folder.join(format!("{id}.lock"));
        let lock = create_private(&unlocked)?;
        let path = path(folder, &id);
        if let Err(error) = lock.lock().and_then(|()| fs::rename(&unlocked, &path)) {
            fs::remove_file(&unlocked).ok();
            return Err(error);
        }
        Ok(Self { id, path, _lock: lock })
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // One that stays behind is unlocked, and so known as that of a dead process.
        fs::remove_file(&self.path).ok();
    }
}

/// Whether the process of this holder lives. What can't be told counts as living: then the lease's own end decides.
/// The file of a dead one is deleted.
pub(crate) fn is_alive(folder: &Path, id: &str) -> bool {
    let path = path(folder, id);
    let lock = match OpenOptions::new().write(true).open(&path) {
        Ok(lock) => lock,
        Err(error) => return error.kind() != io::ErrorKind::NotFound,
    };
    // Shared, so that two processes that look at once do not take each other for the owner.
    match lock.try_lock_shared() {
        Ok(()) => {
            fs::remove_file(&path).ok();
            false
        }
        Err(TryLockError::WouldBlock | TryLockError::Error(_)) => true,
    }
}

fn path(folder: &Path, id: &str) -> PathBuf {
    folder.join(format!("process-{id}.lock"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_lives_as_long_as_it_holds_its_lock() {
        let folder = tempfile::tempdir().unwrap();
        let owner = Owner::new(folder.path(), "one".into()).unwrap();
        assert!(is_alive(folder.path(), "one"));
        drop(owner);
        assert!(!is_alive(folder.path(), "one"));
        // As a killed process leaves it.
        fs::write(path(folder.path(), "two"), "").unwrap();
        assert!(!is_alive(folder.path(), "two"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
