//! The manifest of a job's object: what it lists is gathered slice by slice, and written when the object is there.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use jiff::Timestamp;
use partway_codec::{Codec, Encoding};
use partway_manifest::{
    Manifest, ManifestContents, ManifestFilter, ManifestObject, ManifestPart, ManifestTable,
    manifest_name,
};
use partway_store::{CompletedObject, ObjectStat, Store, StoreError, write_object};
use partway_wasmtime::exporter::TableContents;
use serde::{Deserialize, Serialize};

use crate::job::Job;
use crate::record::JobRecord;
use crate::totals::Finished;

/// What the manifest will list.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Listing {
    /// All parts, in order.
    pub(crate) parts: Vec<ManifestPart>,
    /// The tables whose rows have ended, in order.
    pub(crate) tables: Vec<ManifestTable>,
}

impl Listing {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// How much it lists.
    pub(crate) fn lengths(&self) -> ListingLengths {
        ListingLengths { parts: self.parts.len(), tables: self.tables.len() }
    }

    /// Adds what a slice has written: parts of this size but for the last one of the object, and `bytes` in all.
    pub(crate) fn extend(
        &mut self,
        part_hashes: &[u64],
        part_size: u32,
        mut bytes: u64,
        tables: Vec<TableContents>,
    ) {
        for xxh64 in part_hashes {
            let length = bytes.min(part_size.into());
            bytes -= length;
            self.parts.push(ManifestPart { bytes: length, xxh64: *xxh64 });
        }
        self.tables.extend(tables.into_iter().map(listed));
    }
}

/// How many parts and tables a listing has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ListingLengths {
    pub(crate) parts: usize,
    pub(crate) tables: usize,
}

fn listed(table: TableContents) -> ManifestTable {
    let TableContents { name, rows, start, end, xxh64 } = table;
    ManifestTable {
        name: String::from_utf8_lossy(&name).into_owned(),
        rows,
        offset: start,
        bytes: end.saturating_sub(start),
        xxh64,
    }
}

/// Why there is no manifest beside an object.
#[derive(Debug, thiserror::Error)]
pub enum NoManifest {
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is something else of its name.
    #[error("{0} is something else")]
    Taken(String),
    /// What it would say makes no sense.
    #[error(
        "what the export was to list is not complete: it was begun by an older version, or its component contradicts itself"
    )]
    Incomplete,
}

/// The most bytes of a manifest that is there already. A larger one is never replaced.
const MAX_REPLACED: usize = 64 * 1024 * 1024;

/// Whether the manifest of an object of this name can be written: its name is free, or has a manifest of an earlier object
/// of the same name, which is gone.
pub(crate) async fn is_manifest_writable(
    store: &Arc<dyn Store>,
    object: &str,
) -> Result<bool, StoreError> {
    let name = manifest_name(object);
    Ok(!store.is_taken(&name).await? || is_manifest_of(store, &name, object).await?)
}

/// Whether an object is a manifest of an object of this name.
async fn is_manifest_of(
    store: &Arc<dyn Store>,
    name: &str,
    object: &str,
) -> Result<bool, StoreError> {
    let bytes = read_manifest(store, name).await?;
    Ok(Manifest::from_json(&bytes).is_ok_and(|manifest| manifest.object.name == object))
}

/// Writes the manifest of a job's object, which is there. One of an earlier attempt, or of an earlier object of the name, is
/// replaced.
pub(crate) async fn write_manifest(
    store: &Arc<dyn Store>,
    record: &JobRecord,
    job: &Job,
    finished: &Finished,
) -> Result<(), NoManifest> {
    let name = manifest_name(&finished.name);
    if store.is_taken(&name).await? {
        if !is_manifest_of(store, &name, &finished.name).await? {
            return Err(NoManifest::Taken(store.location(&name)));
        }
        store.delete(&name).await?;
    }
    let text = manifest(record, job, finished).to_json().map_err(|_| NoManifest::Incomplete)?;
    write_object(store, &name, Bytes::from(text)).await?;
    Ok(())
}

