//! Components that were made for an export, and that jobs need to resume.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use base16ct::lower::encode_string;
use sha2::{Digest, Sha256};

use crate::job_store::JobStore;
use crate::private_file::create_private;
use crate::record::JobState;
use crate::state_error::StateError;

/// How the names of their files begin.
const PREFIX: &str = "component-";

impl JobStore {
    /// Keeps a component in the folder, for its owner alone, and returns its file: always the same for the same bytes, so
    /// that a request that names it resumes where it was. [`prune`](crate::prune) deletes it when no job needs it.
    ///
    /// # Errors
    ///
    /// [`StateError::Folder`].
    pub fn keep_component(&self, component: &[u8]) -> Result<PathBuf, StateError> {
        let name = format!("{PREFIX}{}.wasm", encode_string(&Sha256::digest(component)));
        let path = self.folder().join(name);
        let failed = |source| StateError::Folder { path: self.folder().to_owned(), source };
        if fs::read(&path).is_ok_and(|kept| kept == component) {
            return Ok(path);
        }
        let written = path.with_extension(format!("{}.tmp", std::process::id()));
        match fs::remove_file(&written) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let mut file = create_private(&written).map_err(failed)?;
        file.write_all(component).and_then(|()| file.sync_all()).map_err(failed)?;
        fs::rename(&written, &path).map_err(failed)?;
        Ok(path)
    }

    /// Deletes a kept component, unless a job that has not succeeded names it.
    ///
    /// # Errors
    ///
    /// Errors of [`StateError`] about the file of jobs. A file that can't be deleted is left to [`prune`](crate::prune).
    pub fn forget_component(&self, path: &Path) -> Result<(), StateError> {
        // Jobs have absolute paths.
        let path = &std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let mut jobs = self.list()?.into_iter();
        let is_needed = jobs.any(|job| {
            job.state != JobState::Done && job.request.component.as_deref() == Some(path.as_path())
        });
        if is_kept_component(path) && !is_needed {
            fs::remove_file(path).ok();
        }
        Ok(())
    }
}

/// Whether a file's name is one of a kept component.
pub(crate) fn is_kept_component(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with(PREFIX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_is_kept_once_for_its_owner_alone_until_nothing_needs_it() {
        let folder = tempfile::tempdir().unwrap();
        let jobs = JobStore::open(folder.path()).unwrap();
        let path = jobs.keep_component(b"one").unwrap();
        assert_eq!(jobs.keep_component(b"one").unwrap(), path);
        assert_ne!(jobs.keep_component(b"two").unwrap(), path);
        assert_eq!(fs::read(&path).unwrap(), b"one");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        jobs.forget_component(&path).unwrap();
        assert!(!path.exists());
        // Only what is kept here.
        let other = folder.path().join("other.wasm");
        fs::write(&other, b"").unwrap();
        jobs.forget_component(&other).unwrap();
        assert!(other.exists());
    }
}
