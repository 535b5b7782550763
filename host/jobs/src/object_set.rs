//! The objects of a job that makes one of each table. They appear together, when all of them are done, and their manifest
//! appears last.

use std::sync::Arc;

use bytes::Bytes;
use partway_manifest::{Manifest, ManifestSet};
use partway_store::{CompletedObject, ObjectVersion, Store, StoreError, numbered_name};
use sha2::{Digest, Sha256};

use crate::job::Job;
use crate::job_error::JobError;
use crate::manifest::{ManifestDetails, read_manifest, write_once};
use crate::record::JobRecord;
use crate::step_error::StepError;
use crate::totals::{Finished, Totals};
use crate::transitions::{Remedy, remedy};

/// Where a job is that makes one object of each table.
#[derive(Debug, Clone, Default)]
pub(crate) struct ObjectSet {
    /// All tables, in order.
    pub(crate) tables: Vec<String>,
    /// The objects of the first tables, whose slices are done: not that of the table that the job is at.
    pub(crate) ended: Vec<Job>,
}

/// The place of an object among those of its job.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Place {
    /// The table. None: it is the job's only object.
    pub(crate) table: Option<String>,
    /// Its number, counted from 1; 0 for an only object.
    pub(crate) number: usize,
    /// Whether there are others after it.
    pub(crate) has_next: bool,
    /// The totals of those before it.
    pub(crate) before: Totals,
}

/// What a job has made.
#[derive(Debug)]
pub(crate) struct Completed {
    /// Its object, or the manifest of a set.
    pub(crate) finished: Finished,
    /// The objects of a set, and the manifest. Empty for every other job.
    pub(crate) objects: Vec<JobObject>,
}

/// An object of a job that has made one of each table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobObject {
    /// The table. None: it is the manifest.
    pub table: Option<String>,
    /// The object's name in the store.
    pub name: String,
    /// Its length, in bytes.
    pub bytes: u64,
    /// The rows in it.
    pub rows: u64,
    /// The SHA-256 of its bytes, in hexadecimal digits.
    pub sha256: String,
    /// Its version in the store; none if the store does not tell objects apart.
    pub version: Option<ObjectVersion>,
}

impl ObjectSet {
    /// The place of the object of this number, after others of these totals.
    pub(crate) fn place(&self, number: usize, before: Totals) -> Place {
        Place {
            table: self.tables.get(number - 1).cloned(),
            number,
            has_next: number < self.tables.len(),
            before,
        }
    }
}

/// Makes all objects of a set appear, and then its manifest, which is what the job's result is. May be called again.
///
/// If one can't appear, and never will, those that have are deleted again.
pub(crate) async fn complete_set(
    store: &Arc<dyn Store>,
    record: &JobRecord,
    jobs: &[&Job],
) -> Result<Completed, StepError> {
    let mut finished = Vec::new();
    for job in jobs {
        match job.complete(store).await {
            Ok(done) => finished.push(done),
            Err(error) => {
                let error = StepError::from(error);
                // Of all: an earlier attempt may have got further than this one.
                if matches!(remedy(&error), Remedy::StartOver | Remedy::Fail) {
                    delete_completed(store, record, jobs).await.map_err(JobError::from)?;
                }
                return Err(error);
            }
        }
    }
    Ok(write_set_manifest(store, record, jobs, finished).await?)
}

/// The result of a set whose objects have all appeared. None: at least one has not.
pub(crate) async fn find_completed_set(
    store: &Arc<dyn Store>,
    record: &JobRecord,
    jobs: &[&Job],
) -> Result<Option<Completed>, StoreError> {
    let mut finished = Vec::new();
    for job in jobs {
        match job.find_completed(store).await? {
            Some(done) => finished.push(done),
            None => return Ok(None),
        }
    }
    match write_set_manifest(store, record, jobs, finished).await {
        Ok(completed) => Ok(Some(completed)),
        Err(JobError::Store(error)) => Err(error),
        Err(_) => Ok(None),
    }
}

/// Deletes those objects of a set that have appeared although others have not, and its manifest, if an earlier attempt has
/// got that far.
pub(crate) async fn delete_completed(
    store: &Arc<dyn Store>,
    record: &JobRecord,
    jobs: &[&Job],
) -> Result<(), StoreError> {
    let mut completed = Vec::new();
    for job in jobs {
        completed.push(job.find_completed(store).await?);
    }
    let found: Vec<_> = completed.iter().map(Option::as_ref).collect();
    let wanted = record.object.as_deref().unwrap_or_default();
    for number in 1.. {
        // It has this name, or the next one after those of others.
        let name = numbered_name(wanted, number);
        if !store.is_taken(&name).await? {
            break;
        }
        if is_own_manifest(store, &name, &found).await? {
            store.delete(&name).await?;
            break;
        }
    }
    for Finished { name, .. } in completed.iter().flatten() {
        store.delete(name).await?;
    }
    Ok(())
}

