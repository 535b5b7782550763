//! File work on threads that may block.

use std::io;
use std::path::{Path, PathBuf};

use tokio::task::spawn_blocking;

use crate::error::StoreError;

/// Does work that changes files; an error names the path that it was about.
pub(super) async fn write_blocking<T: Send + 'static>(
    path: PathBuf,
    work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    let location = path.display().to_string();
    match spawn_blocking(move || work(&path)).await {
        Ok(result) => result.map_err(|error| StoreError::from_writing(location, &error)),
        Err(error) => Err(StoreError::Failed { location, reason: error.to_string() }),
    }
}

/// Does work that reads an object; an error names the object.
pub(super) async fn read_blocking<T: Send + 'static>(
    location: &str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    let location = location.to_owned();
    match spawn_blocking(work).await {
        Ok(result) => result.map_err(|error| StoreError::from_reading(location, &error)),
        Err(error) => Err(StoreError::Unreadable { location, reason: error.to_string() }),
    }
}
