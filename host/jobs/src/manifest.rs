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
use partway_store::{CompletedObject, ObjectStat, Store, StoreError, numbered_name, write_object};
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

/// What a manifest says of an export that its [`Job`] does not know.
#[derive(Debug, Clone)]
pub struct ManifestDetails {
    /// When the export was asked for.
    pub began: Timestamp,
    /// When its last slice had ended.
    pub ended: Timestamp,
    /// Which rows of which tables were exported: each table's name, and the condition. None: all.
    pub filters: Vec<(String, String)>,
}

impl ManifestDetails {
    pub(crate) fn of(record: &JobRecord) -> Self {
        Self {
            began: record.created_at,
            ended: record.moved_at,
            filters: record.request.filters.clone(),
        }
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
    /// None is wanted, but there is one: of an earlier object of the same name.
    #[error("only that of an earlier object of its name, which can't be deleted: {0}")]
    Old(StoreError),
}

/// The most bytes of a manifest that is there already. A larger one is never replaced.
const MAX_REPLACED: usize = 64 * 1024 * 1024;

/// Whether an object can have this name: it is free, and in the place of its manifest there is nothing but the manifest of an
/// earlier object of the name, which is gone.
pub(crate) async fn is_name_free(store: &Arc<dyn Store>, name: &str) -> Result<bool, StoreError> {
    if store.is_taken(name).await? {
        return Ok(false);
    }
    let manifest = manifest_name(name);
    Ok(!store.is_taken(&manifest).await? || is_manifest_of(store, &manifest, name).await?)
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

/// The first of `name`, `name-2` … that an object can have.
pub(crate) async fn free_name(store: &Arc<dyn Store>, name: &str) -> Result<String, StoreError> {
    let mut number = 1;
    loop {
        let free = numbered_name(name, number);
        if is_name_free(store, &free).await? {
            return Ok(free);
        }
        number += 1;
    }
}

/// Deletes the manifest of an object of this name, if there is one; false: there is something else.
async fn delete_manifest_of(
    store: &Arc<dyn Store>,
    name: &str,
    object: &str,
) -> Result<bool, StoreError> {
    if !store.is_taken(name).await? {
        return Ok(true);
    }
    if !is_manifest_of(store, name, object).await? {
        return Ok(false);
    }
    store.delete(name).await?;
    Ok(true)
}

impl Job {
    /// Writes the manifest beside the finished object. One of an earlier attempt, or of an earlier object of the name, is
    /// replaced. May be called again.
    ///
    /// # Errors
    ///
    /// All of [`NoManifest`] but [`NoManifest::Old`]: the object is as good without.
    pub async fn write_manifest(
        &self,
        store: &Arc<dyn Store>,
        finished: &Finished,
        details: &ManifestDetails,
    ) -> Result<(), NoManifest> {
        let name = manifest_name(&finished.name);
        if !delete_manifest_of(store, &name, &finished.name).await? {
            return Err(NoManifest::Taken(store.location(&name)));
        }
        let text = self.manifest(finished, details).to_json();
        let text = text.map_err(|_| NoManifest::Incomplete)?;
        write_object(store, &name, Bytes::from(text)).await?;
        Ok(())
    }

    /// Deletes the manifest beside the finished object: that of an earlier object of its name, which nobody is to take for that
    /// of this one. What is no manifest of that name stays.
    ///
    /// # Errors
    ///
    /// [`NoManifest::Old`].
    pub async fn delete_manifest(
        &self,
        store: &Arc<dyn Store>,
        finished: &Finished,
    ) -> Result<(), NoManifest> {
        let name = manifest_name(&finished.name);
        delete_manifest_of(store, &name, &finished.name).await.map_err(NoManifest::Old)?;
        Ok(())
    }

    /// The manifest of the finished object. An encrypted object's says nothing of what is in the object but how much it is: whoever has it may not have the key.
    pub(crate) fn manifest(&self, finished: &Finished, details: &ManifestDetails) -> Manifest {
        let Finished { name, sha256, totals, .. } = finished;
        let Encoding { compression, recipients } = match &self.encoded {
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
            self.place.table.as_ref().is_none_or(|its| its.eq_ignore_ascii_case(table))
        };
        let filter = |(table, condition): &(String, String)| ManifestFilter {
            table: table.clone(),
            condition: condition.clone(),
        };
        let mut contents = ManifestContents {
            format: self.options.format.clone(),
            settings: self.options.settings.iter().cloned().collect(),
            only_tables: self.options.tables.clone(),
            filters: details.filters.iter().filter(its).map(filter).collect(),
            bytes: self.made().0,
            tables: totals.tables.into(),
            rows: totals.rows,
            warnings: totals.warnings.clone(),
            damaged: totals.damaged.clone(),
        };
        let mut tables = self.listing.tables.clone();
        if object.encrypted {
            contents.settings.clear();
            contents.only_tables.clear();
            contents.filters.clear();
            contents.warnings.clear();
            contents.damaged.clear();
            tables.clear();
        }
        Manifest {
            source_fingerprint: self.fingerprint.as_ref().map(ToString::to_string),
            component_sha256: self.component.clone(),
            made_by: format!("partway {}", env!("CARGO_PKG_VERSION")),
            began: second(details.began),
            ended: second(details.ended),
            seconds: (totals.seconds * 1000.0).round() / 1000.0,
            parts: self.listing.parts.clone(),
            tables,
            ..Manifest::new(object, contents)
        }
    }
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

/// A moment, without fractions of a second.
fn second(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