/// Whether an object is the manifest of these objects, of which some may be gone.
///
/// Their names tell: each object is known to be this job's. Others may have the same hashes, as exports of one database have,
/// and the manifest's own bytes say when it was written.
async fn is_own_manifest(
    store: &Arc<dyn Store>,
    name: &str,
    found: &[Option<&Finished>],
) -> Result<bool, StoreError> {
    let Ok(set) = ManifestSet::from_json(&read_manifest(store, name).await?) else {
        return Ok(false);
    };
    let mut pairs = set.objects.iter().zip(found).filter_map(|(listed, found)| {
        let Finished { name, sha256, .. } = (*found)?;
        Some((&listed.object.name, &listed.object.sha256) == (name, sha256))
    });
    let is_own = pairs.next().unwrap_or(false) && pairs.all(|is_same| is_same);
    Ok(is_own && set.objects.len() == found.len())
}

async fn write_set_manifest(
    store: &Arc<dyn Store>,
    record: &JobRecord,
    jobs: &[&Job],
    finished: Vec<Finished>,
) -> Result<Completed, JobError> {
    let manifests = jobs.iter().zip(&finished).map(|(job, done)| {
        let manifest = job.manifest(done, &ManifestDetails::of(record));
        let makes_sense = manifest.to_json().is_ok();
        // A component that contradicts itself has told nothing of its tables.
        if makes_sense { manifest } else { Manifest { tables: Vec::new(), ..manifest } }
    });
    let text = ManifestSet::new(manifests.collect()).to_json().map_err(|_| JobError::Damaged)?;
    let bytes = text.len() as u64;
    let sha256 = base16ct::lower::encode_string(&Sha256::digest(&text));
    let wanted = record.object.as_deref().unwrap_or_default();
    let appeared: Vec<_> = finished.iter().map(Some).collect();
    let CompletedObject { name, version } = write_manifest(store, wanted, text, &appeared).await?;
    let tables = jobs.iter().map(|job| job.place.table.clone());
    let mut objects: Vec<JobObject> =
        tables.zip(&finished).map(|(table, done)| object(table, done)).collect();
    let location = store.location(&name);
    let finished = Finished { name, location, sha256, version, totals: record.totals.clone() };
    objects.push(JobObject { bytes, rows: 0, ..object(None, &finished) });
    Ok(Completed { finished, objects })
}

/// Writes the manifest under its name, or the next free one: the objects are there, and are not made again for that.
async fn write_manifest(
    store: &Arc<dyn Store>,
    wanted: &str,
    text: Vec<u8>,
    objects: &[Option<&Finished>],
) -> Result<CompletedObject, StoreError> {
    let text = Bytes::from(text);
    let mut number = 1;
    let written = loop {
        let name = numbered_name(wanted, number);
        match write_once(store, &name, &text).await {
            // Perhaps by an earlier attempt, or by a process that has the job too, just now.
            Err(StoreError::Taken { .. }) => match find_manifest(store, &name, objects).await? {
                Some(own) => return Ok(own),
                None => number += 1,
            },
            written => break written?,
        }
    };
    // A process that has lost the job may have written it meanwhile, and before.
    for name in (1..=number).map(|number| numbered_name(wanted, number)) {
        if name == written.name {
            break;
        }
        if let Some(first) = find_manifest(store, &name, objects).await? {
            store.delete(&written.name).await?;
            return Ok(first);
        }
    }
    Ok(written)
}

/// The object of a name, if it is the manifest of these objects.
async fn find_manifest(
    store: &Arc<dyn Store>,
    name: &str,
    objects: &[Option<&Finished>],
) -> Result<Option<CompletedObject>, StoreError> {
    let version = match store.stat(name).await {
        Ok(found) => found.version,
        Err(StoreError::NoObject { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let is_own = is_own_manifest(store, name, objects).await?;
    Ok(is_own.then(|| CompletedObject { name: name.to_owned(), version }))
}

fn object(table: Option<String>, finished: &Finished) -> JobObject {
    let Finished { name, sha256, version, totals, .. } = finished.clone();
    JobObject { table, name, bytes: totals.bytes, rows: totals.rows, sha256, version }
}
