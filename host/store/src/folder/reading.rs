//! Reading objects, a piece at a time.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::PathBuf;

use futures_util::{StreamExt, stream};

use super::blocking::read_blocking;
use super::names::version;
use crate::error::StoreError;
use crate::store::{ObjectBytes, ObjectStat};

/// The most bytes of an object in memory at a time.
pub(super) const PIECE: u64 = 2 * 1024 * 1024;

/// What the system says about a file, which errors call by its location.
pub(super) async fn stat(path: PathBuf, location: &str) -> Result<ObjectStat, StoreError> {
    read_blocking(location, move || {
        let meta = fs::metadata(path)?;
        Ok(ObjectStat { length: meta.len(), version: Some(version(&meta)) })
    })
    .await
}

/// The bytes of a file within a range.
pub(super) async fn read_range(
    path: PathBuf,
    location: String,
    range: Range<u64>,
) -> Result<ObjectBytes, StoreError> {
    let length = range.end.saturating_sub(range.start);
    let open = move || {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(range.start))?;
        Ok(file.take(length))
    };
    let file = read_blocking(&location, open).await?;
    let pieces = stream::unfold(Some((file, location)), |place| async move {
        let (mut file, location) = place?;
        let piece = read_blocking(&location, move || {
            let mut piece = Vec::with_capacity(PIECE.min(file.limit()) as usize);
            (&mut file).take(PIECE).read_to_end(&mut piece)?;
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
