//! SQLite snapshots as the sources of jobs: held, or copied to the state folder. Copies are deleted here too.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use partway_sqlite::{OpenError, Snapshot};
use partway_store::StoreAddress;

use crate::blocking::spawn_blocking;
use crate::format_settings::reads_pages;
use crate::job_store::JobStore;
use crate::record::JobId;
use crate::request::ExportRequest;
use crate::source::Source;
use crate::step_error::StepError;

/// The database's present state, kept as the request says. A copy is made at `copy`; dropped before it is whole, this
/// ends the copying.
pub(crate) async fn open(
    request: &ExportRequest,
    copy: &Path,
) -> Result<Arc<dyn Source>, StepError> {
    let held = hold(request.database.clone(), request).await?;
    let is_local = matches!(request.store, StoreAddress::Folder(_));
    if !request.snapshot.copies(&held, is_local) {
        return Ok(Arc::new(held));
    }
    let _guard = CopyGuard(held.clone());
    let copy = copy.to_owned();
    Ok(Arc::new(blocking(move || Ok(held.copy(&copy)?)).await?))
}

/// The copy, where there is one, or else the database as it is now.
pub(crate) async fn reopen(
    request: &ExportRequest,
    copy: &Path,
) -> Result<Arc<dyn Source>, StepError> {
    let path = if copy.exists() { copy } else { &request.database }.to_owned();
    match hold(path, request).await {
        Err(StepError::Open(OpenError::NotFound { path })) if may_be_unmounted(&path) => {
            Err(StepError::Unmounted(path))
        }
        held => Ok(Arc::new(held?)),
    }
}

/// Holds a request's database, or the copy of it.
async fn hold(path: PathBuf, request: &ExportRequest) -> Result<Snapshot, StepError> {
    let (max_loaded_row, pages) = (request.max_loaded_row, reads_pages(&request.format));
    let filters = request.filters.clone();
    blocking(move || {
        let held = Snapshot::hold(&path)?.with_max_loaded_row(max_loaded_row).with_pages(pages);
        Ok(held.with_filters(&filters)?)
    })
    .await
}

/// Whether what was there may be on a disk that is not mounted at the moment: its folder is gone with it, or is
/// empty, as the folder is that a disk was mounted on.
fn may_be_unmounted(path: &Path) -> bool {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    std::fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none())
}

/// Deletes the copy of the database that a job has read, and any that was not finished.
pub(crate) fn remove_copies(jobs: &JobStore, id: &JobId) {
    // Pruning finds what stays behind.
    let Ok(entries) = std::fs::read_dir(jobs.folder()) else { return };
    let prefix = format!("copy-{id}.");
    let is_of_job =
        |name: &std::ffi::OsStr| name.to_str().is_some_and(|it| it.starts_with(&prefix));
    for entry in entries.flatten().filter(|entry| is_of_job(&entry.file_name())) {
        std::fs::remove_file(entry.path()).ok();
    }
}

async fn blocking(
    work: impl FnOnce() -> Result<Snapshot, StepError> + Send + 'static,
) -> Result<Snapshot, StepError> {
    match spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(StepError::panicked(&error)),
    }
}

/// Ends the copying of a database when it is dropped.
struct CopyGuard(Snapshot);

impl Drop for CopyGuard {
    fn drop(&mut self) {
        self.0.interrupt();
    }
}