/// Writes an object, unless there is one of its name and with these bytes: that of an earlier attempt. Of other bytes:
/// [`StoreError::Taken`].
pub(crate) async fn write_once(
    store: &Arc<dyn Store>,
    name: &str,
    bytes: &Bytes,
) -> Result<CompletedObject, StoreError> {
    if let Some(found) = find_same(store, name, bytes).await? {
        return Ok(found);
    }
    if store.is_taken(name).await? {
        return Err(StoreError::Taken { location: store.location(name) });
    }
    match write_object(store, name, bytes.clone()).await {
        // Of this object nothing was saved that would have to start over.
        Err(StoreError::UploadGone { location }) => {
            let reason = "what was written of it has been deleted".to_owned();
            Err(StoreError::Failed { location, reason })
        }
        written => written,
    }
}

/// The object of a name, if it has these bytes.
pub(crate) async fn find_same(
    store: &Arc<dyn Store>,
    name: &str,
    bytes: &Bytes,
) -> Result<Option<CompletedObject>, StoreError> {
    let ObjectStat { length, version } = match store.stat(name).await {
        Ok(found) => found,
        Err(StoreError::NoObject { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let is_same =
        length == bytes.len() as u64 && read_up_to(store, name, bytes.len()).await? == *bytes;
    Ok(is_same.then(|| CompletedObject { name: name.to_owned(), version }))
}

/// The bytes of what may be a manifest; of what is too large for one, a part that is none.
pub(crate) async fn read_manifest(
    store: &Arc<dyn Store>,
    name: &str,
) -> Result<Vec<u8>, StoreError> {
    read_up_to(store, name, MAX_REPLACED).await
}

/// An object's bytes, up to about this many.
async fn read_up_to(
    store: &Arc<dyn Store>,
    name: &str,
    most: usize,
) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::new();
    let mut chunks = store.read(name).await?;
    while let Some(chunk) = chunks.next().await {
        bytes.extend_from_slice(&chunk?);
        if bytes.len() > most {
            break;
        }
    }
    Ok(bytes)
}

/// An encrypted object's says nothing of what is in the object but how much it is: whoever has it may not have the key.
pub(crate) fn manifest(record: &JobRecord, job: &Job, finished: &Finished) -> Manifest {
    let Finished { name, sha256, totals, .. } = finished;
    let Encoding { compression, recipients } = match &job.encoded {
        Some(encoded) => &encoded.encoding,
        None => &Encoding::default(),
    };
    let object = ManifestObject {
        name: name.clone(),
        bytes: totals.bytes,
        sha256: sha256.clone(),
        compression: compression.as_ref().map(ToString::to_string),
        codec_sha256: match compression {
            Some(Codec::Component(component)) => Some(component.sha256.clone()),
            _ => None,
        },
        encrypted: !recipients.is_empty(),
    };
    let its = |(table, _): &&(String, String)| {
        job.place.table.as_ref().is_none_or(|its| its.eq_ignore_ascii_case(table))
    };
    let filter = |(table, condition): &(String, String)| ManifestFilter {
        table: table.clone(),
        condition: condition.clone(),
    };
    let mut contents = ManifestContents {
        format: job.options.format.clone(),
        settings: job.options.settings.iter().cloned().collect(),
        only_tables: job.options.tables.clone(),
        filters: record.request.filters.iter().filter(its).map(filter).collect(),
        bytes: job.made().0,
        tables: totals.tables.into(),
        rows: totals.rows,
        warnings: totals.warnings.clone(),
        damaged: totals.damaged.clone(),
    };
    let mut tables = job.listing.tables.clone();
    if object.encrypted {
        contents.settings.clear();
        contents.only_tables.clear();
        contents.filters.clear();
        contents.warnings.clear();
        contents.damaged.clear();
        tables.clear();
    }
    Manifest {
        source_fingerprint: job.fingerprint.as_ref().map(ToString::to_string),
        component_sha256: job.component.clone(),
        made_by: format!("partway {}", env!("CARGO_PKG_VERSION")),
        began: second(record.created_at),
        ended: second(record.moved_at),
        seconds: (totals.seconds * 1000.0).round() / 1000.0,
        parts: job.listing.parts.clone(),
        tables,
        ..Manifest::new(object, contents)
    }
}

/// A moment, without fractions of a second.
fn second(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
