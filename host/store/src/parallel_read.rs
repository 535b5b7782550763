//! Reading an object in ranges, several at a time: a store gives each request no more than a share of the line.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::error::StoreError;
use crate::store::{ObjectBytes, ObjectStat, Store};

/// The bytes of a range.
pub(crate) const RANGE: u64 = 8 * 1024 * 1024;

/// How many ranges are read at a time.
pub(crate) const AT_A_TIME: usize = 4;

/// Reads an object from its beginning, like [`Store::read`], and gives its length if that is known: in ranges of 8 MiB, 4 at
/// a time, so that up to 32 MiB are in memory. A store on this machine is read as it is.
///
/// # Errors
///
/// Those of [`Store::read`], and [`StoreError::Unreadable`] for an object that is replaced meanwhile, as far as the store
/// tells objects apart.
pub async fn read_in_ranges(
    store: Arc<dyn Store>,
    name: &str,
) -> Result<(Option<u64>, ObjectBytes), StoreError> {
    // A request for the bytes says more of what is missing: the bucket, say.
    let Ok(begin) = store.stat(name).await else { return Ok((None, store.read(name).await?)) };
    if store.is_local() {
        // A pipe has no length.
        let length = Some(begin.length).filter(|length| *length > 0);
        return Ok((length, store.read(name).await?));
    }
    let length = begin.length;
    let object = Object { store, name: name.to_owned() };
    let reading = object.clone();
    let ranges = stream::iter(ranges(length))
        .map(move |range| reading.clone().read(range))
        .buffered(AT_A_TIME);
    let end = stream::once(object.check(begin)).try_filter_map(|()| async { Ok(None) });
    Ok((Some(length), ranges.chain(end).boxed()))
}

/// The ranges of an object of this length.
pub(crate) fn ranges(length: u64) -> impl Iterator<Item = Range<u64>> {
    let count = length.div_ceil(RANGE);
    (0..count).map(move |number| number * RANGE..length.min((number + 1) * RANGE))
}

#[derive(Clone)]
struct Object {
    store: Arc<dyn Store>,
    name: String,
}

impl Object {
    async fn read(self, range: Range<u64>) -> Result<Bytes, StoreError> {
        let length = range.end - range.start;
        let mut pieces = self.store.read_range(&self.name, range).await?;
        let mut bytes = BytesMut::with_capacity(usize::try_from(length).unwrap_or_default());
        while let Some(piece) = pieces.try_next().await? {
            bytes.extend_from_slice(&piece);
        }
        if bytes.len() as u64 == length { Ok(bytes.freeze()) } else { Err(self.replaced()) }
    }

    /// Fails if the object is another one than at the beginning.
    async fn check(self, begin: ObjectStat) -> Result<(), StoreError> {
        let end = self.store.stat(&self.name).await?;
        if end == begin { Ok(()) } else { Err(self.replaced()) }
    }

    fn replaced(&self) -> StoreError {
        let location = self.store.location(&self.name);
        StoreError::Unreadable { location, reason: "it was replaced while it was read".into() }
    }
}
