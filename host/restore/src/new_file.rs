//! A file that is hidden until it is whole, and then appears under a name that nothing else has.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

use crate::error::{RestoreError, is_full};

/// What hidden files end with.
const SUFFIX: &str = ".partway-restore";

/// So much of the new name is in the hidden one: names have 255 bytes at most.
const MAX_NAME: usize = 200;

/// What SQLite calls the files beside a database. Were they there, it would read them as the new one's.
const COMPANIONS: [&str; 3] = ["-journal", "-wal", "-shm"];

/// A hidden file. Dropped, it is deleted.
pub(crate) struct NewFile {
    file: NamedTempFile,
    target: PathBuf,
}

impl NewFile {
    /// An empty hidden file beside the target, which must not exist. Those that other processes left when they were killed
    /// are deleted.
    pub(crate) fn beside(target: &Path) -> Result<Self, RestoreError> {
        let Some(name) = target.file_name() else {
            let (path, reason) = (target.to_owned(), "it has no file name".to_owned());
            return Err(RestoreError::Create { path, reason });
        };
        let failed = |error| failure(target, &error);
        for suffix in [""].into_iter().chain(COMPANIONS) {
            let mut path = target.as_os_str().to_owned();
            path.push(suffix);
            // A link that leads nowhere is something too.
            if fs::symlink_metadata(&path).is_ok() {
                return Err(RestoreError::Exists(path.into()));
            }
        }
        let folder = folder(target);
        let prefix = prefix(name);
        delete_left_over(folder, &prefix);
        let mut builder = Builder::new();
        builder.prefix(&prefix).suffix(SUFFIX);
        // As SQLite makes databases; less what the user's mask takes away.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
        let file = builder.tempfile_in(folder).map_err(failed)?;
        #[cfg(unix)]
        file.as_file().lock().map_err(failed)?;
        Ok(Self { file, target: target.to_owned() })
    }

    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }

    /// The name that it is to have.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// Makes the file safe against a crash and gives it its name.
    pub(crate) fn appear(self) -> Result<(), RestoreError> {
        let Self { file, target } = self;
        let failed = |error| failure(&target, &error);
        file.as_file().sync_all().map_err(failed)?;
        file.persist_noclobber(&target).map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => RestoreError::Exists(target.clone()),
            _ => failed(error.error),
        })?;
        #[cfg(unix)]
        File::open(folder(&target)).and_then(|folder| folder.sync_all()).map_err(failed)?;
        Ok(())
    }
}

fn failure(target: &Path, error: &io::Error) -> RestoreError {
    // That of the hidden file says its name as well.
    let cause = error.get_ref().and_then(std::error::Error::source);
    if is_full(error) {
        return RestoreError::DiskFull(target.to_owned());
    }
    let reason = match error.kind() {
        io::ErrorKind::NotFound if !folder(target).is_dir() => {
            format!("the folder {} does not exist: create it first", folder(target).display())
        }
        _ => cause.map_or_else(|| error.to_string(), ToString::to_string),
    };
    RestoreError::Create { path: target.to_owned(), reason }
}

fn folder(target: &Path) -> &Path {
    match target.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// What hidden files for this name begin with.
fn prefix(name: &OsStr) -> OsString {
    let mut prefix = OsString::from(".");
    match name.len() <= MAX_NAME {
        true => prefix.push(name),
        false => {
            prefix.push(&*name.to_string_lossy().chars().take(MAX_NAME / 4).collect::<String>())
        }
    }
    prefix.push(".");
    prefix
}

/// Deletes hidden files that no process holds any more. What can't be deleted stays: it is in nobody's way.
fn delete_left_over(folder: &Path, prefix: &OsStr) {
    // Elsewhere, the lock that tells would keep SQLite out as well.
    if !cfg!(unix) {
        return;
    }
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let bytes = name.as_encoded_bytes();
        let is_hidden =
            bytes.starts_with(prefix.as_encoded_bytes()) && bytes.ends_with(SUFFIX.as_bytes());
        if is_hidden && File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok()) {
            fs::remove_file(entry.path()).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_file_appears_under_its_name_and_over_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("new.db");
        let (one, two) = (NewFile::beside(&target).unwrap(), NewFile::beside(&target).unwrap());
        fs::write(one.path(), "one").unwrap();
        assert_eq!(names(folder.path()).len(), 2);
        one.appear().unwrap();
        assert!(matches!(two.appear(), Err(RestoreError::Exists(path)) if path == target));
        assert_eq!(names(folder.path()), ["new.db"]);
        assert_eq!(fs::read_to_string(&target).unwrap(), "one");
    }

    #[test]
    fn nothing_that_sqlite_would_read_with_it_may_be_there() {
        for name in ["new.db", "new.db-wal", "new.db-journal", "new.db-shm"] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(name);
            fs::write(&path, "").unwrap();
            let made = NewFile::beside(&folder.path().join("new.db"));
            assert!(matches!(made, Err(RestoreError::Exists(found)) if found == path));
            assert_eq!(names(folder.path()), [name]);
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_nobody_holds_any_more_is_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("new.db");
        let held = NewFile::beside(&target).unwrap();
        let left = folder.path().join(format!(".new.db.abc{SUFFIX}"));
        let other = folder.path().join(format!(".other.db.abc{SUFFIX}"));
        fs::write(&left, "").unwrap();
        fs::write(&other, "").unwrap();
        let mine = NewFile::beside(&target).unwrap();
        assert!(!left.exists());
        assert!(other.exists() && held.path().exists() && mine.path().exists());
    }

    #[test]
    fn a_name_may_be_as_long_as_names_may_be() {
        let folder = tempfile::tempdir().unwrap();
        let name = format!("{}é", "x".repeat(253));
        NewFile::beside(&folder.path().join(&name)).unwrap().appear().unwrap();
        assert_eq!(names(folder.path()), [name]);
    }
}
